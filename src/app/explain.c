/*
 * remora route explain: the plan of a request that is not sent.
 *
 *   1. the configuration, and the caller that it, --service and --namespace, or --key name
 *   2. the request: the body of POST /v1/chat/completions in a file, read by the skin that serves it
 *   3. the policy stack and the plan, as the engine builds them for a request
 *   4. ExplainRouteResponse, or a table for people
 *
 * Exit status 0 when an endpoint is left, 1 when none is (the reason goes to stderr), 2 when an option, a file or the request
 * is wrong. Health is that of a process that has just started.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "remora/buf.h"
#include "remora/limits.h"
#include "remora/skin.h"

enum { OUTPUT_BYTES = 8 << 20 };

static const char usage[] =
    "remora route explain [--config FILE] -f REQUEST.json [--service NAME] [--namespace NAME]\n"
    "                            [--key NAME] [-o json|text]";

struct explain {
    const char *config;
    const char *file;
    struct offline_who who;
    const char *output;
    struct offline offline;
    struct offline_request planned;
    struct remora_fail fail; /* why nothing is left */
};

static int say(const struct remora_fail *fail, int status)
{
    fprintf(stderr, "remora: %s: %s%s%s\n", remora_code_row(fail->code)->name, fail->param,
            fail->param[0] == '\0' ? "" : ": ", fail->message);
    return status;
}

/* What the caller has to mend, against what leaves no endpoint. */
static int status_of(enum remora_code code)
{
    if (code == REMORA_OK) {
        return 0;
    }
    return remora_plan_is_made(code) ? 1 : 2;
}

/* ---- 4. output ---- */

static bool print_json(const struct explain *e)
{
    struct remora_buf out;
    remora_buf_init(&out, OUTPUT_BYTES);
    const struct remora_explanation explanation = {.plan = &e->planned.plan,
                                                   .service = e->offline.identity.service,
                                                   .policy_revision = e->offline.config->revision,
                                                   .fail = &e->fail};
    remora_explain_body(&explanation, &out);
    bool is_whole = remora_buf_code(&out) == REMORA_OK;
    if (is_whole) {
        printf("%.*s\n", REMORA_SLICE_ARG(remora_buf_slice(&out)));
    }
    remora_buf_fini(&out);
    return is_whole;
}

static void print_candidate(const struct explain *e, const struct remora_candidate *candidate)
{
    const struct remora_endpoint_facts *facts = &candidate->endpoint->facts;
    const int64_t *prices = facts->prices.pico_usd;
    char position[8] = "-";
    char prompt[48];
    char completion[48];
    if (candidate->position != 0) {
        snprintf(position, sizeof position, "%u", candidate->position);
    }
    printf("%-4s %-40.*s %-32.*s %10s %10s", position,
           REMORA_SLICE_ARG(e->planned.plan.models[candidate->model].resolved),
           REMORA_SLICE_ARG(facts->tag), offline_price(prices[REMORA_PRICE_PROMPT], prompt),
           offline_price(prices[REMORA_PRICE_COMPLETION], completion));
    if (candidate->exclusion.rule != REMORA_RULE_NONE) {
        printf("  %s%s (%s)", remora_rule_name(candidate->exclusion.rule),
               candidate->exclusion.subject == NULL ? "" : candidate->exclusion.subject,
               remora_layer_name(candidate->exclusion.layer));
    }
    putchar('\n');
}

/* Those that are tried, in their order, then those that are out. */
static void print_text(const struct explain *e)
{
    printf("service %.*s, policy revision %.*s\n", REMORA_SLICE_ARG(e->offline.identity.service),
           REMORA_SLICE_ARG(e->offline.config->revision));
    printf("%-4s %-40s %-32s %10s %10s  %s\n", "TRY", "MODEL", "ENDPOINT", "PROMPT", "COMPLETION",
           "OUT BY (USD per million tokens)");
    for (size_t i = 0; i < e->planned.plan.order_count; i++) {
        print_candidate(e, &e->planned.plan.candidates[e->planned.plan.order[i]]);
    }
    for (size_t i = 0; i < e->planned.plan.candidate_count; i++) {
        if (e->planned.plan.candidates[i].position == 0) {
            print_candidate(e, &e->planned.plan.candidates[i]);
        }
    }
}

/* What stands before the first that is tried and is passed over. */
static void print_skipped(const struct explain *e)
{
    struct remora_skipped skipped[REMORA_SKIPPED_MAX];
    const struct remora_plan *plan = &e->planned.plan;
    if (plan->order_count == 0) {
        return;
    }
    size_t count = remora_plan_skipped(plan, plan->candidates[plan->order[0]].endpoint, skipped);
    for (size_t i = 0; i < remora_skipped_kept(count); i++) {
        const struct remora_endpoint *endpoint = skipped[i].endpoint;
        printf("passed over: %.*s%s%.*s (%s)\n", REMORA_SLICE_ARG(skipped[i].model),
               endpoint == NULL ? "" : " at ",
               endpoint == NULL ? 0 : (int)endpoint->facts.tag.length,
               endpoint == NULL ? "" : endpoint->facts.tag.data,
               remora_code_row(skipped[i].code)->name);
    }
}

/* ---- the whole ---- */

static enum remora_code plan(struct explain *e)
{
    struct offline *offline = &e->offline;
    struct remora_slice body;
    enum remora_code code = offline->input.read_file(offline->input.file_context, e->file,
                                                     &offline->arena, &body, &e->fail);
    if (code != REMORA_OK) {
        return REMORA_INVALID_REQUEST; /* whatever is wrong with the file */
    }
    return offline_plan(offline, body, &e->planned, &e->fail);
}

static int plan_and_print(struct explain *e)
{
    int status = status_of(plan(e));
    if (status != 0) {
        say(&e->fail, status);
    }
    if (status == 2) {
        return status;
    }
    if (strcmp(e->output, "json") != 0) {
        print_text(e);
        print_skipped(e);
        return status;
    }
    return print_json(e) ? status : 2;
}

static int explain(int argc, char **argv)
{
    struct explain e = {.output = "text", .fail = REMORA_FAIL_INIT};
    const struct offline_option options[] = {
        {"--config", &e.config},       {"-f", &e.file},
        {"--service", &e.who.service}, {"--namespace", &e.who.namespace_name},
        {"--key", &e.who.key},         {"-o", &e.output}};
    int status = offline_options(options, REMORA_COUNT_OF(options), usage, argc, argv);
    if (status >= 0) {
        return status;
    }
    if (e.file == NULL || (strcmp(e.output, "json") != 0 && strcmp(e.output, "text") != 0)) {
        fprintf(stderr, "usage: %s\n", usage);
        return 2;
    }
    status =
        offline_open(&e.offline, e.config, OFFLINE_KEYS_AS_HERE, &e.who) ? plan_and_print(&e) : 2;
    offline_close(&e.offline);
    return status;
}

int app_route(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "explain") != 0) {
        fprintf(stderr, "usage: %s\n", usage);
        return 2;
    }
    return explain(argc - 1, argv + 1);
}
