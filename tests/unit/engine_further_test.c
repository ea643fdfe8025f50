/* What a provider says that has no name here: kept while the answer comes, and told with its end. */
#include "engine_fixture.h"

#include <stdio.h>

#define CHUNK_WITH(text, members)                                  \
    "data: {\"id\":\"c1\",\"created\":1,\"model\":\"um\"," members \
    ",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define ANSWER_WITH(members)                                                                \
    "{\"id\":\"c1\",\"created\":1,\"model\":\"um\",\"choices\":[{\"index\":0,\"message\":{" \
    "\"content\":\"x\"},\"finish_reason\":\"stop\"}]," members                              \
    "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7,\"queue_s\":0.5}}"

static struct engine_fixture *asked(enum remora_delivery delivery)
{
    struct engine_fixture *f = fixture_new("");
    f->wants_further = true;
    fixture_start(f, delivery, "t/m");
    return f;
}

static void a_whole_answer_tells_its_members_and_report(void **state)
{
    (void)state;
    struct engine_fixture *f = asked(REMORA_UNARY);
    play_answer(f, 0, 200, ANSWER_WITH("\"timings\":{\"ms\":[1.5]},\"none\":null,\"x\":\"y\","));
    assert_said(f, "started um by a\ntext 0 x\nfinished 0 stop\ncompleted 5+2\n"
                   "further {\"timings\":{\"ms\":[1.5]},\"x\":\"y\"}\n"
                   "report {\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7,"
                   "\"queue_s\":0.5}\n");
    fixture_free(f);
}

static void of_a_stream_the_last_word_counts(void **state)
{
    (void)state;
    struct engine_fixture *f = asked(REMORA_STREAM);
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0,
                    CHUNK_WITH("a", "\"x\":\"first\",\"y\":1,\"z\":3,\"obfuscation\":\"abc\""));
    (void)play_body(f, 0, CHUNK_WITH("", "\"y\":2"));
    (void)play_body(f, 0, CHUNK_WITH("", "\"y\":1"));
    (void)play_body(f, 0,
                    CHUNK_WITH("b", "\"x\":\"second, longer\",\"y\":1,\"obfuscation\":\"d\""));
    (void)play_body(f, 0, CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
    assert_said(f, "started um by a\ntext 0 a\ntext 0 b\nfinished 0 stop\ncompleted 5+2\n"
                   "further {\"z\":3,\"y\":1,\"x\":\"second, longer\"}\n"
                   "report {\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}\n");
    fixture_free(f);
}

static void who_does_not_ask_is_told_nothing(void **state)
{
    (void)state;
    struct engine_fixture *f = fixture_new("");
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 200, ANSWER_WITH("\"x\":\"y\","));
    assert_said(f, "started um by a\ntext 0 x\nfinished 0 stop\ncompleted 5+2\n");
    fixture_free(f);
}

static void what_a_failed_attempt_said_is_void(void **state)
{
    (void)state;
    struct engine_fixture *f = asked(REMORA_STREAM);
    play_head(f, 0, 200, NULL);
    (void)play_body(f, 0, "data: {\"id\":\"c1\",\"x\":\"of a\",\"choices\":[]}\n\n");
    play_end(f, 0, REMORA_CAUSE_NONE);
    play_good_stream(f, 1, "hi");
    assert_said(f, "attempt_failed a UPSTREAM_UNAVAILABLE\nstarted um by b\ntext 0 hi\n"
                   "finished 0 stop\ncompleted 5+2\n"
                   "report {\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}\n");
    fixture_free(f);
}

/* A key of the provider's, levels beyond what clients read, more bytes than are kept: the answer is whole without them. */
static void what_may_not_be_told_is_left_out(void **state)
{
    (void)state;
    static char body[REMORA_LIMIT_FURTHER_BYTES + 1024];
    struct engine_fixture *f = asked(REMORA_UNARY);
    char deepest[2 * REMORA_LIMIT_FURTHER_DEPTH + 1] = "";
    for (int i = 0; i < REMORA_LIMIT_FURTHER_DEPTH; i++) {
        deepest[i] = '[';
        deepest[2 * REMORA_LIMIT_FURTHER_DEPTH - 1 - i] = ']';
    }
    int length = snprintf(
        body, sizeof body,
        "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"},"
        "\"finish_reason\":\"stop\"}],\"deepest\":%s,\"deep\":%.*s,"
        "\"quoted\":\"]]}}\\\"[{[{[{[{[{[{[{[{[{[{[{[{[{[{[\",\"key\":\"a secret-canary b\","
        "\"escaped\":\"a secret\\u002dcanary "
        "b\",\"secret\\u002Dcanary\":1,\"digits\":\"secret-canar\\u0079\","
        "\"behind\":{\"a\":\"text\",\"b\":%s},\"wide\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
        "[],[],[],[],[],[],[],[],[],[],[],{}],\"plain\":\"a\\/\\\\u0041\","
        "\"long\":\"",
        deepest, 2 * REMORA_LIMIT_FURTHER_DEPTH - 2, deepest + 1, deepest);
    memset(body + length, 'x', REMORA_LIMIT_FURTHER_BYTES);
    strcpy(body + length + REMORA_LIMIT_FURTHER_BYTES, "\",\"y\":2}");
    play_answer(f, 0, 200, body);
    remora_buf_append_byte(&f->said, '\0');
    const char *said = f->said.data;
    assert_null(strstr(said, "deepest"));
    assert_null(strstr(said, "behind"));
    assert_null(strstr(said, "digits"));
    assert_non_null(strstr(said, "\"wide\":[[],"));
    assert_null(strstr(said, "secret"));
    assert_null(strstr(said, "xxx"));
    assert_non_null(strstr(said, "further {\"deep\":[["));
    assert_non_null(strstr(said, "\"quoted\":\"]]}}\\\"[{["));
    assert_non_null(strstr(said, "\"plain\":\"a\\/\\\\u0041\""));
    assert_non_null(strstr(said, ",\"y\":2}\n"));
    fixture_free(f);
}

/* Each looks for its like among those that are kept: of a million members a few are. */
static void members_beyond_the_limit_are_left_out(void **state)
{
    (void)state;
    struct engine_fixture *f = asked(REMORA_STREAM);
    char chunk[4096] = "data: {";
    play_head(f, 0, 200, NULL);
    for (int i = 0; i <= REMORA_LIMIT_FURTHER_NAMES; i++) {
        size_t length = strlen(chunk);
        snprintf(chunk + length, sizeof chunk - length, "\"m%d\":1,", i);
    }
    strcat(chunk, "\"id\":\"c1\",\"choices\":[]}\n\n");
    (void)play_body(f, 0, chunk);
    (void)play_body(f, 0, CHUNK_WITH("a", "\"m0\":\"said again\""));
    (void)play_body(f, 0, CHUNK_STOP CHUNK_USAGE CHUNK_DONE);
    remora_buf_append_byte(&f->said, '\0');
    const char *said = f->said.data;
    assert_non_null(strstr(said, "\"m63\":1,\"m0\":\"said again\"}"));
    assert_null(strstr(said, "m64"));
    assert_non_null(strstr(said, "report {"));
    fixture_free(f);
}

/* Digits and capitals, too, may be written as escapes; what only looks like one, or is a short one, hides nothing behind it. */
static void secrets_are_found_whatever_letters_are_escaped(void **state)
{
    (void)state;
    struct engine_fixture *f =
        fixture_new_yaml("service: svc\nproviders:\n"
                         "  a: {kind: openai, base_url: \"http://127.0.0.1/a\", api_key: {env: "
                         "CAPS_KEY}}\n"
                         "models: {t/m: {endpoints: [{provider: a, model_id: m}]}}\n");
    f->wants_further = true;
    fixture_start(f, REMORA_UNARY, "t/m");
    play_answer(f, 0, 200,
                ANSWER_WITH("\"plain\":\"CANARY-07\",\"capital\":\"C\\u0041NARY-07\","
                            "\"line\":\"\\nCANARY-07\",\"clock\":\"\\/a:00 CANARY-07\","
                            "\"digit\":\"CANARY-\\u00307\",\"other\":\"C\\u0042NARY-07\","));
    remora_buf_append_byte(&f->said, '\0');
    assert_non_null(strstr(f->said.data, "further {\"other\":\"C\\u0042NARY-07\"}\n"));
    fixture_free(f);
}

/* To the byte; and what does not fit takes no room from what comes after it. */
static void a_member_may_fill_all_the_room_that_there_is(void **state)
{
    enum { HEAD_BYTES = 8, NAME_BYTES = 3 }; /* with its quotes */
    static char body[REMORA_LIMIT_FURTHER_BYTES + 256];
    (void)state;
    for (size_t beyond = 0; beyond < 2; beyond++) {
        size_t letters = REMORA_LIMIT_FURTHER_BYTES - HEAD_BYTES - NAME_BYTES - 2 + beyond;
        struct engine_fixture *f = asked(REMORA_UNARY);
        int length = snprintf(body, sizeof body,
                              "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"message\":{\"content\":"
                              "\"x\"},\"finish_reason\":\"stop\"}],\"n\":\"");
        memset(body + length, 'x', letters);
        strcpy(body + (size_t)length + letters, "\",\"y\":2}");
        play_answer(f, 0, 200, body);
        remora_buf_append_byte(&f->said, '\0');
        assert_true((strstr(f->said.data, "further {\"n\":\"xxx") != NULL) == (beyond == 0));
        assert_true((strstr(f->said.data, "further {\"y\":2}\n") != NULL) == (beyond == 1));
        fixture_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_found_whatever_letters_are_escaped),
        cmocka_unit_test(a_member_may_fill_all_the_room_that_there_is),
        cmocka_unit_test(a_whole_answer_tells_its_members_and_report),
        cmocka_unit_test(of_a_stream_the_last_word_counts),
        cmocka_unit_test(who_does_not_ask_is_told_nothing),
        cmocka_unit_test(what_a_failed_attempt_said_is_void),
        cmocka_unit_test(what_may_not_be_told_is_left_out),
        cmocka_unit_test(members_beyond_the_limit_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
