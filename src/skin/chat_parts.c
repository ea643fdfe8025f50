/*
 * Content parts: text, refusal, image_url, input_audio, video_url and file, each with its own table, chosen by `type`
 * wherever that stands in the object. Media are judged by remora/media.h, as over gRPC; nothing is fetched.
 * Shapes: reference/openrouter.md section 3; OpenAI's API reference, "Create chat completion", content parts.
 *
 * Fails with INVALID_REQUEST at the member that is wrong, or TOO_LARGE for one part too many.
 */
#include "parse.h"

#include "remora/media.h"

/* What a table fills. */
struct part {
    struct remora_part *out;
    bool has_body; /* the member that the type promises */
};

static enum remora_code refuse(struct parse *p, const char *why)
{
    return why == NULL ? REMORA_OK : parse_refuse(p, REMORA_INVALID_REQUEST, "%s", why);
}

/* ---- readers of members ---- */

static enum remora_code read_type(struct parse *p, struct remora_json value, void *target)
{
    (void)p;
    (void)value;
    (void)target;
    return REMORA_OK; /* judged before the members were read */
}

static enum remora_code read_text(struct parse *p, struct remora_json value, void *target)
{
    struct part *part = target;
    part->has_body = true;
    return parse_slice(p, value, &part->out->text);
}

static enum remora_code read_cache(struct parse *p, struct remora_json value, void *target)
{
    return chat_read_cache(p, value, &((struct part *)target)->out->cache);
}

static enum remora_code read_mode(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"explicit"};
    struct remora_cache_breakpoint *cache = target;
    size_t index = 0;
    enum remora_code code = parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
    cache->is_set = code == REMORA_OK;
    cache->is_explicit = cache->is_set;
    return code;
}

/* OpenAI's spelling of the same mark: {mode: "explicit"} (openrouter.md 12.1). */
static enum remora_code read_breakpoint(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("mode"), read_mode, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct remora_cache_breakpoint *cache = &((struct part *)target)->out->cache;
    enum remora_code code = parse_object(p, value, &table, cache);
    return code == REMORA_OK && !cache->is_explicit
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "must have the mode \"explicit\".")
               : code;
}

static enum remora_code read_url(struct parse *p, struct remora_json value, void *target)
{
    struct remora_part *part = target;
    struct remora_slice url;
    enum remora_code code = parse_slice(p, value, &url);
    return code == REMORA_OK ? refuse(p, remora_media_from_url(part->kind, url, &part->media))
                             : code;
}

static enum remora_code read_detail(struct parse *p, struct remora_json value, void *target)
{
    return parse_checked(p, value, remora_media_check_detail,
                         &((struct remora_part *)target)->media.detail);
}

/* A body whose one necessary member is its url. */
static enum remora_code read_linked(struct parse *p, struct remora_json value,
                                    const struct parse_table *table, struct part *part)
{
    part->has_body = true;
    enum remora_code code = parse_object(p, value, table, part->out);
    return code == REMORA_OK && part->out->media.value.length == 0
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "must have its url.")
               : code;
}

static enum remora_code read_image(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("url"), read_url, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("detail"), read_detail, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return read_linked(p, value, &table, target);
}

static enum remora_code read_video(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("url"), read_url, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    return read_linked(p, value, &table, target);
}

static enum remora_code read_audio_data(struct parse *p, struct remora_json value, void *target)
{
    struct remora_part *part = target;
    struct remora_slice text;
    enum remora_code code = parse_slice(p, value, &text);
    return code == REMORA_OK ? refuse(p, remora_media_from_base64(text, &part->media)) : code;
}

static enum remora_code read_audio_format(struct parse *p, struct remora_json value, void *target)
{
    return parse_checked(p, value, remora_media_check_format,
                         &((struct remora_part *)target)->media.detail);
}

static enum remora_code read_audio(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("data"), read_audio_data, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
        {REMORA_SLICE_INIT("format"), read_audio_format, .asks = PARSE_ASKS_NOTHING,
         .null = PARSE_NULL_REFUSED},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct part *part = target;
    const struct remora_media *media = &part->out->media;
    part->has_body = true;
    enum remora_code code = parse_object(p, value, &table, part->out);
    return code == REMORA_OK && (media->value.length == 0 || media->detail.length == 0)
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "must have its data and its format.")
               : code;
}

static enum remora_code read_filename(struct parse *p, struct remora_json value, void *target)
{
    return parse_checked(p, value, remora_media_check_filename,
                         &((struct remora_part *)target)->media.filename);
}

static enum remora_code refuse_second(struct parse *p)
{
    return parse_refuse(p, REMORA_INVALID_REQUEST,
                        "is the second of file_data and file_id; send one of them.");
}

static enum remora_code read_file_data(struct parse *p, struct remora_json value, void *target)
{
    return ((struct remora_part *)target)->media.value.length > 0 ? refuse_second(p)
                                                                  : read_url(p, value, target);
}

static enum remora_code read_file_id(struct parse *p, struct remora_json value, void *target)
{
    struct remora_media *media = &((struct remora_part *)target)->media;
    if (media->value.length > 0) {
        return refuse_second(p);
    }
    enum remora_code code = parse_id(p, value, &media->value);
    media->source = REMORA_MEDIA_FILE_ID;
    return code == REMORA_OK && media->value.length == 0 ? refuse(p, "must not be empty.") : code;
}

static enum remora_code read_file(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("filename"), read_filename, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("file_data"), read_file_data, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("file_id"), read_file_id, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct part *part = target;
    part->has_body = true;
    enum remora_code code = parse_object(p, value, &table, part->out);
    return code == REMORA_OK && part->out->media.value.length == 0
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "must have its file_data or its file_id.")
               : code;
}

/* ---- the kinds ---- */

#define KIND(member, reader)                                                              \
    {                                                                                     \
        {REMORA_SLICE_INIT("type"), read_type, .asks = PARSE_ASKS_NOTHING,                \
         .null = PARSE_NULL_REFUSED},                                                     \
            {REMORA_SLICE_INIT(member), reader, .asks = PARSE_ASKS_NOTHING,               \
             .null = PARSE_NULL_REFUSED},                                                 \
            {REMORA_SLICE_INIT("cache_control"), read_cache, .asks = PARSE_ASKS_NOTHING}, \
        {                                                                                 \
            REMORA_SLICE_INIT("prompt_cache_breakpoint"), read_breakpoint,                \
                .asks = PARSE_ASKS_NOTHING                                                \
        }                                                                                 \
    }
static const struct parse_field text_fields[] = KIND("text", read_text);
static const struct parse_field refusal_fields[] = KIND("refusal", read_text);
static const struct parse_field image_fields[] = KIND("image_url", read_image);
static const struct parse_field audio_fields[] = KIND("input_audio", read_audio);
static const struct parse_field video_fields[] = KIND("video_url", read_video);
static const struct parse_field file_fields[] = KIND("file", read_file);
#undef KIND

static const char *const type_words[] = {"text",      "image_url", "input_audio",
                                         "video_url", "file",      "refusal"};
static const struct {
    enum remora_part_kind kind;
    struct parse_table table;
} kinds[] = {
    {REMORA_PART_TEXT, PARSE_TABLE(text_fields, NULL)},
    {REMORA_PART_IMAGE, PARSE_TABLE(image_fields, NULL)},
    {REMORA_PART_AUDIO, PARSE_TABLE(audio_fields, NULL)},
    {REMORA_PART_VIDEO, PARSE_TABLE(video_fields, NULL)},
    {REMORA_PART_FILE, PARSE_TABLE(file_fields, NULL)},
    {REMORA_PART_REFUSAL, PARSE_TABLE(refusal_fields, NULL)},
};

static enum remora_code find_kind(struct parse *p, struct remora_json value, size_t *kind)
{
    if (!remora_json_is(value, REMORA_JSON_OBJECT)) {
        return parse_refuse(p, REMORA_INVALID_REQUEST, "must be an object.");
    }
    static const char *const names[] = {"type"};
    struct remora_json type = remora_json_get(value, "type");
    enum remora_code code = parse_check_spelling(p, value, names, REMORA_COUNT_OF(names));
    if (code == REMORA_OK && remora_json_is_absent(type)) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must be a content part with a type.");
    }
    if (code != REMORA_OK) {
        return code;
    }
    size_t mark = parse_enter(p, REMORA_SLICE("type"));
    code = parse_word(p, type, type_words, REMORA_COUNT_OF(type_words), kind);
    parse_leave(p, mark);
    return code;
}

static enum remora_code count_part(struct parse *p)
{
    return ++p->part_count > REMORA_LIMIT_PARTS
               ? parse_refuse(p, REMORA_TOO_LARGE, "is one part too many: at most %d in a request.",
                              (int)REMORA_LIMIT_PARTS)
               : REMORA_OK;
}

enum remora_code chat_read_part(struct parse *p, struct remora_json value, void *target)
{
    struct part part = {.out = target};
    size_t kind = 0;
    enum remora_code code = count_part(p);
    if (code == REMORA_OK) {
        code = find_kind(p, value, &kind);
    }
    if (code != REMORA_OK) {
        return code;
    }
    part.out->kind = kinds[kind].kind;
    code = parse_object(p, value, &kinds[kind].table, &part);
    if (code == REMORA_OK && !part.has_body) {
        code = parse_refuse(p, REMORA_INVALID_REQUEST, "must have its %s.", type_words[kind]);
    }
    return code;
}

/* ---- what an assistant has answered before ---- */

/* {id, data, expires_at, transcript}: the id names it at the provider; the whole goes back as it came where that is taken. */
enum remora_code chat_read_assistant_audio(struct parse *p, struct remora_json value, void *target)
{
    static const char *const names[] = {"id", "data", "expires_at", "transcript"};
    struct remora_part *part = target;
    part->kind = REMORA_PART_AUDIO;
    enum remora_code code = parse_raw_object(p, value, &part->text);
    if (code == REMORA_OK) {
        code = parse_check_spelling(p, value, names, REMORA_COUNT_OF(names));
    }
    if (code != REMORA_OK) {
        return code;
    }
    size_t mark = parse_enter(p, REMORA_SLICE("id"));
    struct remora_json id = remora_json_get(value, "id");
    part->media.source = REMORA_MEDIA_FILE_ID;
    code = remora_json_is_absent(id) ? refuse(p, "is missing; send the id that the answer had.")
                                     : parse_id(p, id, &part->media.value);
    if (code == REMORA_OK && part->media.value.length == 0) {
        code = refuse(p, "must not be empty.");
    }
    parse_leave(p, mark);
    return code;
}

static enum remora_code read_ignored_index(struct parse *p, struct remora_json value, void *target)
{
    int64_t index = 0; /* the order of the list counts */
    (void)target;
    return parse_integer(p, value, 0, INT32_MAX, &index);
}

static enum remora_code read_answer_type(struct parse *p, struct remora_json value, void *target)
{
    static const char *const words[] = {"image_url"};
    size_t index = 0;
    (void)target;
    return parse_word(p, value, words, REMORA_COUNT_OF(words), &index);
}

/* {type: "image_url", image_url: {url}}; the type may be missing (openrouter.md section 9, `images`). */
enum remora_code chat_read_assistant_image(struct parse *p, struct remora_json value, void *target)
{
    static const struct parse_field fields[] = {
        {REMORA_SLICE_INIT("type"), read_answer_type, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("image_url"), read_image, .asks = PARSE_ASKS_NOTHING},
        {REMORA_SLICE_INIT("index"), read_ignored_index, .asks = PARSE_ASKS_NOTHING},
    };
    static const struct parse_table table = PARSE_TABLE(fields, NULL);
    struct part part = {.out = target};
    part.out->kind = REMORA_PART_IMAGE;
    enum remora_code code = count_part(p);
    if (code == REMORA_OK) {
        code = parse_object(p, value, &table, &part);
    }
    return code == REMORA_OK && !part.has_body
               ? parse_refuse(p, REMORA_INVALID_REQUEST, "must have its image_url.")
               : code;
}
