/* Collecting events into an answer. */
#include "support.h"

#include "remora/answer.h"

#include <stdio.h>

struct fixture {
    struct remora_arena arena;
    struct remora_answer answer;
};

static void begin(struct fixture *f, size_t limit_bytes)
{
    remora_arena_init(&f->arena, 1024, limit_bytes);
    remora_answer_init(&f->answer, &f->arena);
}

static void add(struct fixture *f, struct remora_event event)
{
    assert_int_equal(remora_answer_add(&f->answer, &event), REMORA_OK);
}

static struct remora_event text_of(int32_t choice, const char *text)
{
    struct remora_event event = {.kind = REMORA_EVENT_TEXT, .choice_index = choice};
    event.text.text = remora_slice_of(text);
    return event;
}

static struct remora_slice join(struct fixture *f, const struct remora_fragments *fragments)
{
    return remora_fragments_join(fragments, &f->arena);
}

static void text_fragments_are_joined_per_choice_in_index_order(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 1 << 20);
    add(&f, text_of(1, "x"));
    add(&f, text_of(0, "Hel"));
    add(&f, text_of(0, "lo"));
    assert_int_equal(f.answer.choice_count, 2);
    assert_int_equal(f.answer.choices->index, 0);
    assert_slice_equal(join(&f, &f.answer.choices->text), "Hello");
    assert_int_equal(f.answer.choices->next->index, 1);
    assert_slice_equal(join(&f, &f.answer.choices->next->text), "x");
    assert_true(f.answer.choices->has_text);
    remora_arena_fini(&f.arena);
}

static void what_was_added_does_not_point_into_the_event(void **state)
{
    struct fixture f;
    char bytes[] = "abc";
    (void)state;
    begin(&f, 1 << 20);
    add(&f, text_of(0, bytes));
    struct remora_event media = {.kind = REMORA_EVENT_MEDIA};
    media.media.media.value = remora_slice_of(bytes);
    add(&f, media);
    struct remora_logprob_alternative other = {.token = remora_slice_of(bytes), .logprob = -2};
    struct remora_logprob logprob = {
        .chosen = other, .alternatives = &other, .alternative_count = 1};
    struct remora_event text = text_of(0, "");
    text.text.logprobs = &logprob;
    text.text.logprob_count = 1;
    add(&f, text);
    memset(bytes, 'z', 3);
    memset(&logprob, 0, sizeof logprob);
    struct remora_answer_choice *choice = f.answer.choices;
    assert_slice_equal(join(&f, &choice->text), "abc");
    assert_slice_equal(choice->items->event.media.media.value, "abc");
    assert_slice_equal(choice->logprobs->items[0].chosen.token, "abc");
    assert_slice_equal(choice->logprobs->items[0].alternatives[0].token, "abc");
    remora_arena_fini(&f.arena);
}

static void tool_calls_collect_their_fragments(void **state)
{
    struct fixture f;
    struct remora_event call = {.kind = REMORA_EVENT_TOOL_CALL};
    (void)state;
    begin(&f, 1 << 20);
    call.tool_call.id = REMORA_SLICE("a");
    call.tool_call.name = REMORA_SLICE("f");
    call.tool_call.arguments = REMORA_SLICE("{");
    add(&f, call);
    call.tool_call.index = 1;
    call.tool_call.name = REMORA_SLICE("g");
    add(&f, call);
    call = (struct remora_event){.kind = REMORA_EVENT_TOOL_CALL};
    call.tool_call.arguments = REMORA_SLICE("}");
    add(&f, call);
    struct remora_answer_tool_call *first = f.answer.choices->tool_calls;
    assert_int_equal(f.answer.choices->tool_call_count, 2);
    assert_slice_equal(first->id, "a");
    assert_slice_equal(first->name, "f");
    assert_slice_equal(join(&f, &first->arguments), "{}");
    assert_slice_equal(first->next->name, "g");
    assert_false(f.answer.choices->has_text);
    remora_arena_fini(&f.arena);
}

static void reasoning_block_learns_its_signature_late(void **state)
{
    struct fixture f;
    struct remora_event event = {.kind = REMORA_EVENT_REASONING};
    (void)state;
    begin(&f, 1 << 20);
    event.reasoning.block_index = 1;
    event.reasoning.block.kind = REMORA_REASONING_ENCRYPTED;
    event.reasoning.block.text = REMORA_SLICE("ZZ");
    add(&f, event);
    event = (struct remora_event){.kind = REMORA_EVENT_REASONING};
    event.reasoning.block.text = REMORA_SLICE("think");
    add(&f, event);
    event.reasoning.block.text = (struct remora_slice){0};
    event.reasoning.block.signature = REMORA_SLICE("sig");
    event.reasoning.block.index = (struct remora_opt_i64){3, true};
    add(&f, event);
    struct remora_answer_block *block = f.answer.choices->reasoning;
    assert_int_equal(block->index, 0);
    assert_slice_equal(join(&f, &block->text), "think");
    assert_slice_equal(block->block.signature, "sig");
    assert_int_equal(block->block.index.value, 3);
    assert_int_equal(block->next->block.kind, REMORA_REASONING_ENCRYPTED);
    remora_arena_fini(&f.arena);
}

static void facts_finish_and_usage_are_kept(void **state)
{
    struct fixture f;
    struct remora_event event = {.kind = REMORA_EVENT_STARTED};
    (void)state;
    begin(&f, 1 << 20);
    event.started.model = REMORA_SLICE("m");
    event.started.system_fingerprint = REMORA_SLICE("fp");
    add(&f, event);
    event = (struct remora_event){.kind = REMORA_EVENT_CHOICE_FINISHED};
    event.finished.reason = REMORA_FINISH_LENGTH;
    event.finished.native = REMORA_SLICE("MAX");
    add(&f, event);
    event = (struct remora_event){.kind = REMORA_EVENT_USAGE};
    remora_usage_init(&event.usage);
    event.usage.tokens[REMORA_USAGE_OUTPUT] = 5;
    add(&f, event);
    add(&f, (struct remora_event){.kind = REMORA_EVENT_ALIVE});
    add(&f, (struct remora_event){.kind = REMORA_EVENT_COMPLETED});
    assert_slice_equal(f.answer.upstream_model, "m");
    assert_slice_equal(f.answer.system_fingerprint, "fp");
    assert_int_equal(f.answer.choices->finish, REMORA_FINISH_LENGTH);
    assert_slice_equal(f.answer.choices->native_finish, "MAX");
    assert_int_equal(remora_usage_output_total(&f.answer.usage), 5);
    assert_null(remora_fragments_join(&f.answer.choices->text, &f.arena).data);
    remora_arena_fini(&f.arena);
}

static void embeddings_annotations_and_raw_keep_their_order(void **state)
{
    struct fixture f;
    float values[] = {0.5f, -1.0f};
    struct remora_event event = {.kind = REMORA_EVENT_EMBEDDING};
    (void)state;
    begin(&f, 1 << 20);
    event.embedding.values = values;
    event.embedding.count = 2;
    add(&f, event);
    event = (struct remora_event){.kind = REMORA_EVENT_ANNOTATION};
    event.annotation.url = REMORA_SLICE("https://a.example");
    add(&f, event);
    event = (struct remora_event){.kind = REMORA_EVENT_RAW};
    event.raw = REMORA_SLICE("{}");
    add(&f, event);
    values[0] = 9;
    struct remora_answer_item *item = f.answer.choices->items;
    assert_true(item->event.embedding.values[0] < 0.6f);
    assert_slice_equal(item->next->event.annotation.url, "https://a.example");
    assert_slice_equal(item->next->next->event.raw, "{}");
    remora_arena_fini(&f.arena);
}

static void arena_that_refuses_is_told(void **state)
{
    struct fixture f;
    enum remora_code code = REMORA_OK;
    (void)state;
    begin(&f, 4096);
    for (int i = 0; i < 1000 && code == REMORA_OK; i++) {
        struct remora_event event = text_of(0, "some text that fills the arena");
        code = remora_answer_add(&f.answer, &event);
    }
    assert_int_equal(code, REMORA_TOO_LARGE);
    remora_arena_fini(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_fragments_are_joined_per_choice_in_index_order),
        cmocka_unit_test(what_was_added_does_not_point_into_the_event),
        cmocka_unit_test(tool_calls_collect_their_fragments),
        cmocka_unit_test(reasoning_block_learns_its_signature_late),
        cmocka_unit_test(facts_finish_and_usage_are_kept),
        cmocka_unit_test(embeddings_annotations_and_raw_keep_their_order),
        cmocka_unit_test(arena_that_refuses_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
