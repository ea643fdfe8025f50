/*
 * A collected answer as one ChatResponse. Each choice becomes one assistant message: its texts (each with its annotations,
 * the refusal behind them), media and raw objects as parts, tool calls and reasoning blocks beside them.
 */
#include "encode.h"
#include "pb.h"

static Remora__V1__ContentPart *part_new(struct remora_arena *arena,
                                         Remora__V1__ContentPart__KindCase kind)
{
    Remora__V1__ContentPart *part = remora_pb_new(arena, &remora__v1__content_part__descriptor);
    if (part != NULL) {
        part->kind_case = kind;
    }
    return part;
}

static void add_part(Remora__V1__Message *message, Remora__V1__ContentPart *part)
{
    if (part != NULL) {
        message->parts[message->n_parts++] = part;
    }
}

static void add_text(struct remora_arena *arena, struct remora_slice text,
                     Remora__V1__ContentPart__KindCase kind, Remora__V1__Message *message)
{
    Remora__V1__ContentPart *part = part_new(arena, kind);
    if (part != NULL) {
        part->text = remora_pb_text(text);
        add_part(message, part);
    }
}

static void add_fragments(struct remora_arena *arena, const struct remora_fragments *text,
                          Remora__V1__ContentPart__KindCase kind, Remora__V1__Message *message)
{
    if (text->length > 0) {
        add_text(arena, remora_fragments_join(text, arena), kind, message);
    }
}

static void add_media(struct remora_arena *arena, const struct remora_media *media,
                      int64_t expires_at_unix_s, Remora__V1__ContentPart__KindCase kind,
                      Remora__V1__Message *message)
{
    Remora__V1__ContentPart *part = part_new(arena, kind);
    if (part != NULL) {
        part->image = remora_pb_media(arena, media, expires_at_unix_s);
        add_part(message, part);
    }
}

static void add_item(struct remora_arena *arena, const struct remora_event *event,
                     Remora__V1__Message *message)
{
    if (event->kind == REMORA_EVENT_MEDIA && !remora_event_is_sound(event)) {
        add_media(arena, &event->media.media, 0, REMORA__V1__CONTENT_PART__KIND_IMAGE, message);
    } else if (event->kind == REMORA_EVENT_RAW) {
        Remora__V1__ContentPart *part = part_new(arena, REMORA__V1__CONTENT_PART__KIND_RAW);
        if (part != NULL) {
            part->raw = remora_pb_struct(arena, event->raw);
            add_part(message, part);
        }
    }
}

/* ---- sound ---- */

/* What all pieces of sound of a choice make: base64 that came in pieces is decoded once they stand together. */
struct sound {
    struct remora_media id;   /* empty: none */
    struct remora_media data; /* likewise */
    int64_t expires_at_unix_s;
};

static size_t data_bytes(const struct remora_answer_choice *choice)
{
    size_t bytes = 0;
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        bool is_data =
            remora_event_is_sound(&i->event) && i->event.media.media.source != REMORA_MEDIA_FILE_ID;
        bytes += is_data ? i->event.media.media.value.length : 0;
    }
    return bytes;
}

static void join_sound(struct remora_arena *arena, const struct remora_answer_choice *choice,
                       struct sound *out)
{
    char *joined = remora_arena_alloc(arena, data_bytes(choice) + 1);
    size_t length = 0;
    *out = (struct sound){0};
    for (const struct remora_answer_item *i = choice->items; joined != NULL && i != NULL;
         i = i->next) {
        const struct remora_media *media = &i->event.media.media;
        if (!remora_event_is_sound(&i->event)) {
            continue;
        }
        if (i->event.media.expires_at_unix_s > 0) {
            out->expires_at_unix_s = i->event.media.expires_at_unix_s;
        }
        if (media->source == REMORA_MEDIA_FILE_ID) {
            out->id = out->id.value.length == 0 ? *media : out->id;
        } else if (media->value.length > 0) {
            memcpy(joined + length, media->value.data, media->value.length);
            length += media->value.length;
            out->data = *media;
            out->data.value = remora_slice(joined, length);
        }
    }
}

static void add_sound(struct remora_arena *arena, const struct remora_answer_choice *choice,
                      Remora__V1__Message *message)
{
    struct sound sound;
    join_sound(arena, choice, &sound);
    if (sound.id.value.length > 0 || sound.expires_at_unix_s > 0) {
        add_media(arena, &sound.id, sound.expires_at_unix_s, REMORA__V1__CONTENT_PART__KIND_AUDIO,
                  message);
    }
    if (sound.data.value.length > 0) {
        add_media(arena, &sound.data, 0, REMORA__V1__CONTENT_PART__KIND_AUDIO, message);
    }
}

static size_t count_items(const struct remora_answer_choice *choice, enum remora_event_kind kind)
{
    size_t count = 0;
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        count += i->event.kind == kind ? 1 : 0;
    }
    return count;
}

/* ---- texts and their citations ---- */

static bool is_citation_of(const struct remora_answer_item *item, int32_t text_index)
{
    return item->event.kind == REMORA_EVENT_ANNOTATION &&
           item->event.annotation.text_index == text_index;
}

static size_t count_citations(const struct remora_answer_choice *choice, int32_t text_index)
{
    size_t count = 0;
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        count += is_citation_of(i, text_index) ? 1 : 0;
    }
    return count;
}

static void put_citations(struct remora_arena *arena, const struct remora_answer_choice *choice,
                          int32_t text_index, Remora__V1__ContentPart *text)
{
    text->annotations = remora_pb_list(arena, count_citations(choice, text_index));
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        if (!is_citation_of(i, text_index) || text->annotations == NULL) {
            continue;
        }
        Remora__V1__Annotation *one = remora_pb_annotation(arena, &i->event.annotation);
        if (one != NULL) {
            text->annotations[text->n_annotations++] = one;
        }
    }
}

static size_t count_texts(const struct remora_answer_choice *choice)
{
    return choice->last_text == NULL ? 0 : (size_t)choice->last_text->index + 1;
}

static void put_text(struct remora_arena *arena, const struct remora_answer_choice *choice,
                     const struct remora_answer_text *text, struct remora_slice all,
                     Remora__V1__Message *message)
{
    size_t before = message->n_parts;
    size_t citations = count_citations(choice, text->index);
    if (text->length == 0 && citations == 0) {
        return;
    }
    add_text(arena, all.data == NULL ? all : remora_slice(all.data + text->from, text->length),
             REMORA__V1__CONTENT_PART__KIND_TEXT, message);
    if (citations > 0 && message->n_parts > before) {
        put_citations(arena, choice, text->index, message->parts[before]);
    }
}

/* A part each; citations whose text has not come get an empty part to carry them. */
static void put_texts(struct remora_arena *arena, const struct remora_answer_choice *choice,
                      Remora__V1__Message *message)
{
    struct remora_answer_text next = {.index = (int32_t)count_texts(choice)};
    struct remora_slice all = remora_fragments_join(&choice->text, arena);
    for (const struct remora_answer_text *text = choice->texts; text != NULL; text = text->next) {
        put_text(arena, choice, text, all, message);
    }
    put_text(arena, choice, &next, (struct remora_slice){0}, message);
}

static void put_parts(struct remora_arena *arena, const struct remora_answer_choice *choice,
                      Remora__V1__Message *message)
{
    message->parts =
        remora_pb_list(arena, 5 + count_texts(choice) + count_items(choice, REMORA_EVENT_MEDIA) +
                                  count_items(choice, REMORA_EVENT_RAW));
    if (message->parts == NULL) {
        return;
    }
    put_texts(arena, choice, message);
    add_fragments(arena, &choice->refusal, REMORA__V1__CONTENT_PART__KIND_REFUSAL, message);
    add_fragments(arena, &choice->transcript, REMORA__V1__CONTENT_PART__KIND_TEXT, message);
    add_sound(arena, choice, message);
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        add_item(arena, &i->event, message);
    }
}

static void put_tool_calls(struct remora_arena *arena, const struct remora_answer_choice *choice,
                           Remora__V1__Message *message)
{
    message->tool_calls = remora_pb_list(arena, choice->tool_call_count);
    int32_t index = 0;
    for (const struct remora_answer_tool_call *call = choice->tool_calls; call != NULL;
         call = call->next, index++) {
        Remora__V1__ToolCall *out = remora_pb_new(arena, &remora__v1__tool_call__descriptor);
        if (out == NULL || message->tool_calls == NULL) {
            return;
        }
        REMORA_PB_TEXT(out, id, call->id);
        REMORA_PB_NUMBER(out, index, index);
        REMORA_PB_TEXT(out, name, call->name);
        REMORA_PB_TEXT(out, arguments_json, remora_fragments_join(&call->arguments, arena));
        message->tool_calls[message->n_tool_calls++] = out;
    }
}

static void put_reasoning(struct remora_arena *arena, const struct remora_answer_choice *choice,
                          Remora__V1__Message *message)
{
    size_t count = 0;
    for (const struct remora_answer_block *b = choice->reasoning; b != NULL; b = b->next) {
        count++;
    }
    message->reasoning = remora_pb_list(arena, count);
    for (const struct remora_answer_block *b = choice->reasoning; b != NULL; b = b->next) {
        Remora__V1__ReasoningBlock *block =
            remora_pb_reasoning(arena, &b->block, remora_fragments_join(&b->text, arena));
        if (block != NULL && message->reasoning != NULL) {
            message->reasoning[message->n_reasoning++] = block;
        }
    }
}

static void put_logprobs(struct remora_arena *arena, const struct remora_answer_choice *choice,
                         Remora__V1__Choice *out)
{
    size_t count = 0;
    for (const struct remora_answer_logprobs *l = choice->logprobs; l != NULL; l = l->next) {
        count += l->count;
    }
    out->logprobs = remora_pb_list(arena, count);
    for (const struct remora_answer_logprobs *l = choice->logprobs; l != NULL; l = l->next) {
        Remora__V1__TokenLogprob **some = remora_pb_logprobs(arena, l->items, l->count);
        if (some == NULL || out->logprobs == NULL) {
            return;
        }
        memcpy(out->logprobs + out->n_logprobs, some, l->count * sizeof some[0]);
        out->n_logprobs += l->count;
    }
}

static Remora__V1__Choice *choice_of(struct remora_arena *arena,
                                     const struct remora_answer_choice *choice)
{
    Remora__V1__Choice *out = remora_pb_new(arena, &remora__v1__choice__descriptor);
    Remora__V1__Message *message = remora_pb_new(arena, &remora__v1__message__descriptor);
    if (out == NULL || message == NULL) {
        return NULL;
    }
    REMORA_PB_NUMBER(out, index, choice->index);
    REMORA_PB_NUMBER(out, finish_reason, (Remora__V1__FinishReason)choice->finish);
    REMORA_PB_TEXT(out, native_finish_reason, choice->native_finish);
    out->message = message;
    REMORA_PB_NUMBER(message, role, REMORA__V1__ROLE__ROLE_ASSISTANT);
    put_parts(arena, choice, message);
    put_tool_calls(arena, choice, message);
    put_reasoning(arena, choice, message);
    put_logprobs(arena, choice, out);
    return out;
}

static void put_choices(struct remora_arena *arena, const struct remora_answer *answer,
                        Remora__V1__ChatResponse *out)
{
    out->choices = remora_pb_list(arena, answer->choice_count);
    for (const struct remora_answer_choice *c = answer->choices; c != NULL; c = c->next) {
        Remora__V1__Choice *choice = choice_of(arena, c);
        if (choice != NULL && out->choices != NULL) {
            out->choices[out->n_choices++] = choice;
        }
    }
}

bool remora_grpc_encode_answer(const struct remora_answer *answer,
                               const struct remora_outcome *outcome, struct remora_arena *scratch,
                               grpc_slice *out)
{
    remora_arena_reset(scratch);
    Remora__V1__ChatResponse message = REMORA__V1__CHAT_RESPONSE__INIT;
    REMORA_PB_TEXT(&message, id, remora_slice_of(outcome->generation_id));
    message.create_time = remora_pb_timestamp(scratch, outcome->created_unix_s * 1000);
    struct remora_slice model =
        outcome->served != NULL ? outcome->served->model->facts.id : answer->upstream_model;
    REMORA_PB_TEXT(&message, model, model);
    put_choices(scratch, answer, &message);
    message.usage =
        remora_pb_usage(scratch, &outcome->usage, &outcome->cost, outcome->native_usage);
    message.route = remora_pb_route(scratch, outcome);
    REMORA_PB_TEXT(&message, service_tier, answer->service_tier);
    REMORA_PB_TEXT(&message, system_fingerprint, answer->system_fingerprint);
    message.extra = remora_pb_struct(scratch, outcome->further);
    if (scratch->failed != REMORA_OK) {
        return false;
    }
    *out = remora_pb_pack(&message.base);
    return true;
}
