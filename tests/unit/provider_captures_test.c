/*
 * Captured answers of real providers through the openai-chat decoder, at every piece size.
 *
 * The captures are not part of this repository; where their folder is absent the test is skipped, and fails under CI=true.
 * Expected: tests/golden/openai_captures/summary.txt, made by reading the captures' JSON with a program that shares no
 * code with the decoder: lengths and FNV-1a hashes of text and reasoning, tool calls, finish, usage.
 */
#include "event_text.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#define CAPTURES REMORA_SHARED_DIR "/captures/"
#define EXPECTED REMORA_TESTS_DIR "/golden/openai_captures/summary.txt"

static const size_t sizes[] = {0, 1, 2, 3, 7, 16, 64, 1024, 4096};

static uint64_t hash_of(struct remora_slice text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static void append_part(struct remora_buf *out, const char *label, struct remora_slice text)
{
    remora_buf_printf(out, " %s=%zu:%016llx", label, text.length,
                      (unsigned long long)hash_of(text));
}

static void append_usage(struct remora_buf *out, const struct remora_usage *usage)
{
    static const char *const names[] = {
#define REMORA_USAGE_CLASS(name, direction, price, label) label,
#include "remora/tbl/usage.h"
#undef REMORA_USAGE_CLASS
    };
    remora_buf_append_text(out, "\n usage");
    for (size_t i = 0; i < REMORA_USAGE_CLASS_COUNT; i++) {
        if (usage->tokens[i] >= 0) {
            remora_buf_printf(out, " %s=%lld", names[i], (long long)usage->tokens[i]);
        }
    }
    remora_buf_append_byte(out, '\n');
}

static void append_calls(struct remora_buf *out, struct remora_answer *answer)
{
    const struct remora_answer_tool_call *call = answer->choices->tool_calls;
    for (; call != NULL; call = call->next) {
        struct remora_slice arguments = remora_fragments_join(&call->arguments, answer->arena);
        remora_buf_printf(out, " call %.*s %.*s %.*s\n", REMORA_SLICE_ARG(call->id),
                          REMORA_SLICE_ARG(call->name), REMORA_SLICE_ARG(arguments));
    }
}

static void append_answer(struct remora_buf *out, struct remora_answer *answer)
{
    const struct remora_answer_choice *choice = answer->choices;
    struct remora_slice reasoning = {0};
    int annotations = 0;
    assert_non_null(choice);
    if (choice->reasoning != NULL) {
        assert_null(choice->reasoning->next);
        reasoning = remora_fragments_join(&choice->reasoning->text, answer->arena);
    }
    for (const struct remora_answer_item *item = choice->items; item != NULL; item = item->next) {
        annotations += item->event.kind == REMORA_EVENT_ANNOTATION ? 1 : 0;
    }
    remora_buf_printf(out, " model=%.*s", REMORA_SLICE_ARG(answer->upstream_model));
    append_part(out, "text", remora_fragments_join(&choice->text, answer->arena));
    append_part(out, "reasoning", reasoning);
    remora_buf_printf(out, " finish=%s annotations=%d", remora_finish_name(choice->finish),
                      annotations);
    append_usage(out, &answer->usage);
    append_calls(out, answer);
}

static bool ends_with(struct remora_slice name, const char *end)
{
    size_t length = strlen(end);
    return name.length >= length && memcmp(name.data + name.length - length, end, length) == 0;
}

/* One JSON event per line becomes a stream as it was on the wire. */
static void frame(struct remora_buf *out, struct remora_slice lines)
{
    for (size_t at = 0; at < lines.length;) {
        size_t end = remora_slice_find(lines, '\n', at);
        if (end > at) {
            remora_buf_append_text(out, "data: ");
            remora_buf_append(out, remora_slice(lines.data + at, end - at));
            remora_buf_append_text(out, "\n\n");
        }
        at = end + 1;
    }
    remora_buf_append_text(out, "data: [DONE]\n\n");
}

static void summarise(struct remora_buf *out, struct remora_slice name, size_t chunk_bytes)
{
    char path[512];
    struct remora_arena arena;
    struct remora_answer answer;
    struct remora_buf framed;
    struct remora_buf events;
    snprintf(path, sizeof path, CAPTURES "%.*s", REMORA_SLICE_ARG(name));
    struct remora_slice bytes = test_read_file(path);
    remora_arena_init(&arena, 8192, 64 << 20);
    remora_answer_init(&answer, &arena);
    remora_buf_init(&framed, 16 << 20);
    remora_buf_init(&events, 16 << 20);
    if (ends_with(name, ".chunks.txt")) {
        frame(&framed, bytes);
    } else {
        remora_buf_append(&framed, bytes);
    }
    const struct decode_input input = {
        .adapter = remora_adapter_for(REMORA_WIRE_OPENAI),
        .delivery = ends_with(name, ".json") ? REMORA_UNARY : REMORA_STREAM,
        .bytes = remora_buf_slice(&framed),
        .chunk_bytes = chunk_bytes,
        .answer = &answer,
    };
    assert_int_equal(decode_to_text(&input, &events), REMORA_OK);
    remora_buf_printf(out, "%.*s\n", REMORA_SLICE_ARG(name));
    append_answer(out, &answer);
    remora_buf_fini(&events);
    remora_buf_fini(&framed);
    remora_arena_fini(&arena);
    free((void *)(uintptr_t)bytes.data);
}

/* Names are the lines of the expectation that do not begin with a blank. */
static size_t summarise_all(struct remora_buf *out, struct remora_slice expected,
                            size_t chunk_bytes)
{
    size_t count = 0;
    for (size_t at = 0; at < expected.length;) {
        size_t end = remora_slice_find(expected, '\n', at);
        if (expected.data[at] != ' ') {
            summarise(out, remora_slice(expected.data + at, end - at), chunk_bytes);
            count++;
        }
        at = end + 1;
    }
    return count;
}

static void captures_mean_the_same_at_every_piece_size(void **state)
{
    FILE *index = fopen(CAPTURES "INDEX.tsv", "rb");
    (void)state;
    if (index == NULL) {
        const char *ci = getenv("CI");
        if (ci != NULL && strcmp(ci, "true") == 0) {
            fail_msg("the captures are absent: %s", CAPTURES);
        }
        print_message("skipped: no captures in %s\n", CAPTURES);
        skip();
    }
    fclose(index);
    struct remora_slice expected = test_read_file(EXPECTED);
    for (size_t i = 0; i < REMORA_COUNT_OF(sizes); i++) {
        struct remora_buf out;
        remora_buf_init(&out, 1 << 20);
        assert_true(summarise_all(&out, expected, sizes[i]) >= 30);
        if (!remora_slice_equal(remora_buf_slice(&out), expected)) {
            print_error("pieces of %zu bytes\n%.*s", sizes[i],
                        REMORA_SLICE_ARG(remora_buf_slice(&out)));
            fail();
        }
        remora_buf_fini(&out);
    }
    free((void *)(uintptr_t)expected.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures_mean_the_same_at_every_piece_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
