/* The small pieces of the model: parameters, slugs, kinds, causes, trace context, ids, headers. */
#include "support.h"

#include "remora/attempt.h"
#include "remora/clock.h"
#include "remora/event.h"
#include "remora/transport.h"

static bool matches(const char *slug, const char *provider, const char *tag)
{
    return remora_slug_matches(remora_slice_of(slug), remora_slice_of(provider),
                               remora_slice_of(tag));
}

static void fresh_request_states_nothing(void **state)
{
    struct remora_request request;
    (void)state;
    remora_request_init(&request);
    assert_int_equal(request.timeout_ms, -1);
    assert_int_equal(request.idle_timeout_ms, -1);
    assert_int_equal(request.provider.max_price_pico_usd[REMORA_CAP_PROMPT], -1);
    assert_int_equal(request.asked_count, 0);
    assert_false(remora_request_asks(&request, REMORA_PARAMETER_TEMPERATURE));
}

static void parameter_is_asked_once_and_in_order(void **state)
{
    struct remora_request request;
    (void)state;
    remora_request_init(&request);
    remora_request_ask(&request, REMORA_PARAMETER_TOOLS);
    remora_request_ask(&request, REMORA_PARAMETER_TEMPERATURE);
    remora_request_ask(&request, REMORA_PARAMETER_TOOLS);
    remora_request_ask(&request, REMORA_PARAMETER_COUNT);
    assert_int_equal(request.asked_count, 2);
    assert_int_equal(request.asked[0], REMORA_PARAMETER_TOOLS);
    assert_true(remora_request_asks(&request, REMORA_PARAMETER_TEMPERATURE));
    assert_string_equal(remora_parameter_name(REMORA_PARAMETER_TOP_LOGPROBS), "top_logprobs");
    assert_string_equal(remora_parameter_name(REMORA_PARAMETER_COUNT), "");
}

static void base_slug_matches_every_tag_but_service_tiers(void **state)
{
    (void)state;
    assert_true(matches("google-vertex", "google-vertex", "google-vertex"));
    assert_true(matches("google-vertex", "google-vertex", "google-vertex/us-east5"));
    assert_true(matches("deepinfra", "deepinfra", "deepinfra/turbo#2"));
    assert_false(matches("openai", "openai", "openai/priority"));
    assert_false(matches("google-vertex", "google-vertex", "google-vertex/us-east5/flex"));
    assert_false(matches("openai", "openai", "openai/flex#2"));
    assert_false(matches("google", "google-vertex", "google-vertex"));
    assert_false(matches("", "openai", "openai"));
}

static void a_tier_of_its_own_is_billed_at_the_prices_of_its_tag_alone(void **state)
{
    static const struct {
        const char *tier, *tag;
        bool has_prices;
    } cases[] = {
        {"", "openai", true},
        {"auto", "openai", true},
        {"default", "openai", true},
        {"standard", "anthropic", true},
        {"on_demand", "groq", true},
        {"priority", "openai", false},
        {"flex", "openai", false},
        {"scale", "openai", false},
        {"performance", "groq", false},
        {"priority", "priority", false}, /* a provider of that name */
        {"priority", "openai/priority", true},
        {"flex", "google-vertex/us-east5/flex#2", true},
        {"scale", "openai/scale", true},
        {"flex", "openai/priority", false},
        {"flex", "openai/flexible", false},
        {"", "openai/flex", true},
        {"auto", "openai/flex", true},
        {"default", "openai/flex", false},
        {"default", "openai/us", true},
    };
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(cases); i++) {
        assert_int_equal(
            remora_tier_has_prices(remora_slice_of(cases[i].tier), remora_slice_of(cases[i].tag)),
            cases[i].has_prices);
    }
}

static void full_slug_matches_exactly_one_tag(void **state)
{
    (void)state;
    assert_true(matches("deepinfra/turbo", "deepinfra", "deepinfra/turbo"));
    assert_true(matches("openai/priority", "openai", "openai/priority"));
    assert_false(matches("deepinfra/turbo", "deepinfra", "deepinfra"));
    assert_false(matches("deepinfra/turbo", "deepinfra", "deepinfra/turbo#2"));
}

static void content_is_what_a_caller_sees(void **state)
{
    (void)state;
    assert_true(remora_event_is_content(REMORA_EVENT_TEXT));
    assert_true(remora_event_is_content(REMORA_EVENT_RAW));
    assert_true(remora_event_is_content(REMORA_EVENT_EMBEDDING));
    assert_false(remora_event_is_content(REMORA_EVENT_ALIVE));
    assert_false(remora_event_is_content(REMORA_EVENT_STARTED));
    assert_false(remora_event_is_content(REMORA_EVENT_USAGE));
    assert_false(remora_event_is_content(REMORA_EVENT_CHOICE_FINISHED));
}

static void names_are_those_of_the_surfaces(void **state)
{
    (void)state;
    assert_string_equal(remora_finish_name(REMORA_FINISH_TOOL_CALLS), "tool_calls");
    assert_string_equal(remora_finish_name(REMORA_FINISH_CONTENT_FILTER), "content_filter");
    assert_string_equal(remora_finish_name(REMORA_FINISH_UNSET), "");
    assert_string_equal(remora_cause_name(REMORA_CAUSE_FIRST_BYTE_TIMEOUT), "ttfb_timeout");
    assert_string_equal(remora_cause_name(REMORA_CAUSE_COUNT), "");
}

static void fallback_dropped_parameter_and_estimate_are_notable(void **state)
{
    static struct remora_outcome outcome;
    (void)state;
    memset(&outcome, 0, sizeof outcome);
    outcome.attempt_count = 1;
    assert_false(remora_outcome_is_notable(&outcome));
    outcome.attempt_count = 2;
    assert_true(remora_outcome_is_notable(&outcome));
    outcome.attempt_count = 1;
    outcome.dropped_count = 1;
    assert_true(remora_outcome_is_notable(&outcome));
    outcome.dropped_count = 0;
    outcome.skipped_count = 1;
    assert_true(remora_outcome_is_notable(&outcome));
    outcome.skipped_count = 0;
    outcome.usage.certainty = REMORA_CERTAINTY_ESTIMATED;
    assert_true(remora_outcome_is_notable(&outcome));
}

/* Only of the attempt that answered: one that failed tells what it failed of. */
static void missing_finish_reason_is_notable(void **state)
{
    static struct remora_outcome outcome;
    (void)state;
    memset(&outcome, 0, sizeof outcome);
    assert_false(remora_outcome_lacks_finish(&outcome));
    outcome.attempt_count = 1;
    outcome.attempts[0].lacks_finish = true;
    assert_true(remora_outcome_lacks_finish(&outcome));
    assert_true(remora_outcome_is_notable(&outcome));
    outcome.fail.code = REMORA_STREAM_BROKEN;
    assert_false(remora_outcome_lacks_finish(&outcome));
    outcome.fail.code = REMORA_OK;
    outcome.attempt_count = 2;
    assert_false(remora_outcome_lacks_finish(&outcome));
}

static void unknown_finish_reason_is_notable(void **state)
{
    static struct remora_outcome outcome;
    (void)state;
    memset(&outcome, 0, sizeof outcome);
    outcome.attempt_count = 1;
    assert_false(remora_outcome_has_unknown_finish(&outcome));
    outcome.attempts[0].unknown_finish = true;
    assert_true(remora_outcome_has_unknown_finish(&outcome));
    assert_true(remora_outcome_is_notable(&outcome));
    outcome.fail.code = REMORA_STREAM_BROKEN;
    assert_false(remora_outcome_has_unknown_finish(&outcome));
}

static void broken_arguments_are_notable(void **state)
{
    static struct remora_outcome outcome;
    (void)state;
    memset(&outcome, 0, sizeof outcome);
    outcome.attempt_count = 1;
    assert_false(remora_outcome_has_broken_arguments(&outcome));
    outcome.attempts[0].broken_arguments = true;
    assert_true(remora_outcome_has_broken_arguments(&outcome));
    assert_true(remora_outcome_is_notable(&outcome));
    outcome.fail.code = REMORA_STREAM_BROKEN;
    assert_false(remora_outcome_has_broken_arguments(&outcome));
}

static void missing_choices_are_notable(void **state)
{
    static struct remora_outcome outcome;
    (void)state;
    memset(&outcome, 0, sizeof outcome);
    outcome.attempt_count = 1;
    assert_false(remora_outcome_is_notable(&outcome));
    outcome.attempts[0].missing_choices = 2;
    assert_int_equal(remora_outcome_missing_choices(&outcome), 2);
    assert_true(remora_outcome_is_notable(&outcome));
    outcome.fail.code = REMORA_STREAM_BROKEN;
    assert_int_equal(remora_outcome_missing_choices(&outcome), 0);
}

static void names_that_nobody_knows_are_kept_and_cut_between_characters(void **state)
{
    static struct remora_outcome outcome;
    char name[80];
    struct remora_skipped list[REMORA_SKIPPED_MAX] = {0};
    (void)state;
    memset(name, 'n', sizeof name);
    memcpy(name + 63, "\xc3\xa9", 2); /* 64 bytes would cut it */
    list[0] = (struct remora_skipped){.model = REMORA_SLICE("a/known")};
    list[1] = (struct remora_skipped){.model = remora_slice(name, sizeof name), .is_asked = true};
    list[2] = (struct remora_skipped){.model = remora_slice(name, 3), .is_asked = true};
    remora_outcome_keep_skipped(&outcome, list, 3);
    memset(name, '?', sizeof name);
    assert_int_equal(outcome.skipped_count, 3);
    assert_ptr_equal(outcome.skipped[0].model.data, list[0].model.data);
    assert_int_equal(outcome.skipped[1].model.length, 63);
    assert_int_equal(outcome.skipped[1].model.data[62], 'n');
    assert_slice_equal(outcome.skipped[2].model, "nnn");
}

static void a_long_list_tells_how_many_there_are(void **state)
{
    static struct remora_outcome outcome;
    struct remora_skipped list[REMORA_SKIPPED_MAX] = {0};
    (void)state;
    remora_outcome_keep_skipped(&outcome, list, 40);
    assert_int_equal(outcome.skipped_count, 40);
    assert_int_equal(remora_skipped_kept(outcome.skipped_count), REMORA_SKIPPED_MAX);
    assert_int_equal(remora_skipped_kept(3), 3);
}

static bool parses(const char *header)
{
    struct remora_trace trace;
    return remora_trace_parse(remora_slice_of(header), &trace);
}

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void traceparent_is_read(void **state)
{
    struct remora_trace trace = {0};
    (void)state;
    assert_true(remora_trace_parse(REMORA_SLICE("00-" TRACE "-" PARENT "-01"), &trace));
    assert_true(trace.is_set);
    assert_int_equal(trace.trace_id[0], 0x0a);
    assert_int_equal(trace.trace_id[15], 0x9c);
    assert_int_equal(trace.parent_id[0], 0xb7);
    assert_int_equal(trace.flags, 1);
    assert_true(parses("01-" TRACE "-" PARENT "-00-later"));
}

static void a_trace_goes_on_under_our_span(void **state)
{
    struct remora_trace trace = {0};
    struct remora_random random;
    char text[REMORA_TRACEPARENT_BYTES];
    (void)state;
    remora_random_seed(&random, 1);
    assert_true(remora_trace_parse(REMORA_SLICE("00-" TRACE "-" PARENT "-ff"), &trace));
    remora_trace_begin(&trace, &random);
    remora_trace_text(&trace, text);
    assert_int_equal(strlen(text), REMORA_TRACEPARENT_BYTES - 1);
    assert_memory_equal(text, "00-" TRACE "-", 36);
    assert_memory_not_equal(text + 36, PARENT, 16);
    assert_string_equal(text + 52, "-01");
    struct remora_trace next = {0};
    assert_true(remora_trace_parse(remora_slice_of(text), &next));
    assert_memory_equal(next.trace_id, trace.trace_id, sizeof trace.trace_id);
    assert_memory_equal(next.parent_id, trace.span_id, sizeof trace.span_id);
}

static void a_request_without_a_trace_begins_one_that_is_not_sampled(void **state)
{
    struct remora_trace a = {.flags = 1, .parent_id = {9}};
    struct remora_trace b = {0};
    struct remora_random random;
    char text[REMORA_TRACEPARENT_BYTES];
    (void)state;
    remora_random_seed(&random, 1);
    remora_trace_begin(&a, &random);
    remora_trace_begin(&b, &random);
    remora_trace_text(&a, text);
    assert_true(remora_trace_parse(remora_slice_of(text), &(struct remora_trace){0}));
    assert_string_equal(text + 52, "-00");
    assert_int_equal(a.parent_id[0], 0);
    assert_memory_not_equal(a.trace_id, b.trace_id, sizeof a.trace_id);
}

static void tracestate_is_printable_and_short(void **state)
{
    char longest[513];
    (void)state;
    memset(longest, 'a', sizeof longest);
    assert_true(remora_tracestate_is_valid(REMORA_SLICE("vendor=value,other=b c")));
    assert_true(remora_tracestate_is_valid(remora_slice(longest, 512)));
    assert_false(remora_tracestate_is_valid(remora_slice(longest, 513)));
    assert_false(remora_tracestate_is_valid(REMORA_SLICE("")));
    assert_false(remora_tracestate_is_valid(REMORA_SLICE("a=b\r\nx: y")));
    assert_false(remora_tracestate_is_valid(REMORA_SLICE("a=\xc3\xa4")));
}

static void baggage_is_printable_and_within_8_kib(void **state)
{
    char longest[8193];
    (void)state;
    memset(longest, 'a', sizeof longest);
    assert_true(remora_baggage_is_valid(REMORA_SLICE("tenant=a%20b;private, tier=1")));
    assert_true(remora_baggage_is_valid(remora_slice(longest, 8192)));
    assert_false(remora_baggage_is_valid(remora_slice(longest, 8193)));
    assert_false(remora_baggage_is_valid(REMORA_SLICE("")));
    assert_false(remora_baggage_is_valid(REMORA_SLICE("a=b\r\nx: y")));
}

static void traceparent_that_breaks_the_rules_is_refused(void **state)
{
    (void)state;
    assert_false(parses(""));
    assert_false(parses("ff-" TRACE "-" PARENT "-01"));
    assert_false(parses("00-" TRACE "-" PARENT "-01-more"));
    assert_false(parses("01-" TRACE "-" PARENT "-01more"));
    assert_false(parses("00-00000000000000000000000000000000-" PARENT "-01"));
    assert_false(parses("00-" TRACE "-0000000000000000-01"));
    assert_false(parses("00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01"));
    assert_false(parses("00_" TRACE "-" PARENT "-01"));
    assert_false(parses("00-" TRACE "-" PARENT "-0"));
}

static void generation_id_has_its_shape_and_differs(void **state)
{
    char a[REMORA_GENERATION_ID_BYTES];
    char b[REMORA_GENERATION_ID_BYTES];
    struct remora_random random;
    (void)state;
    remora_random_seed(&random, 7);
    remora_generation_id(a, INT64_C(1700000000123), &random);
    remora_generation_id(b, INT64_C(1700000000123), &random);
    assert_int_equal(strlen(a), 4 + 10 + 1 + 20);
    assert_memory_equal(a, "gen-1700000000-", 15);
    assert_string_not_equal(a, b);
    remora_generation_id(a, INT64_MAX, &random);
    assert_true(strlen(a) < sizeof a);
}

static void response_header_is_found_in_any_case(void **state)
{
    const struct remora_header headers[] = {
        {.name = REMORA_SLICE_INIT("Retry-After"), .value = REMORA_SLICE_INIT("3")},
        {.name = REMORA_SLICE_INIT("retry-after"), .value = REMORA_SLICE_INIT("4")},
    };
    const struct remora_http_response head = {.headers = headers, .header_count = 2};
    (void)state;
    assert_slice_equal(remora_response_header(&head, "retry-AFTER"), "3");
    assert_slice_equal(remora_response_header(&head, "x"), "");
    assert_slice_equal(remora_response_header(NULL, "x"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_request_states_nothing),
        cmocka_unit_test(parameter_is_asked_once_and_in_order),
        cmocka_unit_test(base_slug_matches_every_tag_but_service_tiers),
        cmocka_unit_test(a_tier_of_its_own_is_billed_at_the_prices_of_its_tag_alone),
        cmocka_unit_test(full_slug_matches_exactly_one_tag),
        cmocka_unit_test(content_is_what_a_caller_sees),
        cmocka_unit_test(names_are_those_of_the_surfaces),
        cmocka_unit_test(fallback_dropped_parameter_and_estimate_are_notable),
        cmocka_unit_test(missing_finish_reason_is_notable),
        cmocka_unit_test(unknown_finish_reason_is_notable),
        cmocka_unit_test(broken_arguments_are_notable),
        cmocka_unit_test(missing_choices_are_notable),
        cmocka_unit_test(names_that_nobody_knows_are_kept_and_cut_between_characters),
        cmocka_unit_test(a_long_list_tells_how_many_there_are),
        cmocka_unit_test(traceparent_is_read),
        cmocka_unit_test(a_trace_goes_on_under_our_span),
        cmocka_unit_test(a_request_without_a_trace_begins_one_that_is_not_sampled),
        cmocka_unit_test(tracestate_is_printable_and_short),
        cmocka_unit_test(baggage_is_printable_and_within_8_kib),
        cmocka_unit_test(traceparent_that_breaks_the_rules_is_refused),
        cmocka_unit_test(generation_id_has_its_shape_and_differs),
        cmocka_unit_test(response_header_is_found_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
