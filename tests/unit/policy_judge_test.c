/* Every rule of codes.md that policy asks: when it removes an endpoint, when it does not, and which layer is told. */
#include "support.h"

#include "plan_fixture.h"

struct world {
    struct plan_fixture f;
    struct remora_provider *provider;
    struct remora_model *model;
    struct remora_endpoint *endpoint;
    enum remora_variant variant;
};

static struct world world;

static int set_up(void **state)
{
    world = (struct world){0};
    plan_fixture_init(&world.f);
    world.provider = plan_provider(&world.f, "alpha");
    world.model = plan_model(&world.f, "acme/echo-1");
    world.endpoint = plan_endpoint(&world.f, world.model, world.provider, "alpha/fast");
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    plan_fixture_fini(&((struct world *)*state)->f);
    return 0;
}

static struct remora_exclusion judge(const struct world *w)
{
    struct remora_judge judge;
    struct remora_exclusion out;
    remora_judge_init(&judge, &w->f.stack, &w->f.request);
    remora_judge_model(&judge, w->model, w->variant);
    remora_policy_judge(&judge, w->endpoint, &out);
    return out;
}

static void expect_in(const struct world *w)
{
    struct remora_exclusion out = judge(w);
    assert_int_equal(out.rule, REMORA_RULE_NONE);
    assert_int_equal(out.layer, REMORA_LAYER_UNSET);
    assert_null(out.subject);
}

static void expect_out(const struct world *w, enum remora_rule rule, enum remora_layer layer)
{
    struct remora_exclusion out = judge(w);
    assert_string_equal(remora_rule_name(out.rule), remora_rule_name(rule));
    assert_string_equal(remora_layer_name(out.layer), remora_layer_name(layer));
}

static void expect_out_for(const struct world *w, enum remora_rule rule, enum remora_layer layer,
                           const char *subject)
{
    expect_out(w, rule, layer);
    assert_non_null(judge(w).subject);
    assert_string_equal(judge(w).subject, subject);
}

static struct remora_preferences *prefer(struct world *w, enum remora_layer layer)
{
    return &plan_layer(&w->f, layer)->provider;
}

static void an_endpoint_without_rules_stays(void **state)
{
    expect_in(*state);
}

static void a_wire_that_is_not_built_removes(void **state)
{
    struct world *w = *state;
    w->provider->facts.wire = REMORA_WIRE_COUNT;
    for (int wire = 0; wire < REMORA_WIRE_COUNT; wire++) {
        if (!remora_wire_is_built((enum remora_wire)wire)) {
            w->provider->facts.wire = (enum remora_wire)wire;
        }
    }
    expect_out(w, REMORA_RULE_UNSUPPORTED_WIRE, REMORA_LAYER_CATALOG);
}

static void a_provider_without_its_key_is_out(void **state)
{
    struct world *w = *state;
    w->provider->credential_count = 0;
    expect_out(w, REMORA_RULE_NO_CREDENTIAL, REMORA_LAYER_CATALOG);
    w->provider->needs_credential = false;
    expect_in(w);
    w->provider->disabled_why = "ALPHA_KEY is not set";
    expect_out(w, REMORA_RULE_NO_CREDENTIAL, REMORA_LAYER_CATALOG);
}

static void a_model_outside_an_allow_list_is_out(void **state)
{
    struct world *w = *state;
    struct remora_policy *service = plan_layer(&w->f, REMORA_LAYER_SERVICE);
    service->models_allow = LIST(S("acme/*"), S("beta/x"));
    expect_in(w);
    service->models_allow = LIST(S("beta/*"));
    expect_out(w, REMORA_RULE_MODEL_ALLOW_LIST, REMORA_LAYER_SERVICE);
    service->models_allow = (struct remora_slices){.is_set = true};
    expect_out(w, REMORA_RULE_MODEL_ALLOW_LIST, REMORA_LAYER_SERVICE);
}

static void allow_lists_of_all_layers_intersect(void **state)
{
    struct world *w = *state;
    plan_layer(&w->f, REMORA_LAYER_MESH)->models_allow = LIST(S("beta/*"));
    plan_layer(&w->f, REMORA_LAYER_SERVICE)->models_allow = LIST(S("acme/*"));
    expect_out(w, REMORA_RULE_MODEL_ALLOW_LIST, REMORA_LAYER_MESH);
}

static void deny_beats_allow(void **state)
{
    struct world *w = *state;
    struct remora_policy *key = plan_layer(&w->f, REMORA_LAYER_KEY);
    key->models_allow = LIST(S("acme/echo-1"));
    key->models_deny = LIST(S("*/echo-*"));
    expect_out(w, REMORA_RULE_MODEL_ALLOW_LIST, REMORA_LAYER_KEY);
}

static void a_free_pattern_speaks_of_the_free_variant_only(void **state)
{
    struct world *w = *state;
    plan_layer(&w->f, REMORA_LAYER_MESH)->models_deny = LIST(S("*:free"));
    expect_in(w);
    w->variant = REMORA_VARIANT_FREE;
    w->endpoint->facts.is_free = true;
    expect_out(w, REMORA_RULE_MODEL_ALLOW_LIST, REMORA_LAYER_MESH);
    w->f.layers[REMORA_LAYER_MESH].models_deny = LIST(S("acme/echo-2:free"), S("free"));
    expect_in(w);
}

static void free_endpoints_answer_free_requests_only(void **state)
{
    struct world *w = *state;
    w->endpoint->facts.is_free = true;
    expect_out(w, REMORA_RULE_FREE_VARIANT, REMORA_LAYER_CATALOG);
    w->variant = REMORA_VARIANT_FREE;
    expect_in(w);
    w->endpoint->facts.is_free = false;
    expect_out(w, REMORA_RULE_FREE_VARIANT, REMORA_LAYER_CATALOG);
}

static void send_part(struct world *w, const struct remora_part *part)
{
    static struct remora_message message;
    message = (struct remora_message){.role = REMORA_ROLE_USER, .parts = part, .part_count = 1};
    w->f.request.messages = &message;
    w->f.request.message_count = 1;
}

static void an_input_kind_that_the_model_does_not_take_removes(void **state)
{
    static const struct {
        enum remora_part_kind kind;
        uint32_t modality;
    } kinds[] = {{REMORA_PART_IMAGE, REMORA_MODALITY_IMAGE},
                 {REMORA_PART_AUDIO, REMORA_MODALITY_AUDIO},
                 {REMORA_PART_VIDEO, REMORA_MODALITY_VIDEO},
                 {REMORA_PART_FILE, REMORA_MODALITY_FILE}};
    struct world *w = *state;
    for (size_t i = 0; i < REMORA_COUNT_OF(kinds); i++) {
        const struct remora_part part = {.kind = kinds[i].kind};
        send_part(w, &part);
        w->model->facts.input_modalities = REMORA_MODALITY_TEXT;
        expect_out(w, REMORA_RULE_MODALITY, REMORA_LAYER_CATALOG);
        w->model->facts.input_modalities = REMORA_MODALITY_TEXT | kinds[i].modality;
        expect_in(w);
        w->model->facts.input_modalities = 0;
        expect_in(w);
    }
}

static void an_output_kind_that_the_model_does_not_give_removes(void **state)
{
    struct world *w = *state;
    w->f.request.output_modalities = LIST(S("text"), S("audio"));
    expect_out(w, REMORA_RULE_OUTPUT_MODALITY, REMORA_LAYER_CATALOG);
    w->model->facts.output_modalities |= REMORA_MODALITY_AUDIO;
    expect_in(w);
    w->model->facts.output_modalities = 0;
    expect_in(w);
}

static remora_parameter_set all_but(enum remora_parameter parameter)
{
    return REMORA_PARAMETERS_ALL & ~(UINT64_C(1) << parameter);
}

/* An answer in words alone is none to who asked for a picture; text is what everybody answers. */
static void an_output_kind_that_the_endpoint_cannot_be_asked_for_removes(void **state)
{
    struct world *w = *state;
    w->model->facts.output_modalities = 0;
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_MODALITIES);
    w->f.request.output_modalities = LIST(S("text"), S("image"));
    remora_request_ask(&w->f.request, REMORA_PARAMETER_MODALITIES);
    expect_out_for(w, REMORA_RULE_SUPPORTED_PARAMETERS, REMORA_LAYER_CATALOG, "modalities");
    w->f.request.output_modalities = LIST(S("audio"));
    expect_out_for(w, REMORA_RULE_SUPPORTED_PARAMETERS, REMORA_LAYER_CATALOG, "modalities");
    w->endpoint->facts.supported = REMORA_PARAMETERS_ALL;
    expect_in(w);
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_MODALITIES);
    w->f.request.output_modalities = LIST(S("text"));
    expect_in(w);
}

static void embeddings_need_a_model_that_makes_them(void **state)
{
    struct world *w = *state;
    w->f.request.operation = REMORA_OPERATION_EMBED;
    expect_out(w, REMORA_RULE_OUTPUT_MODALITY, REMORA_LAYER_CATALOG);
    w->model->facts.output_modalities = REMORA_MODALITY_EMBEDDINGS;
    expect_in(w);
    w->f.request.operation = REMORA_OPERATION_CHAT;
    expect_out(w, REMORA_RULE_OUTPUT_MODALITY, REMORA_LAYER_CATALOG);
}

enum { TOKENS = 100, BOUND = TOKENS * 16 };

static void text_is_too_long_beyond_sixteen_bytes_a_token(void **state)
{
    static char words[BOUND + 16];
    struct world *w = *state;
    memset(words, 'a', sizeof words);
    w->endpoint->facts.context_length = TOKENS;
    struct remora_part part = {.kind = REMORA_PART_TEXT, .text = {words, BOUND + 15}};
    send_part(w, &part);
    expect_in(w);
    part.text.length = BOUND + 16;
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
    w->endpoint->facts.context_length = TOKENS + 1;
    expect_in(w);
    w->endpoint->facts.max_prompt_tokens = TOKENS;
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
}

static void an_endpoint_without_a_window_has_its_models(void **state)
{
    static char words[BOUND + 16];
    struct world *w = *state;
    memset(words, 'a', sizeof words);
    const struct remora_part part = {.kind = REMORA_PART_TEXT, .text = {words, sizeof words}};
    send_part(w, &part);
    w->model->facts.context_length = TOKENS;
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
    w->model->facts.context_length = 0;
    expect_in(w);
}

static void runs_of_blanks_and_marks_do_not_make_a_text_too_long(void **state)
{
    static char words[4 * BOUND];
    struct world *w = *state;
    w->endpoint->facts.context_length = TOKENS;
    const struct remora_part part = {.kind = REMORA_PART_TEXT, .text = {words, sizeof words}};
    send_part(w, &part);
    for (size_t i = 0; i < sizeof words; i++) {
        words[i] = " \t\n\r"[i % 4];
    }
    expect_in(w);
    memset(words, '-', sizeof words);
    expect_in(w);
    memset(words, '\xc3', sizeof words);
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
    memset(words, '\x80', sizeof words); /* the first byte that is no ASCII is one of a word too */
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
    memset(words, '\x7f', sizeof words);
    expect_in(w);
    for (size_t i = 0; i < sizeof words; i++) {
        words[i] = "-+"[i % 2];
    }
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
}

static void blanks_beside_a_text_that_just_fits_do_not_matter(void **state)
{
    static char words[BOUND + 15 + 64];
    struct world *w = *state;
    memset(words, 'a', BOUND + 14);
    memset(words + BOUND + 14, ' ', 65);
    w->endpoint->facts.context_length = TOKENS;
    const struct remora_part part = {.kind = REMORA_PART_TEXT, .text = {words, sizeof words}};
    send_part(w, &part);
    expect_in(w);
    words[sizeof words - 1] = 'a';
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
}

/* The ends of the ranges, and what stands beside them. */
static void letters_and_digits_are_of_words_and_their_neighbours_are_marks(void **state)
{
    static char words[BOUND + 16];
    struct world *w = *state;
    w->endpoint->facts.context_length = TOKENS;
    const struct remora_part part = {.kind = REMORA_PART_TEXT, .text = {words, sizeof words}};
    send_part(w, &part);
    for (const char *c = "azAZ09"; *c != '\0'; c++) {
        memset(words, *c, sizeof words);
        expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
    }
    for (const char *c = "`{@[/:"; *c != '\0'; c++) {
        memset(words, *c, sizeof words);
        expect_in(w);
    }
}

static void every_part_of_a_message_is_looked_at(void **state)
{
    struct world *w = *state;
    const struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT, .text = S("what is this?")},
        {.kind = REMORA_PART_IMAGE},
        {.kind = REMORA_PART_TEXT, .text = S("and why?")},
    };
    const struct remora_message message = {.parts = parts, .part_count = 3};
    w->f.request.messages = &message;
    w->f.request.message_count = 1;
    expect_out(w, REMORA_RULE_MODALITY, REMORA_LAYER_CATALOG);
}

static void texts_of_all_messages_count_together(void **state)
{
    static char words[BOUND + 16];
    struct world *w = *state;
    memset(words, 'Z', sizeof words);
    w->endpoint->facts.context_length = TOKENS;
    const struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT, .text = {words, BOUND / 2 + 8}},
        {.kind = REMORA_PART_TEXT, .text = {words, BOUND / 2 + 8}},
    };
    const struct remora_message messages[] = {{.parts = &parts[0], .part_count = 1},
                                              {.parts = &parts[1], .part_count = 1}};
    w->f.request.messages = messages;
    w->f.request.message_count = 1;
    expect_in(w);
    w->f.request.message_count = 2;
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
    const struct remora_message both = {.parts = parts, .part_count = 2};
    w->f.request.messages = &both;
    w->f.request.message_count = 1;
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
}

static void inputs_of_embeddings_count_one_by_one(void **state)
{
    static char words[BOUND + 16];
    struct world *w = *state;
    memset(words, '0', sizeof words);
    w->endpoint->facts.context_length = TOKENS;
    w->model->facts.output_modalities = REMORA_MODALITY_EMBEDDINGS;
    struct remora_embed_input inputs[2] = {{.text = {words, BOUND}}, {.text = {words, BOUND}}};
    w->f.request.operation = REMORA_OPERATION_EMBED;
    w->f.request.inputs = inputs;
    w->f.request.input_count = 2;
    expect_in(w);
    inputs[0].text.length = BOUND + 16;
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
    inputs[0].text.length = 1;
    inputs[1].text.length = BOUND + 16;
    expect_out(w, REMORA_RULE_CONTEXT_LENGTH, REMORA_LAYER_CATALOG);
    inputs[0] = (struct remora_embed_input){.kind = REMORA_EMBED_IMAGE};
    expect_out(w, REMORA_RULE_MODALITY, REMORA_LAYER_CATALOG);
}

static void more_output_than_the_endpoint_gives_removes(void **state)
{
    struct world *w = *state;
    w->f.request.sampling.max_output_tokens = (struct remora_opt_i64){.value = 501, .is_set = true};
    expect_in(w);
    w->endpoint->facts.max_completion_tokens = 500;
    expect_out(w, REMORA_RULE_OUTPUT_LIMIT, REMORA_LAYER_CATALOG);
    w->f.request.sampling.max_output_tokens.value = 500;
    expect_in(w);
}

static void more_output_than_the_window_holds_removes(void **state)
{
    struct world *w = *state;
    w->f.request.sampling.max_output_tokens = (struct remora_opt_i64){.value = 301, .is_set = true};
    w->endpoint->facts.context_length = 300;
    expect_out(w, REMORA_RULE_OUTPUT_LIMIT, REMORA_LAYER_CATALOG);
    w->endpoint->facts.context_length = 301;
    expect_in(w);
    w->endpoint->facts.context_length = 0;
    w->model->facts.context_length = 300;
    expect_out(w, REMORA_RULE_OUTPUT_LIMIT, REMORA_LAYER_CATALOG);
    w->model->facts.context_length = 0;
    expect_in(w);
}

static void only_keeps_what_every_layer_names(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_MESH)->only = LIST(S("beta"), S("alpha"));
    prefer(w, REMORA_LAYER_REQUEST)->only = LIST(S("alpha/fast"));
    expect_in(w);
    w->f.layers[REMORA_LAYER_REQUEST].provider.only = LIST(S("alpha/slow"));
    expect_out(w, REMORA_RULE_ALLOWED_PROVIDERS, REMORA_LAYER_REQUEST);
    w->f.layers[REMORA_LAYER_MESH].provider.only = (struct remora_slices){.is_set = true};
    expect_out(w, REMORA_RULE_ALLOWED_PROVIDERS, REMORA_LAYER_MESH);
}

static void ignore_of_any_layer_removes(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_NAMESPACE)->ignore = LIST(S("beta"));
    prefer(w, REMORA_LAYER_KEY)->ignore = LIST(S("beta"), S("alpha"));
    expect_out(w, REMORA_RULE_IGNORED_PROVIDER, REMORA_LAYER_KEY);
    w->f.layers[REMORA_LAYER_KEY].provider.ignore = LIST(S("alpha/slow"));
    expect_in(w);
}

static void denied_data_collection_needs_a_provider_known_not_to_train(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_SERVICE)->data_collection = REMORA_DATA_DENY;
    prefer(w, REMORA_LAYER_REQUEST)->data_collection = REMORA_DATA_ALLOW;
    expect_out(w, REMORA_RULE_TRAINING, REMORA_LAYER_SERVICE);
    w->provider->facts.data_policy.training = REMORA_YES;
    expect_out(w, REMORA_RULE_TRAINING, REMORA_LAYER_SERVICE);
    w->provider->facts.data_policy.training = REMORA_NO;
    expect_in(w);
}

static void zdr_needs_a_provider_known_to_retain_nothing(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_MESH)->zdr = REMORA_NO;
    expect_in(w);
    prefer(w, REMORA_LAYER_KEY)->zdr = REMORA_YES;
    prefer(w, REMORA_LAYER_REQUEST)->zdr = REMORA_NO;
    expect_out(w, REMORA_RULE_ZDR, REMORA_LAYER_KEY);
    w->provider->facts.data_policy.zdr = REMORA_NO;
    expect_out(w, REMORA_RULE_ZDR, REMORA_LAYER_KEY);
    w->provider->facts.data_policy.zdr = REMORA_YES;
    expect_in(w);
}

static void nobody_is_known_to_be_distillable(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_NAMESPACE)->enforce_distillable_text = REMORA_NO;
    expect_in(w);
    prefer(w, REMORA_LAYER_REQUEST)->enforce_distillable_text = REMORA_YES;
    expect_out(w, REMORA_RULE_DISTILLABLE, REMORA_LAYER_REQUEST);
    w->model->facts.distillable = REMORA_NO;
    expect_out(w, REMORA_RULE_DISTILLABLE, REMORA_LAYER_REQUEST);
}

static void a_model_that_the_operator_knows_to_be_distillable_stays(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_MESH)->enforce_distillable_text = REMORA_YES;
    w->model->facts.distillable = REMORA_YES;
    expect_in(w);
}

static void a_region_of_the_endpoint_is_more_than_the_seat(void **state)
{
    static const struct {
        const char *asked;
        const char *region;
        bool is_in;
    } rows[] = {
        {"eu", "eu", true},
        {"EU", "eu", true},
        {"us", "eu", false},
        {"us", "us-east5", true},
        {"us-east5", "us-east5", true},
        {"us-east1", "us-east5", false},
        {"eu", "europe-west1", true},
        {"eu", "eu-central-1", true},
        {"de", "eu", false},
        {"eu", "DE", true},
        {"eu", "pl", true},
        {"eu", "CH", false},
        {"eu", "global", false},
        {"us", "global", false},
        {"global", "global", true},
        {"eu", "eur", false},
        {"eu", "eu-west-2", false},
        {"gb", "eu-west-2", true},
        {"eu", "europe-west2", false},
        {"europe", "europe-west2", true},
        {"eu", "westeurope", true},
        {"us", "asia-east1", false},
        {"us", "us-nowhere9", false},
        {"us-nowhere9", "us-nowhere9", true},
        {"ME", "me-south-1", false},
        {"GB", "uk", true},
        {"UK", "eu-west-2", true},
        {"uk", "uk", true},
        {"", "global", false},
    };
    struct world *w = *state;
    w->provider->facts.headquarters = S("US");
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        prefer(w, REMORA_LAYER_SERVICE)->regions = LIST(remora_slice_of(rows[i].asked));
        w->endpoint->facts.region = remora_slice_of(rows[i].region);
        remora_place_country(w->endpoint->facts.region, w->endpoint->facts.country);
        print_message("%s in %s\n", rows[i].region, rows[i].asked);
        if (rows[i].is_in) {
            expect_in(w);
        } else {
            expect_out(w, REMORA_RULE_DATA_REGION, REMORA_LAYER_SERVICE);
        }
    }
    w->endpoint->facts.region = S("");
    prefer(w, REMORA_LAYER_SERVICE)->regions = LIST(S("us"));
    expect_in(w);
}

static void a_region_is_the_known_seat_of_the_provider(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_MESH)->regions = LIST(S("FR"), S("nl"));
    expect_out(w, REMORA_RULE_DATA_REGION, REMORA_LAYER_MESH);
    w->provider->facts.headquarters = S("NL");
    expect_in(w);
    prefer(w, REMORA_LAYER_REQUEST)->regions = LIST(S("FR"));
    expect_out(w, REMORA_RULE_DATA_REGION, REMORA_LAYER_REQUEST);
    prefer(w, REMORA_LAYER_REQUEST)->regions = LIST(S("eu")); /* where the Netherlands lie */
    expect_in(w);
}

/* It may take a server anywhere; what is said of the endpoint itself counts. */
static void a_router_s_seat_says_nothing_of_who_answers(void **state)
{
    struct world *w = *state;
    w->provider->facts.headquarters = S("FR");
    prefer(w, REMORA_LAYER_MESH)->regions = LIST(S("FR"));
    expect_in(w);
    w->provider->facts.is_router = true;
    expect_out(w, REMORA_RULE_DATA_REGION, REMORA_LAYER_MESH);
    w->provider->facts.is_router = false;
    w->provider->facts.dialect = S("openrouter");
    expect_out(w, REMORA_RULE_DATA_REGION, REMORA_LAYER_MESH);
    w->endpoint->facts.region = S("FR");
    remora_place_country(w->endpoint->facts.region, w->endpoint->facts.country);
    expect_in(w);
}

static void an_empty_region_does_not_name_an_unknown_seat(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_MESH)->regions = LIST(S(""));
    expect_out(w, REMORA_RULE_DATA_REGION, REMORA_LAYER_MESH);
}

static bool takes_quantization(struct world *w, struct remora_slice asked, struct remora_slice has)
{
    prefer(w, REMORA_LAYER_SERVICE)->quantizations = LIST(S("int4"), asked);
    w->endpoint->facts.quantization = has;
    return judge(w).rule == REMORA_RULE_NONE;
}

static void quantizations_cover_their_kinds(void **state)
{
    struct world *w = *state;
    assert_true(takes_quantization(w, S("bf16"), S("bf16")));
    assert_true(takes_quantization(w, S("fp4"), S("mxfp4")));
    assert_true(takes_quantization(w, S("fp4"), S("nvfp4")));
    assert_true(takes_quantization(w, S("fp8"), S("mxfp8")));
    assert_true(takes_quantization(w, S("unknown"), S("")));
    assert_true(takes_quantization(w, S("unknown"), S("unknown")));
    assert_false(takes_quantization(w, S("mxfp4"), S("fp4")));
    assert_false(takes_quantization(w, S("fp8"), S("mxfp4")));
    assert_false(takes_quantization(w, S("fp4"), S("mxfp8")));
    assert_false(takes_quantization(w, S("fp16"), S("mxfp8")));
    assert_false(takes_quantization(w, S("bf16"), S("")));
}

static void quantizations_of_all_layers_intersect(void **state)
{
    struct world *w = *state;
    w->endpoint->facts.quantization = S("fp8");
    prefer(w, REMORA_LAYER_MESH)->quantizations = LIST(S("fp8"), S("bf16"));
    prefer(w, REMORA_LAYER_REQUEST)->quantizations = LIST(S("bf16"));
    expect_out(w, REMORA_RULE_QUANTIZATION, REMORA_LAYER_REQUEST);
}

static void cap(struct world *w, enum remora_layer layer, enum remora_price_cap key, int64_t pico)
{
    w->f.layers[layer].provider.max_price_pico_usd[key] = pico;
}

static void a_price_above_any_cap_removes(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_MESH);
    prefer(w, REMORA_LAYER_REQUEST);
    cap(w, REMORA_LAYER_MESH, REMORA_CAP_PROMPT, 1000000);
    cap(w, REMORA_LAYER_REQUEST, REMORA_CAP_PROMPT, 5000000);
    cap(w, REMORA_LAYER_REQUEST, REMORA_CAP_COMPLETION, 2000000);
    expect_in(w);
    cap(w, REMORA_LAYER_REQUEST, REMORA_CAP_COMPLETION, 1999999);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_REQUEST, "completion");
    cap(w, REMORA_LAYER_MESH, REMORA_CAP_PROMPT, 999999);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_MESH, "prompt");
    cap(w, REMORA_LAYER_REQUEST, REMORA_CAP_PROMPT, 0);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_MESH, "prompt");
}

static void a_cap_of_zero_lets_only_what_costs_nothing_pass(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_KEY);
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_PROMPT, 0);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "prompt");
    plan_price(w->endpoint, REMORA_PRICE_PROMPT, 0);
    expect_in(w);
}

static void an_unknown_price_passes_no_cap(void **state)
{
    struct world *w = *state;
    plan_price(w->endpoint, REMORA_PRICE_PROMPT, -1);
    plan_price(w->endpoint, REMORA_PRICE_COMPLETION, -1);
    prefer(w, REMORA_LAYER_KEY);
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_COMPLETION, INT64_MAX);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "completion");
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_COMPLETION, -1);
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_AUDIO, INT64_MAX);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "audio");
    plan_price(w->endpoint, REMORA_PRICE_IMAGE,
               REMORA_PRICE_UNKNOWN); /* not absent, which is free */
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_IMAGE, INT64_MAX);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "image");
}

static void prices_per_item_are_capped_as_they_are_billed(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_KEY);
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_REQUEST, 0);
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_IMAGE, 0);
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_AUDIO, 1000000);
    expect_in(w);
    plan_price(w->endpoint, REMORA_PRICE_INPUT_AUDIO, 1000001);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "audio");
    plan_price(w->endpoint, REMORA_PRICE_IMAGE, 1);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "image");
    plan_price(w->endpoint, REMORA_PRICE_REQUEST, 1);
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "request");
}

/* Who asks for a tier buys at another list: the cap of nobody is held against prices that are not known. */
static void a_service_tier_whose_price_nobody_knows_passes_no_cap(void **state)
{
    static const struct {
        enum remora_price_cap cap;
        const char *name;
    } caps[] = {{REMORA_CAP_PROMPT, "prompt"},
                {REMORA_CAP_COMPLETION, "completion"},
                {REMORA_CAP_REQUEST, "request"},
                {REMORA_CAP_IMAGE, "image"},
                {REMORA_CAP_AUDIO, "audio"}};
    static const char *const tiers[] = {"priority", "flex", "scale"};
    struct world *w = *state;
    for (size_t i = 0; i < REMORA_COUNT_OF(tiers); i++) {
        w->f.request.service_tier = remora_slice_of(tiers[i]);
        expect_in(w); /* nobody caps */
    }
    prefer(w, REMORA_LAYER_MESH);
    for (size_t at = 0; at < REMORA_COUNT_OF(caps); at++) {
        cap(w, REMORA_LAYER_MESH, caps[at].cap, INT64_MAX);
        for (size_t i = 0; i < REMORA_COUNT_OF(tiers); i++) {
            w->f.request.service_tier = remora_slice_of(tiers[i]);
            expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_MESH, caps[at].name);
        }
        w->f.request.service_tier = S("default");
        expect_in(w);
        cap(w, REMORA_LAYER_MESH, caps[at].cap, -1);
    }
}

static void a_service_tier_passes_a_cap_where_it_is_the_endpoints_or_is_not_bought(void **state)
{
    struct world *w = *state;
    prefer(w, REMORA_LAYER_KEY);
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_PROMPT, INT64_MAX);
    w->f.request.service_tier = S("priority");
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "prompt");
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_SERVICE_TIER);
    expect_in(w); /* it is left out: the list price is what is paid */
    w->endpoint->facts.supported = REMORA_PARAMETERS_ALL;
    w->endpoint->facts.tag = S("alpha/priority");
    expect_in(w);
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_PROMPT, 0); /* and its price counts */
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "prompt");
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_PROMPT, INT64_MAX);
    w->f.request.service_tier = S("default"); /* is not what its prices are of */
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "prompt");
}

/* Sound is billed as nobody knows where its price is not stated; who sends none pays none. */
static void sound_without_a_price_passes_no_cap_of_sound(void **state)
{
    static const struct remora_part part = {.kind = REMORA_PART_AUDIO};
    static const struct remora_message message = {
        .role = REMORA_ROLE_USER, .parts = &part, .part_count = 1};
    struct world *w = *state;
    w->model->facts.input_modalities |= REMORA_MODALITY_AUDIO;
    prefer(w, REMORA_LAYER_KEY);
    cap(w, REMORA_LAYER_KEY, REMORA_CAP_AUDIO, INT64_MAX);
    expect_in(w);
    w->f.request.messages = &message;
    w->f.request.message_count = 1;
    expect_out_for(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_KEY, "audio");
    plan_price(w->endpoint, REMORA_PRICE_INPUT_AUDIO, 7);
    expect_in(w);
    plan_price(w->endpoint, REMORA_PRICE_INPUT_AUDIO, -1);
    plan_price(w->endpoint, REMORA_PRICE_PROMPT, 0); /* where prompts are free, so is sound */
    expect_in(w);
}

static void required_parameters_remove_who_lacks_one(void **state)
{
    struct world *w = *state;
    remora_request_ask(&w->f.request, REMORA_PARAMETER_TOP_P);
    remora_request_ask(&w->f.request, REMORA_PARAMETER_SEED);
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_SEED);
    expect_in(w);
    prefer(w, REMORA_LAYER_NAMESPACE)->require_parameters = REMORA_YES;
    prefer(w, REMORA_LAYER_REQUEST)->require_parameters = REMORA_NO;
    expect_out_for(w, REMORA_RULE_REQUIRE_PARAMETERS, REMORA_LAYER_NAMESPACE, "seed");
    w->endpoint->facts.supported &= all_but(REMORA_PARAMETER_TOP_P);
    expect_out_for(w, REMORA_RULE_REQUIRE_PARAMETERS, REMORA_LAYER_NAMESPACE, "top_p");
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_TOOLS);
    expect_in(w);
}

static void required_further_fields_remove_who_would_drop_one(void **state)
{
    static const struct remora_pair extra[] = {
        {REMORA_SLICE_INIT("safe_prompt"), REMORA_SLICE_INIT("true")},
        {REMORA_SLICE_INIT("foo"), REMORA_SLICE_INIT("1")},
    };
    struct world *w = *state;
    w->f.request.extra = extra;
    w->f.request.extra_count = 1;
    w->provider->facts.dialect = S("mistral");
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_SEED);
    prefer(w, REMORA_LAYER_REQUEST)->require_parameters = REMORA_YES;
    expect_in(w); /* its own field */
    w->f.request.extra_count = 2;
    expect_out_for(w, REMORA_RULE_REQUIRE_PARAMETERS, REMORA_LAYER_REQUEST, "further_fields");
    w->provider->facts.dialect = S("vllm"); /* open, but for its list */
    expect_out_for(w, REMORA_RULE_REQUIRE_PARAMETERS, REMORA_LAYER_REQUEST, "further_fields");
    w->endpoint->facts.supported = REMORA_PARAMETERS_ALL;
    expect_in(w);
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_SEED);
    prefer(w, REMORA_LAYER_REQUEST)->require_parameters = REMORA_NO;
    expect_in(w);
}

static void a_required_cache_mark_removes_who_takes_none(void **state)
{
    struct world *w = *state;
    w->f.request.cache.is_set = true;
    w->provider->facts.dialect = S("mistral");
    expect_in(w);
    prefer(w, REMORA_LAYER_REQUEST)->require_parameters = REMORA_YES;
    expect_out_for(w, REMORA_RULE_REQUIRE_PARAMETERS, REMORA_LAYER_REQUEST, "cache_control");
    w->provider->facts.dialect = S("qwen");
    expect_in(w);
}

/* The catalog's lists have no word for it: who is not known to take it would lose it all the same. */
static void whose_endpoint_it_is_makes_no_difference_to_what_it_would_lose(void **state)
{
    struct world *w = *state;
    remora_request_ask(&w->f.request, REMORA_PARAMETER_N);
    prefer(w, REMORA_LAYER_REQUEST)->require_parameters = REMORA_YES;
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_N);
    w->endpoint->is_own = false;
    expect_out_for(w, REMORA_RULE_REQUIRE_PARAMETERS, REMORA_LAYER_REQUEST, "n");
    w->endpoint->is_own = true;
    expect_out_for(w, REMORA_RULE_REQUIRE_PARAMETERS, REMORA_LAYER_REQUEST, "n");
    w->endpoint->facts.supported = REMORA_PARAMETERS_ALL; /* no list at all */
    expect_in(w);
}

static void tools_are_never_left_out(void **state)
{
    struct world *w = *state;
    remora_request_ask(&w->f.request, REMORA_PARAMETER_SEED);
    remora_request_ask(&w->f.request, REMORA_PARAMETER_TOOLS);
    w->endpoint->facts.supported = 0;
    expect_out_for(w, REMORA_RULE_SUPPORTED_PARAMETERS, REMORA_LAYER_CATALOG, "tools");
    w->endpoint->facts.supported = UINT64_C(1) << REMORA_PARAMETER_TOOLS;
    expect_in(w);
}

/* "none" is said by sending no tools, which every endpoint understands. */
static void a_tool_choice_other_than_auto_or_none_is_never_left_out(void **state)
{
    struct world *w = *state;
    remora_request_ask(&w->f.request, REMORA_PARAMETER_TOOL_CHOICE);
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_TOOL_CHOICE);
    w->f.request.tool_choice.kind = REMORA_TOOL_CHOICE_AUTO;
    expect_in(w);
    w->f.request.tool_choice.kind = REMORA_TOOL_CHOICE_NONE;
    expect_in(w);
    w->f.request.tool_choice.kind = REMORA_TOOL_CHOICE_REQUIRED;
    expect_out_for(w, REMORA_RULE_SUPPORTED_PARAMETERS, REMORA_LAYER_CATALOG, "tool_choice");
}

static void a_response_format_other_than_text_is_never_left_out(void **state)
{
    struct world *w = *state;
    remora_request_ask(&w->f.request, REMORA_PARAMETER_RESPONSE_FORMAT);
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_RESPONSE_FORMAT);
    w->f.request.response_format.kind = REMORA_FORMAT_TEXT;
    expect_in(w);
    w->f.request.response_format.kind = REMORA_FORMAT_JSON_OBJECT;
    expect_out_for(w, REMORA_RULE_SUPPORTED_PARAMETERS, REMORA_LAYER_CATALOG, "response_format");
}

static void a_schema_goes_to_structured_outputs_where_anybody_has_them(void **state)
{
    struct world *w = *state;
    struct remora_endpoint *other = plan_endpoint(&w->f, w->model, w->provider, "alpha");
    remora_request_ask(&w->f.request, REMORA_PARAMETER_RESPONSE_FORMAT);
    w->f.request.response_format.kind = REMORA_FORMAT_JSON_SCHEMA;
    w->endpoint->facts.supported = all_but(REMORA_PARAMETER_STRUCTURED_OUTPUTS);
    expect_out_for(w, REMORA_RULE_SUPPORTED_PARAMETERS, REMORA_LAYER_CATALOG, "structured_outputs");
    w->f.request.response_format.kind = REMORA_FORMAT_JSON_OBJECT;
    expect_in(w);
    w->f.request.response_format.kind = REMORA_FORMAT_JSON_SCHEMA;
    other->facts.supported = 0;
    expect_in(w);
}

static void verbosity_narrows_only_where_anybody_has_it(void **state)
{
    struct world *w = *state;
    struct remora_endpoint *other = plan_endpoint(&w->f, w->model, w->provider, "alpha");
    remora_request_ask(&w->f.request, REMORA_PARAMETER_VERBOSITY);
    w->endpoint->facts.supported = 0;
    expect_out_for(w, REMORA_RULE_SUPPORTED_PARAMETERS, REMORA_LAYER_CATALOG, "verbosity");
    other->facts.supported = 0;
    expect_in(w);
}

/* Breaks one thing after the other from the last rule to the first: each new one must hide the one before. */
static void the_first_rule_of_the_table_is_told(void **state)
{
    static const struct remora_part image = {.kind = REMORA_PART_IMAGE};
    struct world *w = *state;
    remora_request_ask(&w->f.request, REMORA_PARAMETER_TOOLS);
    w->endpoint->facts.supported = 0;
    expect_out(w, REMORA_RULE_SUPPORTED_PARAMETERS, REMORA_LAYER_CATALOG);
    struct remora_preferences *p = prefer(w, REMORA_LAYER_MESH);
    p->require_parameters = REMORA_YES;
    expect_out(w, REMORA_RULE_REQUIRE_PARAMETERS, REMORA_LAYER_MESH);
    p->max_price_pico_usd[REMORA_CAP_PROMPT] = 0;
    expect_out(w, REMORA_RULE_MAX_PRICE, REMORA_LAYER_MESH);
    p->quantizations = LIST(S("fp8"));
    expect_out(w, REMORA_RULE_QUANTIZATION, REMORA_LAYER_MESH);
    p->regions = LIST(S("FR"));
    expect_out(w, REMORA_RULE_DATA_REGION, REMORA_LAYER_MESH);
    p->enforce_distillable_text = REMORA_YES;
    expect_out(w, REMORA_RULE_DISTILLABLE, REMORA_LAYER_MESH);
    p->zdr = REMORA_YES;
    expect_out(w, REMORA_RULE_ZDR, REMORA_LAYER_MESH);
    p->data_collection = REMORA_DATA_DENY;
    expect_out(w, REMORA_RULE_TRAINING, REMORA_LAYER_MESH);
    p->ignore = LIST(S("alpha"));
    expect_out(w, REMORA_RULE_IGNORED_PROVIDER, REMORA_LAYER_MESH);
    p->only = LIST(S("beta"));
    expect_out(w, REMORA_RULE_ALLOWED_PROVIDERS, REMORA_LAYER_MESH);
    w->f.request.sampling.max_output_tokens = (struct remora_opt_i64){.value = 2, .is_set = true};
    w->endpoint->facts.max_completion_tokens = 1;
    expect_out(w, REMORA_RULE_OUTPUT_LIMIT, REMORA_LAYER_CATALOG);
    w->f.request.output_modalities = LIST(S("audio"));
    expect_out(w, REMORA_RULE_OUTPUT_MODALITY, REMORA_LAYER_CATALOG);
    send_part(w, &image);
    expect_out(w, REMORA_RULE_MODALITY, REMORA_LAYER_CATALOG);
    w->variant = REMORA_VARIANT_FREE;
    expect_out(w, REMORA_RULE_FREE_VARIANT, REMORA_LAYER_CATALOG);
    w->f.layers[REMORA_LAYER_MESH].models_deny = LIST(S("*"));
    expect_out(w, REMORA_RULE_MODEL_ALLOW_LIST, REMORA_LAYER_MESH);
    w->provider->disabled_why = "no key";
    expect_out(w, REMORA_RULE_NO_CREDENTIAL, REMORA_LAYER_CATALOG);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_endpoint_without_rules_stays),
        CASE(a_wire_that_is_not_built_removes),
        CASE(a_provider_without_its_key_is_out),
        CASE(a_model_outside_an_allow_list_is_out),
        CASE(allow_lists_of_all_layers_intersect),
        CASE(deny_beats_allow),
        CASE(a_free_pattern_speaks_of_the_free_variant_only),
        CASE(free_endpoints_answer_free_requests_only),
        CASE(an_input_kind_that_the_model_does_not_take_removes),
        CASE(an_output_kind_that_the_model_does_not_give_removes),
        CASE(an_output_kind_that_the_endpoint_cannot_be_asked_for_removes),
        CASE(embeddings_need_a_model_that_makes_them),
        CASE(text_is_too_long_beyond_sixteen_bytes_a_token),
        CASE(an_endpoint_without_a_window_has_its_models),
        CASE(runs_of_blanks_and_marks_do_not_make_a_text_too_long),
        CASE(blanks_beside_a_text_that_just_fits_do_not_matter),
        CASE(letters_and_digits_are_of_words_and_their_neighbours_are_marks),
        CASE(every_part_of_a_message_is_looked_at),
        CASE(texts_of_all_messages_count_together),
        CASE(inputs_of_embeddings_count_one_by_one),
        CASE(more_output_than_the_endpoint_gives_removes),
        CASE(more_output_than_the_window_holds_removes),
        CASE(only_keeps_what_every_layer_names),
        CASE(ignore_of_any_layer_removes),
        CASE(denied_data_collection_needs_a_provider_known_not_to_train),
        CASE(zdr_needs_a_provider_known_to_retain_nothing),
        CASE(nobody_is_known_to_be_distillable),
        CASE(a_model_that_the_operator_knows_to_be_distillable_stays),
        CASE(a_region_is_the_known_seat_of_the_provider),
        CASE(a_region_of_the_endpoint_is_more_than_the_seat),
        CASE(a_router_s_seat_says_nothing_of_who_answers),
        CASE(an_empty_region_does_not_name_an_unknown_seat),
        CASE(quantizations_cover_their_kinds),
        CASE(quantizations_of_all_layers_intersect),
        CASE(a_price_above_any_cap_removes),
        CASE(a_cap_of_zero_lets_only_what_costs_nothing_pass),
        CASE(an_unknown_price_passes_no_cap),
        CASE(prices_per_item_are_capped_as_they_are_billed),
        CASE(a_service_tier_whose_price_nobody_knows_passes_no_cap),
        CASE(a_service_tier_passes_a_cap_where_it_is_the_endpoints_or_is_not_bought),
        CASE(sound_without_a_price_passes_no_cap_of_sound),
        CASE(required_parameters_remove_who_lacks_one),
        CASE(required_further_fields_remove_who_would_drop_one),
        CASE(a_required_cache_mark_removes_who_takes_none),
        CASE(whose_endpoint_it_is_makes_no_difference_to_what_it_would_lose),
        CASE(tools_are_never_left_out),
        CASE(a_tool_choice_other_than_auto_or_none_is_never_left_out),
        CASE(a_response_format_other_than_text_is_never_left_out),
        CASE(a_schema_goes_to_structured_outputs_where_anybody_has_them),
        CASE(verbosity_narrows_only_where_anybody_has_it),
        CASE(the_first_rule_of_the_table_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
