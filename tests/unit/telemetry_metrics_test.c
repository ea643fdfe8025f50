/* The registry: folding beyond the cap, hidden series, histograms, the text format. */
#include "support.h"

#include <stdio.h>

#include "remora/telemetry.h"

static struct remora_metrics *metrics;

static int set_up(void **state)
{
    (void)state;
    metrics = remora_metrics_new();
    return metrics == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_metrics_free(metrics);
    return 0;
}

static const char *text(struct remora_buf *buf)
{
    remora_buf_init(buf, 4 << 20);
    remora_metrics_write(metrics, buf);
    remora_buf_append_byte(buf, '\0');
    assert_int_equal(remora_buf_code(buf), REMORA_OK);
    return remora_buf_slice(buf).data;
}

static void assert_line(const char *line, bool is_there)
{
    struct remora_buf buf;
    bool has_it = strstr(text(&buf), line) != NULL;
    if (has_it != is_there) {
        fail_msg("%s: %s", is_there ? "not there" : "there", line);
    }
    remora_buf_fini(&buf);
}

static void request(const char *model, const char *code)
{
    const struct remora_slice labels[] = {REMORA_SLICE("grpc"), REMORA_SLICE("chat"),
                                          REMORA_SLICE("shop"), remora_slice_of(model),
                                          REMORA_SLICE("none"), remora_slice_of(code)};
    remora_metric_add(metrics, REMORA_METRIC_REQUESTS, labels, REMORA_COUNT_OF(labels), 1);
}

static void names_beyond_the_cap_fold_and_codes_stay(void **state)
{
    (void)state;
    for (int i = 0; i < 700; i++) {
        char model[16];
        snprintf(model, sizeof model, "m-%d", i);
        request(model, "OK");
    }
    request("m-699", "NOT_FOUND");
    request("m-0", "OK");
    assert_line("model=\"m-499\",provider=\"none\",code=\"OK\"} 1\n", true);
    assert_line("model=\"m-500\"", false);
    assert_line("model=\"m-0\",provider=\"none\",code=\"OK\"} 2\n", true);
    assert_line("{api=\"grpc\",operation=\"chat\",service=\"other\",model=\"other\",provider="
                "\"other\",code="
                "\"OK\"} 200\n",
                true);
    assert_line("model=\"other\",provider=\"other\",code=\"NOT_FOUND\"} 1\n", true);
}

static void a_series_that_is_there_takes_no_memory(void **state)
{
    (void)state;
    request("known", "OK");
    remora_alloc_fail_at(1, true);
    request("known", "OK");
    request("new", "OK"); /* lost, not fatal */
    remora_alloc_fail_at(0, false);
    assert_line("model=\"known\",provider=\"none\",code=\"OK\"} 2\n", true);
    assert_line("model=\"new\"", false);
}

static void a_forgotten_gauge_comes_back_when_it_is_set(void **state)
{
    const struct remora_slice a = REMORA_SLICE("a");
    const struct remora_slice b = REMORA_SLICE("b");
    (void)state;
    remora_metric_set(metrics, REMORA_METRIC_CIRCUIT_STATE, &a, 1, 2);
    remora_metric_set(metrics, REMORA_METRIC_CIRCUIT_STATE, &b, 1, 0);
    remora_metrics_forget(metrics, REMORA_METRIC_CIRCUIT_STATE);
    assert_line("remora_circuit_state", false);
    remora_metric_set(metrics, REMORA_METRIC_CIRCUIT_STATE, &a, 1, 1);
    assert_line("remora_circuit_state{provider=\"a\"} 1\n", true);
    assert_line("remora_circuit_state{provider=\"b\"}", false);
}

static void a_histogram_is_cumulative_and_sums_exactly(void **state)
{
    const struct remora_slice api = REMORA_SLICE("grpc");
    const uint64_t us = 1000;
    (void)state;
    remora_metric_observe_ns(metrics, REMORA_METRIC_OVERHEAD, &api, 1, 50 * us);
    remora_metric_observe_ns(metrics, REMORA_METRIC_OVERHEAD, &api, 1, 50 * us + 1);
    remora_metric_observe_ns(metrics, REMORA_METRIC_OVERHEAD, &api, 1, 60000 * us);
    assert_line("remora_overhead_seconds_bucket{api=\"grpc\",le=\"0.00005\"} 1\n", true);
    assert_line("remora_overhead_seconds_bucket{api=\"grpc\",le=\"0.0001\"} 2\n", true);
    assert_line("remora_overhead_seconds_bucket{api=\"grpc\",le=\"0.05\"} 2\n", true);
    assert_line("remora_overhead_seconds_bucket{api=\"grpc\",le=\"+Inf\"} 3\n", true);
    assert_line("remora_overhead_seconds_sum{api=\"grpc\"} 0.060100001\n", true);
    assert_line("remora_overhead_seconds_count{api=\"grpc\"} 3\n", true);
}

static void label_values_are_escaped(void **state)
{
    const struct remora_slice labels[] = {REMORA_SLICE("a\"b\\c\nd"), REMORA_SLICE("m")};
    (void)state;
    remora_metric_add(metrics, REMORA_METRIC_COST_UNKNOWN, labels, 2, 1);
    assert_line("{provider=\"a\\\"b\\\\c\\nd\",model=\"m\"} 1\n", true);
}

static void money_and_time_are_written_in_base_units(void **state)
{
    const struct remora_slice labels[] = {REMORA_SLICE("p"), REMORA_SLICE("m"), REMORA_SLICE("s")};
    (void)state;
    remora_metric_add(metrics, REMORA_METRIC_COST, labels, 3, 1234567890123);
    assert_line("remora_cost_usd_total{provider=\"p\",model=\"m\",service=\"s\"} 1234.567890123\n",
                true);
}

static void levels_have_the_names_of_the_configuration(void **state)
{
    enum remora_log_level level = REMORA_LOG_INFO;
    (void)state;
    assert_true(remora_log_level_by_name(REMORA_SLICE("debug"), &level));
    assert_int_equal(level, REMORA_LOG_DEBUG);
    assert_false(remora_log_level_by_name(REMORA_SLICE("Debug"), &level));
    assert_string_equal(remora_log_level_name(REMORA_LOG_WARN), "warn");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(names_beyond_the_cap_fold_and_codes_stay),
        CASE(a_series_that_is_there_takes_no_memory),
        CASE(a_forgotten_gauge_comes_back_when_it_is_set),
        CASE(a_histogram_is_cumulative_and_sums_exactly),
        CASE(label_values_are_escaped),
        CASE(money_and_time_are_written_in_base_units),
        CASE(levels_have_the_names_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
