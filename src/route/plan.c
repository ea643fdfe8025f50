/*
 * The plan of one request: which endpoints are tried, in which order, and why the others are not.
 *
 * Happy path: merge the layers; resolve the names (`model`, then `models`, twice-named ones once); for each model narrow its
 * endpoints to what policy and the strategy leave, in order (route/narrow.c), and take out what health says is not to be
 * called now. Positions run on over all models.
 *
 * Fails as route.h says; the request arena running out is TOO_LARGE or SHEDDING. Of models with more endpoints than
 * REMORA_LIMIT_CANDIDATES in all, the first that fit are looked at. Sources: ARCHITECTURE 6 and 8; codes.md.
 */
#include <stdio.h>

#include "names.h"
#include "narrow.h"
#include "remora/limits.h"
#include "verdict.h"

enum { MODELS_MAX = REMORA_LIMIT_MODELS + 1 /* `models` and `model` */ };
enum { NO_PLACE = -1 };

struct target {
    const struct remora_model *model; /* NULL: not resolved */
    enum remora_variant variant;
    int place; /* in `models`; NO_PLACE: it is `model`, or the default */
};

struct builder {
    const struct remora_plan_input *input;
    struct remora_arena *arena;
    struct remora_plan *plan;
    struct remora_judge judge;
    struct target targets[MODELS_MAX];
    struct remora_plan_model *models;
    struct remora_candidate *candidates;
    uint16_t *order;
};

static enum remora_code out_of_arena(const struct builder *b, struct remora_fail *fail)
{
    return remora_fail_set(fail, b->arena->failed, NULL,
                           "the request needs more memory than it may take");
}

/* ---- 1. names ---- */

/* What remora_resolve_model says of one name, with the field that holds it. */
static enum remora_code resolve_one(const struct builder *b, struct remora_slice asked,
                                    struct target *target, struct remora_fail *fail)
{
    char param[32] = "model";
    struct remora_fail why = REMORA_FAIL_INIT;
    enum remora_code code = remora_resolve_model(b->input->config, b->input->stack, asked,
                                                 &target->model, &target->variant, &why);
    if (code != REMORA_OK) {
        if (target->place != NO_PLACE) {
            snprintf(param, sizeof(param), "models[%d]", target->place);
        }
        remora_fail_set(fail, code, param, "%s", why.message);
    }
    return code;
}

static enum remora_code add_model(struct builder *b, struct remora_slice asked, int place,
                                  struct remora_fail *fail)
{
    struct target target = {.place = place};
    struct remora_fail why = REMORA_FAIL_INIT;
    enum remora_code code = resolve_one(b, asked, &target, &why);
    if (!remora_code_row(code)->next_model && code != REMORA_OK) {
        return remora_fail_set(fail, code, why.param, "%s", why.message);
    }
    size_t count = b->plan->model_count;
    for (size_t i = 0; i < count; i++) {
        bool is_same = code == REMORA_OK ? target.model == b->targets[i].model &&
                                               target.variant == b->targets[i].variant
                                         : remora_slice_equal(asked, b->models[i].asked);
        if (is_same) {
            return REMORA_OK;
        }
    }
    b->targets[count] = target;
    b->models[count] = (struct remora_plan_model){.asked = asked, .code = code};
    if (target.model != NULL) {
        b->models[count].resolved = target.model->facts.id;
    }
    b->plan->model_count = count + 1;
    return REMORA_OK;
}

static enum remora_code add_default(struct builder *b, struct remora_fail *fail)
{
    struct remora_slice model = b->plan->policy.models_default;
    if (remora_slice_is_empty(model)) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, "model",
                               "no model is named; send `model`, or set `models.default` in the "
                               "service's policy");
    }
    return add_model(b, model, NO_PLACE, fail);
}

static enum remora_code resolve_models(struct builder *b, struct remora_fail *fail)
{
    const struct remora_request *request = b->input->request;
    if (request->models.count > REMORA_LIMIT_MODELS) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, "models",
                               "at most %d entries are allowed", REMORA_LIMIT_MODELS);
    }
    b->models = remora_arena_array(b->arena, MODELS_MAX, sizeof(*b->models));
    if (b->models == NULL) {
        return out_of_arena(b, fail);
    }
    b->plan->models = b->models;
    if (remora_slice_is_empty(request->model) && request->models.count == 0) {
        return add_default(b, fail);
    }
    enum remora_code code = REMORA_OK;
    if (!remora_slice_is_empty(request->model)) {
        code = add_model(b, request->model, NO_PLACE, fail);
    }
    for (size_t i = 0; i < request->models.count && code == REMORA_OK; i++) {
        code = add_model(b, request->models.items[i], (int)i, fail);
    }
    return code;
}

static enum remora_code make_room(struct builder *b, struct remora_fail *fail)
{
    size_t count = 0;
    for (size_t i = 0; i < b->plan->model_count; i++) {
        const struct remora_model *model = b->targets[i].model;
        size_t room = REMORA_LIMIT_CANDIDATES - count;
        size_t own = model == NULL ? 0 : model->endpoint_count;
        b->models[i].first = (uint16_t)count;
        b->models[i].count = (uint16_t)(own < room ? own : room);
        count += b->models[i].count;
    }
    b->candidates = remora_arena_array(b->arena, count + 1, sizeof(*b->candidates));
    b->order = remora_arena_array(b->arena, count + 1, sizeof(*b->order));
    if (b->candidates == NULL || b->order == NULL) {
        b->plan->model_count = 0; /* nothing was judged: its counts would promise candidates */
        return out_of_arena(b, fail);
    }
    b->plan->candidates = b->candidates;
    b->plan->candidate_count = count;
    b->plan->order = b->order;
    return REMORA_OK;
}

/* ---- 2. policy and health ---- */

static void exclude(struct remora_candidate *candidate, enum remora_rule rule)
{
    candidate->exclusion = (struct remora_exclusion){.rule = rule, .layer = REMORA_LAYER_HEALTH};
}

/* A provider with several keys is usable while one of them is; *until_ns: when the first comes back. */
static bool has_key(const struct builder *b, const struct remora_provider *provider,
                    uint64_t *until_ns)
{
    uint64_t soonest_ns = REMORA_NEVER_NS;
    for (size_t i = 0; i < provider->credential_count; i++) {
        uint64_t ends_ns = 0;
        enum remora_condition condition = remora_health_condition(
            b->input->health, provider->credentials[i].health, b->input->now_ns, &ends_ns);
        if (remora_condition_rule(condition) == REMORA_RULE_NONE) {
            return true;
        }
        soonest_ns = ends_ns < soonest_ns ? ends_ns : soonest_ns;
    }
    *until_ns = soonest_ns;
    return provider->credential_count == 0;
}

static bool is_well(const struct builder *b, struct remora_candidate *candidate)
{
    const struct remora_endpoint *endpoint = candidate->endpoint;
    uint64_t until_ns = 0;
    enum remora_rule rule = remora_condition_rule(
        remora_health_condition(b->input->health, endpoint->health, b->input->now_ns, &until_ns));
    if (rule == REMORA_RULE_NONE && !has_key(b, endpoint->provider, &until_ns)) {
        rule = REMORA_RULE_CREDENTIAL_BENCHED;
    }
    if (rule == REMORA_RULE_NONE) {
        return true;
    }
    exclude(candidate, rule);
    candidate->until_ns = until_ns;
    return false;
}

/* Policy and the strategy. How many stay, in `order`. */
static size_t narrow_model(struct builder *b, size_t at, uint16_t *order)
{
    const struct remora_plan_model *m = &b->models[at];
    const struct target *target = &b->targets[at];
    const struct remora_strategy_input sorting = {
        .request = b->input->request,
        .policy = &b->plan->policy,
        .candidates = b->candidates,
        .health = b->input->health,
        .random = b->input->random,
        .now_ns = b->input->now_ns,
    };
    for (size_t i = 0; i < m->count; i++) {
        struct remora_candidate *candidate = &b->candidates[m->first + i];
        candidate->endpoint = &target->model->endpoints[i];
        candidate->model = (uint16_t)at;
        order[i] = (uint16_t)(m->first + i);
    }
    remora_judge_model(&b->judge, target->model, target->variant);
    return route_narrow(&b->judge, &sorting, b->candidates, order, m->count);
}

/* Keeps those that are well, in their order, and numbers them. */
static void place_model(struct builder *b, size_t at, uint16_t *order, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct remora_candidate *candidate = &b->candidates[order[i]];
        if (is_well(b, candidate)) {
            order[kept++] = order[i];
            candidate->position = (uint16_t)(b->plan->order_count + kept);
        } else {
            candidate->behind = (uint16_t)(b->plan->order_count + kept);
        }
    }
    b->models[at].usable = (uint16_t)kept;
    b->plan->order_count += kept;
}

/* ---- 3. the whole ---- */

/* An embedding model for chat or the other way round: said as such, whatever else its endpoints lack. */
static bool is_other_operation(const struct builder *b, const struct remora_model *model)
{
    uint32_t outputs = model->facts.output_modalities;
    if (b->input->request->operation == REMORA_OPERATION_EMBED) {
        return outputs != 0 && (outputs & REMORA_MODALITY_EMBEDDINGS) == 0;
    }
    return outputs == REMORA_MODALITY_EMBEDDINGS;
}

static void plan_model(struct builder *b, size_t at)
{
    struct remora_plan_model *m = &b->models[at];
    if (b->targets[at].model == NULL) {
        return;
    }
    uint16_t *order = b->order + b->plan->order_count;
    place_model(b, at, order, narrow_model(b, at, order));
    if (m->usable == 0) {
        m->code = is_other_operation(b, b->targets[at].model)
                      ? REMORA_WRONG_ENDPOINT
                      : route_model_code(&b->candidates[m->first], m->count);
    }
}

static enum remora_code nothing_left(const struct builder *b, struct remora_fail *fail)
{
    const struct remora_plan_input *input = b->input;
    size_t model;
    enum remora_code code = route_plan_code(b->plan, &model);
    if (code == REMORA_INVALID_REQUEST) {
        route_explain_reasoning(b->plan, model, &input->request->reasoning, fail);
        return code;
    }
    if (b->targets[model].model != NULL) {
        route_explain(b->plan, model, code, input->now_ns, fail);
        return code;
    }
    struct target again = b->targets[model];
    return resolve_one(b, b->models[model].asked, &again, fail);
}

enum remora_code remora_plan_build(const struct remora_plan_input *input,
                                   struct remora_arena *arena, struct remora_plan *out,
                                   struct remora_fail *fail)
{
    struct builder b = {.input = input, .arena = arena, .plan = out};
    *out = (struct remora_plan){0};
    remora_policy_merge(input->stack, &out->policy);
    enum remora_code code = remora_config_check_ready(input->config, fail);
    if (code == REMORA_OK) {
        code = route_check_slugs(input->config, &input->request->provider, fail);
    }
    if (code == REMORA_OK) {
        code = resolve_models(&b, fail);
    }
    if (code == REMORA_OK) {
        code = make_room(&b, fail);
    }
    if (code != REMORA_OK) {
        return code;
    }
    remora_judge_init(&b.judge, input->stack, input->request);
    for (size_t i = 0; i < out->model_count; i++) {
        plan_model(&b, i);
    }
    return out->order_count != 0 ? REMORA_OK : nothing_left(&b, fail);
}
