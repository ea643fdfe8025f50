/*
 * The openai-chat wire: the HTTP request, and the vtable.
 *
 * POST {base_url}/chat/completions with a bearer key, or the key in a header of the dialect's (Azure: api-key). Sources:
 * providers.md sections 1 "OpenAI" (path, headers), 2 "Azure OpenAI" and 8 (the same for every compatible server); openrouter.md
 * section 11 (x-anthropic-beta). The key is named in the header, not copied: the transport reads it.
 * Ways to fail: an operation that this wire does not have (UNIMPLEMENTED), memory (TOO_LARGE, SHEDDING).
 */
#include "openai.h"

#include "envelope.h"

#include "remora/betas.h"

#include <assert.h>

static_assert(sizeof(struct openai_decoder) <= REMORA_DECODER_BYTES, "the decoder has its size");

static struct remora_slice join_url(struct remora_arena *arena, struct remora_slice base)
{
    while (base.length > 0 && base.data[base.length - 1] == '/') {
        base.length--;
    }
    static const char path[] = "/chat/completions";
    char *url = remora_arena_alloc(arena, base.length + sizeof path);
    if (url == NULL) {
        return remora_slice(NULL, 0);
    }
    memcpy(url, base.data, base.length);
    memcpy(url + base.length, path, sizeof path);
    return remora_slice(url, base.length + sizeof path - 1);
}

/*
 * Content-Type, Accept, the key, x-request-id, traceparent, tracestate, baggage, x-anthropic-beta, then the operator's, of which
 * one of the same name wins.
 */
enum { OWN_HEADERS = 8 };

static bool operator_has(const struct remora_provider *provider, struct remora_slice name)
{
    for (size_t i = 0; i < provider->header_count; i++) {
        if (remora_slice_equal_nocase(provider->headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

struct header_list {
    struct remora_header *items;
    size_t count;
    const struct remora_provider *provider;
};

static void add_header(struct header_list *list, const char *name, struct remora_slice value,
                       const struct remora_secret *secret)
{
    struct remora_slice own = remora_slice_of(name);
    if (!operator_has(list->provider, own)) {
        list->items[list->count++] =
            (struct remora_header){.name = own, .value = value, .secret = secret};
    }
}

/* W3C Trace Context section 4: our span is the provider's parent; state and baggage go on as they came. */
static bool add_trace(struct header_list *list, const struct remora_build_input *input,
                      struct remora_arena *arena)
{
    if (!list->provider->sends_trace || input->traceparent.length == 0) {
        return true;
    }
    struct remora_slice parent = remora_arena_copy(arena, input->traceparent);
    add_header(list, "traceparent", parent, NULL);
    if (input->request->tracestate.length > 0) {
        add_header(list, "tracestate", input->request->tracestate, NULL);
    }
    if (input->request->baggage.length > 0) {
        add_header(list, "baggage", input->request->baggage, NULL);
    }
    return parent.data != NULL;
}

/* Trial features that the caller asks for, where they are not taken. */
static void note_betas(struct openai_build *work, const struct remora_provider *provider)
{
    bool is_operators = operator_has(provider, REMORA_SLICE(REMORA_BETA_HEADER)) ||
                        operator_has(provider, REMORA_SLICE("anthropic-beta"));
    openai_note_field(work, REMORA_SLICE(REMORA_BETA_HEADER),
                      is_operators ? "the configuration sets this header"
                                   : "the provider does not take it");
}

/* What no endpoint is sent, because it asks the gateway for what it does not do. */
static void note_unbuilt_headers(struct openai_build *work)
{
    static const struct {
        struct remora_slice name;
        const char *why;
    } rows[REMORA_UNBUILT_HEADER_COUNT] = {
#define REMORA_UNBUILT_HEADER(name, text, why) \
    [REMORA_UNBUILT_HEADER_##name] = {REMORA_SLICE_INIT(text), why},
#include "remora/tbl/unbuilt_headers.h"
#undef REMORA_UNBUILT_HEADER
    };
    for (uint32_t left = work->request->unbuilt_headers; left != 0; left &= left - 1) {
        size_t at = (size_t)__builtin_ctz(left);
        openai_note_field(work, rows[at].name, rows[at].why);
    }
}

/*
 * The operator's own headers. Where one of them lists trial features, the caller's are added: a server hears one list, and both may be
 * needed (a body with fields of a feature is refused without its name). False without memory.
 */
static bool add_operators(struct header_list *list, const struct remora_slices *betas,
                          struct remora_arena *arena)
{
    bool is_whole = true;
    for (size_t i = 0; i < list->provider->header_count; i++) {
        struct remora_header header = list->provider->headers[i];
        if (betas != NULL && remora_is_beta_header(header.name)) {
            header.value = remora_betas_join(header.value, betas, arena);
            is_whole = is_whole && header.value.data != NULL;
        }
        list->items[list->count++] = header;
    }
    return is_whole;
}

/* Under OpenRouter's name of the header, or under the name that the operator's has: it is the one that their server hears. */
static bool add_betas(struct header_list *list, const struct remora_slices *betas,
                      struct remora_arena *arena)
{
    bool is_router = remora_dialect_of(&list->provider->facts) == REMORA_DIALECT_OPENROUTER;
    if (betas == NULL ||
        (!is_router && operator_has(list->provider, REMORA_SLICE("anthropic-beta")))) {
        return true;
    }
    struct remora_slice names = remora_betas_join(REMORA_SLICE(""), betas, arena);
    add_header(list, REMORA_BETA_HEADER, names, NULL);
    return names.data != NULL;
}

static bool build_headers(struct openai_build *work, struct remora_arena *arena,
                          struct remora_http_request *http)
{
    const struct remora_build_input *input = work->input;
    const struct remora_provider *provider = input->endpoint->provider;
    struct header_list list = {.provider = provider};
    list.items =
        remora_arena_array(arena, OWN_HEADERS + provider->header_count, sizeof *list.items);
    if (list.items == NULL) {
        return false;
    }
    add_header(&list, "Content-Type", REMORA_SLICE("application/json"), NULL);
    /* A unary call accepts anything, which libcurl says by itself: clients built on fetch do the same. */
    if (input->delivery == REMORA_STREAM) {
        add_header(&list, "Accept", REMORA_SLICE("text/event-stream"), NULL);
    }
    const char *key_header = dialect_for(&provider->facts)->key_header;
    if (input->credential != NULL && key_header != NULL) {
        add_header(&list, key_header, (struct remora_slice){0}, input->credential->secret);
    } else if (input->credential != NULL) {
        add_header(&list, "Authorization", REMORA_SLICE("Bearer "), input->credential->secret);
    }
    if (input->upstream_request_id.length > 0) {
        add_header(&list, "x-request-id", input->upstream_request_id, NULL);
    }
    const struct remora_slices *betas = work->request->betas;
    if (betas != NULL && !remora_endpoint_takes_betas(work->endpoint)) {
        note_betas(work, provider);
        betas = NULL;
    }
    note_unbuilt_headers(work);
    bool is_whole = add_trace(&list, input, arena) && add_betas(&list, betas, arena) &&
                    add_operators(&list, betas, arena);
    http->headers = list.items;
    http->header_count = list.count;
    return is_whole;
}

static enum remora_code fail_build(struct remora_fail *fail, enum remora_code code)
{
    if (fail != NULL && fail->code == REMORA_OK) {
        fail->cause = code == REMORA_SHEDDING ? REMORA_CAUSE_MEMORY : REMORA_CAUSE_BUILD;
    }
    return remora_fail_set(fail, code, NULL, "%s", remora_code_row(code)->summary);
}

/* Of OpenAI's own models some reason, and refuse what others take; the name tells which. */
static void ask_model(struct openai_build *work)
{
    const struct remora_endpoint *endpoint = work->endpoint;
    work->refused = remora_dialect_refused(remora_dialect_of(&endpoint->provider->facts));
    if (work->dialect->role_style == ROLE_BY_MODEL) {
        struct remora_slice model = endpoint->facts.upstream_model;
        work->model_reasons = dialect_model_reasons(model);
        work->refused |=
            dialect_refused_by_model(model, remora_reasoning_is_off(&work->request->reasoning));
    }
}

static enum remora_code build(const struct remora_build_input *input, struct remora_arena *arena,
                              struct remora_build_output *out, struct remora_fail *fail)
{
    if (input->request->operation != REMORA_OPERATION_CHAT) {
        return fail_build(fail, REMORA_UNIMPLEMENTED);
    }
    struct openai_build work = {
        .request = input->request,
        .endpoint = input->endpoint,
        .delivery = input->delivery,
        .dialect = dialect_for(&input->endpoint->provider->facts),
        .denies_collection = input->data_collection == REMORA_DATA_DENY,
        .wants_zdr = input->zdr == REMORA_YES,
        .input = input,
        .caps = input->max_price_pico_usd,
        .out = out,
    };
    ask_model(&work);
    memset(out, 0, sizeof *out);
    out->http.method = REMORA_POST;
    out->http.url = join_url(arena, input->endpoint->provider->facts.base_url);
    bool has_headers = build_headers(&work, arena, &out->http);
    pieces_init(&work.pieces, arena);
    openai_write_body(&work);
    enum remora_code code = pieces_finish(&work.pieces, &out->http);
    pieces_fini(&work.pieces);
    if (code == REMORA_OK && (!has_headers || out->http.url.data == NULL)) {
        code = REMORA_SHEDDING;
    }
    return code == REMORA_OK ? REMORA_OK : fail_build(fail, code);
}

/*
 * The body of a redirect or of a page that is no JSON says nothing: the status alone decides. An object is the provider's own,
 * though it may say nothing either.
 */
void openai_classify(const struct remora_endpoint *endpoint,
                     const struct remora_upstream_error *error, struct remora_arena *scratch,
                     struct remora_fail *fail)
{
    const struct remora_json_limits limits = {.depth = REMORA_LIMIT_JSON_DEPTH,
                                              .nodes = REMORA_LIMIT_JSON_NODES};
    struct remora_json_doc doc;
    struct remora_json_error where;
    struct envelope envelope;
    bool is_json = remora_json_parse(error->body, scratch, &limits, &doc, &where) == REMORA_OK;
    bool has_envelope = is_json && envelope_read(remora_json_root(&doc), scratch, &envelope);
    bool is_in_band = error->status >= 200 && error->status <= 299;
    bool is_own = is_json && remora_json_is(remora_json_root(&doc), REMORA_JSON_OBJECT);
    envelope_judge(has_envelope || is_own ? &envelope : NULL,
                   is_in_band && has_envelope ? envelope.status : error->status, endpoint,
                   is_in_band ? REMORA_CAUSE_IN_BAND : REMORA_CAUSE_NONE, fail);
    int64_t hint_ms = remora_response_retry_after_ms(error->head, error->now_unix_ms);
    if (fail != NULL && hint_ms >= 0) {
        fail->retry_after_ms = hint_ms;
    }
}

const struct remora_adapter openai_adapter = {
    .name = "openai",
    .wire = REMORA_WIRE_OPENAI,
    .decoder_bytes = sizeof(struct openai_decoder),
    .needs = NULL,
    .build = build,
    .decode_begin = openai_decode_begin,
    .decode_feed = openai_decode_feed,
    .decode_end = openai_decode_end,
    .decode_fini = openai_decode_fini,
    .classify = openai_classify,
};
