/*
 * remora policy test: a table of expectations held against a configuration, so that a change of policy shows what it changes
 * before it is rolled out. Nothing is sent; health is that of a process that has just started.
 *
 *   config: remora.yaml              # beside this file; --config on the command line wins
 *   with_keys: true                  # keys of providers count as held where they are not (CI has none)
 *   cases:
 *     - name: checkout begins with our own server
 *       service: checkout            # or namespace, or key (the name of a gateway key)
 *       request: {model: acme/echo-1}        # a body of /v1/chat/completions; messages may be left out
 *       expect:
 *         endpoints: [acme, openai]          # these, in this order, and no others
 *         excluded: {deepseek: "data_policy:training mesh"}   # by this rule (and layer)
 *         reason: CONSTRAINT_FILTERED        # nothing is left, or the request is refused: with this reason
 *
 * An endpoint is written as its tag, or as "MODEL TAG" where models share one. Every case states something; what it does not
 * state may be as it likes. Exit status 0: all hold; 1: some do not, each told with what was found; 2: a file is wrong.
 */
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "remora/buf.h"
#include "remora/json.h"
#include "remora/limits.h"

enum { CASES_BYTES = 16 << 20, NAME_BYTES = 400, LINE_BYTES = 4096 };

static const char usage[] = "remora policy test [--config FILE] CASES.yaml";

struct run {
    struct offline offline;
    struct remora_arena arena; /* of the table of cases */
    struct remora_json_doc doc;
    const char *file;
    size_t held;
    size_t total;
};

/* One case and what became of it. */
struct trial {
    struct remora_json of;
    struct remora_json expect;
    struct offline_request planned;
    struct remora_fail fail; /* why nothing is left, or why the request is refused */
    bool is_planned;
    bool has_failed; /* an expectation does not hold; the first line was printed */
    char place[48];
    char name[NAME_BYTES];
};

static bool complain(const struct run *run, const char *place, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", run->file, place, what);
    return false;
}

/* ---- the table ---- */

/* False, and said, when the object has a key that is not among these. */
static bool has_only(const struct run *run, struct remora_json object, const char *place,
                     const char *const *keys)
{
    struct remora_json_iter it;
    if (!remora_json_is(object, REMORA_JSON_OBJECT)) {
        return complain(run, place, "expected a mapping");
    }
    remora_json_iter_begin(&it, object);
    while (remora_json_iter_next(&it)) {
        struct remora_slice raw = remora_json_raw(it.key);
        struct remora_guess guess;
        char hint[REMORA_GUESS_BYTES];
        char text[256];
        bool is_known = false;
        remora_guess_begin(&guess, remora_slice(raw.data + 1, raw.length - 2));
        for (size_t i = 0; keys[i] != NULL; i++) {
            is_known = is_known || remora_json_equals(it.key, keys[i]);
            remora_guess_offer(&guess, remora_slice_of(keys[i]), remora_slice_of(keys[i]));
        }
        if (!is_known) {
            snprintf(text, sizeof text, "unknown key %.*s%s",
                     raw.length < 100 ? (int)raw.length : 100, raw.data,
                     remora_guess_hint(&guess, hint));
            return complain(run, place, text);
        }
    }
    return true;
}

static struct remora_slice text_of(struct run *run, struct remora_json object, const char *key)
{
    struct remora_slice text = {NULL, 0};
    (void)!remora_json_string(remora_json_get(object, key), &run->arena, &text);
    return text;
}

static bool read_table(struct run *run)
{
    const struct remora_json_limits limits = {.depth = 40, .nodes = 1000000};
    struct remora_config_input input = {0};
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_slice yaml;
    struct remora_json_error error;
    struct remora_buf json;
    remora_config_input_system(&input);
    remora_buf_init(&json, CASES_BYTES);
    enum remora_code code =
        input.read_file(input.file_context, run->file, &run->arena, &yaml, &fail);
    if (code == REMORA_OK) {
        code = remora_yaml_to_json(yaml, &run->arena, &json, &fail);
    }
    struct remora_slice text = remora_arena_copy(&run->arena, remora_buf_slice(&json));
    remora_buf_fini(&json);
    if (code != REMORA_OK) {
        fprintf(stderr, "%s: %s%s%s\n", run->file, fail.param, fail.param[0] == '\0' ? "" : ": ",
                fail.message);
        return false;
    }
    if (remora_json_parse(text, &run->arena, &limits, &run->doc, &error) != REMORA_OK) {
        return complain(run, "cases", "too many, or nested too deep");
    }
    static const char *const keys[] = {"config", "with_keys", "cases", NULL};
    struct remora_json root = remora_json_root(&run->doc);
    if (!has_only(run, root, "document", keys)) {
        return false;
    }
    struct remora_json with_keys = remora_json_get(root, "with_keys");
    if (!remora_json_is_absent(with_keys) && !remora_json_is(with_keys, REMORA_JSON_BOOL)) {
        return complain(run, "with_keys", "expected true or false");
    }
    struct remora_json cases = remora_json_get(root, "cases");
    return remora_json_is(cases, REMORA_JSON_ARRAY) && remora_json_count(cases) > 0
               ? true
               : complain(run, "cases", "expected a list with at least one case");
}

/* ---- one case: shape ---- */

static bool check_texts(const struct run *run, const struct trial *t, const char *key)
{
    char what[64];
    struct remora_json value = remora_json_get(t->of, key);
    if (remora_json_is_absent(value) || remora_json_is(value, REMORA_JSON_STRING)) {
        return true;
    }
    snprintf(what, sizeof what, "%s: expected text", key);
    return complain(run, t->place, what);
}

static bool check_expect(const struct run *run, const struct trial *t)
{
    static const char *const keys[] = {"endpoints", "excluded", "reason", NULL};
    struct remora_json endpoints = remora_json_get(t->expect, "endpoints");
    struct remora_json excluded = remora_json_get(t->expect, "excluded");
    struct remora_json reason = remora_json_get(t->expect, "reason");
    if (remora_json_is_absent(t->expect)) {
        return complain(run, t->place, "needs expect: endpoints, excluded or reason");
    }
    if (!has_only(run, t->expect, t->place, keys)) {
        return false;
    }
    if (remora_json_count(t->expect) == 0) {
        return complain(run, t->place, "expects nothing: state endpoints, excluded or reason");
    }
    if (!remora_json_is_absent(endpoints) && !remora_json_is(endpoints, REMORA_JSON_ARRAY)) {
        return complain(run, t->place, "expect.endpoints: expected a list of tags");
    }
    if (!remora_json_is_absent(excluded) && !remora_json_is(excluded, REMORA_JSON_OBJECT)) {
        return complain(run, t->place, "expect.excluded: expected tags with \"RULE LAYER\"");
    }
    return remora_json_is_absent(reason) || remora_json_is(reason, REMORA_JSON_STRING)
               ? true
               : complain(run, t->place, "expect.reason: expected the name of a reason");
}

static bool read_case(struct run *run, struct remora_json value, size_t index, struct trial *t)
{
    static const char *const keys[] = {"name",    "service", "namespace", "key",
                                       "request", "expect",  NULL};
    *t = (struct trial){
        .of = value, .expect = remora_json_get(value, "expect"), .fail = REMORA_FAIL_INIT};
    snprintf(t->place, sizeof t->place, "cases[%zu]", index);
    if (!has_only(run, value, t->place, keys)) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        if (!check_texts(run, t, keys[i])) {
            return false;
        }
    }
    struct remora_slice name = text_of(run, value, "name");
    snprintf(t->name, sizeof t->name, "%s%s%.*s", t->place, name.length == 0 ? "" : " ",
             name.length < 300 ? (int)name.length : 300, name.data == NULL ? "" : name.data);
    if (!remora_json_is(remora_json_get(value, "request"), REMORA_JSON_OBJECT)) {
        return complain(run, t->place, "needs request, a body of /v1/chat/completions");
    }
    return check_expect(run, t);
}

/* ---- one case: its plan ---- */

/* The request as it stands, with a message where it has none: what is asked does not matter to a policy. */
static struct remora_slice body_of(struct run *run, const struct trial *t)
{
    struct remora_json request = remora_json_get(t->of, "request");
    struct remora_slice raw = remora_json_raw(request);
    if (!remora_json_is_absent(remora_json_get(request, "messages"))) {
        return raw;
    }
    return remora_arena_printf(
        &run->offline.arena, "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]%s%.*s",
        remora_json_count(request) == 0 ? "" : ",", (int)(raw.length - 1), raw.data + 1);
}

/* False, and said, when the case names a caller that there is not. */
static bool plan(struct run *run, struct trial *t)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_named_caller named = {
        .service = text_of(run, t->of, "service"),
        .namespace_name = text_of(run, t->of, "namespace"),
        .key = text_of(run, t->of, "key"),
    };
    if (offline_become(&run->offline, &named, &fail) != REMORA_OK) {
        return complain(run, t->place, fail.message);
    }
    remora_arena_reset(&run->offline.arena);
    enum remora_code code = offline_plan(&run->offline, body_of(run, t), &t->planned, &t->fail);
    t->is_planned = remora_plan_is_made(code);
    return true;
}

/* ---- one case: what is expected ---- */

static void say(struct trial *t, const char *what, const char *expected, const char *found)
{
    if (!t->has_failed) {
        printf("FAIL  %s\n", t->name);
    }
    t->has_failed = true;
    printf("      %s\n        expected  %s\n        found     %s\n", what, expected, found);
}

/* "acme/fast" or "acme/echo-1 acme/fast". */
static bool names(struct remora_slice text, const struct trial *t,
                  const struct remora_candidate *candidate)
{
    struct remora_slice model = t->planned.plan.models[candidate->model].resolved;
    struct remora_slice tag = candidate->endpoint->facts.tag;
    size_t blank = remora_slice_find(text, ' ', 0);
    if (blank == text.length) {
        return remora_slice_equal(text, tag);
    }
    return remora_slice_equal(remora_slice(text.data, blank), model) &&
           remora_slice_equal(remora_slice(text.data + blank + 1, text.length - blank - 1), tag);
}

static size_t candidate_count(const struct trial *t)
{
    return t->is_planned ? t->planned.plan.candidate_count : 0;
}

static size_t order_count(const struct trial *t)
{
    return t->is_planned ? t->planned.plan.order_count : 0;
}

static void list_found(const struct trial *t, char out[LINE_BYTES])
{
    size_t length = 0;
    snprintf(out, LINE_BYTES, "none");
    for (size_t i = 0; i < order_count(t) && length < LINE_BYTES - 1; i++) {
        const struct remora_candidate *c = &t->planned.plan.candidates[t->planned.plan.order[i]];
        struct remora_slice model = t->planned.plan.models[c->model].resolved;
        bool has_many = t->planned.plan.model_count > 1;
        int written = snprintf(out + length, LINE_BYTES - length, "%s%.*s%s%.*s",
                               i == 0 ? "" : ", ", has_many ? (int)model.length : 0, model.data,
                               has_many ? " " : "", REMORA_SLICE_ARG(c->endpoint->facts.tag));
        length += (size_t)written;
    }
}

static void list_expected(struct run *run, struct remora_json list, char out[LINE_BYTES])
{
    struct remora_json_iter it;
    size_t length = 0;
    snprintf(out, LINE_BYTES, "none");
    remora_json_iter_begin(&it, list);
    while (remora_json_iter_next(&it) && length < LINE_BYTES - 1) {
        struct remora_slice text = {NULL, 0};
        (void)!remora_json_string(it.value, &run->arena, &text);
        int written = snprintf(out + length, LINE_BYTES - length, "%s%.*s",
                               it.index == 0 ? "" : ", ", REMORA_SLICE_ARG(text));
        length += (size_t)written;
    }
}

static void expect_endpoints(struct run *run, struct trial *t)
{
    struct remora_json list = remora_json_get(t->expect, "endpoints");
    struct remora_json_iter it;
    if (remora_json_is_absent(list)) {
        return;
    }
    bool is_same = remora_json_count(list) == order_count(t);
    remora_json_iter_begin(&it, list);
    for (size_t i = 0; is_same && remora_json_iter_next(&it); i++) {
        struct remora_slice text = {NULL, 0};
        is_same = remora_json_string(it.value, &run->arena, &text) &&
                  names(text, t, &t->planned.plan.candidates[t->planned.plan.order[i]]);
    }
    if (!is_same) {
        static char expected[LINE_BYTES];
        static char found[LINE_BYTES];
        list_expected(run, list, expected);
        list_found(t, found);
        say(t, "endpoints in their order", expected, found);
    }
}

/* "RULE" or "RULE LAYER"; the layer as explain prints it, with or without POLICY_LAYER_, in any case. */
static bool is_reason(struct remora_slice text, const struct remora_exclusion *exclusion)
{
    static const struct remora_slice prefix = REMORA_SLICE_INIT("POLICY_LAYER_");
    char rule[128];
    size_t blank = remora_slice_find(text, ' ', 0);
    snprintf(rule, sizeof rule, "%s%s", remora_rule_name(exclusion->rule),
             exclusion->subject == NULL ? "" : exclusion->subject);
    if (!remora_slice_is(remora_slice(text.data, blank), rule)) {
        return false;
    }
    struct remora_slice layer = remora_slice_of(remora_layer_name(exclusion->layer));
    if (blank == text.length) {
        return true;
    }
    struct remora_slice asked = remora_slice(text.data + blank + 1, text.length - blank - 1);
    return remora_slice_equal_nocase(asked, layer) ||
           remora_slice_equal_nocase(
               asked, remora_slice(layer.data + prefix.length, layer.length - prefix.length));
}

static void expect_one_out(struct trial *t, struct remora_slice endpoint, struct remora_slice why)
{
    char what[400];
    char expected[200];
    char found[200] = "no such endpoint of what is asked for";
    for (size_t i = 0; i < candidate_count(t); i++) {
        const struct remora_candidate *c = &t->planned.plan.candidates[i];
        if (!names(endpoint, t, c)) {
            continue;
        }
        if (c->position == 0 && is_reason(why, &c->exclusion)) {
            return;
        }
        if (c->position != 0) {
            snprintf(found, sizeof found, "in, at position %u", c->position);
        } else {
            snprintf(found, sizeof found, "%s%s %s", remora_rule_name(c->exclusion.rule),
                     c->exclusion.subject == NULL ? "" : c->exclusion.subject,
                     remora_layer_name(c->exclusion.layer));
        }
        break;
    }
    snprintf(what, sizeof what, "why %.*s is out", REMORA_SLICE_ARG(endpoint));
    snprintf(expected, sizeof expected, "%.*s", REMORA_SLICE_ARG(why));
    say(t, what, expected, found);
}

static void expect_excluded(struct run *run, struct trial *t)
{
    struct remora_json_iter it;
    remora_json_iter_begin(&it, remora_json_get(t->expect, "excluded"));
    while (remora_json_iter_next(&it)) {
        struct remora_slice endpoint = {NULL, 0};
        struct remora_slice why = {NULL, 0};
        (void)!remora_json_string(it.key, &run->arena, &endpoint);
        (void)!remora_json_string(it.value, &run->arena, &why);
        expect_one_out(t, endpoint, why);
    }
}

static void expect_reason(struct run *run, struct trial *t)
{
    char expected[64];
    char found[400] = "endpoints are left";
    struct remora_json reason = remora_json_get(t->expect, "reason");
    const char *code = remora_code_row(t->fail.code)->name;
    if (t->fail.code != REMORA_OK) {
        snprintf(found, sizeof found, "%s: %s", code, t->fail.message);
    }
    if (!remora_json_is_absent(reason)) {
        struct remora_slice text = text_of(run, t->expect, "reason");
        if (!remora_slice_is(text, code)) {
            snprintf(expected, sizeof expected, "%.*s", REMORA_SLICE_ARG(text));
            say(t, "the reason that it is refused with", expected, found);
        }
    } else if (!t->is_planned) {
        say(t, "a request that is read", "a plan", found);
    }
}

/* ---- the whole ---- */

static bool run_case(struct run *run, struct remora_json value, size_t index)
{
    static struct trial t;
    if (!read_case(run, value, index, &t) || !plan(run, &t)) {
        return false;
    }
    expect_endpoints(run, &t);
    expect_excluded(run, &t);
    expect_reason(run, &t);
    if (!t.has_failed) {
        printf("ok    %s\n", t.name);
        run->held++;
    }
    run->total++;
    return true;
}

static int run_cases(struct run *run)
{
    struct remora_json_iter it;
    remora_json_iter_begin(&it, remora_json_get(remora_json_root(&run->doc), "cases"));
    while (remora_json_iter_next(&it)) {
        if (!run_case(run, it.value, it.index)) {
            return 2;
        }
    }
    printf("%zu of %zu cases hold\n", run->held, run->total);
    return run->held == run->total ? 0 : 1;
}

static enum offline_keys keys_of(const struct run *run)
{
    bool is_true = false;
    (void)!remora_json_bool(remora_json_get(remora_json_root(&run->doc), "with_keys"), &is_true);
    return is_true ? OFFLINE_KEYS_ASSUMED : OFFLINE_KEYS_AS_HERE;
}

/* What the command line says, else what the table says, beside the table. */
static const char *config_path(struct run *run, const char *stated)
{
    struct remora_slice named = text_of(run, remora_json_root(&run->doc), "config");
    if (stated != NULL || named.length == 0) {
        return stated;
    }
    if (named.data[0] == '/') {
        return remora_arena_copy(&run->arena, named).data;
    }
    struct remora_slice copy = remora_arena_copy(&run->arena, remora_slice_of(run->file));
    char *folder = copy.data == NULL ? NULL : dirname((char *)(uintptr_t)copy.data);
    return remora_arena_printf(&run->arena, "%s/%.*s", folder == NULL ? "." : folder,
                               REMORA_SLICE_ARG(named))
        .data;
}

static int policy_test(const char *config, const char *file)
{
    static struct run run;
    const struct offline_who who = {NULL, NULL, NULL};
    int status = 2;
    run.file = file;
    remora_arena_init(&run.arena, REMORA_LIMIT_REQUEST_CHUNK_BYTES, CASES_BYTES * 4);
    if (read_table(&run)) {
        status = offline_open(&run.offline, config_path(&run, config), keys_of(&run), &who)
                     ? run_cases(&run)
                     : 2;
        offline_close(&run.offline);
    }
    remora_arena_fini(&run.arena);
    return status;
}

int app_policy(int argc, char **argv)
{
    const char *config = NULL;
    const char *file = argc > 2 ? argv[argc - 1] : NULL;
    const struct offline_option options[] = {{"--config", &config}};
    if (argc < 3 || strcmp(argv[1], "test") != 0 || file[0] == '-') {
        fprintf(stderr, "usage: %s\n", usage);
        return 2;
    }
    int status = offline_options(options, REMORA_COUNT_OF(options), usage, argc - 2, argv + 1);
    return status >= 0 ? status : policy_test(config, file);
}
