/* The dry run of a route, as JSON. */
#include "support.h"

#include "plan_fixture.h"
#include "remora/buf.h"
#include "remora/skin.h"

static struct plan_fixture f;

static int set_up(void **state)
{
    (void)state;
    plan_fixture_init(&f);
    struct remora_provider *alpha = plan_provider(&f, "alpha");
    struct remora_provider *beta = plan_provider(&f, "beta");
    struct remora_model *echo = plan_model(&f, "acme/echo-1");
    plan_endpoint(&f, echo, alpha, "alpha");
    plan_endpoint(&f, echo, beta, "beta/fast");
    f.request.model = S("acme/echo-1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plan_fixture_fini(&f);
    return 0;
}

static void expect(const char *json)
{
    struct remora_buf out;
    remora_buf_init(&out, 4096);
    const struct remora_explanation explanation = {.plan = &f.plan,
                                                   .service = S("checkout"),
                                                   .policy_revision = S("0123abcd"),
                                                   .fail = &f.fail};
    remora_explain_body(&explanation, &out);
    assert_int_equal(remora_buf_code(&out), REMORA_OK);
    assert_slice_equal(remora_buf_slice(&out), json);
    remora_buf_fini(&out);
}

static void every_endpoint_has_its_position_or_its_rule_and_layer(void **state)
{
    (void)state;
    plan_layer(&f, REMORA_LAYER_MESH)->provider.ignore = LIST(S("alpha"));
    assert_int_equal(plan_build(&f), REMORA_OK);
    expect("{\"resolved_models\":[\"acme/echo-1\"],\"candidates\":["
           "{\"model\":\"acme/echo-1\",\"provider\":\"alpha\",\"endpoint_tag\":\"alpha\","
           "\"position\":0,\"prompt_price\":\"0.000001\",\"completion_price\":\"0.000002\","
           "\"excluded_by\":\"ignored_provider\",\"layer\":\"POLICY_LAYER_MESH\"},"
           "{\"model\":\"acme/echo-1\",\"provider\":\"beta\",\"endpoint_tag\":\"beta/fast\","
           "\"position\":1,\"prompt_price\":\"0.000001\",\"completion_price\":\"0.000002\"}],"
           "\"effective_data_collection\":\"DATA_COLLECTION_ALLOW\",\"service\":\"checkout\","
           "\"policy_revision\":\"0123abcd\"}");
}

static void an_unknown_model_leaves_empty_lists_and_the_policy(void **state)
{
    (void)state;
    plan_layer(&f, REMORA_LAYER_SERVICE)->provider.data_collection = REMORA_DATA_DENY;
    f.request.model = S("acme/nothing");
    assert_int_equal(plan_build(&f), REMORA_MODEL_NOT_FOUND);
    expect("{\"resolved_models\":[],\"candidates\":[],"
           "\"effective_data_collection\":\"DATA_COLLECTION_DENY\",\"service\":\"checkout\","
           "\"policy_revision\":\"0123abcd\",\"reason\":\"MODEL_NOT_FOUND\","
           "\"message\":\"there is no model 'acme/nothing'\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_endpoint_has_its_position_or_its_rule_and_layer,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_model_leaves_empty_lists_and_the_policy, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
