/*
 * Messages of a chat completion request: roles, content as text or parts, tool calls, reasoning carried back.
 *
 * Content goes as one string when it came so, or when it is one plain text of a role other than user: several servers take
 * parts from users only. Dialects differ in the role of instructions, in the form of tool ids, in whether roles must
 * alternate, and in how a beginning to go on from is marked. Sources: providers.md 1 and 8; openrouter.md 3 (name,
 * reasoning_details); 4 of providers.md (thoughtSignature, which Google's own openai-chat wire has on the call).
 */
#include "openai_write.h"

#include "remora/limits.h"

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

/* ---- content ---- */

/* Parts that stand in `content`: an assistant's earlier media and citations have members of their own. */
static bool is_content(const struct remora_message *message, const struct remora_part *part)
{
    bool is_earlier = message->role == REMORA_ROLE_ASSISTANT &&
                      (part->kind == REMORA_PART_IMAGE || part->kind == REMORA_PART_AUDIO ||
                       part->kind == REMORA_PART_RAW);
    bool is_unsaid = part->kind == REMORA_PART_TEXT && part->text.data == NULL;
    return !is_earlier && !is_unsaid;
}

static size_t count_content(const struct remora_message *message, const struct remora_part **first)
{
    size_t count = 0;
    for (size_t i = 0; i < message->part_count; i++) {
        if (is_content(message, &message->parts[i])) {
            *first = count++ == 0 ? &message->parts[i] : *first;
        }
    }
    return count;
}

/* Markers are lost in a string. */
static bool is_one_text(const struct openai_build *build, const struct remora_message *message,
                        const struct remora_part *part, size_t count)
{
    if (count != 1 || part->kind != REMORA_PART_TEXT ||
        openai_has_cache_mark(build, &part->cache)) {
        return false;
    }
    return message->content_is_text ||
           (message->role != REMORA_ROLE_USER && message->role != REMORA_ROLE_UNSET);
}

/*
 * The speaker's name is a member for OpenAI's models; any other model reads it before the text, as OpenRouter has it
 * (openrouter.md section 3, `name`). A tool's name stays what it is.
 */
static struct remora_slice spoken_name(const struct openai_build *build,
                                       const struct remora_message *message)
{
    bool is_spoken = message->name.length > 0 && message->role != REMORA_ROLE_TOOL &&
                     !remora_endpoint_takes_names(build->endpoint);
    return is_spoken ? message->name : remora_slice(NULL, 0);
}

/* The elements of `content`; the name goes before the first text. */
static void write_parts(struct openai_build *build, const struct remora_message *message)
{
    struct remora_slice name = spoken_name(build, message);
    for (size_t i = 0; i < message->part_count; i++) {
        if (is_content(message, &message->parts[i])) {
            openai_write_part(build, &message->parts[i], name);
            name = message->parts[i].kind == REMORA_PART_TEXT ? remora_slice(NULL, 0) : name;
        }
    }
}

static void write_content(struct openai_build *build, const struct remora_message *message)
{
    struct remora_json_writer *w = json_of(build);
    const struct remora_part *first = NULL;
    size_t count = count_content(message, &first);
    if (message->part_count == 1 && message->parts[0].kind == REMORA_PART_REFUSAL) {
        write_text(build, "refusal", message->parts[0].text);
        return;
    }
    remora_json_key(w, "content");
    if (count == 0 && (message->tool_call_count > 0 || openai_writes_earlier(build, message))) {
        remora_json_write_null(w);
    } else if (count == 0) {
        remora_json_write_text(w, "");
    } else if (is_one_text(build, message, first, count)) {
        openai_write_spoken(build, spoken_name(build, message), first->text);
    } else {
        remora_json_array_open(w);
        write_parts(build, message);
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

/* ---- signatures of Gemini's tool calls ---- */

/* A call has one signature: further ones of the same id stay at home. */
static bool is_on_call(const struct openai_build *build, const struct remora_message *message,
                       const struct remora_reasoning_block *block)
{
    if (!remora_reasoning_block_signs_call(block) || !openai_history(build)->signs_calls) {
        return false;
    }
    for (size_t i = 0; i < message->tool_call_count; i++) {
        if (remora_slice_equal(message->tool_calls[i].id, block->id)) {
            return true;
        }
    }
    return false;
}

static struct remora_slice signature_of(const struct remora_message *message,
                                        struct remora_slice id)
{
    for (size_t i = 0; i < message->reasoning_count; i++) {
        const struct remora_reasoning_block *block = &message->reasoning[i];
        if (remora_reasoning_block_signs_call(block) && remora_slice_equal(block->id, id)) {
            return block->text;
        }
    }
    return (struct remora_slice){0};
}

static void write_signature(struct openai_build *build, const struct remora_message *message,
                            struct remora_slice id)
{
    struct remora_json_writer *w = json_of(build);
    struct remora_slice signature = signature_of(message, id);
    if (signature.length == 0 || !openai_history(build)->signs_calls) {
        return;
    }
    remora_json_key(w, "extra_content");
    remora_json_object_open(w);
    remora_json_key(w, "google");
    remora_json_object_open(w);
    write_text(build, "thought_signature", signature);
    remora_json_object_close(w);
    remora_json_object_close(w);
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
        write_signature(build, message, call->id);
        remora_json_object_close(w);
        if (call->cache.is_set) {
            openai_note_field(build, REMORA_SLICE("messages[].tool_calls[].cache_control"),
                              "the provider takes no mark on a call");
        }
    }
    remora_json_array_close(w);
}

static void write_reasoning_block(struct openai_build *build,
                                  const struct remora_reasoning_block *block)
{
    struct remora_json_writer *w = json_of(build);
    if (block->raw.length > 0) {
        pieces_raw(&build->pieces, block->raw);
        return;
    }
    remora_json_object_open(w);
    switch (block->kind) {
    case REMORA_REASONING_TEXT:
        write_word(build, "type", "reasoning.text");
        if (block->text.data != NULL) { /* else it is nothing but its signature */
            write_text(build, "text", block->text);
        }
        break;
    case REMORA_REASONING_SUMMARY:
        write_word(build, "type", "reasoning.summary");
        write_text(build, "summary", block->text);
        break;
    case REMORA_REASONING_ENCRYPTED:
        write_word(build, "type", "reasoning.encrypted");
        write_text(build, "data", block->text);
        break;
    case REMORA_REASONING_OTHER: /* has its raw object */
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
        if (!is_on_call(build, message, &message->reasoning[i])) {
            write_reasoning_block(build, &message->reasoning[i]);
        }
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

static enum remora_echo echo_of(const struct openai_build *build)
{
    return openai_history(build)->reasoning;
}

/* Besides the signatures that go on their calls. */
static bool has_opaque(const struct openai_build *build, const struct remora_message *message)
{
    for (size_t i = 0; i < message->reasoning_count; i++) {
        const struct remora_message alone = {.reasoning = &message->reasoning[i],
                                             .reasoning_count = 1};
        if (remora_message_is_opaque(&alone) &&
            !is_on_call(build, message, &message->reasoning[i])) {
            return true;
        }
    }
    return false;
}

/* Told where the dialect takes no reasoning of earlier turns, or takes its text and there is more than text. */
static void tell_lost_reasoning(struct openai_build *build, const struct remora_message *message)
{
    if (message->reasoning_count > 0 &&
        remora_echo_loses(echo_of(build), remora_message_is_opaque(message))) {
        openai_note_field(build, REMORA_SLICE("messages[].reasoning_details"),
                          echo_of(build) == REMORA_ECHO_NONE
                              ? "the provider takes no reasoning of earlier turns"
                              : "the provider takes only the text of earlier reasoning");
    }
}

static void write_reasoning(struct openai_build *build, const struct remora_message *message)
{
    if (message->reasoning_count == 0) {
        return;
    }
    tell_lost_reasoning(build, message);
    switch (echo_of(build)) {
    case REMORA_ECHO_NONE:
        break;
    case REMORA_ECHO_CONTENT:
        write_reasoning_text(build, "reasoning_content", message);
        break;
    case REMORA_ECHO_FIELD:
        write_reasoning_text(build, "reasoning", message);
        break;
    case REMORA_ECHO_DETAILS:
        write_reasoning_details(build, message);
        break;
    case REMORA_ECHO_ANY:
        if (has_opaque(build, message)) {
            write_reasoning_details(build, message);
        } else {
            write_reasoning_text(build, "reasoning_content", message);
        }
        break;
    }
}

/* The members of an object behind those already written, as they came. */
static void write_members(struct openai_build *build, struct remora_slice object)
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

static void tell_lost_member(struct openai_build *build, struct remora_slice name)
{
    static const char front[] = "messages[].";
    size_t bytes = sizeof front - 1 + name.length;
    char *field = remora_arena_alloc(build->pieces.arena, bytes);
    if (field != NULL) {
        memcpy(field, front, sizeof front - 1);
        memcpy(field + sizeof front - 1, name.data, name.length);
    }
    openai_note_field(build,
                      field == NULL ? REMORA_SLICE("messages[]") : remora_slice(field, bytes),
                      "the provider does not take it");
}

/* The further members as JSON; false: there are none that can be read, told. */
static bool read_members(struct openai_build *build, const struct remora_message *message,
                         struct remora_json_doc *doc)
{
    static const struct remora_json_limits limits = {.depth = REMORA_LIMIT_JSON_DEPTH,
                                                     .nodes = REMORA_LIMIT_JSON_NODES};
    struct remora_json_error error;
    if (message->extra.length == 0) {
        return false;
    }
    bool is_read =
        remora_json_parse(message->extra, build->pieces.arena, &limits, doc, &error) == REMORA_OK;
    if (!is_read) {
        tell_lost_member(build, REMORA_SLICE("extra"));
    }
    return is_read;
}

static void tell_member(struct openai_build *build, const struct remora_json_iter *member)
{
    struct remora_slice name = REMORA_SLICE("extra");
    (void)!remora_json_string(member->key, build->pieces.arena, &name);
    tell_lost_member(build, name.data == NULL ? REMORA_SLICE("extra") : name);
}

static void tell_lost_members(struct openai_build *build, const struct remora_message *message)
{
    struct remora_json_doc doc;
    struct remora_json_iter it;
    if (!read_members(build, message, &doc)) {
        return;
    }
    for (remora_json_iter_begin(&it, remora_json_root(&doc)); remora_json_iter_next(&it);) {
        tell_member(build, &it);
    }
}

/* Further members go where further fields of the request would go; elsewhere each is told. True when the mark was there. */
static bool write_extra(struct openai_build *build, const struct remora_message *message)
{
    struct remora_json_doc doc;
    struct remora_json_iter it;
    bool is_marked = false;
    if (message->extra.length > 0 && openai_takes_anything(build)) {
        write_members(build, message->extra);
        return true;
    }
    if (!read_members(build, message, &doc)) {
        return false;
    }
    /* The mark of a beginning to go on from is the one further member that a closed dialect knows. */
    const char *mark = message->role == REMORA_ROLE_ASSISTANT ? openai_history(build)->mark : NULL;
    for (remora_json_iter_begin(&it, remora_json_root(&doc)); remora_json_iter_next(&it);) {
        if (mark != NULL && remora_json_equals(it.key, mark)) {
            remora_json_key(json_of(build), mark);
            pieces_raw(&build->pieces, remora_json_raw(it.value));
            is_marked = true;
        } else {
            tell_member(build, &it);
        }
    }
    return is_marked;
}

static void tell_lost_name(struct openai_build *build, const struct remora_message *message)
{
    if (remora_message_name_is_unspoken(message) && !remora_endpoint_takes_names(build->endpoint)) {
        openai_note_field(build, REMORA_SLICE("messages[].name"),
                          "the model reads names before texts, and there is none");
    }
}

/* All that a message has besides its parts, where it becomes a part of another: there is no place for it. */
static void tell_lost_rest(struct openai_build *build, const struct remora_message *message)
{
    tell_lost_name(build, message);
    tell_lost_reasoning(build, message);
    openai_tell_earlier(build, message);
    tell_lost_members(build, message);
}

/* A last message of the assistant is a beginning to go on from, which some servers want to be told. */
static bool goes_on(const struct openai_build *build, const struct remora_message *message)
{
    const struct remora_request *request = build->request;
    return build->dialect->go_on_field != NULL && message->role == REMORA_ROLE_ASSISTANT &&
           message == &request->messages[request->message_count - 1] &&
           message->tool_call_count == 0;
}

/* What stands in a message besides its role and content. */
static void write_rest(struct openai_build *build, const struct remora_message *message)
{
    if (message->name.length > 0 &&
        (message->role == REMORA_ROLE_TOOL || remora_endpoint_takes_names(build->endpoint))) {
        write_optional(build, "name", message->name);
    }
    tell_lost_name(build, message);
    write_tool_id(build, "tool_call_id", message->tool_call_id);
    write_tool_calls(build, message);
    write_reasoning(build, message);
    openai_write_earlier(build, message);
    if (!write_extra(build, message) && goes_on(build, message)) {
        remora_json_key(json_of(build), build->dialect->go_on_field);
        remora_json_write_bool(json_of(build), true);
    }
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
        if (i + 1 < count) {
            tell_lost_rest(build, &messages[i]); /* that of the last is written below */
        }
        write_parts(build, &messages[i]);
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
