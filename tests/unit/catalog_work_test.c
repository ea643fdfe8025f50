/*
 * What finding places and building a snapshot costs, in comparisons of text and not in time: a busy machine does not change them.
 * The three functions that compare are replaced at link time by ones that count (tests/CMakeLists.txt). What the same costs in time is
 * catalog_bench's.
 */
#include "support.h"

#include <string.h>

#include "remora/catalog.h"
#include "remora/config.h"
#include "remora/health.h"

static size_t compared;

int __real_remora_slice_compare(struct remora_slice a, struct remora_slice b);
bool __real_remora_bytes_equal_nocase(const char *a, const char *b, size_t length);
size_t __real_strlen(const char *text);
int __wrap_remora_slice_compare(struct remora_slice a, struct remora_slice b);
bool __wrap_remora_bytes_equal_nocase(const char *a, const char *b, size_t length);
size_t __wrap_strlen(const char *text);

int __wrap_remora_slice_compare(struct remora_slice a, struct remora_slice b)
{
    compared++;
    return __real_remora_slice_compare(a, b);
}

bool __wrap_remora_bytes_equal_nocase(const char *a, const char *b, size_t length)
{
    compared++;
    return __real_remora_bytes_equal_nocase(a, b, length);
}

/* Of a row that is compared as a C string. */
size_t __wrap_strlen(const char *text)
{
    compared++;
    return __real_strlen(text);
}

static const struct {
    struct remora_slice region;
    const char *country;
} places[] = {
#define REMORA_PLACE(region, country) {REMORA_SLICE_INIT(region), country},
#include "remora/tbl/places.h"
#undef REMORA_PLACE
};

static size_t work_of(struct remora_slice place, char country[3])
{
    compared = 0;
    remora_place_country(place, country);
    return compared;
}

static void places_stand_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(places); i++) {
        assert_true(places[i].region.length <= 32);
        assert_true(i == 0 || remora_slice_compare(places[i - 1].region, places[i].region) < 0);
    }
}

static void every_place_is_found_in_eight_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(places); i++) {
        char country[3];
        assert_true(work_of(places[i].region, country) <= 8);
        assert_string_equal(country, places[i].country);
    }
}

static void what_is_no_place_costs_no_more(void **state)
{
    (void)state;
    static const struct {
        const char *place;
        const char *country;
        size_t work;
    } rows[] = {
        {"", "", 0},       {"x", "", 0},
        {"de", "DE", 8},   {"EU", "EU", 8},
        {"Uk", "GB", 8},   {"EU-West-2", "GB", 8},
        {"global", "", 8}, {"a-region-that-is-longer-than-any-other", "", 0},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        char country[3];
        size_t work = work_of(remora_slice_of(rows[i].place), country);
        print_message("%s\n", rows[i].place);
        assert_true(work <= rows[i].work);
        assert_string_equal(country, rows[i].country);
    }
}

static const char *every_key(void *context, const char *name)
{
    size_t length = strlen(name);
    (void)context;
    return length > 8 && strcmp(name + length - 8, "_API_KEY") == 0 ? "sk-x" : NULL;
}

static void a_snapshot_of_every_key_compares_little(void **state)
{
    (void)state;
    struct remora_config *config = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_config_input input = {
        .document_name = "none", .getenv = every_key, .now_unix_ms = 1};
    size_t endpoints = 0;
    compared = 0;
    assert_int_equal(remora_config_build(&input, &config, &fail), REMORA_OK);
    size_t work = compared;
    for (size_t i = 0; i < config->model_count; i++) {
        endpoints += config->models[i].endpoint_count;
    }
    remora_config_release(config);
    print_message("%zu comparisons for %zu endpoints\n", work, endpoints);
    assert_true(endpoints > 3000);
    assert_true(work < 4 * endpoints);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_stand_in_order),
        cmocka_unit_test(every_place_is_found_in_eight_steps),
        cmocka_unit_test(what_is_no_place_costs_no_more),
        cmocka_unit_test(a_snapshot_of_every_key_compares_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
