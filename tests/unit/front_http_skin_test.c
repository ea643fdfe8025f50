/*
 * A second skin, of a few lines: all that the front says of a request on its route is in its words, a refusal before there is an
 * exchange as well as what the exchange came to. (Which route has which skin stands in routes.c.)
 */
#include "http_fixture.h"
#include "support.h"

#include <stdio.h>

#include "../../src/front/http/http.h"

static enum remora_code parse(const struct remora_skin_input *input, struct remora_arena *arena,
                              struct remora_request *request, struct remora_encoder *encoder,
                              struct remora_fail *fail)
{
    (void)arena;
    (void)encoder;
    request->model = REMORA_SLICE("t/m");
    return remora_slice_is(input->body, "good")
               ? REMORA_OK
               : remora_fail_set(fail, REMORA_INVALID_REQUEST, "all", "not good");
}

static void stream_event(struct remora_encoder *encoder, const struct remora_event *event,
                         struct remora_buf *out)
{
    (void)event;
    encoder->has_started = true;
    remora_buf_append(out, REMORA_SLICE("<thrown away/>"));
}

static void answer(struct remora_encoder *encoder, const struct remora_answer *answer,
                   const struct remora_outcome *outcome, struct remora_buf *out)
{
    (void)answer;
    (void)outcome;
    assert_true(encoder->has_started);
    remora_buf_append(out, REMORA_SLICE("<whole/>"));
}

static void error(const struct remora_fail *fail, const struct remora_outcome *outcome,
                  struct remora_buf *out)
{
    remora_buf_append(out, outcome == NULL ? REMORA_SLICE("<refused ") : REMORA_SLICE("<failed "));
    remora_buf_append_text(out, remora_code_row(fail->code)->name);
    remora_buf_append(out, REMORA_SLICE("/>"));
}

static const struct remora_skin own = {
    .name = "own",
    .content_type = "application/xml",
    .parse = parse,
    .stream_event = stream_event,
    .answer = answer,
    .error = error,
};

static struct http_fixture *f;

static int set_up(void **state)
{
    (void)state;
    f = http_fixture_new(REMORA_HTTP_DATA);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_fixture_free(f);
    return 0;
}

static struct http_connection *connection(void)
{
    return REMORA_CONTAINER_OF(f->site->connections.next, struct http_connection, node);
}

/* What the front does with a head whose route has the skin, and with its body. */
static void post(const char *media, const char *body)
{
    char text[256];
    struct http_head head;
    struct remora_fail fail = REMORA_FAIL_INIT;
    int length = snprintf(text, sizeof text,
                          "POST /v1/own HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          media, strlen(body));
    assert_true(http_head_read(remora_slice(text, (size_t)length), &head, &fail));
    struct http_connection *c = connection();
    c->skin = &own;
    c->minor = 1;
    c->keeps_alive = true;
    c->state = HTTP_STATE_BUSY;
    http_chat(c, &head);
    if (c->call != NULL) {
        const struct http_call_ops *call = c->call;
        (void)call->body(c->call_context, remora_slice_of(body), &fail);
        call->whole(c->call_context);
    }
}

static void assert_answered(int status, const char *body)
{
    assert_int_equal(http_fixture_status(f), status);
    assert_slice_equal(http_fixture_body(f), body);
    struct remora_slice all = conn_script_written(&f->script);
    assert_non_null(memmem(all.data, all.length, "Content-Type: application/xml\r\n", 31));
}

static void a_head_that_is_refused_is_told_in_its_envelope(void **state)
{
    (void)state;
    post("text/plain", "good");
    assert_answered(415, "<refused INVALID_REQUEST/>");
}

static void a_body_that_it_does_not_take_too(void **state)
{
    (void)state;
    post("application/json", "bad");
    assert_answered(400, "<refused INVALID_REQUEST/>");
}

static void what_providers_did_too(void **state)
{
    (void)state;
    post("application/json", "good");
    play_answer(f->engine, 0, 401, "{}");
    play_answer(f->engine, 1, 401, "{}");
    assert_answered(502, "<failed UPSTREAM_CREDENTIAL/>");
}

static void its_answer_and_its_name_are_used(void **state)
{
    (void)state;
    post("application/json", "good");
    play_good_unary(f->engine, 0, "x");
    assert_answered(200, "<whole/>");
    assert_slice_equal(f->engine->outcome.api, "own");
}

static void framing_that_is_refused_before_a_route_is_known_has_openai_s(void **state)
{
    (void)state;
    connection()->skin = &own; /* of the request before */
    http_fixture_send(f, REMORA_SLICE("POST /v1/own HTTP/9.9\r\n\r\n"), 0);
    assert_int_equal(http_fixture_status(f), 505);
    assert_true(remora_slice_starts_with(http_fixture_body(f), REMORA_SLICE("{\"error\":{")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_head_that_is_refused_is_told_in_its_envelope, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_body_that_it_does_not_take_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_providers_did_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_answer_and_its_name_are_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            framing_that_is_refused_before_a_route_is_known_has_openai_s, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
