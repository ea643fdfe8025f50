/*
 * Tool calls and reasoning blocks: what a provider numbers, names or leaves out, into dense indexes from 0.
 *
 * A tool call fragment belongs to
 *   the call of its index, unless it brings another id and a name: some servers give every parallel call the index 0; or, where
 *   neither has an id to tell them apart, unless that call's arguments are whole and the fragment names a call and goes on;
 *   without index, the call of its id; with a name but no known id, a new call; else the last call.
 * A call that begins without a name is held back until the name comes: one at a time, else the answer is refused.
 * A name comes whole, once or repeated: it has gone out with the first fragment, so that another one behind it (its second half, or
 * a call that is not told apart from the one before) is no part of a sound answer and is refused.
 * A call without an id, or with that of an earlier call, gets one made from our id and the answer's, so that its result can be
 * matched and no two turns of a conversation have the same.
 * Arguments are text and passed on as such; an object instead of a string goes on as its JSON text. A call that has none when its
 * choice ends well is one of a tool without parameters, and gets `{}`, as callers parse what they get.
 * A block of reasoning is told from the next by kind, index and id: OpenRouter streams those of OpenAI's models all with index 0, so a
 * fragment of another kind begins a block, and one of the first kind behind that begins a third, unless its id is known.
 * Gemini signs a call in `extra_content.google.thought_signature` and refuses the next turn without it: told once with the call, and
 * as an encrypted reasoning block with the call's id, unless the answer's reasoning_details hold one for that call already; then the
 * call is told what that block says, if it stands beside the call or in a later chunk.
 * Sources: providers.md section 8 common rules (missing index and type, whole call in one chunk) and 4 (thoughtSignature);
 * openrouter.md 9 (reasoning_details); OpenRouterTeam/ai-sdk-provider issue 519 (one index for all, read 2026-11); reliability.md F35.
 */
#include "openai.h"

#include <stdio.h>

uint64_t openai_hash(struct remora_slice text)
{
    return openai_hash_on(UINT64_C(0xcbf29ce484222325), text); /* FNV-1a, 64 bits */
}

uint64_t openai_hash_on(uint64_t hash, struct remora_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* 0 of an empty text alone. */
static uint32_t text_hash(struct remora_slice text)
{
    uint64_t hash = openai_hash(text);
    uint32_t folded = (uint32_t)(hash ^ hash >> 32);
    return text.length == 0 ? 0 : (folded == 0 ? 1 : folded);
}

static struct openai_seat *seats_at(const struct openai_seats *seats, size_t *count)
{
    struct remora_slice all = remora_buf_slice(&seats->buf);
    *count = all.length / sizeof(struct openai_seat);
    return (struct openai_seat *)(void *)all.data;
}

/* NULL without memory. The pointer is valid until the next seat is added. */
static struct openai_seat *seat_add(struct openai_seats *seats, const struct openai_seat *seat)
{
    char *room = remora_buf_reserve(&seats->buf, sizeof *seat);
    if (room == NULL) {
        return NULL;
    }
    memcpy(room, seat, sizeof *seat);
    seats->buf.length += sizeof *seat;
    return (struct openai_seat *)(void *)room;
}

static int16_t count_in_choice(const struct openai_seats *seats, int32_t choice, bool only_open)
{
    size_t count = 0;
    int16_t found = 0;
    const struct openai_seat *all = seats_at(seats, &count);
    for (size_t i = 0; i < count; i++) {
        found += all[i].choice == choice && (all[i].is_open || !only_open) ? 1 : 0;
    }
    return found;
}

struct call {
    int32_t index; /* -1 absent */
    struct remora_slice id;
    struct remora_slice name;
    struct remora_slice arguments;
    bool is_free; /* a custom tool's: any text, no JSON */
    struct remora_slice signature;
};

static bool belongs(const struct openai_seat *seat, const struct call *call)
{
    uint32_t hash = text_hash(call->id);
    bool other_id = hash != 0 && seat->id_hash != 0 && seat->id_hash != hash;
    if (call->index >= 0) {
        return seat->upstream_index == call->index && !(other_id && call->name.length > 0);
    }
    return hash != 0 ? seat->id_hash == hash : call->name.length == 0;
}

/* Between two JSON texts (RFC 8259, section 2, "ws"); a line end, too, says nothing. */
static bool is_blank(struct remora_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return false;
        }
    }
    return true;
}

/* Behind one whole JSON text nothing but another call can come. A name alone that is repeated brings none. */
static bool begins_next(const struct openai_seat *seat, const struct call *call)
{
    bool has_ids = call->id.length > 0 && seat->id_hash != 0;
    if (has_ids || call->index < 0 || seat->upstream_index != call->index ||
        call->name.length == 0 || !seat->is_open || seat->is_free ||
        !remora_json_progress_is_whole(&seat->arguments)) {
        return false;
    }
    return !is_blank(call->arguments) || text_hash(call->name) != seat->name_hash;
}

/* The newest match wins, which makes "the last call" of a fragment that has neither index nor id. */
static struct openai_seat *find(struct openai_seats *seats, int32_t choice, const struct call *call)
{
    size_t count = 0;
    struct openai_seat *all = seats_at(seats, &count);
    for (size_t i = count; i > 0; i--) {
        if (all[i - 1].choice != choice) {
            continue;
        }
        if (begins_next(&all[i - 1], call)) {
            return NULL;
        }
        if (belongs(&all[i - 1], call)) {
            return &all[i - 1];
        }
    }
    return NULL;
}

static struct remora_slice arguments_of(struct remora_json value, struct remora_arena *scratch)
{
    struct remora_slice text = {0};
    if (remora_json_is_null(value)) {
        return text;
    }
    if (!remora_json_is(value, REMORA_JSON_STRING)) {
        return remora_json_raw(value);
    }
    return remora_json_string(value, scratch, &text) ? text : (struct remora_slice){0};
}

static int32_t index_of(struct remora_json value)
{
    int64_t index = -1;
    struct remora_json number = remora_json_get(value, "index");
    if (!remora_json_is(number, REMORA_JSON_NUMBER) || !remora_json_int64(number, &index) ||
        index < 0 || index > INT32_MAX) {
        return -1;
    }
    return (int32_t)index;
}

static struct remora_slice own_signature(struct remora_json call, struct remora_arena *scratch)
{
    struct remora_json extra = remora_json_get(call, "extra_content");
    if (!remora_json_is(extra, REMORA_JSON_OBJECT)) {
        return (struct remora_slice){0};
    }
    return openai_text(remora_json_get(extra, "google"), "thought_signature", scratch);
}

/* `value` is an element of tool_calls, or a whole delta or message with the old `function_call`. */
static struct call read_call(struct remora_json value, struct remora_arena *scratch)
{
    struct remora_json old = remora_json_get(value, "function_call");
    struct remora_json custom = remora_json_get(value, "custom");
    struct call call = {.index = -1};
    if (remora_json_is(custom, REMORA_JSON_OBJECT)) {
        call.is_free = true;
        call.name = openai_text(custom, "name", scratch);
        call.arguments = arguments_of(remora_json_get(custom, "input"), scratch);
    } else {
        bool is_old = remora_json_is(old, REMORA_JSON_OBJECT);
        struct remora_json function = is_old ? old : remora_json_get(value, "function");
        call.name = openai_text(function, "name", scratch);
        call.arguments = arguments_of(remora_json_get(function, "arguments"), scratch);
        if (is_old) {
            return call;
        }
    }
    call.index = index_of(value);
    call.id = openai_text(value, "id", scratch);
    call.signature = own_signature(value, scratch);
    return call;
}

static enum remora_code put_fragment(struct openai_feed *feed, struct openai_seat *seat,
                                     const struct call *call)
{
    remora_json_progress_feed(&seat->arguments, call->arguments);
    const struct remora_event event = {
        .kind = REMORA_EVENT_TOOL_CALL,
        .choice_index = seat->choice,
        .tool_call = {.index = seat->dense,
                      .id = call->id,
                      .name = call->name,
                      .arguments = call->arguments,
                      .signature = seat->is_signed ? (struct remora_slice){0} : call->signature},
    };
    seat->is_signed |= call->signature.length > 0;
    return openai_put(feed, &event);
}

static struct remora_slice made_id(const struct openai_feed *feed, const struct openai_seat *seat)
{
    return remora_arena_printf(feed->scratch, "call_%016llx%02x%02x",
                               (unsigned long long)feed->decoder->answer_hash,
                               (unsigned)seat->choice & 0xffu, (unsigned)seat->dense);
}

/* Whether an earlier call of the choice has the id: some servers give all of them one, and no next turn may hold two. */
static bool is_taken(const struct openai_seats *calls, const struct openai_seat *seat)
{
    size_t count = 0;
    const struct openai_seat *all = seats_at(calls, &count);
    for (size_t i = 0; i < count; i++) {
        if (&all[i] != seat && all[i].is_open && all[i].choice == seat->choice &&
            all[i].id_hash == seat->id_hash) {
            return true;
        }
    }
    return false;
}

/* The provider's own, with this fragment or one that was held back; else one that is made. */
static struct remora_slice first_id(struct openai_feed *feed, struct openai_seat *seat,
                                    struct remora_slice id)
{
    struct remora_slice held = remora_buf_slice(&feed->decoder->held_id);
    if (id.length == 0 && held.length > 0) {
        id = remora_arena_copy(feed->scratch, held);
    }
    seat->has_made_id = id.length == 0 || is_taken(&feed->decoder->calls, seat);
    return seat->has_made_id ? made_id(feed, seat) : id;
}

/* The first fragment goes out: with a dense index, an id, and what was held back. */
static enum remora_code open_call(struct openai_feed *feed, struct openai_seat *seat,
                                  const struct call *call)
{
    struct openai_decoder *decoder = feed->decoder;
    struct call first = *call;
    struct remora_slice held = remora_buf_slice(&decoder->held_arguments);
    seat->dense = count_in_choice(&decoder->calls, seat->choice, true);
    if (seat->dense >= REMORA_LIMIT_TOOL_CALLS) {
        return openai_refuse(feed->fail, REMORA_CAUSE_BAD_EVENT,
                             "The provider's answer has too many tool calls.");
    }
    seat->is_open = true;
    seat->name_hash = text_hash(call->name);
    openai_bit_set(&decoder->has_calls, seat->choice);
    first.id = first_id(feed, seat, call->id);
    if (held.length > 0) {
        first.arguments = remora_arena_printf(feed->scratch, "%.*s%.*s", REMORA_SLICE_ARG(held),
                                              REMORA_SLICE_ARG(call->arguments));
    }
    remora_buf_reset(&decoder->held_id, 0);
    remora_buf_reset(&decoder->held_arguments, 0);
    return feed->scratch->failed == REMORA_OK ? put_fragment(feed, seat, &first)
                                              : openai_no_memory(feed->fail);
}

static bool holds_another(const struct openai_seats *seats, const struct openai_seat *seat)
{
    size_t count = 0;
    const struct openai_seat *all = seats_at(seats, &count);
    for (size_t i = 0; i < count; i++) {
        if (!all[i].is_open && &all[i] != seat) {
            return true;
        }
    }
    return false;
}

static enum remora_code hold_back(struct openai_feed *feed, struct openai_seat *seat,
                                  const struct call *call)
{
    struct openai_decoder *decoder = feed->decoder;
    if (holds_another(&decoder->calls, seat)) {
        return openai_refuse(feed->fail, REMORA_CAUSE_BAD_EVENT,
                             "The provider's answer has tool calls without a name.");
    }
    if (remora_buf_slice(&decoder->held_id).length == 0) {
        remora_buf_append(&decoder->held_id, call->id);
    }
    remora_buf_append(&decoder->held_arguments, call->arguments);
    bool has_failed = remora_buf_code(&decoder->held_id) != REMORA_OK ||
                      remora_buf_code(&decoder->held_arguments) != REMORA_OK;
    return has_failed ? openai_no_memory(feed->fail) : REMORA_OK;
}

/* ---- signatures ---- */

/* What no index of reasoning_details is: they end at half of it. */
static int32_t signature_index(const struct openai_seat *seat)
{
    return INT32_MAX - seat->dense;
}

static bool is_signed(const struct openai_seats *blocks, const struct openai_seat *call,
                      struct remora_slice id)
{
    size_t count = 0;
    uint32_t hash = text_hash(id);
    const struct openai_seat *all = seats_at(blocks, &count);
    for (size_t i = 0; i < count; i++) {
        bool is_of_call =
            all[i].upstream_index == signature_index(call) || (hash != 0 && all[i].id_hash == hash);
        if (all[i].choice == call->choice && all[i].kind == REMORA_REASONING_ENCRYPTED &&
            is_of_call) {
            return true;
        }
    }
    return false;
}

static enum remora_code put_signature(struct openai_feed *feed, const struct openai_seat *seat,
                                      struct remora_slice id, struct remora_slice signature)
{
    struct openai_seats *blocks = &feed->decoder->blocks;
    const struct remora_reasoning_block block = {
        .kind = REMORA_REASONING_ENCRYPTED,
        .text = signature,
        .format = REMORA_SLICE(REMORA_GEMINI_FORMAT),
        .id = id,
        .index = {count_in_choice(blocks, seat->choice, false), true}};
    return is_signed(blocks, seat, id)
               ? REMORA_OK
               : openai_put_block(feed, seat->choice, signature_index(seat), &block);
}

/* Comes with the call, whole: of a later fragment the id is told only if it repeats it or had none. */
static enum remora_code put_block(struct openai_feed *feed, const struct openai_seat *seat,
                                  const struct call *call)
{
    struct remora_slice id = seat->has_made_id ? made_id(feed, seat) : call->id;
    return call->signature.length > 0 ? put_signature(feed, seat, id, call->signature) : REMORA_OK;
}

/* What reasoning_details beside the calls say of this one. */
static struct remora_slice signature_beside(struct remora_json details, struct remora_slice id,
                                            struct remora_arena *scratch)
{
    struct remora_json_iter it;
    if (id.length == 0 || !remora_json_is(details, REMORA_JSON_ARRAY)) {
        return (struct remora_slice){0};
    }
    remora_json_iter_begin(&it, details);
    while (remora_json_iter_next(&it)) {
        struct remora_reasoning_block block = {0};
        if (!remora_json_is(it.value, REMORA_JSON_OBJECT)) {
            continue;
        }
        openai_read_detail(it.value, scratch, &block);
        if (remora_reasoning_block_signs_call(&block) && remora_slice_equal(block.id, id)) {
            return block.text;
        }
    }
    return (struct remora_slice){0};
}

enum remora_code openai_sign_call(struct openai_feed *feed, int32_t choice,
                                  const struct remora_reasoning_block *block)
{
    struct call call = {.index = -1, .id = block->id};
    if (!remora_reasoning_block_signs_call(block)) {
        return REMORA_OK;
    }
    struct openai_seat *seat = find(&feed->decoder->calls, choice, &call);
    if (seat == NULL || !seat->is_open || seat->is_signed) {
        return REMORA_OK;
    }
    call = (struct call){.signature = block->text};
    return put_fragment(feed, seat, &call);
}

static enum remora_code decode_fragment(struct openai_feed *feed, struct openai_seat *seat,
                                        struct call call)
{
    if (!seat->is_open) {
        return call.name.length > 0 ? open_call(feed, seat, &call) : hold_back(feed, seat, &call);
    }
    if (call.name.length > 0 && text_hash(call.name) != seat->name_hash) {
        return openai_refuse(feed->fail, REMORA_CAUSE_BAD_EVENT,
                             "The provider's answer names a tool call twice.");
    }
    call.id = (struct remora_slice){0};
    call.name = (struct remora_slice){0};
    bool says_something =
        call.arguments.length > 0 || (call.signature.length > 0 && !seat->is_signed);
    return says_something ? put_fragment(feed, seat, &call) : REMORA_OK;
}

enum remora_code openai_decode_call(struct openai_feed *feed, int32_t choice,
                                    struct remora_json value, struct remora_json details)
{
    struct openai_decoder *decoder = feed->decoder;
    struct call call = read_call(value, feed->scratch);
    feed->is_stateful = true;
    struct openai_seat *seat = feed->is_whole ? NULL : find(&decoder->calls, choice, &call);
    if (seat == NULL) {
        if (call.name.length == 0 && call.id.length == 0 && call.arguments.length == 0) {
            decoder->base.ignored++;
            return REMORA_OK;
        }
        const struct openai_seat fresh = {.choice = choice,
                                          .upstream_index = call.index,
                                          .id_hash = text_hash(call.id),
                                          .is_free = call.is_free};
        seat = seat_add(&decoder->calls, &fresh);
        if (seat == NULL) {
            return openai_no_memory(feed->fail);
        }
    }
    if (seat->id_hash == 0) {
        seat->id_hash = text_hash(call.id);
    }
    if (call.signature.length == 0) {
        call.signature = signature_beside(details, call.id, feed->scratch);
    }
    enum remora_code code = decode_fragment(feed, seat, call);
    return code == REMORA_OK ? put_block(feed, seat, &call) : code;
}

enum remora_code openai_fill_arguments(struct openai_feed *feed, int32_t choice)
{
    static const struct call nothing = {.index = -1, .arguments = REMORA_SLICE_INIT("{}")};
    size_t count = 0;
    enum remora_code code = REMORA_OK;
    struct openai_seat *all = seats_at(&feed->decoder->calls, &count);
    for (size_t i = 0; i < count && code == REMORA_OK; i++) {
        bool is_bare = all[i].choice == choice && all[i].is_open && !all[i].is_free &&
                       remora_json_progress_is_empty(&all[i].arguments);
        code = is_bare ? put_fragment(feed, &all[i], &nothing) : REMORA_OK;
    }
    return code;
}

bool openai_calls_are_whole(const struct openai_decoder *decoder, int32_t choice)
{
    size_t count = 0;
    const struct openai_seat *all = seats_at(&decoder->calls, &count);
    for (size_t i = 0; i < count; i++) {
        if (all[i].choice == choice && !all[i].is_free &&
            !remora_json_progress_is_whole(&all[i].arguments)) {
            return false;
        }
    }
    return true;
}

/* ---- reasoning blocks ---- */

/* A signature ends its block: text behind it is another one's. */
static bool goes_on(const struct openai_seat *seat, const struct remora_reasoning_block *block)
{
    uint32_t hash = text_hash(block->id);
    bool other_id = hash != 0 && seat->id_hash != 0 && seat->id_hash != hash;
    return !other_id && !(seat->is_signed && block->text.length > 0);
}

/* The block of the same id, else the last one of the index, if it is of the same kind; NULL: none. */
static struct openai_seat *find_block(struct openai_seats *seats, int32_t choice,
                                      int32_t upstream_index,
                                      const struct remora_reasoning_block *block)
{
    size_t count = 0;
    bool is_last = true;
    uint32_t hash = text_hash(block->id);
    struct openai_seat *all = seats_at(seats, &count);
    for (size_t i = count; i > 0; i--) {
        struct openai_seat *seat = &all[i - 1];
        if (seat->choice != choice || seat->upstream_index != upstream_index) {
            continue;
        }
        bool is_same = (hash != 0 && seat->id_hash == hash) || is_last;
        if (seat->kind == (int8_t)block->kind && is_same && goes_on(seat, block)) {
            return seat;
        }
        is_last = false;
    }
    return NULL;
}

/* NULL without memory. A block of a kind without a name comes whole, and so does what a whole answer numbers. */
static struct openai_seat *block_seat(struct openai_feed *feed, int32_t choice,
                                      int32_t upstream_index,
                                      const struct remora_reasoning_block *block)
{
    struct openai_seats *seats = &feed->decoder->blocks;
    bool is_own = block->kind == REMORA_REASONING_OTHER || (feed->is_whole && upstream_index >= 0);
    struct openai_seat *seat = is_own ? NULL : find_block(seats, choice, upstream_index, block);
    const struct openai_seat fresh = {
        .choice = choice,
        .upstream_index = upstream_index,
        .kind = (int8_t)block->kind,
        .dense = count_in_choice(seats, choice, false),
    };
    return seat == NULL ? seat_add(seats, &fresh) : seat;
}

enum remora_code openai_put_block(struct openai_feed *feed, int32_t choice, int32_t upstream_index,
                                  const struct remora_reasoning_block *block)
{
    struct openai_seat *seat = block_seat(feed, choice, upstream_index, block);
    if (seat == NULL) {
        return openai_no_memory(feed->fail);
    }
    const struct remora_event event = {.kind = REMORA_EVENT_REASONING,
                                       .choice_index = choice,
                                       .reasoning = {.block_index = seat->dense,
                                                     .block = *block,
                                                     .had_id = seat->id_hash != 0,
                                                     .had_format = seat->has_format}};
    seat->id_hash = block->id.length > 0 ? text_hash(block->id) : seat->id_hash;
    seat->has_format |= block->format.length > 0;
    seat->is_signed |= block->signature.length > 0;
    return openai_put(feed, &event);
}
