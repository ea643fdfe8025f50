/* Names of models and providers as callers write them. */
#include "support.h"

#include "plan_fixture.h"

static struct plan_fixture f;
static const struct remora_model *found;
static enum remora_variant variant;

static int set_up(void **state)
{
    (void)state;
    plan_fixture_init(&f);
    plan_model(&f, "acme/echo-1");
    plan_model(&f, "acme/llama:8b");
    plan_model(&f, "beta/echo-1");
    plan_model(&f, "beta/parrot-2")->facts.canonical_slug = S("beta/2-parrot-20260101");
    plan_alias(&f, "echo", "acme/echo-1");
    plan_alias(&f, "cheap", "beta/parrot-2:free");
    plan_alias(&f, "loop", "echo");
    plan_alias(&f, "fast", "acme/echo-1:nitro");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plan_fixture_fini(&f);
    return 0;
}

static enum remora_code resolve(const char *asked)
{
    f.fail = (struct remora_fail)REMORA_FAIL_INIT;
    found = NULL;
    variant = REMORA_VARIANT_STANDARD;
    return remora_resolve_model(&f.config, &f.stack, remora_slice_of(asked), &found, &variant,
                                &f.fail);
}

static void expect(const char *asked, const char *id, enum remora_variant as)
{
    assert_int_equal(resolve(asked), REMORA_OK);
    assert_non_null(found);
    assert_slice_equal(found->facts.id, id);
    assert_int_equal(variant, as);
}

static void expect_fail(const char *asked, enum remora_code code, const char *message)
{
    assert_string_equal(remora_code_row(resolve(asked))->name, remora_code_row(code)->name);
    assert_null(found);
    assert_string_equal(f.fail.param, "model");
    if (strstr(f.fail.message, message) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", f.fail.message, message);
    }
}

static void an_exact_id_is_itself(void **state)
{
    (void)state;
    expect("acme/echo-1", "acme/echo-1", REMORA_VARIANT_STANDARD);
    expect("acme/llama:8b", "acme/llama:8b", REMORA_VARIANT_STANDARD);
    plan_alias(&f, "acme/echo-1", "beta/parrot-2");
    expect("acme/echo-1", "acme/echo-1", REMORA_VARIANT_STANDARD);
}

static void an_alias_stands_for_its_model(void **state)
{
    (void)state;
    expect("echo", "acme/echo-1", REMORA_VARIANT_STANDARD);
    expect("cheap", "beta/parrot-2", REMORA_VARIANT_FREE);
    expect("echo:free", "acme/echo-1", REMORA_VARIANT_FREE);
}

static void an_alias_of_the_whole_name_goes_before_one_of_its_stem(void **state)
{
    (void)state;
    plan_alias(&f, "echo:free", "beta/parrot-2");
    expect("echo:free", "beta/parrot-2", REMORA_VARIANT_STANDARD);
}

static void the_variant_of_an_alias_s_target_stays(void **state)
{
    (void)state;
    expect("cheap:nitro", "beta/parrot-2", REMORA_VARIANT_FREE);
    expect_fail("fast:free", REMORA_UNIMPLEMENTED, "':nitro'");
}

static void an_alias_does_not_name_another_alias(void **state)
{
    (void)state;
    expect_fail("loop", REMORA_MODEL_NOT_FOUND, "'echo'");
}

static void free_is_a_variant(void **state)
{
    (void)state;
    expect("beta/parrot-2:free", "beta/parrot-2", REMORA_VARIANT_FREE);
    expect("acme/llama:8b:free", "acme/llama:8b", REMORA_VARIANT_FREE);
    expect("parrot-2:free", "beta/parrot-2", REMORA_VARIANT_FREE);
}

static void variants_to_come_are_named(void **state)
{
    (void)state;
    expect_fail("beta/parrot-2:nitro", REMORA_UNIMPLEMENTED, "':nitro'");
    expect_fail("beta/parrot-2:floor", REMORA_UNIMPLEMENTED, "':floor'");
    expect_fail("beta/parrot-2:exacto", REMORA_UNIMPLEMENTED, "':exacto'");
    expect_fail("beta/parrot-2:online", REMORA_UNIMPLEMENTED, "':online'");
    expect_fail("beta/parrot-2:thinking", REMORA_UNIMPLEMENTED, "':thinking'");
    expect_fail("beta/parrot-2:extended", REMORA_UNIMPLEMENTED, "':extended'");
    expect_fail("beta/parrot-2:batch", REMORA_UNIMPLEMENTED, "':batch'");
    expect_fail("fast", REMORA_UNIMPLEMENTED, "':nitro'");
    expect_fail("echo:floor", REMORA_UNIMPLEMENTED, "':floor'");
}

static void routers_and_presets_to_come_are_named(void **state)
{
    (void)state;
    expect_fail("openrouter/auto", REMORA_UNIMPLEMENTED, "'openrouter/auto'");
    expect_fail("@preset/mine", REMORA_UNIMPLEMENTED, "presets");
    expect_fail("acme/echo-1@preset/mine", REMORA_UNIMPLEMENTED, "presets");
}

static void a_variant_s_word_alone_is_a_name(void **state)
{
    (void)state;
    expect_fail("free", REMORA_MODEL_NOT_FOUND, "free");
    expect_fail("nitro", REMORA_MODEL_NOT_FOUND, "nitro");
}

static void a_variant_that_nobody_knows_is_told_with_what_there_is(void **state)
{
    (void)state;
    plan_alias(&f, "p", "beta/parrot-2"); /* as short as a name can be */
    expect_fail("p:huge", REMORA_MODEL_NOT_FOUND, "no model variant is called ':huge'");
    expect_fail("beta/parrot-2:huge", REMORA_MODEL_NOT_FOUND,
                "no model variant is called ':huge'; did you mean 'beta/parrot-2'?");
    expect_fail("parrot-2:fre", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/parrot-2'?");
    expect_fail("echo:x", REMORA_MODEL_NOT_FOUND, "did you mean 'acme/echo-1'?");
    expect_fail("t/none:x", REMORA_MODEL_NOT_FOUND, "there is no model 't/none:x'");
    expect_fail(":x", REMORA_MODEL_NOT_FOUND, "there is no model ':x'");
    struct remora_provider *alpha = plan_provider(&f, "alpha");
    plan_endpoint(&f, &f.models[0], alpha, "alpha/paid");
    plan_endpoint(&f, &f.models[0], alpha, "alpha")->facts.is_free = true;
    expect_fail("acme/echo-1:x", REMORA_MODEL_NOT_FOUND,
                "did you mean 'acme/echo-1' or 'acme/echo-1:free'?");
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_deny = LIST(S("beta/*"));
    expect_fail("beta/parrot-2:huge", REMORA_MODEL_NOT_FOUND,
                "there is no model 'beta/parrot-2:huge'");
}

static void a_bare_id_resolves_when_it_is_unique(void **state)
{
    (void)state;
    expect("parrot-2", "beta/parrot-2", REMORA_VARIANT_STANDARD);
    expect("llama:8b", "acme/llama:8b", REMORA_VARIANT_STANDARD);
}

static void an_ambiguous_bare_id_tells_the_candidates(void **state)
{
    (void)state;
    expect_fail("echo-1", REMORA_MODEL_NOT_FOUND, "acme/echo-1, beta/echo-1");
}

/* One more of the name is in the catalog, and nobody here serves it. */
static void an_ambiguous_bare_id_is_not_looked_for_in_the_catalog(void **state)
{
    (void)state;
    plan_model(&f, "delta/claude-opus-4");
    plan_model(&f, "omega/claude-opus-4");
    expect_fail("claude-opus-4", REMORA_MODEL_NOT_FOUND,
                "name one of delta/claude-opus-4, omega/claude-opus-4");
}

static void more_candidates_than_a_message_holds_are_cut(void **state)
{
    static const char *const ids[] = {
        "maker-of-many-models-1/parrot-2", "maker-of-many-models-2/parrot-2",
        "maker-of-many-models-3/parrot-2", "maker-of-many-models-4/parrot-2",
        "maker-of-many-models-5/parrot-2", "maker-of-many-models-6/parrot-2",
        "maker-of-many-models-7/parrot-2", "maker-of-many-models-8/parrot-2"};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(ids); i++) {
        plan_model(&f, ids[i]);
    }
    expect_fail("parrot-2", REMORA_MODEL_NOT_FOUND, "beta/parrot-2, maker-of-many-models-1/");
    assert_null(strstr(f.fail.message, ids[7]));
}

static void a_bare_id_is_unique_among_what_the_service_may_use(void **state)
{
    (void)state;
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_allow = LIST(S("beta/*"));
    expect("echo-1", "beta/echo-1", REMORA_VARIANT_STANDARD);
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_allow = LIST(S("acme/*"));
    expect_fail("parrot-2", REMORA_MODEL_NOT_FOUND, "there is no model 'parrot-2'");
    expect("beta/parrot-2", "beta/parrot-2", REMORA_VARIANT_STANDARD);
}

static void a_bare_id_means_the_only_one_that_has_an_endpoint_left(void **state)
{
    (void)state;
    struct remora_provider *alpha = plan_provider(&f, "alpha");
    struct remora_provider *omega = plan_provider(&f, "omega");
    plan_endpoint(&f, &f.models[0], alpha, "alpha");
    plan_endpoint(&f, &f.models[2], omega, "omega");
    expect_fail("echo-1", REMORA_MODEL_NOT_FOUND, "acme/echo-1, beta/echo-1");
    plan_layer(&f, REMORA_LAYER_SERVICE)->provider.ignore = LIST(S("alpha"));
    expect("echo-1", "beta/echo-1", REMORA_VARIANT_STANDARD);
    expect_fail("echo-1:free", REMORA_MODEL_NOT_FOUND, "acme/echo-1, beta/echo-1");
    f.layers[REMORA_LAYER_SERVICE].provider.ignore = LIST(S("alpha"), S("omega"));
    expect_fail("echo-1", REMORA_MODEL_NOT_FOUND, "acme/echo-1, beta/echo-1");
    f.layers[REMORA_LAYER_SERVICE].provider.ignore = (struct remora_slices){0};
    f.layers[REMORA_LAYER_SERVICE].provider.order = LIST(S("alpha"));
    f.layers[REMORA_LAYER_SERVICE].provider.allow_fallbacks = REMORA_NO;
    expect("echo-1", "acme/echo-1", REMORA_VARIANT_STANDARD);
}

/* What a request asks for must not decide which model it means. */
static void the_request_does_not_make_a_bare_id_unique(void **state)
{
    (void)state;
    plan_endpoint(&f, &f.models[0], plan_provider(&f, "alpha"), "alpha");
    plan_endpoint(&f, &f.models[2], plan_provider(&f, "omega"), "omega");
    plan_layer(&f, REMORA_LAYER_REQUEST)->provider.ignore = LIST(S("alpha"));
    expect_fail("echo-1", REMORA_MODEL_NOT_FOUND, "acme/echo-1, beta/echo-1");
}

static void a_canonical_slug_is_a_name(void **state)
{
    (void)state;
    expect("beta/2-parrot-20260101", "beta/parrot-2", REMORA_VARIANT_STANDARD);
    expect("beta/2-parrot-20260101:free", "beta/parrot-2", REMORA_VARIANT_FREE);
    plan_alias(&f, "dated", "beta/2-parrot-20260101");
    expect("dated", "beta/parrot-2", REMORA_VARIANT_STANDARD);
}

static void case_is_what_callers_misspell(void **state)
{
    (void)state;
    expect_fail("Beta/Parrot-2", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/parrot-2'?");
}

static void a_near_name_is_offered(void **state)
{
    (void)state;
    expect_fail("beta/parot-2", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/parrot-2'?");
    expect_fail("parot-2", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/parrot-2'?");
    expect_fail("gamma/nothing-like-it", REMORA_MODEL_NOT_FOUND,
                "there is no model 'gamma/nothing-like-it'");
    assert_null(strstr(f.fail.message, "did you mean"));
    expect_fail("x", REMORA_MODEL_NOT_FOUND, "there is no model 'x'");
    assert_null(strstr(f.fail.message, "did you mean"));
}

static void names_that_are_as_near_are_all_offered(void **state)
{
    (void)state;
    plan_model(&f, "beta/parrot-3");
    plan_model(&f, "beta/parrot-4");
    expect_fail("beta/parrot-1", REMORA_MODEL_NOT_FOUND,
                "did you mean 'beta/parrot-2', 'beta/parrot-3' or 'beta/parrot-4'?");
}

/* openrouter.md 6: the newest of a family. */
static void the_newest_of_a_family_is_offered_for_its_latest(void **state)
{
    (void)state;
    f.models[3].facts.created_unix_s = 20;
    plan_model(&f, "beta/parrot-20b")->facts.created_unix_s = 30;
    plan_model(&f, "beta/parrots-9")->facts.created_unix_s = 40;
    expect_fail("~beta/parrot-latest", REMORA_UNIMPLEMENTED,
                "not built yet; name a model; did you mean 'beta/parrot-20b'?");
    expect_fail("~beta/nothing-latest", REMORA_UNIMPLEMENTED, "'~beta/nothing-latest'");
    assert_null(strstr(f.fail.message, "did you mean"));
    expect_fail("beta/parrot-latest", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/parrot-20b'?");
    expect_fail("parrot-latest", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/parrot-20b'?");
    expect_fail("parrot-2-latest", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/parrot-2'?");
    expect_fail("-latest", REMORA_MODEL_NOT_FOUND, "there is no model '-latest'");
    assert_null(strstr(f.fail.message, "did you mean"));
    expect_fail("~", REMORA_MODEL_NOT_FOUND, "there is no model '~'");
    /* The version may stand inside the name. */
    plan_model(&f, "beta/ara-flash-1.5")->facts.created_unix_s = 50;
    plan_model(&f, "beta/ara-3.6-flash")->facts.created_unix_s = 60;
    plan_model(&f, "beta/ara-3.7-flash-lite")->facts.created_unix_s = 70;
    plan_model(&f, "beta/ara-4-macaw")->facts.created_unix_s = 80;
    expect_fail("ara-flash-latest", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/ara-3.6-flash'?");
    expect_fail("beta/ara-flash-latest", REMORA_MODEL_NOT_FOUND,
                "did you mean 'beta/ara-3.6-flash'?");
    expect_fail("ara-flash-lite-latest", REMORA_MODEL_NOT_FOUND,
                "did you mean 'beta/ara-3.7-flash-lite'?");
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_deny = LIST(S("beta/parrot-20b"));
    expect_fail("~beta/parrot-latest", REMORA_UNIMPLEMENTED, "did you mean 'beta/parrot-2'?");
    plan_alias(&f, "~beta/parrot-latest", "beta/parrot-2");
    expect("~beta/parrot-latest", "beta/parrot-2", REMORA_VARIANT_STANDARD);
}

static void a_version_begins_with_any_digit(void **state)
{
    (void)state;
    plan_model(&f, "beta/wren-0-song")->facts.created_unix_s = 20;
    plan_model(&f, "beta/wren-song-1")->facts.created_unix_s = 10;
    expect_fail("wren-song-latest", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/wren-0-song'?");
    plan_model(&f, "beta/wren-9-song")->facts.created_unix_s = 30;
    expect_fail("wren-song-latest", REMORA_MODEL_NOT_FOUND, "did you mean 'beta/wren-9-song'?");
}

/* Google's name for the newest Flash, in a catalog that puts the version in the middle. */
static void the_newest_of_a_family_that_nobody_serves_is_told(void **state)
{
    (void)state;
    expect_fail("gemini-flash-latest", REMORA_MODEL_NOT_FOUND,
                "the catalog has 'google/gemini-3.5-flash', but no provider that is configured "
                "here serves it");
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_deny = LIST(S("google/gemini-3.5-flash"));
    expect_fail("gemini-flash-latest", REMORA_MODEL_NOT_FOUND,
                "the catalog has 'google/gemini-3-flash'");
}

static void a_near_name_of_the_catalog_is_offered_as_one_that_nobody_serves(void **state)
{
    (void)state;
    const char *words = "the catalog has 'anthropic/claude-opus-4', but no provider that is "
                        "configured here serves it";
    expect_fail("anthropic/claude-opsu-4", REMORA_MODEL_NOT_FOUND, words);
    assert_null(strstr(f.fail.message, "did you mean"));
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_deny = LIST(S("anthropic/*"));
    expect_fail("anthropic/claude-opsu-4", REMORA_MODEL_NOT_FOUND, "there is no model");
    assert_null(strstr(f.fail.message, "the catalog"));
}

static void a_name_that_the_service_may_not_use_is_not_offered(void **state)
{
    (void)state;
    plan_layer(&f, REMORA_LAYER_SERVICE)->models_deny = LIST(S("beta/*"));
    expect_fail("parot-2", REMORA_MODEL_NOT_FOUND, "there is no model 'parot-2'");
    assert_null(strstr(f.fail.message, "did you mean"));
}

static void a_model_that_nobody_configured_serves_has_no_endpoints(void **state)
{
    (void)state;
    struct remora_model_facts facts;
    char id[256];
    remora_catalog_model(0, &facts);
    memcpy(id, facts.id.data, facts.id.length);
    id[facts.id.length] = '\0';
    expect_fail(id, REMORA_NO_ENDPOINTS, id);
    expect_fail(strchr(id, '/') + 1, REMORA_NO_ENDPOINTS, id);
    expect_fail("anthropic/claude-opus-4", REMORA_NO_ENDPOINTS, "serves 'anthropic/claude-opus-4'");
    expect_fail("anthropic/claude-4-opus-20250522", REMORA_NO_ENDPOINTS,
                "serves 'anthropic/claude-opus-4'");
}

static void a_long_name_is_cut_in_the_message(void **state)
{
    (void)state;
    char name[301];
    memset(name, 'n', 300);
    name[300] = '\0';
    expect_fail(name, REMORA_MODEL_NOT_FOUND, "there is no model 'nnn");
    assert_null(strstr(f.fail.message, name + 219)); /* 81 of them */
}

static void a_name_with_control_characters_does_not_end_the_message(void **state)
{
    (void)state;
    f.fail = (struct remora_fail)REMORA_FAIL_INIT;
    assert_int_equal(remora_resolve_model(&f.config, &f.stack,
                                          remora_slice("beta/p\0rrot-2\n\x7f", 15), &found,
                                          &variant, &f.fail),
                     REMORA_MODEL_NOT_FOUND);
    assert_string_equal(f.fail.message, "there is no model 'beta/p?rrot-2?"
                                        "?'; did you mean 'beta/parrot-2'?");
    expect_fail("a b~c", REMORA_MODEL_NOT_FOUND, "there is no model 'a b~c'");
}

/* ---- whose a request was, whatever became of it ---- */

static void expect_named(const char *asked, const char *id)
{
    const struct remora_model *model = remora_model_named(&f.config, remora_slice_of(asked));
    assert_non_null(model);
    assert_slice_equal(model->facts.id, id);
}

static void a_model_is_known_by_each_of_its_names(void **state)
{
    (void)state;
    expect_named("beta/parrot-2", "beta/parrot-2");
    expect_named("acme/llama:8b", "acme/llama:8b");
    expect_named("beta/parrot-2:free", "beta/parrot-2");
    expect_named("beta/parrot-2:nitro", "beta/parrot-2");
    expect_named("beta/2-parrot-20260101", "beta/parrot-2");
    expect_named("parrot-2", "beta/parrot-2");
    expect_named("llama:8b", "acme/llama:8b");
    expect_named("echo", "acme/echo-1");
    expect_named("cheap", "beta/parrot-2");
}

static void a_name_of_several_models_or_of_none_names_none(void **state)
{
    (void)state;
    assert_null(remora_model_named(&f.config, S("echo-1")));
    assert_null(remora_model_named(&f.config, S("beta/none")));
    assert_null(remora_model_named(&f.config, S("none")));
    assert_null(remora_model_named(&f.config, S("")));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_exact_id_is_itself),
        CASE(an_alias_stands_for_its_model),
        CASE(an_alias_of_the_whole_name_goes_before_one_of_its_stem),
        CASE(the_variant_of_an_alias_s_target_stays),
        CASE(an_alias_does_not_name_another_alias),
        CASE(free_is_a_variant),
        CASE(variants_to_come_are_named),
        CASE(routers_and_presets_to_come_are_named),
        CASE(a_variant_s_word_alone_is_a_name),
        CASE(a_variant_that_nobody_knows_is_told_with_what_there_is),
        CASE(a_bare_id_resolves_when_it_is_unique),
        CASE(an_ambiguous_bare_id_tells_the_candidates),
        CASE(an_ambiguous_bare_id_is_not_looked_for_in_the_catalog),
        CASE(more_candidates_than_a_message_holds_are_cut),
        CASE(a_bare_id_is_unique_among_what_the_service_may_use),
        CASE(a_bare_id_means_the_only_one_that_has_an_endpoint_left),
        CASE(the_request_does_not_make_a_bare_id_unique),
        CASE(a_canonical_slug_is_a_name),
        CASE(case_is_what_callers_misspell),
        CASE(a_near_name_is_offered),
        CASE(names_that_are_as_near_are_all_offered),
        CASE(the_newest_of_a_family_is_offered_for_its_latest),
        CASE(a_version_begins_with_any_digit),
        CASE(the_newest_of_a_family_that_nobody_serves_is_told),
        CASE(a_near_name_of_the_catalog_is_offered_as_one_that_nobody_serves),
        CASE(a_name_that_the_service_may_not_use_is_not_offered),
        CASE(a_model_that_nobody_configured_serves_has_no_endpoints),
        CASE(a_long_name_is_cut_in_the_message),
        CASE(a_name_with_control_characters_does_not_end_the_message),
        CASE(a_model_is_known_by_each_of_its_names),
        CASE(a_name_of_several_models_or_of_none_names_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
