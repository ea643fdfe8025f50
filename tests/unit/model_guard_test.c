/* The grammar guard. */
#include "support.h"

#include "remora/event.h"

static struct remora_event event_of(enum remora_event_kind kind, int32_t choice)
{
    return (struct remora_event){.kind = kind, .choice_index = choice};
}

static struct remora_event call_of(int32_t index, const char *name)
{
    struct remora_event event = event_of(REMORA_EVENT_TOOL_CALL, 0);
    event.tool_call.index = index;
    event.tool_call.name = remora_slice_of(name);
    return event;
}

static void expect(struct remora_guard *guard, struct remora_event event, enum remora_code code,
                   bool passes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    bool pass = !passes;
    assert_int_equal(remora_guard_check(guard, &event, &pass, &fail), code);
    assert_int_equal(fail.code, code);
    if (code == REMORA_OK) {
        assert_int_equal(pass, passes);
    } else {
        assert_int_equal(fail.cause, REMORA_CAUSE_BAD_EVENT);
    }
}

static void answer_in_order_is_complete(void **state)
{
    struct remora_guard guard;
    (void)state;
    remora_guard_init(&guard);
    expect(&guard, event_of(REMORA_EVENT_STARTED, 0), REMORA_OK, true);
    expect(&guard, event_of(REMORA_EVENT_ALIVE, 0), REMORA_OK, true);
    assert_false(guard.has_content);
    expect(&guard, event_of(REMORA_EVENT_TEXT, 1), REMORA_OK, true);
    assert_true(guard.has_content);
    expect(&guard, event_of(REMORA_EVENT_CHOICE_FINISHED, 1), REMORA_OK, true);
    assert_false(remora_guard_is_complete(&guard)); /* choice 0 was implied by choice 1 */
    expect(&guard, event_of(REMORA_EVENT_CHOICE_FINISHED, 0), REMORA_OK, true);
    expect(&guard, event_of(REMORA_EVENT_USAGE, 0), REMORA_OK, true);
    assert_true(remora_guard_is_complete(&guard));
}

static void end_without_any_finish_is_incomplete(void **state)
{
    struct remora_guard guard;
    (void)state;
    remora_guard_init(&guard);
    assert_false(remora_guard_is_complete(&guard));
    expect(&guard, event_of(REMORA_EVENT_TEXT, 0), REMORA_OK, true);
    assert_false(remora_guard_is_complete(&guard));
}

static void content_behind_the_finish_of_its_choice_is_refused(void **state)
{
    struct remora_guard guard;
    (void)state;
    remora_guard_init(&guard);
    expect(&guard, event_of(REMORA_EVENT_CHOICE_FINISHED, 0), REMORA_OK, true);
    expect(&guard, event_of(REMORA_EVENT_TEXT, 1), REMORA_OK, true);
    expect(&guard, event_of(REMORA_EVENT_TEXT, 0), REMORA_UPSTREAM_UNAVAILABLE, false);
}

static void second_finish_is_dropped(void **state)
{
    struct remora_guard guard;
    (void)state;
    remora_guard_init(&guard);
    expect(&guard, event_of(REMORA_EVENT_CHOICE_FINISHED, 127), REMORA_OK, true);
    expect(&guard, event_of(REMORA_EVENT_CHOICE_FINISHED, 127), REMORA_OK, false);
    assert_int_equal(guard.choices_finished, 1);
}

static void choice_index_out_of_range_is_refused(void **state)
{
    struct remora_guard guard;
    (void)state;
    remora_guard_init(&guard);
    expect(&guard, event_of(REMORA_EVENT_TEXT, -1), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, event_of(REMORA_EVENT_TEXT, REMORA_LIMIT_CHOICES), REMORA_UPSTREAM_UNAVAILABLE,
           false);
    expect(&guard, event_of(REMORA_EVENT_CHOICE_FINISHED, 100000), REMORA_UPSTREAM_UNAVAILABLE,
           false);
}

static void tool_calls_open_densely_and_with_a_name(void **state)
{
    struct remora_guard guard;
    (void)state;
    remora_guard_init(&guard);
    expect(&guard, call_of(0, ""), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, call_of(1, "f"), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, call_of(-1, "f"), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, call_of(0, "f"), REMORA_OK, true);
    expect(&guard, call_of(1, "g"), REMORA_OK, true);
    expect(&guard, call_of(0, ""), REMORA_OK, true);
}

static void tool_calls_of_a_choice_are_limited(void **state)
{
    struct remora_guard guard;
    (void)state;
    remora_guard_init(&guard);
    for (int32_t i = 0; i < REMORA_LIMIT_TOOL_CALLS; i++) {
        expect(&guard, call_of(i, "f"), REMORA_OK, true);
    }
    expect(&guard, call_of(REMORA_LIMIT_TOOL_CALLS, "f"), REMORA_UPSTREAM_UNAVAILABLE, false);
}

static struct remora_event text_of(int32_t choice, int32_t block)
{
    struct remora_event event = event_of(REMORA_EVENT_TEXT, choice);
    event.text.block_index = block;
    return event;
}

static void texts_of_a_choice_follow_one_another_densely(void **state)
{
    struct remora_guard guard;
    (void)state;
    remora_guard_init(&guard);
    expect(&guard, text_of(0, 1), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, text_of(0, -1), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, text_of(0, 0), REMORA_OK, true);
    expect(&guard, text_of(0, 0), REMORA_OK, true);
    expect(&guard, text_of(0, 2), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, text_of(0, -1), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, text_of(0, 1), REMORA_OK, true);
    expect(&guard, text_of(0, 0), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, text_of(0, 1), REMORA_OK, true);
    expect(&guard, text_of(127, 1), REMORA_UPSTREAM_UNAVAILABLE, false); /* others have one */
    expect(&guard, text_of(127, 2), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, text_of(127, -1), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, text_of(127, 0), REMORA_OK, true);
    expect(&guard, text_of(127, 0), REMORA_OK, true);
    expect(&guard, text_of(0, 1), REMORA_OK, true);
    expect(&guard, text_of(0, 2), REMORA_OK, true);
}

static void what_sound_says_is_no_text_of_its_choice(void **state)
{
    struct remora_guard guard;
    struct remora_event spoken = text_of(0, 0);
    (void)state;
    remora_guard_init(&guard);
    spoken.text.is_transcript = true;
    expect(&guard, text_of(0, 0), REMORA_OK, true);
    expect(&guard, text_of(0, 1), REMORA_OK, true);
    expect(&guard, spoken, REMORA_OK, true);
    expect(&guard, text_of(0, 1), REMORA_OK, true);
}

static void citations_belong_to_a_text_that_has_begun_or_comes_next(void **state)
{
    struct remora_guard guard;
    struct remora_event citation = event_of(REMORA_EVENT_ANNOTATION, 0);
    (void)state;
    remora_guard_init(&guard);
    expect(&guard, citation, REMORA_OK, true);
    citation.annotation.text_index = 1;
    expect(&guard, citation, REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, text_of(0, 0), REMORA_OK, true);
    expect(&guard, citation, REMORA_OK, true);
    citation.annotation.text_index = 2;
    expect(&guard, citation, REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, text_of(0, 1), REMORA_OK, true);
    citation.annotation.text_index = 0;
    expect(&guard, citation, REMORA_OK, true);
    citation.annotation.text_index = -1;
    expect(&guard, citation, REMORA_UPSTREAM_UNAVAILABLE, false);
    citation.choice_index = 1;
    expect(&guard, citation, REMORA_UPSTREAM_UNAVAILABLE, false);
    citation.annotation.text_index = 1;
    expect(&guard, citation, REMORA_UPSTREAM_UNAVAILABLE, false);
    citation.annotation.text_index = 0;
    expect(&guard, citation, REMORA_OK, true);
}

static void events_of_the_engine_are_refused_from_an_adapter(void **state)
{
    struct remora_guard guard;
    (void)state;
    remora_guard_init(&guard);
    expect(&guard, event_of(REMORA_EVENT_COMPLETED, 0), REMORA_UPSTREAM_UNAVAILABLE, false);
    expect(&guard, event_of(REMORA_EVENT_ATTEMPT_FAILED, 0), REMORA_UPSTREAM_UNAVAILABLE, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_in_order_is_complete),
        cmocka_unit_test(end_without_any_finish_is_incomplete),
        cmocka_unit_test(content_behind_the_finish_of_its_choice_is_refused),
        cmocka_unit_test(second_finish_is_dropped),
        cmocka_unit_test(choice_index_out_of_range_is_refused),
        cmocka_unit_test(tool_calls_open_densely_and_with_a_name),
        cmocka_unit_test(tool_calls_of_a_choice_are_limited),
        cmocka_unit_test(texts_of_a_choice_follow_one_another_densely),
        cmocka_unit_test(what_sound_says_is_no_text_of_its_choice),
        cmocka_unit_test(citations_belong_to_a_text_that_has_begun_or_comes_next),
        cmocka_unit_test(events_of_the_engine_are_refused_from_an_adapter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
