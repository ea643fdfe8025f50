/*
 * Collecting events into a whole answer.
 *
 * Happy path: each event finds its choice (made on first sight, kept ascending), content is copied behind what is there.
 * The only way to fail is the arena: its code is returned and the answer must not be used.
 * An event that refers to something impossible (a tool index that skips one) has been refused by the guard before.
 */
#include "remora/answer.h"

struct remora_fragment {
    struct remora_fragment *next;
    size_t length;
    char bytes[];
};

void remora_answer_init(struct remora_answer *answer, struct remora_arena *arena)
{
    memset(answer, 0, sizeof *answer);
    answer->arena = arena;
    remora_usage_init(&answer->usage);
}

static void fragments_add(struct remora_fragments *fragments, struct remora_arena *arena,
                          struct remora_slice text)
{
    size_t bytes = 0;
    if (remora_slice_is_empty(text) ||
        !remora_size_add(sizeof(struct remora_fragment), text.length, &bytes)) {
        return;
    }
    struct remora_fragment *fragment = remora_arena_alloc(arena, bytes);
    if (fragment == NULL) {
        return;
    }
    fragment->length = text.length;
    memcpy(fragment->bytes, text.data, text.length);
    if (fragments->last == NULL) {
        fragments->first = fragment;
    } else {
        fragments->last->next = fragment;
    }
    fragments->last = fragment;
    fragments->length += text.length;
}

struct remora_slice remora_fragments_join(const struct remora_fragments *fragments,
                                          struct remora_arena *arena)
{
    if (fragments->first == NULL) {
        return (struct remora_slice){0};
    }
    if (fragments->first->next == NULL) {
        return remora_slice(fragments->first->bytes, fragments->first->length);
    }
    char *joined = remora_arena_alloc(arena, fragments->length);
    if (joined == NULL) {
        return (struct remora_slice){0};
    }
    size_t at = 0;
    for (const struct remora_fragment *f = fragments->first; f != NULL; f = f->next) {
        memcpy(joined + at, f->bytes, f->length);
        at += f->length;
    }
    return remora_slice(joined, fragments->length);
}

/* Replaces *slice by a copy of itself. */
static void own(struct remora_arena *arena, struct remora_slice *slice)
{
    *slice =
        remora_slice_is_empty(*slice) ? (struct remora_slice){0} : remora_arena_copy(arena, *slice);
}

/* Copies `from` over *into unless it is empty: facts may arrive with any fragment. */
static void learn(struct remora_arena *arena, struct remora_slice *into, struct remora_slice from)
{
    if (!remora_slice_is_empty(from)) {
        *into = remora_arena_copy(arena, from);
    }
}

static struct remora_answer_choice *choice_for(struct remora_answer *answer, int32_t index)
{
    struct remora_answer_choice **link = &answer->choices;
    while (*link != NULL && (*link)->index < index) {
        link = &(*link)->next;
    }
    if (*link != NULL && (*link)->index == index) {
        return *link;
    }
    struct remora_answer_choice *choice = remora_arena_alloc(answer->arena, sizeof *choice);
    if (choice != NULL) {
        choice->index = index;
        choice->next = *link;
        *link = choice;
        answer->choice_count++;
    }
    return choice;
}

static void own_alternative(struct remora_arena *arena, struct remora_logprob_alternative *token)
{
    own(arena, &token->token);
    own(arena, &token->bytes);
}

static void own_logprob(struct remora_arena *arena, struct remora_logprob *item)
{
    const struct remora_logprob_alternative *from = item->alternatives;
    size_t count = item->alternative_count;
    own_alternative(arena, &item->chosen);
    item->alternatives = NULL;
    item->alternative_count = 0;
    if (count == 0) {
        return;
    }
    struct remora_logprob_alternative *copy = remora_arena_array(arena, count, sizeof *copy);
    if (copy == NULL) {
        return;
    }
    memcpy(copy, from, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        own_alternative(arena, &copy[i]);
    }
    item->alternatives = copy;
    item->alternative_count = count;
}

static void add_logprobs(struct remora_answer_choice *choice, struct remora_arena *arena,
                         const struct remora_event *event)
{
    const struct remora_logprob *items = event->text.logprobs;
    size_t count = event->text.logprob_count;
    if (count == 0) {
        return;
    }
    struct remora_answer_logprobs *block = remora_arena_alloc(arena, sizeof *block);
    struct remora_logprob *copy = remora_arena_array(arena, count, sizeof *copy);
    if (block == NULL || copy == NULL) {
        return;
    }
    memcpy(copy, items, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        own_logprob(arena, &copy[i]);
    }
    block->items = copy;
    block->count = count;
    block->is_refusal = event->kind == REMORA_EVENT_REFUSAL;
    if (choice->last_logprobs == NULL) {
        choice->logprobs = block;
    } else {
        choice->last_logprobs->next = block;
    }
    choice->last_logprobs = block;
}

/* The text that the event goes on with, opened by its first event; NULL without memory. */
static struct remora_answer_text *text_for(struct remora_answer_choice *choice,
                                           struct remora_arena *arena, int32_t index)
{
    struct remora_answer_text *last = choice->last_text;
    if (last != NULL && index <= last->index) {
        return last;
    }
    struct remora_answer_text *text = remora_arena_alloc(arena, sizeof *text);
    if (text == NULL) {
        return NULL;
    }
    text->index = index;
    text->position = ++choice->positions;
    text->from = choice->text.length;
    if (last == NULL) {
        choice->texts = text;
    } else {
        last->next = text;
    }
    choice->last_text = text;
    return text;
}

static void add_text(struct remora_answer_choice *choice, struct remora_arena *arena,
                     const struct remora_event *event)
{
    struct remora_answer_text *text = text_for(choice, arena, event->text.block_index);
    if (text == NULL) {
        return;
    }
    choice->has_text = true;
    fragments_add(&choice->text, arena, event->text.text);
    text->length = choice->text.length - text->from;
    add_logprobs(choice, arena, event);
}

static void add_refusal(struct remora_answer_choice *choice, struct remora_arena *arena,
                        const struct remora_event *event)
{
    if (choice->refusal_position == 0) {
        choice->refusal_position = ++choice->positions;
    }
    fragments_add(&choice->refusal, arena, event->text.text);
    add_logprobs(choice, arena, event);
}

static void add_reasoning(struct remora_answer_choice *choice, struct remora_arena *arena,
                          const struct remora_event *event)
{
    const struct remora_reasoning_block *from = &event->reasoning.block;
    struct remora_answer_block **link = &choice->reasoning;
    while (*link != NULL && (*link)->index < event->reasoning.block_index) {
        link = &(*link)->next;
    }
    struct remora_answer_block *block = *link;
    if (block == NULL || block->index != event->reasoning.block_index) {
        block = remora_arena_alloc(arena, sizeof *block);
        if (block == NULL) {
            return;
        }
        block->index = event->reasoning.block_index;
        block->block.position = ++choice->positions;
        block->block.kind = from->kind;
        block->next = *link;
        *link = block;
    }
    fragments_add(&block->text, arena, from->text);
    learn(arena, &block->block.signature, from->signature);
    learn(arena, &block->block.format, from->format);
    learn(arena, &block->block.id, from->id);
    learn(arena, &block->block.raw, from->raw);
    if (from->index.is_set) {
        block->block.index = from->index;
    }
}

static void add_tool_call(struct remora_answer_choice *choice, struct remora_arena *arena,
                          const struct remora_event *event)
{
    struct remora_answer_tool_call **link = &choice->tool_calls;
    for (int32_t i = 0; i < event->tool_call.index && *link != NULL; i++) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        *link = remora_arena_alloc(arena, sizeof **link);
        if (*link == NULL) {
            return;
        }
        choice->tool_call_count++;
        (*link)->position = ++choice->positions;
    }
    learn(arena, &(*link)->id, event->tool_call.id);
    learn(arena, &(*link)->name, event->tool_call.name);
    learn(arena, &(*link)->signature, event->tool_call.signature);
    fragments_add(&(*link)->arguments, arena, event->tool_call.arguments);
}

static void own_media(struct remora_arena *arena, struct remora_media *media)
{
    own(arena, &media->value);
    own(arena, &media->mime_type);
    own(arena, &media->filename);
    own(arena, &media->detail);
}

static void own_annotation(struct remora_arena *arena, struct remora_annotation *annotation)
{
    own(arena, &annotation->type);
    own(arena, &annotation->url);
    own(arena, &annotation->title);
    own(arena, &annotation->content);
    own(arena, &annotation->raw);
}

static void own_embedding(struct remora_arena *arena, struct remora_event *event)
{
    float *copy = NULL;
    if (event->embedding.count > 0) {
        copy = remora_arena_array(arena, event->embedding.count, sizeof *copy);
        if (copy != NULL) {
            memcpy(copy, event->embedding.values, event->embedding.count * sizeof *copy);
        }
    }
    event->embedding.count = copy == NULL ? 0 : event->embedding.count;
    event->embedding.values = copy;
}

static void add_item(struct remora_answer_choice *choice, struct remora_arena *arena,
                     const struct remora_event *event)
{
    struct remora_answer_item *item = remora_arena_alloc(arena, sizeof *item);
    if (item == NULL) {
        return;
    }
    item->event = *event;
    item->position = ++choice->positions;
    if (event->kind == REMORA_EVENT_MEDIA) {
        own_media(arena, &item->event.media.media);
    } else if (event->kind == REMORA_EVENT_ANNOTATION) {
        own_annotation(arena, &item->event.annotation);
    } else if (event->kind == REMORA_EVENT_EMBEDDING) {
        own_embedding(arena, &item->event);
    } else {
        own(arena, &item->event.raw);
    }
    if (choice->last_item == NULL) {
        choice->items = item;
    } else {
        choice->last_item->next = item;
    }
    choice->last_item = item;
}

static void add_to_choice(struct remora_answer *answer, const struct remora_event *event)
{
    struct remora_arena *arena = answer->arena;
    struct remora_answer_choice *choice = choice_for(answer, event->choice_index);
    if (choice == NULL) {
        return;
    }
    switch (event->kind) {
    case REMORA_EVENT_TEXT:
        if (event->text.is_transcript) {
            fragments_add(&choice->transcript, arena, event->text.text);
            break;
        }
        add_text(choice, arena, event);
        break;
    case REMORA_EVENT_REFUSAL:
        add_refusal(choice, arena, event);
        break;
    case REMORA_EVENT_REASONING:
        add_reasoning(choice, arena, event);
        break;
    case REMORA_EVENT_TOOL_CALL:
        add_tool_call(choice, arena, event);
        break;
    case REMORA_EVENT_MEDIA:
    case REMORA_EVENT_ANNOTATION:
    case REMORA_EVENT_EMBEDDING:
    case REMORA_EVENT_RAW:
        add_item(choice, arena, event);
        break;
    case REMORA_EVENT_CHOICE_FINISHED:
        choice->finish = event->finished.reason;
        learn(arena, &choice->native_finish, event->finished.native);
        learn(arena, &choice->stop, event->finished.stop);
        break;
    case REMORA_EVENT_STARTED:
    case REMORA_EVENT_ALIVE:
    case REMORA_EVENT_USAGE:
    case REMORA_EVENT_FURTHER:
    case REMORA_EVENT_ATTEMPT_FAILED:
    case REMORA_EVENT_COMPLETED:
        break;
    }
}

enum remora_code remora_answer_add(struct remora_answer *answer, const struct remora_event *event)
{
    struct remora_arena *arena = answer->arena;
    if (event->kind == REMORA_EVENT_STARTED) {
        learn(arena, &answer->upstream_model, event->started.model);
        learn(arena, &answer->system_fingerprint, event->started.system_fingerprint);
        learn(arena, &answer->service_tier, event->started.service_tier);
    } else if (event->kind == REMORA_EVENT_USAGE) {
        remora_usage_merge(&answer->usage, &event->usage);
    } else if (remora_event_is_content(event->kind) ||
               event->kind == REMORA_EVENT_CHOICE_FINISHED) {
        add_to_choice(answer, event);
    }
    return arena->failed;
}
