/*
 * reasoning, provider, logit_bias, metadata and what no table names. Shapes: reference/openrouter.md sections 2, 2.1 and 4.
 * Money in max_price stays decimal: USD per million tokens (prompt, completion) or per item, as a string or a number, becomes
 * pico-USD per token or item (ARCHITECTURE 7).
 */
#include "parse.h"

#include "remora/decimal.h"
#include "remora/text.h"

/* ---- reasoning ---- */

static const char *const effort_words[] = {"none", "minimal", "low", "medium",
                                           "high", "xhigh",   "max"};

enum remora_code chat_read_effort(struct parse *p, struct remora_json value, void *target)
{
    size_t index = 0;
    enum remora_code code =
        parse_word(p, value, effort_words, REMORA_COUNT_OF(effort_words), &index);
    if (code == REMORA_OK) {
        *(enum remora_effort *)target = (enum remora_effort)(REMORA_EFFORT_NONE + (int)index);
    }
    return code;
}

static enum remora_code read_summary(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"auto", "concise", "detailed"};
    struct remora_slice *summary = target;
    struct remora_slice earlier = *summary;
    enum remora_code code = parse_word_slice(p, value, words, REMORA_COUNT_OF(words), summary);
    if (code == REMORA_OK && earlier.length > 0 && !remora_slice_equal(earlier, *summary)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "differs: summary and generate_summary are two names of one setting; "
                            "send one of them.");
    }
    return code;
}

static enum remora_code read_context(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"auto", "all_turns", "current_turn"};
    return parse_word_slice(p, value, words, REMORA_COUNT_OF(words), target);
}

/* "pro" would mean another model (openrouter.md 2.1, `mode`). */
static enum remora_code read_mode(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"standard", "pro"};
    size_t index = 0;
    (void)target;
    enum remora_code code = parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
    return code == REMORA_OK && index == 1
               ? parse_refuse(
                     p, REMORA_UNIMPLEMENTED,
                     "\"pro\" is documented, but this gateway does not support it yet; ask "
                     "for the pro model by its name.")
               : code;
}

/* What was said is kept beside what it means: include_reasoning may say otherwise. */
static enum remora_code read_exclude(struct parse *p, struct remora_json value, void *target)
{
    enum remora_code code = parse_tristate(p, value, &p->excludes);
    *(bool *)target = p->excludes == REMORA_YES;
    return code;
}

enum remora_code chat_read_reasoning(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_range tokens = {1, INT32_MAX, false};
#define REASONING(text, reader, member)                                                     \
    {                                                                                       \
        REMORA_SLICE_INIT(text), reader, offsetof(struct remora_reasoning_options, member), \
            PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT, .range = &tokens              \
    }
    static const struct parse_field fields[] = {
        REASONING("effort", chat_read_effort, effort),
        REASONING("max_tokens", parse_opt_i64, max_tokens),
        REASONING("exclude", read_exclude, exclude_from_response),
        REASONING("enabled", parse_tristate, enabled),
        REASONING("summary", read_summary, summary),
        REASONING("generate_summary", read_summary, summary), /* its older name */
        REASONING("context", read_context, context),
        REASONING("mode", read_mode, context),
    };
#undef REASONING
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    enum remora_code code = parse_object(p, value, &table, target);
    p->is_neutral = code == REMORA_OK && remora_reasoning_only_hides(target);
    return code;
}

/* ---- provider ---- */

static enum remora_code read_name(struct parse *p, struct remora_json value, const char *cure,
                                  struct remora_slice *out)
{
    enum remora_code code = parse_id(p, value, out);
    return code == REMORA_OK && out->length == 0
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "%s", cure)
               : code;
}

static enum remora_code read_slug(struct parse *p, struct remora_json value, void *target)
{
    return read_name(p, value, "must name a provider.", target);
}

static enum remora_code read_region(struct parse *p, struct remora_json value, void *target)
{
    return read_name(p, value, "must name a region.", target);
}

static enum remora_code read_names(struct parse *p, struct remora_json value, parse_fn read,
                                   struct remora_slices *names)
{
    if (remora_json_is(value, REMORA_JSON_ARRAY) &&
        remora_json_count(value) > REMORA_LIMIT_PROVIDERS_LISTED) {
        return parse_refuse(p, REMORA_TOO_LARGE, "must have at most %d entries.",
                            (int)REMORA_LIMIT_PROVIDERS_LISTED);
    }
    struct parse_list list = {0};
    enum remora_code code = parse_array(p, value, sizeof(struct remora_slice), read, &list);
    if (code != REMORA_OK) {
        return code;
    }
    *names = (struct remora_slices){.items = list.items, .count = list.count, .is_set = true};
    return remora_names_index(names, p->arena) == REMORA_OK ? REMORA_OK : parse_no_room(p);
}

static enum remora_code read_slugs(struct parse *p, struct remora_json value, void *target)
{
    return read_names(p, value, read_slug, target);
}

static enum remora_code read_regions(struct parse *p, struct remora_json value, void *target)
{
    return read_names(p, value, read_region, target);
}

static enum remora_code read_quantization(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"int4", "int8",  "fp4",  "mxfp4", "nvfp4", "fp6",
                                        "fp8",  "mxfp8", "fp16", "bf16",  "fp32",  "unknown"};
    size_t index = 0;
    enum remora_code code = parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
    *(struct remora_slice *)target = remora_slice_of(words[index]);
    return code;
}

static enum remora_code read_quantizations(struct parse *p, struct remora_json value, void *target)
{
    struct parse_list list = {0};
    enum remora_code code =
        parse_array(p, value, sizeof(struct remora_slice), read_quantization, &list);
    if (code == REMORA_OK) {
        *(struct remora_slices *)target =
            (struct remora_slices){.items = list.items, .count = list.count, .is_set = true};
    }
    return code;
}

static enum remora_code read_collection(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"allow", "deny"};
    size_t index = 0;
    enum remora_code code = parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
    if (code == REMORA_OK) {
        *(enum remora_data_collection *)target = index == 0 ? REMORA_DATA_ALLOW : REMORA_DATA_DENY;
    }
    return code;
}

/* USD as text or as a number; the number's own characters are read, so that no float comes between. */
static enum remora_code read_usd(struct parse *p, struct remora_json value, unsigned scale,
                                 const char *cure, int64_t *out)
{
    struct remora_slice text = {NULL, 0};
    if (remora_json_is(value, REMORA_JSON_STRING)) {
        enum remora_code code = parse_slice(p, value, &text);
        if (code != REMORA_OK) {
            return code;
        }
    } else if (remora_json_is(value, REMORA_JSON_NUMBER)) {
        text = remora_json_raw(value);
    }
    if (text.length == 0 || !remora_decimal_floor(text, scale, out, NULL)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "%s", cure);
    }
    return REMORA_OK;
}

/* Per million tokens: 10^12 pico-USD / 10^6 tokens. */
static enum remora_code read_token_price(struct parse *p, struct remora_json value, void *target)
{
    return read_usd(p, value, 6, REMORA_TOKEN_CAP_WANTED, target);
}

static enum remora_code read_item_price(struct parse *p, struct remora_json value, void *target)
{
    return read_usd(p, value, 12, REMORA_ITEM_CAP_WANTED, target);
}

static enum remora_code read_max_price(struct parse *p, struct remora_json value, void *target)
{
#define CAP(text, reader, cap)                                                       \
    {                                                                                \
        REMORA_SLICE_INIT(text), reader, sizeof(int64_t) * (size_t)REMORA_CAP_##cap, \
            PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT                         \
    }
    static const struct parse_field fields[] = {
        CAP("prompt", read_token_price, PROMPT),  CAP("completion", read_token_price, COMPLETION),
        CAP("request", read_item_price, REQUEST), CAP("image", read_item_price, IMAGE),
        CAP("audio", read_item_price, AUDIO),
    };
#undef CAP
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return parse_object(p, value, &table, target);
}

enum remora_code chat_read_provider(struct parse *p, struct remora_json value, void *target)
{
#define PROVIDER(text, reader, member)                                                \
    {                                                                                 \
        REMORA_SLICE_INIT(text), reader, offsetof(struct remora_preferences, member), \
            PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT                          \
    }
    static const struct parse_field fields[] = {
        PROVIDER("order", read_slugs, order),
        PROVIDER("only", read_slugs, only),
        PROVIDER("ignore", read_slugs, ignore),
        PROVIDER("allow_fallbacks", parse_tristate, allow_fallbacks),
        PROVIDER("data_collection", read_collection, data_collection),
        PROVIDER("require_parameters", parse_tristate, require_parameters),
        PROVIDER("zdr", parse_tristate, zdr),
        PROVIDER("enforce_distillable_text", parse_tristate, enforce_distillable_text),
        PROVIDER("quantizations", read_quantizations, quantizations),
        PROVIDER("regions", read_regions, regions),
        PROVIDER("max_price", read_max_price, max_price_pico_usd),
        PROVIDER("sort", NULL, sort),
        PROVIDER("preferred_min_throughput", NULL, sort),
        PROVIDER("preferred_max_latency", NULL, sort),
        PROVIDER("options", NULL, sort),
    };
#undef PROVIDER
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return parse_object(p, value, &table, target);
}

/* ---- logit_bias: token -> -100..100 ---- */

static enum remora_code read_bias(struct parse *p, struct remora_json key, struct remora_json value,
                                  struct remora_logit_bias *out)
{
    static const struct parse_range bias = {-100, 100, false};
    struct remora_slice name;
    uint64_t token = 0;
    if (!remora_json_string(key, p->arena, &name)) {
        return parse_no_room(p);
    }
    size_t mark = parse_enter(p, name);
    enum remora_code code = REMORA_OK;
    /* "05" would be sent as 5, a second time where 5 is there. */
    bool has_zeros = name.length > 1 && name.data[0] == '0';
    if (has_zeros || !remora_parse_u64(name, &token) || token > INT32_MAX) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must be the number of a token.");
    }
    if (code == REMORA_OK) {
        out->token = (int32_t)token;
        code = parse_number(p, value, &bias, &out->bias);
    }
    parse_leave(p, mark);
    return code;
}

enum remora_code chat_read_logit_bias(struct parse *p, struct remora_json value, void *target)
{
    struct remora_sampling *sampling = target;
    if (!remora_json_is(value, REMORA_JSON_OBJECT)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be an object of tokens.");
    }
    size_t count = remora_json_count(value);
    struct remora_logit_bias *biases =
        remora_arena_array(p->arena, count == 0 ? 1 : count, sizeof *biases);
    if (biases == NULL) {
        return parse_no_room(p);
    }
    struct remora_json_iter it;
    size_t at = 0;
    for (remora_json_iter_begin(&it, value); remora_json_iter_next(&it); at++) {
        enum remora_code code = read_bias(p, it.key, it.value, &biases[at]);
        if (code != REMORA_OK) {
            return code;
        }
    }
    sampling->logit_bias = biases;
    sampling->logit_bias_count = count;
    p->is_neutral = count == 0;
    return REMORA_OK;
}

/* ---- metadata: at most 16 pairs, key <= 64 without brackets, value <= 512 (openrouter.md 2) ---- */

static enum remora_code read_tag(struct parse *p, struct remora_json value, void *target)
{
    struct remora_pair *pair = &((struct remora_pair *)p->request->tags)[p->request->tag_count];
    (void)target;
    pair->key = p->key;
    if (p->key.length > 64 || remora_slice_find(p->key, '[', 0) < p->key.length ||
        remora_slice_find(p->key, ']', 0) < p->key.length) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "must have a name of at most 64 bytes without brackets.");
    }
    enum remora_code code = parse_slice(p, value, &pair->value);
    if (code == REMORA_OK && pair->value.length > 512) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be at most 512 bytes.");
    }
    p->request->tag_count++;
    return code;
}

enum remora_code chat_read_metadata(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_table table = {NULL, 0, read_tag};
    size_t count = remora_json_is(value, REMORA_JSON_OBJECT) ? remora_json_count(value) : 0;
    if (count > 16) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must have at most 16 pairs.");
    }
    p->request->tags = remora_arena_array(p->arena, count + 1, sizeof(struct remora_pair));
    if (p->request->tags == NULL) {
        return parse_no_room(p);
    }
    return parse_object(p, value, &table, target);
}

/* ---- everything else at the top level ---- */

enum remora_code chat_read_extra(struct parse *p, struct remora_json value, void *target)
{
    struct remora_request *request = target;
    enum remora_code code = chat_refuse_choice(p, value);
    if (code != REMORA_OK || remora_json_is(value, REMORA_JSON_NULL)) {
        return code; /* null asks for nothing, of whatever name */
    }
    if (request->extra_count == REMORA_LIMIT_FURTHER_FIELDS) {
        return parse_refuse(p, REMORA_TOO_LARGE, "is one unknown field too many: at most %d.",
                            (int)REMORA_LIMIT_FURTHER_FIELDS);
    }
    size_t old = request->extra_count * sizeof(struct remora_pair);
    struct remora_pair *pairs = remora_arena_resize(p->arena, (void *)request->extra, old,
                                                    old + sizeof(struct remora_pair));
    if (pairs == NULL) {
        return parse_no_room(p);
    }
    pairs[request->extra_count] =
        (struct remora_pair){.key = p->key, .value = remora_json_raw(value)};
    request->extra = pairs;
    request->extra_count++;
    return REMORA_OK;
}
