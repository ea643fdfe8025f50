/*
 * Content parts of a message, and what an assistant's earlier answers hold besides text: images, audio, citations.
 *
 * Sources: openrouter.md 3 (parts, cache_control, `detail`) and 9 (`images`, `annotations`); OpenAI's API reference, "Create
 * chat completion" (`audio` of an assistant message); video_url and audio_url as vLLM's and OpenRouter's documents have them.
 */
#include "openai.h"

#include "remora/media.h"

static struct remora_json_writer *json_of(struct openai_build *build)
{
    return &build->pieces.json;
}

static void write_text(struct openai_build *build, const char *key, struct remora_slice text)
{
    remora_json_key(json_of(build), key);
    pieces_string(&build->pieces, text);
}

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

static const char not_taken[] = "the provider does not take it";

static bool speaks_openai(const struct openai_build *build)
{
    return openai_is_dialect(build, REMORA_DIALECT_OPENAI) ||
           openai_is_dialect(build, REMORA_DIALECT_AZURE) ||
           openai_is_dialect(build, REMORA_DIALECT_OPENROUTER);
}

/* ---- media ---- */

static void write_base64(struct openai_build *build, const struct remora_media *media)
{
    if (media->source == REMORA_MEDIA_BYTES) {
        pieces_text_base64(&build->pieces, media->value);
    } else if (remora_json_is_plain(media->value)) {
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
    bool has_mime = media->mime_type.length > 0 && remora_json_is_plain(media->mime_type);
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
    bool is_beyond = remora_slice_is(media->detail, "original") && !speaks_openai(build);
    write_word(build, "type", type);
    remora_json_key(json_of(build), type);
    remora_json_object_open(json_of(build));
    write_url(build, "url", media, default_mime);
    write_optional(build, "detail", is_beyond ? REMORA_SLICE("high") : media->detail);
    remora_json_object_close(json_of(build));
}

/* OpenAI names audio by format, not by media type: "wav", "mp3". */
static struct remora_slice audio_format(const struct remora_media *media)
{
    struct remora_slice format =
        media->detail.length > 0 ? media->detail : remora_media_format(media->mime_type);
    return format.length > 0 ? format : REMORA_SLICE("wav");
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

void openai_write_spoken(struct openai_build *build, struct remora_slice name,
                         struct remora_slice text)
{
    if (name.length == 0) {
        pieces_string(&build->pieces, text);
        return;
    }
    struct remora_slice whole = remora_arena_printf(build->pieces.arena, "%.*s: %.*s",
                                                    REMORA_SLICE_ARG(name), REMORA_SLICE_ARG(text));
    pieces_string(&build->pieces, whole);
}

void openai_write_part(struct openai_build *build, const struct remora_part *part,
                       struct remora_slice name)
{
    if (part->kind == REMORA_PART_RAW) {
        pieces_raw(&build->pieces, part->text);
        return;
    }
    remora_json_object_open(json_of(build));
    switch (part->kind) {
    case REMORA_PART_TEXT:
        write_word(build, "type", "text");
        remora_json_key(json_of(build), "text");
        openai_write_spoken(build, name, part->text);
        break;
    case REMORA_PART_IMAGE:
        build->out->image_count++;
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

/* ---- earlier answers of the assistant ---- */

static void open_list(struct openai_build *build, const char *key, size_t *count)
{
    if ((*count)++ == 0) {
        remora_json_key(json_of(build), key);
        remora_json_array_open(json_of(build));
    }
}

static void close_list(struct openai_build *build, size_t count)
{
    if (count > 0) {
        remora_json_array_close(json_of(build));
    }
}

static void write_citation_index(struct openai_build *build, const char *key,
                                 const struct remora_opt_i64 *index)
{
    if (index->is_set) {
        remora_json_key(json_of(build), key);
        remora_json_write_i64(json_of(build), index->value);
    }
}

/* As it came over JSON; what came over gRPC is a url_citation, the one kind whose members the proto has. */
static void write_annotation(struct openai_build *build, const struct remora_annotation *a)
{
    if (a->raw.length > 0) {
        pieces_raw(&build->pieces, a->raw);
        return;
    }
    remora_json_object_open(json_of(build));
    write_text(build, "type", a->type);
    remora_json_key(json_of(build), "url_citation");
    remora_json_object_open(json_of(build));
    write_optional(build, "url", a->url);
    write_optional(build, "title", a->title);
    write_optional(build, "content", a->content);
    write_citation_index(build, "start_index", &a->start_index);
    write_citation_index(build, "end_index", &a->end_index);
    remora_json_object_close(json_of(build));
    remora_json_object_close(json_of(build));
}

static void write_annotations(struct openai_build *build, const struct remora_message *message)
{
    size_t count = 0;
    for (size_t i = 0; i < message->part_count; i++) {
        for (size_t k = 0; k < message->parts[i].annotation_count; k++) {
            if (!openai_history(build)->takes_annotations) {
                openai_note_field(build, REMORA_SLICE("messages[].annotations"), not_taken);
                return;
            }
            open_list(build, "annotations", &count);
            write_annotation(build, &message->parts[i].annotations[k]);
        }
    }
    close_list(build, count);
}

static void write_images(struct openai_build *build, const struct remora_message *message)
{
    size_t count = 0;
    for (size_t i = 0; i < message->part_count; i++) {
        if (message->parts[i].kind != REMORA_PART_IMAGE) {
            continue;
        }
        if (!openai_history(build)->takes_images) {
            openai_note_field(build, REMORA_SLICE("messages[].images"), not_taken);
            return;
        }
        open_list(build, "images", &count);
        openai_write_part(build, &message->parts[i], remora_slice(NULL, 0));
    }
    close_list(build, count);
}

static bool may_have_sound(const struct openai_build *build)
{
    const struct remora_model *model = build->endpoint->model;
    return model == NULL || remora_model_has_sound(&model->facts);
}

/* An earlier answer in sound, where it goes back: known by its id, to a model that has to do with sound. Or NULL. */
static const struct remora_part *sound_to_write(const struct openai_build *build,
                                                const struct remora_message *message)
{
    bool is_taken = may_have_sound(build);
    for (size_t i = 0; is_taken && i < message->part_count; i++) {
        const struct remora_part *part = &message->parts[i];
        if (part->kind == REMORA_PART_AUDIO && part->media.source == REMORA_MEDIA_FILE_ID) {
            return part;
        }
    }
    return NULL;
}

static bool has_part(const struct remora_message *message, enum remora_part_kind kind)
{
    for (size_t i = 0; i < message->part_count; i++) {
        if (message->parts[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static void tell_sound(struct openai_build *build)
{
    openai_note_field(build, REMORA_SLICE("messages[].audio"),
                      may_have_sound(build)
                          ? "the provider knows an earlier answer in sound by its id alone"
                          : "the model neither hears nor speaks");
}

/* Nobody documents that content of a type that is not known here may be sent back, or where. */
static void tell_raw(struct openai_build *build, const struct remora_message *message)
{
    if (has_part(message, REMORA_PART_RAW)) {
        openai_note_field(build, REMORA_SLICE("messages[].raw"), "content of an unknown type");
    }
}

/* OpenAI knows its own audio by the id; a router wants all that the answer held. */
static void write_audio_answer(struct openai_build *build, const struct remora_message *message)
{
    const struct remora_part *part = sound_to_write(build, message);
    if (part == NULL) {
        if (has_part(message, REMORA_PART_AUDIO)) {
            tell_sound(build);
        }
        return;
    }
    remora_json_key(json_of(build), "audio");
    if (openai_history(build)->takes_annotations && part->text.length > 0) {
        pieces_raw(&build->pieces, part->text);
        return;
    }
    remora_json_object_open(json_of(build));
    write_text(build, "id", part->media.value);
    remora_json_object_close(json_of(build));
}

bool openai_writes_earlier(const struct openai_build *build, const struct remora_message *message)
{
    return sound_to_write(build, message) != NULL ||
           (openai_history(build)->takes_images && has_part(message, REMORA_PART_IMAGE));
}

void openai_tell_earlier(struct openai_build *build, const struct remora_message *message)
{
    if (message->role != REMORA_ROLE_ASSISTANT) {
        return;
    }
    tell_raw(build, message);
    if (has_part(message, REMORA_PART_AUDIO)) {
        tell_sound(build);
    }
    if (has_part(message, REMORA_PART_IMAGE)) {
        openai_note_field(build, REMORA_SLICE("messages[].images"), not_taken);
    }
    for (size_t i = 0; i < message->part_count; i++) {
        if (message->parts[i].annotation_count > 0) {
            openai_note_field(build, REMORA_SLICE("messages[].annotations"), not_taken);
        }
    }
}

void openai_write_earlier(struct openai_build *build, const struct remora_message *message)
{
    if (message->role == REMORA_ROLE_ASSISTANT) {
        tell_raw(build, message);
        write_audio_answer(build, message);
        write_images(build, message);
        write_annotations(build, message);
    }
}
