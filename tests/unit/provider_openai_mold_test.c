/* Which chunks are taken for one like the last and which are read anew, by the mold itself and by a decoder that made one. */
#include "support.h"

#include "remora/limits.h"

#include <stdlib.h>

#include "../../src/provider/openai.h" /* private to its room: this is what is tested */

#define CHUNK(text, padding)                                                              \
    "{\"id\":\"c\",\"obfuscation\":\"" padding "\",\"choices\":[{\"index\":2,\"delta\":{" \
    "\"content\":\"" text "\"}}],\"usage\":null}"

struct fixture {
    struct remora_arena arena;
    struct openai_mold mold;
};

/* Reads the chunk and takes the first content of its choice as what it became. */
static void learn(struct fixture *f, const char *chunk)
{
    static const struct remora_json_limits limits = {64, 1000};
    struct remora_slice bytes = remora_slice_of(chunk);
    struct remora_json_doc *doc = remora_arena_alloc(&f->arena, sizeof *doc);
    struct openai_plain plain = {.kind = REMORA_EVENT_REFUSAL, .choice = 2};
    assert_non_null(doc);
    assert_int_equal(remora_json_parse(bytes, &f->arena, &limits, doc, NULL), REMORA_OK);
    struct remora_json choice =
        remora_json_at(remora_json_get(remora_json_root(doc), "choices"), 0);
    assert_true(remora_json_string(remora_json_get(remora_json_get(choice, "delta"), "content"),
                                   &f->arena, &plain.text));
    openai_mold_learn(&f->mold, bytes, remora_json_root(doc), &plain);
}

static void begin(struct fixture *f, const char *chunk)
{
    memset(f, 0, sizeof *f);
    remora_arena_init(&f->arena, 4096, 1 << 20);
    openai_mold_init(&f->mold);
    learn(f, chunk);
}

static void end(struct fixture *f)
{
    openai_mold_fini(&f->mold);
    remora_arena_fini(&f->arena);
}

/* The text of a chunk that fits, or NULL. */
static const char *match(struct fixture *f, const char *chunk)
{
    struct openai_plain out = {0};
    if (!openai_mold_match(&f->mold, remora_slice_of(chunk), &f->arena, &out)) {
        return NULL;
    }
    assert_int_equal(out.kind, REMORA_EVENT_REFUSAL);
    assert_int_equal(out.choice, 2);
    return remora_arena_printf(&f->arena, "%.*s", REMORA_SLICE_ARG(out.text)).data;
}

static void a_chunk_with_another_text_fits(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, CHUNK("a", "xy"));
    assert_string_equal(match(&f, CHUNK("a", "xy")), "a");
    assert_string_equal(match(&f, CHUNK("something longer", "")), "something longer");
    assert_string_equal(match(&f, CHUNK("b", "z")), "b");
    assert_string_equal(match(&f, CHUNK("q\\\"\\n\\u00e4", "\\u0041")), "q\"\n\xc3\xa4");
    learn(&f, CHUNK("plain", "") " ");
    assert_null(match(&f, CHUNK("b", "z")));
    assert_string_equal(match(&f, CHUNK("b", "z") " "), "b");
    end(&f);
}

static void a_chunk_that_differs_elsewhere_does_not(void **state)
{
    static const char *const others[] = {
        "",
        "{",
        CHUNK("", "xy"), /* no text is nothing to tell */
        CHUNK("a", "xy") " ",
        " " CHUNK("a", "xy"),
        CHUNK("a", "xy") "}",
        CHUNK("a\" ,\"role\":\"x", "xy"),
        CHUNK("a", "xy\",\"more\":\"x"),
        CHUNK("a\n", "xy"),
        CHUNK("\\x", "xy"),
        CHUNK("\xff", "xy"),
        "{\"id\":\"d\",\"obfuscation\":\"xy\",\"choices\":[{\"index\":2,\"delta\":{"
        "\"content\":\"a\"}}],\"usage\":null}",
        "{\"id\":\"c\",\"obfuscation\":\"xy\",\"choices\":[{\"index\":3,\"delta\":{"
        "\"content\":\"a\"}}],\"usage\":null}",
        "{\"id\":\"c\",\"obfuscation\":\"xy\",\"choices\":[{\"index\":2,\"delta\":{"
        "\"content\":\"a\"}}],\"usage\":true}",
        "{\"id\":\"c\",\"obfuscation\":\"xy\",\"choices\":[{\"index\":2,\"delta\":{\"content\":\"a",
        "{\"id\":\"c\",\"obfuscation\":\"xy\",\"choices\":[{\"index\":2,\"delta\":{\"content\":"
        "\"a\"",
        "{\"id\":\"c\",\"obfuscation\":\"xy",
    };
    struct fixture f;
    (void)state;
    begin(&f, CHUNK("a", "xy"));
    for (size_t i = 0; i < REMORA_COUNT_OF(others); i++) {
        if (match(&f, others[i]) != NULL) {
            fail_msg("%s fits", others[i]);
        }
    }
    assert_non_null(match(&f, CHUNK("a", "xy")));
    end(&f);
}

/* Padding may stand behind the text, too; of much of it the last stays as it is. */
static void as_much_padding_as_there_is_room_for_may_change(void **state)
{
#define PADDED(a, text, b, c)                                                                    \
    "{\"obfuscation\":\"" a "\",\"choices\":[{\"delta\":{\"content\":\"" text "\"}}],\"p\":\"" b \
    "\",\"obfuscation\":\"" c "\"}"
    struct fixture f;
    (void)state;
    begin(&f, PADDED("1", "t", "2", "3"));
    assert_int_equal(f.mold.holes, OPENAI_MOLD_HOLES);
    assert_string_equal(match(&f, PADDED("one", "text", "two", "3")), "text");
    assert_null(match(&f, PADDED("one", "text", "two", "three")));
    end(&f);
}

/* A text that was unescaped lies elsewhere, and a chunk may be too long: the mold before is none either. */
static void what_teaches_nothing_leaves_no_mold(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, CHUNK("a", "xy"));
    learn(&f, CHUNK("a\\n", "xy"));
    assert_null(match(&f, CHUNK("a", "xy")));
    learn(&f, CHUNK("a", "xy"));
    assert_non_null(match(&f, CHUNK("a", "xy")));
    char *chunk = calloc(1, OPENAI_MOLD_BYTES + 256);
    assert_non_null(chunk);
    memset(chunk, ' ', OPENAI_MOLD_BYTES);
    strcat(chunk, CHUNK("a", "xy"));
    learn(&f, chunk);
    assert_null(match(&f, chunk));
    assert_null(match(&f, CHUNK("a", "xy")));
    free(chunk);
    end(&f);
}

static enum remora_code take(void *context, const struct remora_event *event)
{
    *(int *)context += event->kind == REMORA_EVENT_TEXT ? 1 : 0;
    return REMORA_OK;
}

/* Whether the last of these events was one like those before it, and how many holes its mold has. */
static void expect_mold(const char *bytes, uint8_t holes, int texts)
{
    int taken = 0;
    struct remora_arena scratch;
    struct remora_fail fail = REMORA_FAIL_INIT;
    const struct remora_event_out out = {take, &taken};
    const struct remora_adapter *adapter = remora_adapter_for(REMORA_WIRE_OPENAI);
    struct remora_decoder *base = calloc(1, adapter->decoder_bytes);
    assert_non_null(base);
    base->delivery = REMORA_STREAM;
    remora_arena_init(&scratch, 4096, 1 << 20);
    adapter->decode_begin(base);
    assert_int_equal(adapter->decode_feed(base, remora_slice_of(bytes), &scratch, &out, &fail),
                     REMORA_OK);
    assert_int_equal(REMORA_CONTAINER_OF(base, struct openai_decoder, base)->mold.holes, holes);
    assert_int_equal(taken, texts);
    adapter->decode_fini(base);
    remora_arena_fini(&scratch);
    free(base);
}

/* Only a chunk that was one text and changed nothing becomes a mold. */
static void a_decoder_keeps_the_last_plain_chunk(void **state)
{
#define START      "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n"
#define TEXT(more) "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"a\"}" more "}]}\n\n"
#define REASON(more) \
    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"reasoning\":\"a\"}}]" more "}\n\n"
#define CALL                                                                                  \
    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"i\"," \
    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n"
    (void)state;
    expect_mold(START, 0, 0);
    expect_mold(START TEXT(""), 1, 1);
    expect_mold(START TEXT("") TEXT(""), 1, 2);
    expect_mold(START REASON(""), 1, 0);
    expect_mold(START REASON(",\"object\":\"chat.completion.chunk\""), 1, 0);
    expect_mold(START TEXT(",\"finish_reason\":\"stop\"") TEXT(""), 0, 2); /* it was no end */
    /* Where a call stood in the way, the next text is one again. */
    expect_mold(START CALL TEXT(""), 1, 1);
    expect_mold(START REASON(",\"usage\":{\"prompt_tokens\":1}"), 0, 0);
    expect_mold(TEXT(""), 0, 1); /* started as well */
    expect_mold(START TEXT(",\"finish_reason\":\"stop\""), 0, 1);
    expect_mold(START TEXT(",\"logprobs\":{\"content\":[{\"token\":\"a\"}]}"), 0, 1);
    expect_mold(START "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"a\"}},7]}\n\n", 0,
                1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_with_another_text_fits),
        cmocka_unit_test(a_chunk_that_differs_elsewhere_does_not),
        cmocka_unit_test(as_much_padding_as_there_is_room_for_may_change),
        cmocka_unit_test(what_teaches_nothing_leaves_no_mold),
        cmocka_unit_test(a_decoder_keeps_the_last_plain_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
