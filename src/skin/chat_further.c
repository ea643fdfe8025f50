/*
 * The fields of a chat request that the proto lacks, over HTTP and in gRPC's extra_body alike: predicted output, how audio
 * and images are to be made, prompt-cache options, identity, telemetry labels, and old names of things.
 * Shapes: reference/openrouter.md section 2; OpenAI's API reference, "Create chat completion", for `audio` and `prediction`.
 *
 * Raw objects stay raw: their known members are checked, the whole goes on byte for byte.
 */
#include "parse.h"

#include "remora/limits.h"
#include "remora/text.h"

/* ---- objects that go on as they are ---- */

/* Free inside, as a further field is: what may not stand in one may not stand here. */
static enum remora_code read_free(struct parse *p, struct remora_json value, void *target)
{
    enum remora_code code = parse_raw_object(p, value, target);
    return code == REMORA_OK ? chat_refuse_choices(p, value) : code;
}

/* What is documented of the object in any other capitals would be a second one of its name to some servers. */
static enum remora_code read_image_config(struct parse *p, struct remora_json value, void *target)
{
    static const char *const names[] = {
        "aspect_ratio",       "image_size", "quality",    "size", "background",    "output_format",
        "output_compression", "moderation", "resolution", "seed", "input_fidelity"};
    enum remora_code code = read_free(p, value, target);
    if (code == REMORA_OK) {
        code = parse_check_spelling(p, value, names, REMORA_COUNT_OF(names));
    }
    p->is_neutral = code == REMORA_OK && remora_json_count(value) == 0;
    return code;
}

static enum remora_code check_within(struct parse *p, struct remora_json object, const char *key,
                                     const char *const *names, size_t count)
{
    size_t mark = parse_enter(p, remora_slice_of(key));
    enum remora_code code = parse_check_spelling(p, remora_json_get(object, key), names, count);
    parse_leave(p, mark);
    return code;
}

/* OpenAI's places, and what Perplexity has besides ("Sonar API", web_search_options). */
static enum remora_code read_search_options(struct parse *p, struct remora_json value, void *target)
{
    static const char *const names[] = {"search_context_size", "user_location", "search_type",
                                        "filters", "image_results_enhanced_relevance"};
    static const char *const places[] = {"type", "approximate", "country",  "region",
                                         "city", "timezone",    "latitude", "longitude"};
    enum remora_code code = read_free(p, value, target);
    if (code == REMORA_OK) {
        code = parse_check_spelling(p, value, names, REMORA_COUNT_OF(names));
    }
    if (code == REMORA_OK) {
        code = check_within(p, value, "user_location", places, REMORA_COUNT_OF(places));
    }
    if (code != REMORA_OK) {
        return code;
    }
    size_t mark = parse_enter(p, REMORA_SLICE("user_location"));
    code = check_within(p, remora_json_get(value, "user_location"), "approximate", places,
                        REMORA_COUNT_OF(places));
    parse_leave(p, mark);
    return code;
}

/* What is checked and not kept: the whole object is. */
static enum remora_code check_type_content(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"content"};
    size_t index = 0;
    (void)target;
    return parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
}

static enum remora_code check_text_part(struct parse *p, struct remora_json value, void *target)
{
    struct remora_part *part = target;
    enum remora_code code = chat_read_part(p, value, part);
    return code == REMORA_OK && part->kind != REMORA_PART_TEXT
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "must be a text part.")
               : code;
}

static enum remora_code check_predicted(struct parse *p, struct remora_json value, void *target)
{
    struct parse_list list = {0};
    (void)target;
    if (remora_json_is(value, REMORA_JSON_STRING)) {
        return REMORA_OK;
    }
    if (!remora_json_is(value, REMORA_JSON_ARRAY)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST,
                            "must be a string or an array of text parts.");
    }
    return parse_array(p, value, sizeof(struct remora_part), check_text_part, &list);
}

static enum remora_code needs_members(struct parse *p, struct remora_json value,
                                      const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (remora_json_is_null(remora_json_get(value, names[i]))) {
            return parse_refuse(p, REMORA_INVALID_REQUEST, "must have its %s.", names[i]);
        }
    }
    return REMORA_OK;
}

/* An object whose members are checked by a table, kept raw. */
static enum remora_code read_checked(struct parse *p, struct remora_json value,
                                     const struct parse_table *table, const char *const *needed,
                                     size_t needed_count, void *target)
{
    struct remora_slice scratch = {NULL, 0};
    enum remora_code code = parse_object(p, value, table, &scratch);
    if (code == REMORA_OK) {
        code = needs_members(p, value, needed, needed_count);
    }
    if (code == REMORA_OK) {
        *(struct remora_slice *)target = remora_json_raw(value);
    }
    p->is_neutral = false;
    return code;
}

static enum remora_code read_prediction(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("type"), check_type_content, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("content"), check_predicted, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    static const char *const needed[] = {"type", "content"};
    return read_checked(p, value, &table, needed, REMORA_COUNT_OF(needed), target);
}

/* A voice is a name, or {id} of one's own. */
static enum remora_code check_voice(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("id"), parse_id, .asks = PARSE_ASKS_NOTHING, .null = PARSE_NULL_REFUSED},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return remora_json_is(value, REMORA_JSON_OBJECT) ? parse_object(p, value, &table, target)
                                                     : parse_id(p, value, target);
}

static enum remora_code check_format(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"wav", "mp3", "flac", "opus", "aac", "pcm16"};
    return parse_word_slice(p, value, words, REMORA_COUNT_OF(words), target);
}

static enum remora_code read_audio(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("voice"), check_voice, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("format"), check_format, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    static const char *const needed[] = {"voice", "format"};
    return read_checked(p, value, &table, needed, REMORA_COUNT_OF(needed), target);
}

static enum remora_code check_cache_mode(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"explicit"};
    return parse_word_slice(p, value, words, REMORA_COUNT_OF(words), target);
}

static enum remora_code read_cache_options(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("mode"), check_cache_mode, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("ttl"), parse_id, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    static const char *const needed[] = {"mode"};
    return read_checked(p, value, &table, needed, REMORA_COUNT_OF(needed), target);
}

/* ---- trace: known labels and free ones, for telemetry ---- */

static enum remora_code take_free_label(struct parse *p, struct remora_json value, void *target)
{
    (void)p;
    (void)value;
    (void)target;
    return REMORA_OK;
}

static enum remora_code read_trace(struct parse *p, struct remora_json value, void *target)
{
#define LABEL(text, member)                                                              \
    {                                                                                    \
        REMORA_SLICE_INIT(text), parse_id, offsetof(struct remora_trace_labels, member), \
            PARSE_ASKS_NOTHING, .null = PARSE_NULL_IS_ABSENT                             \
    }
    static const struct parse_field fields[] = {
        LABEL("trace_id", trace_id),
        LABEL("trace_name", trace_name),
        LABEL("span_name", span_name),
        LABEL("generation_name", generation_name),
        LABEL("parent_span_id", parent_span_id),
    };
#undef LABEL
    static const struct parse_table table = PARSE_TABLE(fields, take_free_label);
    struct remora_trace_labels *labels = target;
    enum remora_code code = parse_object(p, value, &table, labels);
    if (code == REMORA_OK) {
        labels->raw = remora_json_raw(value);
    }
    return code;
}

/* ---- flags and old names ---- */

static enum remora_code read_structured(struct parse *p, struct remora_json value, void *target)
{
    enum remora_code code = parse_tristate(p, value, target);
    p->is_neutral = code == REMORA_OK && *(enum remora_tristate *)target == REMORA_NO;
    return code;
}

/* Deprecated alias of provider.sort.partition: "fallback" is the default, "sort" needs sorting (openrouter.md section 2). */
static enum remora_code read_route(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"fallback", "sort"};
    size_t index = 0;
    (void)target;
    enum remora_code code = parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
    return code == REMORA_OK && index == 1
               ? parse_refuse(p, REMORA_UNIMPLEMENTED,
                              "\"sort\" is documented, but this gateway does not support it yet; "
                              "remove it.")
               : code;
}

static enum remora_code read_echo(struct parse *p, struct remora_json value, void *target)
{
    bool echoes = false;
    (void)target;
    enum remora_code code = parse_bool(p, value, &echoes);
    return code == REMORA_OK && echoes
               ? parse_refuse(p, REMORA_UNIMPLEMENTED,
                              "is documented, but this gateway does not support it yet; remove it.")
               : code;
}

static enum remora_code read_debug(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("echo_upstream_body"), read_echo, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return parse_object(p, value, &table, target);
}

/* ---- the table ---- */

#define FURTHER(text, reader, member, parameter)                                                \
    {                                                                                           \
        .name = REMORA_SLICE_INIT(text), .read = (reader),                                      \
        .offset = offsetof(struct remora_request, member), .asks = REMORA_PARAMETER_##parameter \
    }
#define QUIET(text, reader, member)                                                   \
    {                                                                                 \
        .name = REMORA_SLICE_INIT(text), .read = (reader),                            \
        .offset = offsetof(struct remora_request, member), .asks = PARSE_ASKS_NOTHING \
    }
#define NOT_BUILT(text, by)                                                        \
    {                                                                              \
        .name = REMORA_SLICE_INIT(text), .asks = PARSE_ASKS_NOTHING, .instead = by \
    }
#define NO_LIST_BUILT(text, by)                                                     \
    {                                                                               \
        .name = REMORA_SLICE_INIT(text), .asks = PARSE_ASKS_NOTHING, .instead = by, \
        .is_list = true                                                             \
    }
static const struct parse_field further_fields[] = {
    QUIET("cache_control", chat_read_cache, cache),
    FURTHER("prediction", read_prediction, prediction_json, PREDICTION),
    FURTHER("audio", read_audio, audio_json, AUDIO),
    FURTHER("image_config", read_image_config, image_config_json, IMAGE_CONFIG),
    FURTHER("web_search_options", read_search_options, web_search_options_json, WEB_SEARCH_OPTIONS),
    FURTHER("prompt_cache_options", read_cache_options, prompt_cache_options_json,
            PROMPT_CACHE_OPTIONS),
    FURTHER("structured_outputs", read_structured, structured_outputs, STRUCTURED_OUTPUTS),
    FURTHER("safety_identifier", parse_id, safety_identifier, SAFETY_IDENTIFIER),
    QUIET("trace", read_trace, trace_labels),
    QUIET("route", read_route, model),
    QUIET("debug", read_debug, model),
    NO_LIST_BUILT("transforms", NULL),
    NOT_BUILT("prompt", "messages"),
    NOT_BUILT("max_tool_calls", NULL),
    NO_LIST_BUILT("stop_server_tools_when", NULL),
    NOT_BUILT("x_search_filter", NULL),
    NO_LIST_BUILT("functions", "tools"), /* OpenAI's predecessors */
    NOT_BUILT("function_call", "tool_choice"),
};
#undef FURTHER
#undef QUIET
#undef NOT_BUILT
#undef NO_LIST_BUILT

const struct parse_table chat_further_table = PARSE_TABLE(further_fields, chat_read_extra);

enum remora_code remora_chat_read_field(struct remora_slice name, struct remora_slice json,
                                        const char *path, struct remora_arena *arena,
                                        struct remora_request *request, struct remora_fail *fail)
{
    struct remora_json_doc *doc = remora_arena_alloc(arena, sizeof *doc);
    struct parse p = {.arena = arena, .request = request, .fail = fail, .key = name};
    parse_enter(&p, remora_slice_of(path));
    if (doc == NULL) {
        return parse_no_room(&p);
    }
    enum remora_code code = parse_document(&p, json, doc);
    if (code != REMORA_OK) {
        return code;
    }
    return parse_member(&p, &chat_further_table, remora_json_root(doc), request);
}

/* ---- further members of one message ---- */

/* A member of gRPC's Message.extra: what is read of a message has its own place there. */
static enum remora_code check_further_member(struct parse *p, struct remora_json value,
                                             void *target)
{
    (void)target;
    for (size_t i = 0; i < chat_message_table.count; i++) {
        struct remora_slice name = chat_message_table.fields[i].name;
        if (remora_slice_equal(name, p->key)) {
            return parse_refuse(p, REMORA_INVALID_REQUEST,
                                "is no further member: say it with the fields of the message.");
        }
        if (remora_names_alike(p->key, name)) {
            return parse_refuse_spelling(p, name);
        }
    }
    return chat_refuse_choice(p, value);
}

enum remora_code remora_chat_check_members(struct remora_slice json, const char *path,
                                           struct remora_arena *arena, struct remora_fail *fail)
{
    static const struct parse_table table = {NULL, 0, check_further_member};
    struct remora_json_doc *doc = remora_arena_alloc(arena, sizeof *doc);
    struct parse p = {.arena = arena, .fail = fail};
    parse_enter(&p, remora_slice_of(path));
    if (doc == NULL) {
        return parse_no_room(&p);
    }
    enum remora_code code = parse_document(&p, json, doc);
    return code == REMORA_OK ? parse_object(&p, remora_json_root(doc), &table, NULL) : code;
}
