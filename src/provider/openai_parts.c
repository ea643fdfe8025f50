/*
 * What a delta or message holds, into content events: reasoning, text, refusal, tool calls, media, annotations.
 *
 * Reasoning comes first, because models think before they speak and a chunk may hold both. Of `reasoning_details`,
 * `reasoning` and `reasoning_content` only the first that can be read is: servers repeat the same text under two names. Details that are
 * encrypted, or of a type without a name here, repeat none: the text beside them comes before them. A part of content that has no name here goes on whole as raw.
 * Sound is media of the type "audio" with a star, because the answer does not say which: its id as the id of a file, its data,
 * the end of the id's life; what it says is text marked as a transcript. Each comes where it stands, in any delta.
 * Sources: providers.md 8 (Magistral's thinking parts, reasoning fields); openrouter.md 9 (reasoning_details, images,
 * annotations); providers.md 1 (logprobs, refusal, audio).
 */
#include "openai_parts.h"

#include "openai_members.h"

/* ---- logprobs ---- */

static struct remora_slice read_bytes(struct remora_json array, struct remora_arena *scratch)
{
    struct remora_json_iter it;
    uint32_t count = remora_json_count(array);
    char *bytes = remora_arena_alloc(scratch, count == 0 ? 1 : count);
    size_t length = 0;
    if (bytes == NULL) {
        return (struct remora_slice){0};
    }
    remora_json_iter_begin(&it, array);
    while (remora_json_iter_next(&it)) {
        int64_t byte = 0;
        if (remora_json_int64(it.value, &byte) && byte >= 0 && byte <= 255) {
            bytes[length++] = (char)(unsigned char)byte;
        }
    }
    return remora_slice(bytes, length);
}

static void read_alternative(struct remora_json value, struct remora_arena *scratch,
                             struct remora_logprob_alternative *out)
{
    struct remora_json bytes = remora_json_get(value, "bytes");
    out->token = openai_text(value, "token", scratch);
    if (!remora_json_double(remora_json_get(value, "logprob"), &out->logprob)) {
        out->logprob = 0;
    }
    out->has_bytes = remora_json_is(bytes, REMORA_JSON_ARRAY);
    if (out->has_bytes) {
        out->bytes = read_bytes(bytes, scratch);
    }
}

static void read_logprob(struct remora_json value, struct remora_arena *scratch,
                         struct remora_logprob *out)
{
    struct remora_json top = remora_json_get(value, "top_logprobs");
    struct remora_json_iter it;
    read_alternative(value, scratch, &out->chosen);
    if (!remora_json_is(top, REMORA_JSON_ARRAY) || remora_json_count(top) == 0) {
        return;
    }
    struct remora_logprob_alternative *items =
        remora_arena_array(scratch, remora_json_count(top), sizeof *items);
    if (items == NULL) {
        return;
    }
    remora_json_iter_begin(&it, top);
    while (remora_json_iter_next(&it)) {
        read_alternative(it.value, scratch, &items[it.index]);
    }
    out->alternatives = items;
    out->alternative_count = remora_json_count(top);
}

/*
 * Twenty alternatives of each token would fill the tape with ten values for each 50 bytes: an answer of 8 MB had more than a
 * million. So the elements of `content` and `refusal` are folded, and one at a time is laid out, in an arena of its own.
 */
const struct remora_json_fold openai_logprobs_fold = {.member = REMORA_SLICE_INIT("logprobs"),
                                                      .levels = 2};

static enum remora_code unfold_logprob(struct remora_slice raw, struct remora_arena *own,
                                       struct remora_arena *scratch, struct remora_logprob *out)
{
    const struct remora_json_limits limits = {.depth = REMORA_LIMIT_JSON_DEPTH,
                                              .nodes = REMORA_LIMIT_JSON_NODES};
    struct remora_json_doc doc;
    struct remora_json_error where;
    enum remora_code code = remora_json_parse(raw, own, &limits, &doc, &where);
    if (code == REMORA_OK) {
        read_logprob(remora_json_root(&doc), scratch, out);
    }
    remora_arena_reset(own);
    return code;
}

static enum remora_code unfold_logprobs(struct remora_json list, struct remora_arena *scratch,
                                        struct remora_logprob *items)
{
    struct remora_arena own;
    struct remora_json_iter it;
    enum remora_code code = REMORA_OK;
    remora_arena_init(&own, REMORA_LIMIT_SCRATCH_CHUNK_BYTES, REMORA_LIMIT_SCRATCH_ARENA_BYTES);
    remora_json_iter_begin(&it, list);
    while (code == REMORA_OK && remora_json_iter_next(&it)) {
        code = unfold_logprob(remora_json_raw(it.value), &own, scratch, &items[it.index]);
    }
    remora_arena_fini(&own);
    return code;
}

static enum remora_code read_logprobs(struct openai_feed *feed, struct remora_json logprobs,
                                      const char *key, struct remora_event *event)
{
    struct remora_json list = remora_json_get(logprobs, key);
    uint32_t count = remora_json_is(list, REMORA_JSON_ARRAY) ? remora_json_count(list) : 0;
    if (count == 0) {
        return REMORA_OK;
    }
    struct remora_logprob *items = remora_arena_array(feed->scratch, count, sizeof *items);
    if (items == NULL) {
        return openai_no_memory(feed->fail);
    }
    enum remora_code code = unfold_logprobs(list, feed->scratch, items);
    if (code == REMORA_TOO_LARGE) {
        return openai_refuse(feed->fail, REMORA_CAUSE_TOO_LARGE,
                             "The provider sent an answer that is too large.");
    }
    if (code != REMORA_OK) {
        return openai_no_memory(feed->fail);
    }
    event->text.logprobs = items;
    event->text.logprob_count = count;
    return REMORA_OK;
}

/* ---- text and refusal ---- */

enum remora_code openai_put_text(struct openai_feed *feed, int32_t choice,
                                 enum remora_event_kind kind, struct remora_slice text,
                                 struct remora_json logprobs)
{
    struct remora_event event = {.kind = kind, .choice_index = choice, .text = {.text = text}};
    const char *key = kind == REMORA_EVENT_REFUSAL ? "refusal" : "content";
    enum remora_code code = read_logprobs(feed, logprobs, key, &event);
    if (code != REMORA_OK) {
        return code;
    }
    if (text.length == 0 && event.text.logprob_count == 0) {
        return REMORA_OK;
    }
    if (event.text.logprob_count == 0) {
        feed->plain = (struct openai_plain){.kind = kind, .choice = choice, .text = text};
    }
    return openai_put(feed, &event);
}

/* ---- reasoning ---- */

static enum remora_code put_reasoning(struct openai_feed *feed, int32_t choice,
                                      int32_t upstream_index,
                                      const struct remora_reasoning_block *block)
{
    bool says_nothing =
        block->text.length == 0 && block->signature.length == 0 && block->raw.length == 0;
    if (says_nothing) {
        return REMORA_OK;
    }
    enum remora_code code = openai_put_block(feed, choice, upstream_index, block);
    return code == REMORA_OK ? openai_sign_call(feed, choice, block) : code;
}

enum remora_code openai_put_reasoning(struct openai_feed *feed, int32_t choice,
                                      struct remora_slice text)
{
    const struct remora_reasoning_block block = {.kind = REMORA_REASONING_TEXT, .text = text};
    if (text.length > 0) {
        feed->plain = (struct openai_plain){REMORA_EVENT_REASONING, choice, text};
    }
    return put_reasoning(feed, choice, -1, &block);
}

enum remora_code openai_put_plain(struct openai_feed *feed, const struct openai_plain *plain)
{
    const struct remora_json none = {0};
    return plain->kind == REMORA_EVENT_REASONING
               ? openai_put_reasoning(feed, plain->choice, plain->text)
               : openai_put_text(feed, plain->choice, plain->kind, plain->text, none);
}

/* A type that has no name here (reasoning.server_tool_call) is kept as it came: it must make the round trip, too. */
void openai_read_detail(struct remora_json detail, struct remora_arena *scratch,
                        struct remora_reasoning_block *out)
{
    struct remora_json type = remora_json_get(detail, "type");
    if (remora_json_equals(type, "reasoning.text")) {
        out->kind = REMORA_REASONING_TEXT;
        out->text = openai_text(detail, "text", scratch);
    } else if (remora_json_equals(type, "reasoning.summary")) {
        out->kind = REMORA_REASONING_SUMMARY;
        out->text = openai_text(detail, "summary", scratch);
    } else if (remora_json_equals(type, "reasoning.encrypted")) {
        out->kind = REMORA_REASONING_ENCRYPTED;
        out->text = openai_text(detail, "data", scratch);
    } else {
        out->kind = REMORA_REASONING_OTHER;
        out->raw = remora_json_raw(detail);
    }
    out->signature = openai_text(detail, "signature", scratch);
    out->format = openai_text(detail, "format", scratch);
    out->id = openai_text(detail, "id", scratch);
    out->index.is_set = remora_json_int64(remora_json_get(detail, "index"), &out->index.value);
}

static enum remora_code put_raw(struct openai_feed *feed, int32_t choice, struct remora_json value)
{
    const struct remora_event event = {
        .kind = REMORA_EVENT_RAW, .choice_index = choice, .raw = remora_json_raw(value)};
    return openai_put(feed, &event);
}

/* A block without index is its place in the array. */
static enum remora_code decode_details(struct openai_feed *feed, int32_t choice,
                                       struct remora_json details)
{
    struct remora_json_iter it;
    remora_json_iter_begin(&it, details);
    while (remora_json_iter_next(&it)) {
        struct remora_reasoning_block block = {0};
        enum remora_code code = REMORA_OK;
        if (remora_json_is(it.value, REMORA_JSON_OBJECT)) {
            openai_read_detail(it.value, feed->scratch, &block);
            bool fits =
                block.index.is_set && block.index.value >= 0 && block.index.value <= INT32_MAX / 2;
            int32_t index = fits ? (int32_t)block.index.value : (int32_t)(it.index & 0xffffff);
            code = put_reasoning(feed, choice, index, &block);
        }
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

/* Whether one of the details has words of its own. */
static bool has_words(struct remora_json details, struct remora_arena *scratch)
{
    struct remora_json_iter it;
    remora_json_iter_begin(&it, details);
    while (remora_json_iter_next(&it)) {
        struct remora_reasoning_block block = {0};
        if (remora_json_is(it.value, REMORA_JSON_OBJECT)) {
            openai_read_detail(it.value, scratch, &block);
        }
        bool is_read =
            block.kind == REMORA_REASONING_TEXT || block.kind == REMORA_REASONING_SUMMARY;
        if (is_read && block.text.length > 0) {
            return true;
        }
    }
    return false;
}

static enum remora_code decode_reasoning(struct openai_feed *feed, int32_t choice,
                                         const struct remora_json members[BODY_MEMBERS])
{
    struct remora_json details = members[BODY_REASONING_DETAILS];
    bool has_details = remora_json_is(details, REMORA_JSON_ARRAY);
    if (has_details && has_words(details, feed->scratch)) {
        return decode_details(feed, choice, details);
    }
    struct remora_slice text = openai_text_of(members[BODY_REASONING], feed->scratch);
    if (text.length == 0) {
        text = openai_text_of(members[BODY_REASONING_CONTENT], feed->scratch);
    }
    enum remora_code code = openai_put_reasoning(feed, choice, text);
    return code == REMORA_OK && has_details ? decode_details(feed, choice, details) : code;
}

/* ---- media ---- */

/* data:MIME;base64,DATA (RFC 2397); anything else is a URI. */
static struct remora_media read_url(struct remora_slice url)
{
    static const struct remora_slice scheme = REMORA_SLICE_INIT("data:");
    static const struct remora_slice mark = REMORA_SLICE_INIT(";base64");
    struct remora_media media = {.source = REMORA_MEDIA_URI, .value = url};
    size_t comma = remora_slice_find(url, ',', 0);
    if (!remora_slice_starts_with(url, scheme) || comma == url.length ||
        comma < scheme.length + mark.length) {
        return media;
    }
    struct remora_slice head = remora_slice(url.data + comma - mark.length, mark.length);
    if (!remora_slice_equal(head, mark)) {
        return media;
    }
    media.source = REMORA_MEDIA_BASE64;
    media.value = remora_slice(url.data + comma + 1, url.length - comma - 1);
    media.mime_type = remora_slice(url.data + scheme.length, comma - mark.length - scheme.length);
    return media;
}

/* Numbered as they come: a chunk counts its own from 0. */
static enum remora_code put_image(struct openai_feed *feed, int32_t choice,
                                  const struct remora_media *media)
{
    uint8_t *count = &feed->decoder->images[choice];
    const struct remora_event event = {
        .kind = REMORA_EVENT_MEDIA,
        .choice_index = choice,
        .media = {.index = *count, .media = *media},
    };
    if (media->value.length == 0) {
        return REMORA_OK;
    }
    *count += *count < UINT8_MAX ? 1 : 0;
    return openai_put(feed, &event);
}

static enum remora_code put_sound(struct openai_feed *feed, int32_t choice,
                                  enum remora_media_source source, struct remora_slice value,
                                  int64_t expires_at_unix_s)
{
    struct remora_event event = {.kind = REMORA_EVENT_MEDIA, .choice_index = choice};
    event.media.media = (struct remora_media){
        .source = source, .value = value, .mime_type = REMORA_SLICE("audio/*")};
    event.media.expires_at_unix_s = expires_at_unix_s;
    return value.length == 0 && expires_at_unix_s == 0 ? REMORA_OK : openai_put(feed, &event);
}

static enum remora_code put_transcript(struct openai_feed *feed, int32_t choice,
                                       struct remora_slice text)
{
    const struct remora_event event = {.kind = REMORA_EVENT_TEXT,
                                       .choice_index = choice,
                                       .text = {.text = text, .is_transcript = true}};
    return text.length == 0 ? REMORA_OK : openai_put(feed, &event);
}

static enum remora_code decode_image(struct openai_feed *feed, int32_t choice,
                                     struct remora_json image)
{
    struct remora_json url = remora_json_get(image, "image_url");
    struct remora_slice text = openai_text(url, "url", feed->scratch);
    if (text.length == 0) {
        text = openai_text(image, "image_url", feed->scratch);
    }
    const struct remora_media media = read_url(text);
    return put_image(feed, choice, &media);
}

static enum remora_code decode_images(struct openai_feed *feed, int32_t choice,
                                      struct remora_json images)
{
    struct remora_json_iter it;
    remora_json_iter_begin(&it, images);
    while (remora_json_iter_next(&it)) {
        enum remora_code code = decode_image(feed, choice, it.value);
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

static enum remora_code decode_audio(struct openai_feed *feed, int32_t choice,
                                     struct remora_json audio)
{
    int64_t expires = 0;
    if (!remora_json_int64(remora_json_get(audio, "expires_at"), &expires) || expires < 0) {
        expires = 0;
    }
    enum remora_code code = put_sound(feed, choice, REMORA_MEDIA_FILE_ID,
                                      openai_text(audio, "id", feed->scratch), expires);
    if (code == REMORA_OK) {
        code = put_transcript(feed, choice, openai_text(audio, "transcript", feed->scratch));
    }
    return code == REMORA_OK ? put_sound(feed, choice, REMORA_MEDIA_BASE64,
                                         openai_text(audio, "data", feed->scratch), 0)
                             : code;
}

/* ---- annotations ---- */

static void read_place(struct remora_json object, const char *key, struct remora_opt_i64 *out)
{
    out->is_set = remora_json_int64(remora_json_get(object, key), &out->value);
}

/* The facts lie in a member named as the type ({type: "url_citation", url_citation: {...}}) or beside it. */
static enum remora_code decode_annotation(struct openai_feed *feed, int32_t choice,
                                          struct remora_json value)
{
    struct remora_arena *scratch = feed->scratch;
    struct remora_event event = {.kind = REMORA_EVENT_ANNOTATION, .choice_index = choice};
    struct remora_json facts = remora_json_get(value, "url_citation");
    if (!remora_json_is(facts, REMORA_JSON_OBJECT)) {
        facts = value;
    }
    event.annotation.type = openai_text(value, "type", scratch);
    event.annotation.url = openai_text(facts, "url", scratch);
    event.annotation.title = openai_text(facts, "title", scratch);
    event.annotation.content = openai_text(facts, "content", scratch);
    read_place(facts, "start_index", &event.annotation.start_index);
    read_place(facts, "end_index", &event.annotation.end_index);
    event.annotation.raw = remora_json_raw(value);
    return openai_put(feed, &event);
}

static enum remora_code decode_annotations(struct openai_feed *feed, int32_t choice,
                                           struct remora_json list)
{
    struct remora_json_iter it;
    enum remora_code code = REMORA_OK;
    remora_json_iter_begin(&it, list);
    while (code == REMORA_OK && remora_json_iter_next(&it)) {
        if (remora_json_is(it.value, REMORA_JSON_OBJECT)) {
            code = decode_annotation(feed, choice, it.value);
        }
    }
    return code;
}

enum remora_code openai_decode_citations(struct openai_feed *feed, int32_t choice,
                                         struct remora_json citations)
{
    struct remora_json_iter it;
    enum remora_code code = REMORA_OK;
    if (!remora_json_is(citations, REMORA_JSON_ARRAY)) {
        return REMORA_OK;
    }
    remora_json_iter_begin(&it, citations);
    while (code == REMORA_OK && remora_json_iter_next(&it)) {
        struct remora_event event = {.kind = REMORA_EVENT_ANNOTATION, .choice_index = choice};
        event.annotation.type = REMORA_SLICE("url_citation");
        bool is_url = remora_json_is(it.value, REMORA_JSON_STRING) &&
                      remora_json_string(it.value, feed->scratch, &event.annotation.url);
        code = is_url ? openai_put(feed, &event) : REMORA_OK;
    }
    return code;
}

/* ---- content ---- */

/* Magistral: {type: "thinking", thinking: [{type: "text", text}]}; others have a plain string. */
static enum remora_code decode_thinking(struct openai_feed *feed, int32_t choice,
                                        struct remora_json part)
{
    struct remora_json_iter it;
    enum remora_code code =
        openai_put_reasoning(feed, choice, openai_text(part, "thinking", feed->scratch));
    struct remora_json list = remora_json_get(part, "thinking");
    if (!remora_json_is(list, REMORA_JSON_ARRAY)) {
        return code;
    }
    remora_json_iter_begin(&it, list);
    while (code == REMORA_OK && remora_json_iter_next(&it)) {
        code = openai_put_reasoning(feed, choice, openai_text(it.value, "text", feed->scratch));
    }
    return code;
}

static enum remora_code decode_part(struct openai_feed *feed, int32_t choice,
                                    struct remora_json part)
{
    const struct remora_json none = {0};
    struct remora_json type = remora_json_get(part, "type");
    if (!remora_json_is(part, REMORA_JSON_OBJECT) || !remora_json_is(type, REMORA_JSON_STRING)) {
        feed->decoder->base.ignored++;
        return REMORA_OK;
    }
    if (remora_json_equals(type, "text") || remora_json_equals(type, "output_text")) {
        return openai_put_text(feed, choice, REMORA_EVENT_TEXT,
                               openai_text(part, "text", feed->scratch), none);
    }
    if (remora_json_equals(type, "refusal")) {
        return openai_put_text(feed, choice, REMORA_EVENT_REFUSAL,
                               openai_text(part, "refusal", feed->scratch), none);
    }
    if (remora_json_equals(type, "thinking")) {
        return decode_thinking(feed, choice, part);
    }
    if (remora_json_equals(type, "image_url")) {
        return decode_image(feed, choice, part);
    }
    return put_raw(feed, choice, part);
}

/* Text of the answer itself: in some dialects reasoning stands in it, between tags. */
static enum remora_code decode_text(struct openai_feed *feed, int32_t choice,
                                    struct remora_slice text, struct remora_json logprobs)
{
    if (feed->decoder->dialect->reasoning_place == REASONING_IN_TAGS) {
        return openai_think_text(feed, choice, text, logprobs);
    }
    return openai_put_text(feed, choice, REMORA_EVENT_TEXT, text, logprobs);
}

static enum remora_code decode_content(struct openai_feed *feed, int32_t choice,
                                       struct remora_json content, struct remora_json logprobs)
{
    struct remora_json_iter it;
    if (!remora_json_is(content, REMORA_JSON_ARRAY)) {
        return decode_text(feed, choice, openai_text_of(content, feed->scratch), logprobs);
    }
    remora_json_iter_begin(&it, content);
    while (remora_json_iter_next(&it)) {
        enum remora_code code = decode_part(feed, choice, it.value);
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

/* The old `function_call` is one call without id: openai_calls.c finds it in the body itself. */
static enum remora_code decode_calls(struct openai_feed *feed, int32_t choice,
                                     struct remora_json body,
                                     const struct remora_json members[BODY_MEMBERS])
{
    struct remora_json_iter it;
    enum remora_code code = REMORA_OK;
    if (remora_json_is(members[BODY_TOOL_CALLS], REMORA_JSON_ARRAY)) {
        remora_json_iter_begin(&it, members[BODY_TOOL_CALLS]);
        while (code == REMORA_OK && remora_json_iter_next(&it)) {
            code = openai_decode_call(feed, choice, it.value, members[BODY_REASONING_DETAILS]);
        }
    }
    if (code == REMORA_OK && remora_json_is(members[BODY_FUNCTION_CALL], REMORA_JSON_OBJECT)) {
        code = openai_decode_call(feed, choice, body, (struct remora_json){0});
    }
    return code;
}

static enum remora_code decode_rest(struct openai_feed *feed, int32_t choice,
                                    const struct remora_json members[BODY_MEMBERS])
{
    enum remora_code code = REMORA_OK;
    if (remora_json_is(members[BODY_AUDIO], REMORA_JSON_OBJECT)) {
        code = decode_audio(feed, choice, members[BODY_AUDIO]);
    }
    if (code == REMORA_OK && remora_json_is(members[BODY_IMAGES], REMORA_JSON_ARRAY)) {
        code = decode_images(feed, choice, members[BODY_IMAGES]);
    }
    if (code == REMORA_OK && remora_json_is(members[BODY_ANNOTATIONS], REMORA_JSON_ARRAY)) {
        code = decode_annotations(feed, choice, members[BODY_ANNOTATIONS]);
    }
    return code;
}

static enum remora_code decode_refusal(struct openai_feed *feed, int32_t choice,
                                       struct remora_json refusal, struct remora_json logprobs)
{
    if (!remora_json_is(refusal, REMORA_JSON_STRING)) {
        return REMORA_OK;
    }
    return openai_put_text(feed, choice, REMORA_EVENT_REFUSAL,
                           openai_text_of(refusal, feed->scratch), logprobs);
}

enum remora_code openai_decode_body(struct openai_feed *feed, int32_t choice,
                                    struct remora_json body, struct remora_json logprobs)
{
    struct remora_json members[BODY_MEMBERS];
    if (!remora_json_is(body, REMORA_JSON_OBJECT)) {
        return REMORA_OK;
    }
    openai_body_members(body, members);
    openai_bit_set(&feed->decoder->seen, choice);
    enum remora_code code = decode_reasoning(feed, choice, members);
    if (code == REMORA_OK) {
        code = decode_content(feed, choice, members[BODY_CONTENT], logprobs);
    }
    if (code == REMORA_OK) {
        code = decode_refusal(feed, choice, members[BODY_REFUSAL], logprobs);
    }
    if (code == REMORA_OK) {
        code = decode_calls(feed, choice, body, members);
    }
    return code == REMORA_OK ? decode_rest(feed, choice, members) : code;
}
