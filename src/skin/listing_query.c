/*
 * The query of GET models: filters, order, pages (openrouter.md 15.2; OpenAPI document, GET /models). One table of members;
 * those that need what we do not have (benchmarks, popularity, categories, feeds) are refused by name, never passed over.
 *
 * Happy path: split at '&' -> decode name and value -> the member's row reads the value.
 * Fails with INVALID_REQUEST (a value that the member does not take) or UNIMPLEMENTED.
 */
#include "listing.h"

#include <string.h>

#include "remora/decimal.h"
#include "remora/text.h"

#define PAGE_MAX 1000

/* ---- values ---- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Percent-encoding and '+' undone (WHATWG URL, application/x-www-form-urlencoded). */
static struct remora_slice decoded(struct remora_slice raw, struct remora_arena *arena)
{
    char *out = remora_arena_alloc(arena, raw.length + 1);
    size_t length = 0;
    for (size_t i = 0; out != NULL && i < raw.length; i++) {
        char c = raw.data[i] == '+' ? ' ' : raw.data[i];
        if (c == '%' && i + 2 < raw.length && hex_of(raw.data[i + 1]) >= 0 &&
            hex_of(raw.data[i + 2]) >= 0) {
            c = (char)(hex_of(raw.data[i + 1]) * 16 + hex_of(raw.data[i + 2]));
            i += 2;
        }
        out[length++] = c;
    }
    return remora_slice(out, out == NULL ? 0 : length);
}

/* The next item of a comma-separated list, blanks around it cut off; false at its end. */
static bool next_item(struct remora_slice list, size_t *at, struct remora_slice *item)
{
    if (*at > list.length || list.length == 0) {
        return false;
    }
    size_t end = remora_slice_find(list, ',', *at);
    *item = remora_slice_trim(remora_slice(list.data + *at, end - *at));
    *at = end + 1;
    return true;
}

static enum remora_code refuse(struct remora_fail *fail, const char *name, const char *takes)
{
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, name, "%s must be %s.", name, takes);
}

/* ---- one reader per kind of value ---- */

typedef enum remora_code (*reader_fn)(struct listing_query *query, const char *name,
                                      struct remora_slice value, struct remora_fail *fail);

static enum remora_code read_count(int64_t *out, const char *name, struct remora_slice value,
                                   struct remora_fail *fail)
{
    uint64_t number = 0;
    if (!remora_parse_u64(value, &number) || number > INT32_MAX) {
        return refuse(fail, name, "a whole number of at least 0");
    }
    *out = (int64_t)number;
    return REMORA_OK;
}

static enum remora_code read_offset(struct listing_query *query, const char *name,
                                    struct remora_slice value, struct remora_fail *fail)
{
    return read_count(&query->offset, name, value, fail);
}

static enum remora_code read_limit(struct listing_query *query, const char *name,
                                   struct remora_slice value, struct remora_fail *fail)
{
    enum remora_code code = read_count(&query->limit, name, value, fail);
    if (code == REMORA_OK && (query->limit < 1 || query->limit > PAGE_MAX)) {
        return refuse(fail, name, "at least 1 and at most 1000");
    }
    return code;
}

static enum remora_code read_context(struct listing_query *query, const char *name,
                                     struct remora_slice value, struct remora_fail *fail)
{
    return read_count(&query->context_length, name, value, fail);
}

static enum remora_code read_modalities(uint32_t *out, const char *name, struct remora_slice value,
                                        struct remora_fail *fail)
{
    struct remora_slice item;
    *out = 0;
    for (size_t at = 0; next_item(value, &at, &item);) {
        uint32_t bit = listing_modality(item);
        if (bit == 0) {
            return refuse(fail, name,
                          "a comma-separated list of text, image, audio, video, file, embeddings");
        }
        *out |= bit;
    }
    return REMORA_OK;
}

static enum remora_code read_outputs(struct listing_query *query, const char *name,
                                     struct remora_slice value, struct remora_fail *fail)
{
    if (remora_slice_is(value, "all")) {
        query->output_modalities = 0;
        return REMORA_OK;
    }
    return read_modalities(&query->output_modalities, name, value, fail);
}

static enum remora_code read_inputs(struct listing_query *query, const char *name,
                                    struct remora_slice value, struct remora_fail *fail)
{
    return read_modalities(&query->input_modalities, name, value, fail);
}

static bool parameter_bit(struct remora_slice name, remora_parameter_set *bit)
{
    static const struct {
        const char *name;
        enum remora_parameter parameter;
    } other_names[] = {{"max_completion_tokens", REMORA_PARAMETER_MAX_TOKENS},
                       {"include_reasoning", REMORA_PARAMETER_REASONING},
                       {"reasoning_effort", REMORA_PARAMETER_REASONING}};
    for (size_t i = 0; i < REMORA_COUNT_OF(other_names); i++) {
        if (remora_slice_is(name, other_names[i].name)) {
            *bit = (remora_parameter_set)1 << (unsigned)other_names[i].parameter;
            return true;
        }
    }
    for (unsigned i = 0; i < REMORA_PARAMETER_COUNT; i++) {
        if (remora_slice_is(name, remora_parameter_name((enum remora_parameter)i))) {
            *bit = (remora_parameter_set)1 << i;
            return true;
        }
    }
    return false;
}

static enum remora_code read_parameters(struct listing_query *query, const char *name,
                                        struct remora_slice value, struct remora_fail *fail)
{
    struct remora_slice item;
    for (size_t at = 0; next_item(value, &at, &item);) {
        remora_parameter_set bit = 0;
        if (!parameter_bit(item, &bit)) {
            return refuse(fail, name, "a comma-separated list of parameters of a request");
        }
        query->parameters |= bit;
    }
    return REMORA_OK;
}

/* USD per million tokens -> pico-USD per token. What lies between two of them: the lower one is the most that fits. */
static enum remora_code read_most(int64_t *out, const char *name, struct remora_slice value,
                                  struct remora_fail *fail)
{
    return remora_decimal_floor(value, 6, out, NULL)
               ? REMORA_OK
               : refuse(fail, name, "USD per million tokens as a number of at least 0");
}

/* As a least, it is the upper one. */
static enum remora_code read_least(int64_t *out, const char *name, struct remora_slice value,
                                   struct remora_fail *fail)
{
    enum remora_decimal_exactness exactness = REMORA_DECIMAL_EXACT;
    if (!remora_decimal_floor(value, 6, out, &exactness)) {
        return refuse(fail, name, "USD per million tokens as a number of at least 0");
    }
    *out += exactness == REMORA_DECIMAL_ROUNDED && *out < INT64_MAX;
    return REMORA_OK;
}

static enum remora_code read_min_price(struct listing_query *query, const char *name,
                                       struct remora_slice value, struct remora_fail *fail)
{
    return read_least(&query->min_pico_usd[0], name, value, fail);
}

static enum remora_code read_max_price(struct listing_query *query, const char *name,
                                       struct remora_slice value, struct remora_fail *fail)
{
    return read_most(&query->max_pico_usd[0], name, value, fail);
}

static enum remora_code read_min_output(struct listing_query *query, const char *name,
                                        struct remora_slice value, struct remora_fail *fail)
{
    return read_least(&query->min_pico_usd[1], name, value, fail);
}

static enum remora_code read_max_output(struct listing_query *query, const char *name,
                                        struct remora_slice value, struct remora_fail *fail)
{
    return read_most(&query->max_pico_usd[1], name, value, fail);
}

static enum remora_code read_text(struct listing_query *query, const char *name,
                                  struct remora_slice value, struct remora_fail *fail)
{
    (void)name;
    (void)fail;
    query->text = value;
    return REMORA_OK;
}

static enum remora_code read_authors(struct listing_query *query, const char *name,
                                     struct remora_slice value, struct remora_fail *fail)
{
    (void)name;
    (void)fail;
    query->authors = value;
    return REMORA_OK;
}

static enum remora_code read_providers(struct listing_query *query, const char *name,
                                       struct remora_slice value, struct remora_fail *fail)
{
    (void)name;
    (void)fail;
    query->providers = value;
    return REMORA_OK;
}

static enum remora_code read_arch(struct listing_query *query, const char *name,
                                  struct remora_slice value, struct remora_fail *fail)
{
    (void)name;
    (void)fail;
    query->tokenizer = value;
    return REMORA_OK;
}

static enum remora_code read_zdr(struct listing_query *query, const char *name,
                                 struct remora_slice value, struct remora_fail *fail)
{
    query->zdr = remora_slice_is(value, "true");
    return query->zdr ? REMORA_OK : refuse(fail, name, "true, or left out");
}

static enum remora_code not_built(struct remora_fail *fail, const char *name, const char *why)
{
    return remora_fail_set(fail, REMORA_UNIMPLEMENTED, name, "%s: %s; leave it out.", name, why);
}

static enum remora_code read_sort(struct listing_query *query, const char *name,
                                  struct remora_slice value, struct remora_fail *fail)
{
    static const struct {
        const char *name;
        enum listing_sort sort; /* NONE: documented, and we do not have what it sorts by */
    } sorts[] = {
        {"newest", LISTING_SORT_NEWEST},
        {"pricing-low-to-high", LISTING_SORT_PRICE_LOW},
        {"pricing-high-to-low", LISTING_SORT_PRICE_HIGH},
        {"context-high-to-low", LISTING_SORT_CONTEXT_HIGH},
        {"most-popular", LISTING_SORT_NONE},
        {"top-weekly", LISTING_SORT_NONE},
        {"throughput-high-to-low", LISTING_SORT_NONE},
        {"latency-low-to-high", LISTING_SORT_NONE},
        {"intelligence-high-to-low", LISTING_SORT_NONE},
        {"coding-high-to-low", LISTING_SORT_NONE},
        {"agentic-high-to-low", LISTING_SORT_NONE},
        {"design-arena-elo-high-to-low", LISTING_SORT_NONE},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(sorts); i++) {
        if (remora_slice_is(value, sorts[i].name)) {
            query->sort = sorts[i].sort;
            return query->sort != LISTING_SORT_NONE
                       ? REMORA_OK
                       : not_built(fail, name, "there are no statistics to sort by");
        }
    }
    return refuse(fail, name,
                  "newest, pricing-low-to-high, pricing-high-to-low or context-high-to-low");
}

static enum remora_code read_later(struct listing_query *query, const char *name,
                                   struct remora_slice value, struct remora_fail *fail)
{
    (void)query;
    (void)value;
    return not_built(fail, name, "this gateway does not have the facts that it asks for");
}

static const struct member {
    const char *name;
    reader_fn read;
} members[] = {
    {"offset", read_offset},
    {"limit", read_limit},
    {"output_modalities", read_outputs},
    {"input_modalities", read_inputs},
    {"supported_parameters", read_parameters},
    {"context", read_context},
    {"min_price", read_min_price},
    {"max_price", read_max_price},
    {"min_output_price", read_min_output},
    {"max_output_price", read_max_output},
    {"q", read_text},
    {"model_authors", read_authors},
    {"providers", read_providers},
    {"arch", read_arch},
    {"zdr", read_zdr},
    {"sort", read_sort},
    {"category", read_later},
    {"region", read_later},
    {"distillable", read_later},
    {"use_rss", read_later},
    {"use_rss_chat_links", read_later},
    {"min_age_days", read_later},
    {"max_age_days", read_later},
    {"min_intelligence_index", read_later},
    {"max_intelligence_index", read_later},
    {"min_coding_index", read_later},
    {"max_coding_index", read_later},
    {"min_agentic_index", read_later},
    {"max_agentic_index", read_later},
    {"min_tool_success_rate", read_later},
    {"max_tool_success_rate", read_later},
};

/* ---- the whole ---- */

_Static_assert(REMORA_COUNT_OF(members) <= 64, "one bit each");

/* An empty value is as good as none: SDKs send "min_price=" for what was not stated. *seen: a bit per member that was read. */
static enum remora_code read_pair(struct remora_slice pair, struct remora_arena *arena,
                                  uint64_t *seen, struct listing_query *out,
                                  struct remora_fail *fail)
{
    size_t equals = remora_slice_find(pair, '=', 0);
    struct remora_slice name = decoded(remora_slice(pair.data, equals), arena);
    if (equals + 1 >= pair.length) {
        return REMORA_OK;
    }
    struct remora_slice value =
        decoded(remora_slice(pair.data + equals + 1, pair.length - equals - 1), arena);
    for (size_t i = 0; i < REMORA_COUNT_OF(members); i++) {
        if (!remora_slice_is(name, members[i].name)) {
            continue;
        }
        if ((*seen & UINT64_C(1) << i) != 0) {
            return refuse(fail, members[i].name, "there only once");
        }
        *seen |= UINT64_C(1) << i;
        return members[i].read(out, members[i].name, value, fail);
    }
    return REMORA_OK;
}

enum remora_code listing_query_read(struct remora_slice text, struct remora_arena *arena,
                                    struct listing_query *out, struct remora_fail *fail)
{
    *out = (struct listing_query){.offset = -1,
                                  .limit = -1,
                                  .output_modalities = REMORA_MODALITY_TEXT,
                                  .min_pico_usd = {-1, -1},
                                  .max_pico_usd = {-1, -1}};
    enum remora_code code = REMORA_OK;
    uint64_t seen = 0;
    for (size_t at = 0; at < text.length && code == REMORA_OK;) {
        size_t end = remora_slice_find(text, '&', at);
        code = read_pair(remora_slice(text.data + at, end - at), arena, &seen, out, fail);
        at = end + 1;
    }
    if (code == REMORA_OK && arena->failed != REMORA_OK) {
        return remora_fail_set(fail, arena->failed, NULL, "The query needs too much memory.");
    }
    return code;
}

/* ---- what it takes ---- */

static bool contains_nocase(struct remora_slice text, struct remora_slice part)
{
    for (size_t i = 0; i + part.length <= text.length; i++) {
        if (remora_slice_equal_nocase(remora_slice(text.data + i, part.length), part)) {
            return true;
        }
    }
    return false;
}

static bool lists(struct remora_slice list, struct remora_slice name)
{
    struct remora_slice item;
    for (size_t at = 0; next_item(list, &at, &item);) {
        if (remora_slice_equal_nocase(item, name)) {
            return true;
        }
    }
    return false;
}

bool listing_query_hosts(const struct listing_query *query, const struct remora_endpoint *endpoint)
{
    return query->providers.length == 0 || lists(query->providers, endpoint->facts.provider) ||
           lists(query->providers, endpoint->provider->facts.name);
}

static bool price_fits(const struct listing_query *query, int at, int64_t pico_usd)
{
    if (query->min_pico_usd[at] >= 0 && pico_usd < query->min_pico_usd[at]) {
        return false; /* an unknown price is -1 */
    }
    return query->max_pico_usd[at] < 0 || (pico_usd >= 0 && pico_usd <= query->max_pico_usd[at]);
}

bool listing_query_takes(const struct listing_query *query, const struct remora_listed *entry)
{
    const struct remora_model_facts *facts = &entry->model->facts;
    const int64_t *prices = entry->top->facts.prices.pico_usd;
    bool has_text = query->text.length == 0 || contains_nocase(facts->id, query->text) ||
                    contains_nocase(facts->name, query->text);
    bool has_kinds = (query->output_modalities == 0 ||
                      (query->output_modalities & facts->output_modalities) != 0) &&
                     (query->input_modalities & ~remora_listed_set(facts->input_modalities)) == 0;
    bool has_makers = (query->authors.length == 0 || lists(query->authors, facts->author)) &&
                      (query->tokenizer.length == 0 ||
                       remora_slice_equal_nocase(query->tokenizer, listing_tokenizer(facts)));
    return has_text && has_kinds && has_makers && entry->is_hosted &&
           (entry->supported & query->parameters) == query->parameters &&
           facts->context_length >= query->context_length &&
           price_fits(query, 0, prices[REMORA_PRICE_PROMPT]) &&
           price_fits(query, 1, prices[REMORA_PRICE_COMPLETION]);
}

/* ---- order ---- */

/* Smaller comes first. */
static int64_t sort_key(enum listing_sort sort, const struct remora_listed *entry)
{
    const int64_t *prices = entry->top->facts.prices.pico_usd;
    int64_t prompt = prices[REMORA_PRICE_PROMPT];
    int64_t completion = prices[REMORA_PRICE_COMPLETION];
    bool is_priced =
        prompt >= 0 && completion >= 0 && prompt < INT64_MAX / 4 && completion < INT64_MAX / 4;
    int64_t fact = 0;
    switch (sort) {
    case LISTING_SORT_NONE:
        return 0;
    case LISTING_SORT_NEWEST:
        fact = entry->model->facts.created_unix_s;
        break;
    case LISTING_SORT_CONTEXT_HIGH:
        fact = entry->model->facts.context_length;
        break;
    case LISTING_SORT_PRICE_LOW:
        return is_priced ? prompt + completion : INT64_MAX;
    case LISTING_SORT_PRICE_HIGH:
        return is_priced ? -(prompt + completion) : INT64_MAX;
    }
    return fact > 0 ? -fact : INT64_MAX;
}

static void merge(enum listing_sort sort, struct remora_listed *to, const struct remora_listed *a,
                  size_t a_count, const struct remora_listed *b, size_t b_count)
{
    size_t i = 0;
    size_t j = 0;
    while (i < a_count || j < b_count) {
        bool takes_a =
            j == b_count || (i < a_count && sort_key(sort, &a[i]) <= sort_key(sort, &b[j]));
        *to++ = takes_a ? a[i++] : b[j++];
    }
}

void listing_sort(enum listing_sort sort, struct remora_listed *entries, size_t count,
                  struct remora_listed *scratch)
{
    for (size_t width = 1; sort != LISTING_SORT_NONE && width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t a_count = count - at < width ? count - at : width;
            size_t rest = count - at - a_count;
            size_t b_count = rest < width ? rest : width;
            merge(sort, scratch + at, entries + at, a_count, entries + at + a_count, b_count);
        }
        memcpy(entries, scratch, count * sizeof *entries);
    }
}
