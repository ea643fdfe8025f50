/*
 * Messages of a chat completion request: roles, content as text or parts, tool calls, reasoning carried back.
 *
 * Content goes as one string when it came so, or when it is one plain text of a role other than user: several servers take
 * parts from users only. Dialects differ in the role of instructions, in the form of tool ids, in whether roles must
 * alternate, and in how a beginning to go on from is marked. Sources: providers.md 1 and 8; openrouter.md 3 (parts, reasoning_details, cache_control);
 * video_url and audio_url as vLLM's and OpenRouter's documents have them.
 */
#include "openai_write.h"

static void write_word(struct openai_build *build, const char *key, const char *word)
{
    remora_json_key(json_of(build), key);
    remora_json_write_text(json_of(build), word);
}

static void write_optional(struct openai_build *build, const char *key, struct remora_slice text)
{
    if (text.length > 0) {
        write_text(build, key, text);
    }
}

static const char *role_word(const struct openai_build *build, enum remora_role role)
{
    switch (role) {
    case REMORA_ROLE_SYSTEM:
    case REMORA_ROLE_DEVELOPER:
        return build->model_reasons ? "developer" : "system";
    case REMORA_ROLE_ASSISTANT:
        return "assistant";
    case REMORA_ROLE_TOOL:
        return "tool";
    case REMORA_ROLE_UNSET:
    case REMORA_ROLE_USER:
        return "user";
    }
    return "user";
}

/* ---- media ---- */

static void write_base64(struct openai_build *build, const struct remora_media *media)
{
    if (media->source == REMORA_MEDIA_BYTES) {
        pieces_text_base64(&build->pieces, media->value);
    } else if (pieces_is_plain(media->value)) {
        pieces_text_plain(&build->pieces, media->value);
    }
}

/* A data URL (RFC 2397), or what names the media elsewhere. */
static void write_url(struct openai_build *build, const char *key, const struct remora_media *media,
                      const char *default_mime)
{
    remora_json_key(json_of(build), key);
    if (media->source == REMORA_MEDIA_URI || media->source == REMORA_MEDIA_FILE_ID) {
        pieces_string(&build->pieces, media->value);
        return;
    }
    bool has_mime = media->mime_type.length > 0 && pieces_is_plain(media->mime_type);
    pieces_text_open(&build->pieces);
    pieces_text_plain(&build->pieces, REMORA_SLICE("data:"));
    pieces_text_plain(&build->pieces, has_mime ? media->mime_type : remora_slice_of(default_mime));
    pieces_text_plain(&build->pieces, REMORA_SLICE(";base64,"));
    write_base64(build, media);
    pieces_text_close(&build->pieces);
}

/* {"type": KEY, KEY: {"url": ...}} */
static void write_url_part(struct openai_build *build, const char *type,
                           const struct remora_media *media, const char *default_mime)
{
    write_word(build, "type", type);
    remora_json_key(json_of(build), type);
    remora_json_object_open(json_of(build));
    write_url(build, "url", media, default_mime);
    write_optional(build, "detail", media->detail);
    remora_json_object_close(json_of(build));
}

/* OpenAI names audio by format, not by media type: "wav", "mp3". */
static struct remora_slice audio_format(const struct remora_media *media)
{
    static const struct {
        const char *mime;
        const char *format;
    } formats[] = {{"audio/wav", "wav"},   {"audio/x-wav", "wav"}, {"audio/mpeg", "mp3"},
                   {"audio/mp3", "mp3"},   {"audio/flac", "flac"}, {"audio/ogg", "ogg"},
                   {"audio/aac", "aac"},   {"audio/mp4", "m4a"},   {"audio/pcm", "pcm16"},
                   {"audio/opus", "opus"}, {"audio/webm", "webm"}};
    if (media->detail.length > 0) {
        return media->detail;
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(formats); i++) {
        if (remora_slice_equal_nocase(media->mime_type, remora_slice_of(formats[i].mime))) {
            return remora_slice_of(formats[i].format);
        }
    }
    return REMORA_SLICE("wav");
}

static void write_audio(struct openai_build *build, const struct remora_media *media)
{
    if (media->source == REMORA_MEDIA_URI || media->source == REMORA_MEDIA_FILE_ID) {
        const struct remora_media plain = {.source = media->source, .value = media->value};
        write_url_part(build, "audio_url", &plain, "audio/wav");
        return;
    }
    write_word(build, "type", "input_audio");
    remora_json_key(json_of(build), "input_audio");
    remora_json_object_open(json_of(build));
    remora_json_key(json_of(build), "data");
    pieces_text_open(&build->pieces);
    write_base64(build, media);
    pieces_text_close(&build->pieces);
    write_text(build, "format", audio_format(media));
    remora_json_object_close(json_of(build));
}

static void write_file(struct openai_build *build, const struct remora_media *media)
{
    write_word(build, "type", "file");
    remora_json_key(json_of(build), "file");
    remora_json_object_open(json_of(build));
    write_optional(build, "filename", media->filename);
    if (media->source == REMORA_MEDIA_FILE_ID) {
        write_text(build, "file_id", media->value);
    } else {
        write_url(build, "file_data", media, "application/pdf");
    }
    remora_json_object_close(json_of(build));
}

/* ---- parts ---- */

static void write_part(struct openai_build *build, const struct remora_part *part)
{
    if (part->kind == REMORA_PART_RAW) {
        pieces_raw(&build->pieces, part->text);
        return;
    }
    remora_json_object_open(json_of(build));
    switch (part->kind) {
    case REMORA_PART_TEXT:
        write_word(build, "type", "text");
        write_text(build, "text", part->text);
        break;
    case REMORA_PART_IMAGE:
        if (part->media.source == REMORA_MEDIA_FILE_ID) {
            write_file(build, &part->media);
        } else {
            write_url_part(build, "image_url", &part->media, "image/png");
        }
        break;
    case REMORA_PART_AUDIO:
        write_audio(build, &part->media);
        break;
    case REMORA_PART_VIDEO:
        write_url_part(build, "video_url", &part->media, "video/mp4");
        break;
    case REMORA_PART_FILE:
        write_file(build, &part->media);
        break;
    case REMORA_PART_REFUSAL:
        write_word(build, "type", "refusal");
        write_text(build, "refusal", part->text);
        break;
    case REMORA_PART_RAW:
        break;
    }
    openai_write_cache(build, &part->cache);
    remora_json_object_close(json_of(build));
}

static bool is_one_text(const struct openai_build *build, const struct remora_message *message)
{
    if (message->part_count != 1 || message->parts[0].kind != REMORA_PART_TEXT) {
        return false;
    }
    if (message->parts[0].cache.is_set && build->dialect->takes_cache_control) {
        return false;
    }
    return message->content_is_text ||
           (message->role != REMORA_ROLE_USER && message->role != REMORA_ROLE_UNSET);
}

static void write_content(struct openai_build *build, const struct remora_message *message)
{
    struct remora_json_writer *w = json_of(build);
    if (message->part_count == 1 && message->parts[0].kind == REMORA_PART_REFUSAL) {
        write_text(build, "refusal", message->parts[0].text);
        return;
    }
    remora_json_key(w, "content");
    if (message->part_count == 0) {
        if (message->tool_call_count > 0) {
            remora_json_write_null(w);
        } else {
            remora_json_write_text(w, "");
        }
    } else if (is_one_text(build, message)) {
        pieces_string(&build->pieces, message->parts[0].text);
    } else {
        remora_json_array_open(w);
        for (size_t i = 0; i < message->part_count; i++) {
            write_part(build, &message->parts[i]);
        }
        remora_json_array_close(w);
    }
}

static void write_annotations(struct openai_build *build, const struct remora_message *message)
{
    struct remora_json_writer *w = json_of(build);
    bool is_open = false;
    if (!build->dialect->takes_annotations) {
        return;
    }
    for (size_t i = 0; i < message->part_count; i++) {
        for (size_t k = 0; k < message->parts[i].annotation_count; k++) {
            struct remora_slice raw = message->parts[i].annotations[k].raw;
            if (raw.length == 0) {
                continue;
            }
            if (!is_open) {
                remora_json_key(w, "annotations");
                remora_json_array_open(w);
                is_open = true;
            }
            pieces_raw(&build->pieces, raw);
        }
    }
    if (is_open) {
        remora_json_array_close(w);
    }
}

/* ---- tool calls and reasoning of the assistant ---- */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool fits(struct remora_slice id, size_t length)
{
    bool fits = id.length == length;
    for (size_t i = 0; i < id.length; i++) {
        fits = fits && is_letter_or_digit(id.data[i]);
    }
    return fits;
}

/*
 * An id of another provider's making, where ids have a form of their own: the same one in a call and in its result, because
 * it is made of nothing but the id.
 */
static void write_tool_id(struct openai_build *build, const char *key, struct remora_slice id)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char made[16];
    size_t length = build->dialect->tool_id_length;
    if (length == 0 || id.length == 0 || fits(id, length)) {
        write_optional(build, key, id);
        return;
    }
    uint64_t hash = openai_hash(id);
    for (size_t i = 0; i < length; i++, hash /= sizeof digits - 1) {
        made[i] = digits[hash % (sizeof digits - 1)];
    }
    write_text(build, key, remora_slice(made, length));
}

static void write_tool_calls(struct openai_build *build, const struct remora_message *message)
{
    struct remora_json_writer *w = json_of(build);
    if (message->tool_call_count == 0) {
        return;
    }
    remora_json_key(w, "tool_calls");
    remora_json_array_open(w);
    for (size_t i = 0; i < message->tool_call_count; i++) {
        const struct remora_tool_call *call = &message->tool_calls[i];
        remora_json_object_open(w);
        write_tool_id(build, "id", call->id);
        write_word(build, "type", "function");
        remora_json_key(w, "function");
        remora_json_object_open(w);
        write_text(build, "name", call->name);
        write_text(build, "arguments",
                   call->arguments_json.length > 0 ? call->arguments_json : REMORA_SLICE("{}"));
        remora_json_object_close(w);
        remora_json_object_close(w);
    }
    remora_json_array_close(w);
}

static void write_reasoning_block(struct openai_build *build,
                                  const struct remora_reasoning_block *block)
{
    struct remora_json_writer *w = json_of(build);
    remora_json_object_open(w);
    switch (block->kind) {
    case REMORA_REASONING_TEXT:
        write_word(build, "type", "reasoning.text");
        write_text(build, "text", block->text);
        break;
    case REMORA_REASONING_SUMMARY:
        write_word(build, "type", "reasoning.summary");
        write_text(build, "summary", block->text);
        break;
    case REMORA_REASONING_ENCRYPTED:
        write_word(build, "type", "reasoning.encrypted");
        write_text(build, "data", block->text);
        break;
    }
    write_optional(build, "signature", block->signature);
    write_optional(build, "id", block->id);
    write_optional(build, "format", block->format);
    if (block->index.is_set) {
        remora_json_key(w, "index");
        remora_json_write_i64(w, block->index.value);
    }
    remora_json_object_close(w);
}

static void write_reasoning_details(struct openai_build *build,
                                    const struct remora_message *message)
{
    remora_json_key(json_of(build), "reasoning_details");
    remora_json_array_open(json_of(build));
    for (size_t i = 0; i < message->reasoning_count; i++) {
        write_reasoning_block(build, &message->reasoning[i]);
    }
    remora_json_array_close(json_of(build));
}

/* All readable text of the blocks as one string; nothing when there is none. */
static void write_reasoning_text(struct openai_build *build, const char *key,
                                 const struct remora_message *message)
{
    struct remora_buf text;
    remora_buf_init(&text, REMORA_LIMIT_REQUEST_ARENA_BYTES);
    for (size_t i = 0; i < message->reasoning_count; i++) {
        if (message->reasoning[i].kind != REMORA_REASONING_ENCRYPTED) {
            remora_buf_append(&text, message->reasoning[i].text);
        }
    }
    if (remora_buf_code(&text) != REMORA_OK) {
        build->pieces.buf.failed = remora_buf_code(&text);
    } else if (remora_buf_slice(&text).length > 0) {
        remora_json_key(json_of(build), key);
        remora_json_write_string(json_of(build), remora_buf_slice(&text));
    }
    remora_buf_fini(&text);
}

static bool has_opaque(const struct remora_message *message)
{
    for (size_t i = 0; i < message->reasoning_count; i++) {
        const struct remora_reasoning_block *block = &message->reasoning[i];
        if (block->kind == REMORA_REASONING_ENCRYPTED || block->signature.length > 0 ||
            block->format.length > 0) {
            return true;
        }
    }
    return false;
}

static void write_reasoning(struct openai_build *build, const struct remora_message *message)
{
    if (message->reasoning_count == 0) {
        return;
    }
    switch (build->dialect->reasoning_echo) {
    case REASONING_ECHO_NONE:
        break;
    case REASONING_ECHO_CONTENT:
        write_reasoning_text(build, "reasoning_content", message);
        break;
    case REASONING_ECHO_FIELD:
        write_reasoning_text(build, "reasoning", message);
        break;
    case REASONING_ECHO_DETAILS:
        write_reasoning_details(build, message);
        break;
    case REASONING_ECHO_ANY:
        if (has_opaque(message)) {
            write_reasoning_details(build, message);
        } else {
            write_reasoning_text(build, "reasoning_content", message);
        }
        break;
    }
}

/* The members of an object behind those already written. */
static void write_extra(struct openai_build *build, struct remora_slice object)
{
    size_t from = 0;
    size_t to = object.length;
    while (from < to && (unsigned char)object.data[from] <= 0x20) {
        from++;
    }
    while (to > from && (unsigned char)object.data[to - 1] <= 0x20) {
        to--;
    }
    if (to - from < 2 || object.data[from] != '{' || object.data[to - 1] != '}') {
        return;
    }
    for (size_t i = from + 1; i < to - 1; i++) {
        if ((unsigned char)object.data[i] > 0x20) {
            pieces_raw(&build->pieces, remora_slice(object.data + from + 1, to - from - 2));
            return;
        }
    }
}

/* A last message of the assistant is a beginning to go on from, which some servers want to be told. */
static bool goes_on(const struct openai_build *build, const struct remora_message *message)
{
    const struct remora_request *request = build->request;
    return build->dialect->go_on_field != NULL && message->role == REMORA_ROLE_ASSISTANT &&
           message == &request->messages[request->message_count - 1] &&
           message->tool_call_count == 0 && message->extra.length == 0;
}

/* What stands in a message besides its role and content. */
static void write_rest(struct openai_build *build, const struct remora_message *message)
{
    write_optional(build, "name", message->name);
    write_tool_id(build, "tool_call_id", message->tool_call_id);
    write_tool_calls(build, message);
    write_reasoning(build, message);
    write_annotations(build, message);
    if (goes_on(build, message)) {
        remora_json_key(json_of(build), build->dialect->go_on_field);
        remora_json_write_bool(json_of(build), true);
    }
    write_extra(build, message->extra);
}

static void write_message(struct openai_build *build, const struct remora_message *message)
{
    remora_json_object_open(json_of(build));
    write_word(build, "role", role_word(build, message->role));
    write_content(build, message);
    write_rest(build, message);
    remora_json_object_close(json_of(build));
}

/* ---- roles that must alternate ---- */

/* Results and calls of tools stand for themselves. */
static bool may_join(const struct remora_message *message)
{
    return message->role != REMORA_ROLE_TOOL && message->tool_call_count == 0;
}

/* How many messages from `at` on are one to a server that wants roles to alternate. */
static size_t run_length(const struct openai_build *build, size_t at)
{
    const struct remora_message *messages = build->request->messages;
    size_t count = 1;
    if (!build->dialect->alternates_roles || !may_join(&messages[at])) {
        return count;
    }
    const char *role = role_word(build, messages[at].role);
    while (at + count < build->request->message_count && may_join(&messages[at + count]) &&
           strcmp(role_word(build, messages[at + count].role), role) == 0) {
        count++;
    }
    return count;
}

static void write_run(struct openai_build *build, const struct remora_message *messages,
                      size_t count)
{
    remora_json_object_open(json_of(build));
    write_word(build, "role", role_word(build, messages[0].role));
    remora_json_key(json_of(build), "content");
    remora_json_array_open(json_of(build));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < messages[i].part_count; k++) {
            write_part(build, &messages[i].parts[k]);
        }
    }
    remora_json_array_close(json_of(build));
    write_rest(build, &messages[count - 1]);
    remora_json_object_close(json_of(build));
}

void openai_write_messages(struct openai_build *build)
{
    const struct remora_request *request = build->request;
    remora_json_key(json_of(build), "messages");
    remora_json_array_open(json_of(build));
    for (size_t i = 0; i < request->message_count;) {
        size_t count = run_length(build, i);
        if (count == 1) {
            write_message(build, &request->messages[i]);
        } else {
            write_run(build, &request->messages[i], count);
        }
        i += count;
    }
    remora_json_array_close(json_of(build));
}
