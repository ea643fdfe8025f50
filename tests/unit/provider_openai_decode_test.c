/*
 * Golden cases of the openai-chat decoder: every file of tests/golden/openai_chat.
 *
 * NAME.sse is asked for as a stream, NAME.json as a unary answer; a name that ends in _cut has its connection cut, of one
 * that begins with n2_ (or another digit) so many choices were asked for. Each is
 * fed whole and in pieces of 1 to 4096 bytes, always with the same result, which is compared with NAME.EXT.events.
 * With REMORA_GOLDEN_WRITE=1 the expectation is written instead: read the difference before committing it.
 */
#include "event_text.h"
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define CASES REMORA_TESTS_DIR "/golden/openai_chat"

static const size_t sizes[] = {0, 1, 2, 3, 7, 16, 64, 1024, 4096};

static void write_file(const char *path, struct remora_slice text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.length, file), text.length);
    fclose(file);
}

static void compare(const char *path, size_t size, struct remora_slice is)
{
    struct remora_slice expected = test_read_file(path);
    if (!remora_slice_equal(is, expected)) {
        print_error("%s, pieces of %zu bytes\n--- is\n%.*s--- expected\n%.*s", path, size,
                    REMORA_SLICE_ARG(is), REMORA_SLICE_ARG(expected));
        fail();
    }
    free((void *)(uintptr_t)expected.data);
}

static int64_t choices_asked(const char *name)
{
    return name[0] == 'n' && name[1] >= '2' && name[1] <= '9' && name[2] == '_' ? name[1] - '0' : 0;
}

static void check_case(const char *name)
{
    char path[512];
    char events[520];
    bool is_cut = test_ends_with(name, "_cut.sse") || test_ends_with(name, "_cut.json");
    snprintf(path, sizeof path, "%s/%s", CASES, name);
    snprintf(events, sizeof events, "%s.events", path);
    struct remora_slice bytes = test_read_file(path);
    for (size_t i = 0; i < REMORA_COUNT_OF(sizes); i++) {
        const struct decode_input input = {
            .adapter = remora_adapter_for(REMORA_WIRE_OPENAI),
            .delivery = test_ends_with(name, ".sse") ? REMORA_STREAM : REMORA_UNARY,
            .end = is_cut ? REMORA_END_CUT : REMORA_END_CLEAN,
            .bytes = bytes,
            .chunk_bytes = sizes[i],
            .choice_count = choices_asked(name),
        };
        struct remora_buf out;
        remora_buf_init(&out, 16 << 20);
        (void)decode_to_text(&input, &out);
        assert_int_equal(remora_buf_code(&out), REMORA_OK);
        if (i == 0 && getenv("REMORA_GOLDEN_WRITE") != NULL) {
            write_file(events, remora_buf_slice(&out));
        }
        compare(events, sizes[i], remora_buf_slice(&out));
        remora_buf_fini(&out);
    }
    free((void *)(uintptr_t)bytes.data);
}

static void every_case_yields_its_events_at_every_piece_size(void **state)
{
    (void)state;
    size_t count = 0;
    DIR *dir = opendir(CASES);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (test_ends_with(entry->d_name, ".sse") || test_ends_with(entry->d_name, ".json")) {
            check_case(entry->d_name);
            count++;
        }
    }
    closedir(dir);
    print_message("%zu cases\n", count);
    assert_true(count >= 40);
}

static void decode_stream(struct remora_slice bytes, bool is_cut, struct remora_buf *out)
{
    const struct decode_input input = {
        .adapter = remora_adapter_for(REMORA_WIRE_OPENAI),
        .delivery = REMORA_STREAM,
        .end = is_cut ? REMORA_END_CUT : REMORA_END_CLEAN,
        .bytes = bytes,
    };
    (void)decode_to_text(&input, out);
}

static void check_unlike(const char *name)
{
    char path[512];
    struct remora_buf unlike;
    struct remora_buf is;
    struct remora_buf expected;
    snprintf(path, sizeof path, "%s/%s", CASES, name);
    struct remora_slice bytes = test_read_file(path);
    remora_buf_init(&unlike, 64 << 20);
    remora_buf_init(&is, 16 << 20);
    remora_buf_init(&expected, 16 << 20);
    append_unlike(&unlike, bytes);
    decode_stream(bytes, test_ends_with(name, "_cut.sse"), &is);
    decode_stream(remora_buf_slice(&unlike), test_ends_with(name, "_cut.sse"), &expected);
    if (!remora_slice_equal(remora_buf_slice(&is), remora_buf_slice(&expected))) {
        fail_msg("%s\n--- is\n%.*s--- expected\n%.*s", name,
                 REMORA_SLICE_ARG(remora_buf_slice(&is)),
                 REMORA_SLICE_ARG(remora_buf_slice(&expected)));
    }
    remora_buf_fini(&expected);
    remora_buf_fini(&is);
    remora_buf_fini(&unlike);
    free((void *)(uintptr_t)bytes.data);
}

static void decode_call_without_id(const char *generation_id, const char *answer_id,
                                   struct remora_buf *out)
{
    struct remora_buf body;
    remora_buf_init(&body, 4096);
    remora_buf_printf(&body,
                      "{%s\"choices\":[{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\","
                      "\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}",
                      answer_id);
    const struct decode_input input = {.adapter = remora_adapter_for(REMORA_WIRE_OPENAI),
                                       .delivery = REMORA_UNARY,
                                       .end = REMORA_END_CLEAN,
                                       .bytes = remora_buf_slice(&body),
                                       .generation_id = remora_slice_of(generation_id)};
    remora_buf_init(out, 4096);
    assert_int_equal(decode_to_text(&input, out), REMORA_OK);
    remora_buf_fini(&body);
}

/* Anthropic and Bedrock refuse two turns that hold calls of one id; some servers give their answers one id, or none. */
static void made_ids_differ_between_answers(void **state)
{
    static const struct {
        const char *generation_id;
        const char *answer_id;
        const char *id;
    } rows[] = {{"gen-1", "", "id=\"call_4d0cd59a741e17db0000\""},
                {"gen-2", "", "id=\"call_4d0cd69a741e198e0000\""},
                {"gen-1", "\"id\":\"x\",", "id=\"call_0ae698734f2229f90000\""},
                {"gen-2", "\"id\":\"x\",", "id=\"call_0aea9e734f261d020000\""}};
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(rows); i++) {
        struct remora_buf out;
        decode_call_without_id(rows[i].generation_id, rows[i].answer_id, &out);
        struct remora_slice text = remora_buf_slice(&out);
        print_message("%.*s", REMORA_SLICE_ARG(text));
        assert_non_null(memmem(text.data, text.length, rows[i].id, strlen(rows[i].id)));
        remora_buf_fini(&out);
    }
}

static void chunks_that_are_alike_mean_what_they_mean_alone(void **state)
{
    (void)state;
    size_t count = 0;
    DIR *dir = opendir(CASES);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (test_ends_with(entry->d_name, ".sse")) {
            check_unlike(entry->d_name);
            count++;
        }
    }
    closedir(dir);
    assert_true(count >= 30);
}

struct finish_case {
    const char *words[16];
    const char *end; /* what the last line of the events begins with */
};
static const struct finish_case finish_cases[] = {
    {{"stop", "eos", "end_turn", "stop_sequence", "pause_turn", "COMPLETE", "STOP"},
     "finished[0] stop native="},
    {{"length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded",
      "CONTINUATION"},
     "finished[0] length native="},
    {{"tool_calls", "function_call", "tool_use", "TOOL_CALL"}, "finished[0] tool_calls native="},
    {{"content_filter", "sensitive", "refusal", "guardrail_intervened", "content_filtered",
      "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
      "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "content_filter: PROHIBITED_CONTENT"},
     "finished[0] content_filter native="},
    {{"error", "network_error", "abort", "aborted", "cancelled", "canceled", "timeout",
      "MALFORMED_FUNCTION_CALL", "malformed_tool_use", "malformed_model_output",
      "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "NO_IMAGE", "IMAGE_OTHER", "OTHER"},
     "UPSTREAM_UNAVAILABLE cause=in_band "},
};

static bool contains(struct remora_slice text, const char *what)
{
    return memmem(text.data, text.length, what, strlen(what)) != NULL;
}

static void check_word(const char *word, const char *end, size_t chunk_bytes)
{
    char answer[512];
    struct remora_buf is;
    int length = snprintf(
        answer, sizeof answer,
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n"
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
        "\"%s\"}]}\n\ndata: [DONE]\n\n",
        word);
    const struct decode_input input = {
        .adapter = remora_adapter_for(REMORA_WIRE_OPENAI),
        .delivery = REMORA_STREAM,
        .end = REMORA_END_CLEAN,
        .bytes = remora_slice(answer, (size_t)length),
        .chunk_bytes = chunk_bytes,
    };
    remora_buf_init(&is, 1 << 20);
    (void)decode_to_text(&input, &is);
    bool is_right =
        contains(remora_buf_slice(&is), end) && !contains(remora_buf_slice(&is), "finish=unknown");
    if (!is_right) {
        fail_msg("%s\n%.*s", word, REMORA_SLICE_ARG(remora_buf_slice(&is)));
    }
    remora_buf_fini(&is);
}

static void finish_reasons_of_all_vendors_are_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < REMORA_COUNT_OF(finish_cases); i++) {
        const struct finish_case *c = &finish_cases[i];
        for (size_t j = 0; j < REMORA_COUNT_OF(c->words) && c->words[j] != NULL; j++) {
            check_word(c->words[j], c->end, 0);
            check_word(c->words[j], c->end, 1);
        }
    }
}

static void decoder_fits_its_seat(void **state)
{
    (void)state;
    assert_true(remora_adapter_for(REMORA_WIRE_OPENAI)->decoder_bytes <= REMORA_DECODER_BYTES);
}

static void wire_that_is_not_built_has_no_adapter(void **state)
{
    (void)state;
    assert_null(remora_adapter_for(REMORA_WIRE_ANTHROPIC));
    assert_null(remora_adapter_for(REMORA_WIRE_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_yields_its_events_at_every_piece_size),
        cmocka_unit_test(made_ids_differ_between_answers),
        cmocka_unit_test(chunks_that_are_alike_mean_what_they_mean_alone),
        cmocka_unit_test(finish_reasons_of_all_vendors_are_known),
        cmocka_unit_test(decoder_fits_its_seat),
        cmocka_unit_test(wire_that_is_not_built_has_no_adapter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
