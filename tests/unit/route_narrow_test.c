/*
 * Properties of plans over random worlds, the same ones in every run: narrowing a layer never adds an endpoint, a request
 * never widens its service, and every endpoint is either in its place or out by exactly one rule and layer.
 *
 * One exception is the design's own: `allow_fallbacks: false` without `order` keeps the first of the final order, and what is
 * first changes when the one before it goes. Such layers are not drawn here; route_plan_test has them.
 */
#include "support.h"

#include <stdio.h>

#include "plan_fixture.h"
#include "remora/limits.h"

enum { ROUNDS = 3000, PROVIDERS = 5, ENDPOINTS = 12 };

static struct plan_fixture f;
static struct remora_random dice;
static struct remora_endpoint *endpoints[ENDPOINTS];
static const struct remora_model *model;

static uint64_t roll(uint64_t sides)
{
    return remora_random_below(&dice, sides);
}

static const struct remora_slice slugs[] = {
    REMORA_SLICE_INIT("p0"),   REMORA_SLICE_INIT("p1"),   REMORA_SLICE_INIT("p2"),
    REMORA_SLICE_INIT("p3"),   REMORA_SLICE_INIT("p4"),   REMORA_SLICE_INIT("p0/0"),
    REMORA_SLICE_INIT("p1/1"), REMORA_SLICE_INIT("p2/2"), REMORA_SLICE_INIT("p3/3"),
};
static const struct remora_slice patterns[] = {REMORA_SLICE_INIT("*"), REMORA_SLICE_INIT("acme/*"),
                                               REMORA_SLICE_INIT("acme/echo-1"),
                                               REMORA_SLICE_INIT("beta/*")};
static const struct remora_slice quantizations[] = {
    REMORA_SLICE_INIT("fp4"), REMORA_SLICE_INIT("mxfp4"), REMORA_SLICE_INIT("fp8"),
    REMORA_SLICE_INIT("mxfp8"), REMORA_SLICE_INIT("unknown")};
static const struct remora_slice seats[] = {REMORA_SLICE_INIT("FR"), REMORA_SLICE_INIT("US"),
                                            REMORA_SLICE_INIT("NL")};
static const enum remora_parameter parameters[] = {
    REMORA_PARAMETER_TOOLS, REMORA_PARAMETER_SEED, REMORA_PARAMETER_VERBOSITY,
    REMORA_PARAMETER_RESPONSE_FORMAT, REMORA_PARAMETER_TOP_K};

/* One to `count` of the values, in a place of its own for each list that a world can hold. */
static struct remora_slices draw(const struct remora_slice *values, size_t count)
{
    static struct remora_slice pool[4096];
    static size_t at;
    size_t length = 1 + (size_t)roll(count);
    at = at + length > REMORA_COUNT_OF(pool) ? 0 : at;
    struct remora_slice *items = &pool[at];
    at += length;
    for (size_t i = 0; i < length; i++) {
        items[i] = values[roll(count)];
    }
    return (struct remora_slices){.items = items, .count = length, .is_set = true};
}

static void draw_provider(struct remora_provider *provider)
{
    provider->facts.headquarters = roll(3) == 0 ? S("") : seats[roll(REMORA_COUNT_OF(seats))];
    provider->facts.data_policy.training = (enum remora_tristate)roll(3);
    provider->facts.data_policy.zdr = (enum remora_tristate)roll(3);
    provider->disabled_why = roll(9) == 0 ? "no key" : NULL;
}

static void draw_endpoint(struct remora_endpoint *endpoint)
{
    plan_price(endpoint, REMORA_PRICE_PROMPT, (int64_t)roll(4) - 1);
    plan_price(endpoint, REMORA_PRICE_COMPLETION, (int64_t)roll(4) - 1);
    plan_price(endpoint, REMORA_PRICE_IMAGE, (int64_t)roll(3) - 1);
    endpoint->facts.quantization = quantizations[roll(REMORA_COUNT_OF(quantizations))];
    endpoint->facts.is_free = roll(8) == 0;
    endpoint->facts.supported = 0;
    for (size_t i = 0; i < REMORA_COUNT_OF(parameters); i++) {
        endpoint->facts.supported |= roll(3) == 0 ? 0 : UINT64_C(1) << parameters[i];
    }
}

static void draw_request(void)
{
    f.request.asked_count = 0;
    for (size_t i = 0; i < REMORA_COUNT_OF(parameters); i++) {
        if (roll(4) == 0) {
            remora_request_ask(&f.request, parameters[i]);
        }
    }
    f.request.response_format.kind = (enum remora_format_kind)(1 + roll(3));
    f.request.model = roll(6) == 0 ? S("acme/echo-1:free") : S("acme/echo-1");
}

/* One more restriction, or one made tighter. */
static void narrow(struct remora_policy *policy)
{
    struct remora_preferences *p = &policy->provider;
    enum remora_price_cap key = (enum remora_price_cap)roll(REMORA_CAP_COUNT);
    int64_t highest = p->max_price_pico_usd[key];
    switch (roll(11)) {
    case 0:
        policy->models_allow = policy->models_allow.is_set
                                   ? (struct remora_slices){.is_set = true}
                                   : draw(patterns, REMORA_COUNT_OF(patterns));
        return;
    case 1:
        policy->models_deny =
            policy->models_deny.is_set ? policy->models_deny : draw(&patterns[2], 2);
        return;
    case 2:
        if (p->only.is_set) {
            p->only.count--; /* never to 0 and up again: an empty list keeps nothing */
            p->only.count = p->only.count == SIZE_MAX ? 0 : p->only.count;
        } else {
            p->only = draw(slugs, REMORA_COUNT_OF(slugs));
        }
        return;
    case 3:
        p->ignore = p->ignore.is_set ? p->ignore : draw(slugs, 3);
        return;
    case 4:
        p->data_collection = REMORA_DATA_DENY;
        return;
    case 5:
        p->zdr = REMORA_YES;
        return;
    case 6:
        p->regions = p->regions.is_set ? p->regions : draw(seats, REMORA_COUNT_OF(seats));
        return;
    case 7:
        p->quantizations = p->quantizations.is_set
                               ? p->quantizations
                               : draw(quantizations, REMORA_COUNT_OF(quantizations));
        return;
    case 8:
        p->max_price_pico_usd[key] = highest < 0 ? (int64_t)roll(4) : highest / 2;
        return;
    case 9:
        p->require_parameters = REMORA_YES;
        return;
    default:
        p->order = p->order.is_set ? p->order : draw(slugs, REMORA_COUNT_OF(slugs));
        p->allow_fallbacks = REMORA_NO;
        return;
    }
}

static uint32_t usable(void)
{
    uint32_t set = 0;
    (void)plan_build(&f);
    size_t in = 0;
    for (size_t i = 0; i < f.plan.candidate_count; i++) {
        const struct remora_candidate *candidate = &f.plan.candidates[i];
        bool is_out = candidate->exclusion.rule != REMORA_RULE_NONE;
        assert_int_equal(is_out, candidate->position == 0);
        assert_int_equal(is_out, candidate->exclusion.layer != REMORA_LAYER_UNSET);
        if (!is_out) {
            set |= UINT32_C(1) << (candidate->endpoint - model->endpoints);
            assert_int_equal(f.plan.order[candidate->position - 1], i);
            in++;
        }
    }
    assert_int_equal(in, f.plan.order_count);
    assert_int_equal(f.fail.code == REMORA_OK, in != 0);
    return set;
}

static void build_world(void)
{
    static const char *const tags[ENDPOINTS] = {"p0",   "p0/0", "p0/1", "p1", "p1/1", "p2",
                                                "p2/2", "p3",   "p3/3", "p4", "p4/0", "p4/1"};
    static const char *const names[PROVIDERS] = {"p0", "p1", "p2", "p3", "p4"};
    plan_fixture_init(&f);
    for (size_t i = 0; i < PROVIDERS; i++) {
        plan_provider(&f, names[i]);
    }
    struct remora_model *echo = plan_model(&f, "acme/echo-1");
    for (size_t i = 0; i < ENDPOINTS; i++) {
        endpoints[i] = plan_endpoint(&f, echo, &f.providers[tags[i][1] - '0'], tags[i]);
    }
    model = echo;
}

static void draw_world(void)
{
    for (size_t i = 0; i < PROVIDERS; i++) {
        draw_provider(&f.providers[i]);
    }
    for (size_t i = 0; i < ENDPOINTS; i++) {
        draw_endpoint(endpoints[i]);
    }
    draw_request();
    for (int layer = REMORA_LAYER_MESH; layer <= REMORA_LAYER_REQUEST; layer++) {
        f.stack.layers[layer] = NULL;
        if (layer != REMORA_LAYER_REQUEST && roll(2) == 0) {
            narrow(plan_layer(&f, (enum remora_layer)layer));
        }
    }
}

static struct remora_policy *some_layer(void)
{
    enum remora_layer layer = (enum remora_layer)(
        REMORA_LAYER_MESH + (int)roll(REMORA_LAYER_REQUEST - REMORA_LAYER_MESH + 1));
    return f.stack.layers[layer] == NULL ? plan_layer(&f, layer) : &f.layers[layer];
}

static void narrowing_never_adds_an_endpoint(void **state)
{
    (void)state;
    size_t seen = 0;
    size_t narrowed = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        draw_world();
        uint32_t before = usable();
        seen += before != 0;
        for (size_t step = 0; step < 4; step++) {
            narrow(some_layer());
            uint32_t after = usable();
            assert_int_equal(after & ~before, 0);
            narrowed += after != before;
            before = after;
        }
    }
    assert_in_range(seen, ROUNDS / 3, ROUNDS);
    assert_in_range(narrowed, ROUNDS / 3, 4 * ROUNDS);
}

/* What a request may wish for: preferences and attempts at relaxing included. */
static void wish(struct remora_policy *request)
{
    struct remora_preferences *p = &request->provider;
    p->data_collection = (enum remora_data_collection)roll(3);
    p->zdr = (enum remora_tristate)roll(3);
    p->require_parameters = (enum remora_tristate)roll(3);
    p->allow_fallbacks = roll(2) == 0 ? REMORA_UNSET : REMORA_YES;
    p->order = roll(2) == 0 ? p->order : draw(slugs, REMORA_COUNT_OF(slugs));
    p->only = roll(3) != 0 ? p->only : draw(slugs, REMORA_COUNT_OF(slugs));
    p->max_price_pico_usd[REMORA_CAP_PROMPT] = (int64_t)roll(5) - 1;
    request->models_allow =
        roll(3) != 0 ? request->models_allow : draw(patterns, REMORA_COUNT_OF(patterns));
    request->models_default = S("beta/x");
}

static void no_request_widens_its_service(void **state)
{
    (void)state;
    size_t same = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        draw_world();
        uint32_t before = usable();
        wish(plan_layer(&f, REMORA_LAYER_REQUEST));
        uint32_t after = usable();
        assert_int_equal(after & ~before, 0);
        same += after == before && after != 0;
    }
    assert_in_range(same, ROUNDS / 30, ROUNDS);
}

/* As many as it has room for, and never more than a plan looks at. */
static void a_shortlist_holds_what_it_has_room_for(void **state)
{
    struct remora_shortlist list;
    (void)state;
    for (size_t room = 1; room <= 3; room++) {
        assert_int_equal(remora_shortlist_init(&list, &f.stack, room, &f.arena), REMORA_OK);
        remora_shortlist_model(&list, model, REMORA_VARIANT_STANDARD);
        assert_int_equal(list.count, room);
        for (size_t i = 0; i < room; i++) {
            assert_ptr_equal(list.candidates[i].endpoint, &model->endpoints[i]);
        }
        assert_true(list.usable <= room);
    }
    assert_int_equal(remora_shortlist_init(&list, &f.stack, REMORA_LIMIT_CANDIDATES + 1, &f.arena),
                     REMORA_OK);
    assert_int_equal(list.room, REMORA_LIMIT_CANDIDATES);
}

static int set_up(void **state)
{
    (void)state;
    remora_random_seed(&dice, 20260101);
    build_world();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plan_fixture_fini(&f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(narrowing_never_adds_an_endpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_request_widens_its_service, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shortlist_holds_what_it_has_room_for, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
