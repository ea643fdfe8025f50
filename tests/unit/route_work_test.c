/*
 * What a plan compares, counted and not timed: a busy machine does not change it. The functions that compare are replaced at link time by
 * ones that count (tests/CMakeLists.txt). The world is plan_bench's: 45 endpoints of 15 providers; what it costs in time stands there.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "plan_fixture.h"

enum { ENDPOINTS = 45, PROVIDERS = 15, NAMES = REMORA_LIMIT_PROVIDERS_LISTED };

static size_t compared;

bool __real_remora_slug_matches(struct remora_slice slug, struct remora_slice provider,
                                struct remora_slice tag);
bool __real_remora_bytes_equal_nocase(const char *a, const char *b, size_t length);
void __real_remora_place_country(struct remora_slice place, char country[3]);
bool __wrap_remora_slug_matches(struct remora_slice slug, struct remora_slice provider,
                                struct remora_slice tag);
bool __wrap_remora_bytes_equal_nocase(const char *a, const char *b, size_t length);
void __wrap_remora_place_country(struct remora_slice place, char country[3]);

bool __wrap_remora_slug_matches(struct remora_slice slug, struct remora_slice provider,
                                struct remora_slice tag)
{
    compared++;
    return __real_remora_slug_matches(slug, provider, tag);
}

bool __wrap_remora_bytes_equal_nocase(const char *a, const char *b, size_t length)
{
    compared++;
    return __real_remora_bytes_equal_nocase(a, b, length);
}

void __wrap_remora_place_country(struct remora_slice place, char country[3])
{
    compared++;
    __real_remora_place_country(place, country);
}

static struct plan_fixture f;
static char provider_names[PROVIDERS][16];
static char tags[ENDPOINTS][24];
static char names[NAMES][24];
static struct remora_slice items[NAMES];

static int set_up(void **state)
{
    (void)state;
    plan_fixture_init(&f);
    for (size_t i = 0; i < PROVIDERS; i++) {
        snprintf(provider_names[i], sizeof provider_names[i], "provider-%zu", i);
        plan_provider(&f, provider_names[i])->facts.headquarters = S("DE");
    }
    struct remora_model *model = plan_model(&f, "acme/echo-1");
    for (size_t i = 0; i < ENDPOINTS; i++) {
        snprintf(tags[i], sizeof tags[i], "%s/%zu", provider_names[i % PROVIDERS], i / PROVIDERS);
        plan_endpoint(&f, model, &f.providers[i % PROVIDERS], tags[i]);
    }
    f.request.model = S("acme/echo-1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plan_fixture_fini(&f);
    return 0;
}

/* As a document with such a list would have it. */
static struct remora_slices many(const char *prefix, struct remora_arena *arena)
{
    struct remora_slices list = {.items = items, .count = NAMES, .is_set = true};
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof names[i], "%s-%zu", prefix, i);
        items[i] = remora_slice_of(names[i]);
    }
    assert_int_equal(remora_names_index(&list, arena), REMORA_OK);
    assert_non_null(list.index);
    return list;
}

static size_t work_of_plan(size_t expected_order)
{
    compared = 0;
    assert_int_equal(plan_build(&f), REMORA_OK);
    assert_int_equal(f.plan.order_count, expected_order);
    print_message("%zu comparisons\n", compared);
    return compared;
}

static void regions_are_asked_of_no_table(void **state)
{
    (void)state;
    plan_layer(&f, REMORA_LAYER_SERVICE)->provider.regions = LIST(S("eu"));
    assert_true(work_of_plan(ENDPOINTS) <= 4);
    plan_layer(&f, REMORA_LAYER_KEY)->provider.regions =
        LIST(S("us"), S("gb"), S("ch"), S("eu"), S("asia"));
    assert_true(work_of_plan(ENDPOINTS) <= 20);
}

static void sixty_four_names_are_not_compared_with_each_endpoint(void **state)
{
    (void)state;
    struct remora_arena arena;
    remora_arena_init(&arena, 1024, 1 << 16);
    struct remora_slices list = many("somebody", &arena);
    struct remora_preferences *service = &plan_layer(&f, REMORA_LAYER_SERVICE)->provider;
    service->ignore = list;
    assert_true(work_of_plan(ENDPOINTS) <= 2 * ENDPOINTS);
    service->ignore = (struct remora_slices){0};
    service->order = list;
    assert_true(work_of_plan(ENDPOINTS) <= 2 * ENDPOINTS);
    service->order = (struct remora_slices){0};
    service->only = many("provider", &arena); /* names all of them */
    assert_true(work_of_plan(ENDPOINTS) <= 4 * ENDPOINTS);
    service->only = (struct remora_slices){0};
    service->regions = many("eu-nowhere", &arena);
    service->regions.is_set = true;
    items[0] = S("DE");
    assert_true(work_of_plan(ENDPOINTS) <= 2 * ENDPOINTS);
    remora_arena_fini(&arena);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(regions_are_asked_of_no_table),
        CASE(sixty_four_names_are_not_compared_with_each_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
