/* An encoder's own state: there before the request is parsed, and given back with what it owns however the call ends. */
#include "support.h"

#include "remora/skin.h"

#include <stdio.h>

/* A skin whose answers echo the body. */
struct echo {
    struct remora_buf text;
};

static enum remora_code echo_parse(const struct remora_skin_input *input,
                                   struct remora_arena *arena, struct remora_request *request,
                                   struct remora_encoder *encoder, struct remora_fail *fail)
{
    (void)arena;
    (void)request;
    struct echo *own = encoder->own;
    remora_buf_init(&own->text, REMORA_LIMIT_STREAM_BUFFER_BYTES);
    remora_buf_append(&own->text, input->body);
    return remora_slice_is(input->body, "bad")
               ? remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "bad")
               : remora_buf_code(&own->text);
}

static void echo_answer(struct remora_encoder *encoder, const struct remora_answer *answer,
                        const struct remora_outcome *outcome, struct remora_buf *out)
{
    (void)answer;
    (void)outcome;
    struct echo *own = encoder->own;
    remora_buf_append(out, remora_buf_slice(&own->text));
}

static int fini_calls;

static void echo_fini(struct remora_encoder *encoder)
{
    struct echo *own = encoder->own;
    remora_buf_fini(&own->text);
    fini_calls++;
}

static const struct remora_skin echo_skin = {
    .name = "echo",
    .state_bytes = sizeof(struct echo),
    .parse = echo_parse,
    .answer = echo_answer,
    .encoder_fini = echo_fini,
};

/* As the front does it; the body is gone before the answer is written, as a request is at COMMITTED. */
static void talk(const char *text, enum remora_code expected, struct remora_buf *out)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_encoder encoder = {.skin = &echo_skin};
    char body[32];
    snprintf(body, sizeof body, "%s", text);
    const struct remora_skin_input input = {.body = remora_slice_of(body)};
    assert_int_equal(remora_encoder_begin(&encoder), REMORA_OK);
    assert_int_equal(echo_skin.parse(&input, NULL, NULL, &encoder, &fail), expected);
    memset(body, 'x', sizeof body);
    if (expected == REMORA_OK) {
        echo_skin.answer(&encoder, NULL, NULL, out);
    }
    remora_encoder_end(&encoder);
    assert_null(encoder.own);
    remora_encoder_end(&encoder);
}

static void an_answer_can_tell_of_a_request_that_is_gone(void **state)
{
    (void)state;
    struct remora_buf out;
    remora_buf_init(&out, REMORA_LIMIT_STREAM_BUFFER_BYTES);
    fini_calls = 0;
    talk("instructions", REMORA_OK, &out);
    assert_slice_equal(remora_buf_slice(&out), "instructions");
    assert_int_equal(fini_calls, 1);
    remora_buf_fini(&out);
}

static void what_a_refused_request_left_is_given_back(void **state)
{
    (void)state;
    fini_calls = 0;
    talk("bad", REMORA_INVALID_REQUEST, NULL);
    assert_int_equal(fini_calls, 1); /* and the leak checker sees the text */
}

static void an_encoder_that_never_began_owns_nothing(void **state)
{
    (void)state;
    static const struct remora_skin bare_skin = {.name = "bare"};
    struct remora_encoder never = {.skin = &echo_skin};
    struct remora_encoder bare = {.skin = &bare_skin};
    fini_calls = 0;
    remora_encoder_end(&never);
    assert_int_equal(fini_calls, 0);
    assert_int_equal(remora_encoder_begin(&bare), REMORA_OK);
    assert_null(bare.own);
    remora_encoder_end(&bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_can_tell_of_a_request_that_is_gone),
        cmocka_unit_test(what_a_refused_request_left_is_given_back),
        cmocka_unit_test(an_encoder_that_never_began_owns_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
