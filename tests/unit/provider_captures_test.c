/*
 * Captured answers of real providers through the openai-chat decoder, however they arrive.
 *
 * The captures are not part of this repository; a folder of theirs that is absent skips the test with a word, and fails it
 * under CI=true. Every Chat Completions capture of the folders below is taken: each first JSON text says whether it is one.
 * Expected: tests/golden/openai_captures/summary.txt, printed by read_captures.py beside it, which shares no code with the
 * decoder: lengths and FNV-1a hashes of text and reasoning, finish reason and the provider's word for it, usage in disjoint
 * classes, money that the provider reports, tool calls. Each capture is decoded under its provider's dialect and under none.
 */
#include "event_text.h"
#include "support.h"

#include "remora/json.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPECTED REMORA_TESTS_DIR "/golden/openai_captures/summary.txt"

enum { CAPTURES_MAX = 200, PATH_BYTES = 512, SEEDED_SPLITS = 200 };

static const size_t sizes[] = {0, 1, 2, 3, 7, 16, 64, 1024, 4096};

/* In byte order, as the expectation has them. */
static const struct {
    const char *name;
    const char *dialect;
} folders[] = {
    {"alibaba", "qwen"},  {"azure", "azure"},        {"deepseek", "deepseek"},
    {"groq", "groq"},     {"mistral", "mistral"},    {"moonshotai", "moonshot"},
    {"openai", "openai"}, {"openai-compatible", ""}, {"perplexity", "perplexity"},
    {"xai", "xai"},
};

/* Another folder than the one beside the repository, to see what becomes of an absent one. */
static const char *captures_folder(void)
{
    const char *other = getenv("REMORA_CAPTURES");
    return other != NULL ? other : REMORA_SHARED_DIR "/captures";
}

static void open_or_skip(const char *folder, DIR **dir)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", captures_folder(), folder);
    *dir = opendir(path);
    if (*dir != NULL) {
        return;
    }
    const char *ci = getenv("CI");
    if (ci != NULL && strcmp(ci, "true") == 0) {
        fail_msg("the captures are absent: %s", path);
    }
    print_message("skipped: no captures in %s\n", path);
    skip();
}

/* ---- which files are Chat Completions ---- */

/* A whole body, or the first event of a stream. */
static struct remora_slice first_json(const char *name, struct remora_slice bytes)
{
    size_t from = test_ends_with(name, ".sse") ? strlen("data: ") : 0;
    size_t to = test_ends_with(name, ".json") ? bytes.length : remora_slice_find(bytes, '\n', 0);
    return remora_slice(bytes.data + from, to - from);
}

static bool is_chat_completion(struct remora_slice text)
{
    const struct remora_json_limits limits = {64, 100000};
    struct remora_arena arena;
    struct remora_json_doc doc;
    struct remora_json_error where;
    bool is_one = false;
    remora_arena_init(&arena, 8192, 16 << 20);
    /* One Responses capture begins with a line that is no JSON. */
    if (remora_json_parse(text, &arena, &limits, &doc, &where) == REMORA_OK) {
        struct remora_json root = remora_json_root(&doc);
        struct remora_json object = remora_json_get(root, "object");
        is_one = remora_json_is_absent(object)
                     ? !remora_json_is_absent(remora_json_get(root, "choices"))
                     : remora_json_equals(object, "chat.completion") ||
                           remora_json_equals(object, "chat.completion.chunk");
    }
    remora_arena_fini(&arena);
    return is_one;
}

/* ---- reading one ---- */

struct capture {
    char name[128]; /* FOLDER/FILE */
    const char *dialect;
    struct remora_slice body; /* as it was on the wire; in `memory` */
    char *memory;
};

static bool is_stream(const struct capture *capture)
{
    return !test_ends_with(capture->name, ".json");
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

/* False for another wire. */
static bool read_capture(size_t folder, const char *file, struct capture *out)
{
    char path[PATH_BYTES];
    struct remora_buf framed;
    snprintf(out->name, sizeof out->name, "%s/%s", folders[folder].name, file);
    snprintf(path, sizeof path, "%s/%s", captures_folder(), out->name);
    struct remora_slice bytes = test_read_file(path);
    bool is_one = is_chat_completion(first_json(out->name, bytes));
    remora_buf_init(&framed, 16 << 20);
    if (is_one && test_ends_with(out->name, ".chunks.txt")) {
        frame(&framed, bytes);
    } else {
        remora_buf_append(&framed, bytes);
    }
    free((void *)(uintptr_t)bytes.data);
    if (is_one) {
        struct remora_slice all_bytes = remora_buf_slice(&framed);
        out->dialect = folders[folder].dialect;
        out->memory = malloc(all_bytes.length);
        assert_non_null(out->memory);
        memcpy(out->memory, all_bytes.data, all_bytes.length);
        out->body = remora_slice(out->memory, all_bytes.length);
    }
    remora_buf_fini(&framed);
    return is_one;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct capture *)a)->name, ((const struct capture *)b)->name);
}

struct captures {
    struct capture items[CAPTURES_MAX];
    size_t count;
};

static void read_captures(struct captures *out)
{
    out->count = 0;
    for (size_t i = 0; i < REMORA_COUNT_OF(folders); i++) {
        size_t from = out->count;
        DIR *dir = NULL;
        open_or_skip(folders[i].name, &dir);
        for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
            assert_true(out->count < CAPTURES_MAX);
            if (entry->d_name[0] != '.' &&
                read_capture(i, entry->d_name, &out->items[out->count])) {
                out->count++;
            }
        }
        closedir(dir);
        qsort(&out->items[from], out->count - from, sizeof out->items[0], by_name);
    }
}

static struct captures all;

static int set_up(void **state)
{
    (void)state;
    memset(&all, 0, sizeof all);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < all.count; i++) {
        free(all.items[i].memory);
    }
    all.count = 0;
    return 0;
}

/* ---- what it means ---- */

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
#define REMORA_USAGE_CLASS(name, direction, price, label, ...) label,
#include "remora/tbl/usage.h"
#undef REMORA_USAGE_CLASS
    };
    remora_buf_append_text(out, "\n usage");
    for (size_t i = 0; i < REMORA_USAGE_CLASS_COUNT; i++) {
        if (usage->tokens[i] >= 0) {
            remora_buf_printf(out, " %s=%lld", names[i], (long long)usage->tokens[i]);
        }
    }
    if (usage->reported_pico_usd >= 0) {
        remora_buf_printf(out, " reported_pico_usd=%lld", (long long)usage->reported_pico_usd);
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

static int count_annotations(const struct remora_answer_choice *choice)
{
    int count = 0;
    for (const struct remora_answer_item *item = choice->items; item != NULL; item = item->next) {
        count += item->event.kind == REMORA_EVENT_ANNOTATION ? 1 : 0;
    }
    return count;
}

static void append_answer(struct remora_buf *out, struct remora_answer *answer)
{
    const struct remora_answer_choice *choice = answer->choices;
    struct remora_slice reasoning = {0};
    assert_non_null(choice);
    assert_null(choice->next);
    if (choice->reasoning != NULL) {
        assert_null(choice->reasoning->next);
        reasoning = remora_fragments_join(&choice->reasoning->text, answer->arena);
    }
    remora_buf_printf(out, " model=%.*s", REMORA_SLICE_ARG(answer->upstream_model));
    append_part(out, "text", remora_fragments_join(&choice->text, answer->arena));
    append_part(out, "reasoning", reasoning);
    remora_buf_printf(out, " finish=%s native=%.*s annotations=%d",
                      remora_finish_name(choice->finish), REMORA_SLICE_ARG(choice->native_finish),
                      count_annotations(choice));
    append_usage(out, &answer->usage);
    append_calls(out, answer);
}

/* ---- decoding ---- */

struct way {
    size_t chunk_bytes;
    uint64_t seed;
    bool is_under_no_dialect;
};

/* Appends the meaning to `meaning` and every event as text to `events`. */
static void decode(const struct capture *capture, struct way way, struct remora_buf *meaning,
                   struct remora_buf *events)
{
    const struct remora_provider provider = {
        .facts = {.slug = REMORA_SLICE("p"),
                  .dialect = remora_slice_of(way.is_under_no_dialect ? "" : capture->dialect)}};
    const struct remora_endpoint endpoint = {.provider = &provider};
    struct remora_arena arena;
    struct remora_answer answer;
    remora_arena_init(&arena, 8192, 64 << 20);
    remora_answer_init(&answer, &arena);
    const struct decode_input input = {
        .adapter = remora_adapter_for(REMORA_WIRE_OPENAI),
        .delivery = is_stream(capture) ? REMORA_STREAM : REMORA_UNARY,
        .endpoint = &endpoint,
        .bytes = capture->body,
        .chunk_bytes = way.chunk_bytes,
        .piece_seed = way.seed,
        .answer = &answer,
    };
    if (decode_to_text(&input, events) != REMORA_OK) {
        fail_msg("%s: %.*s", capture->name, REMORA_SLICE_ARG(remora_buf_slice(events)));
    }
    remora_buf_printf(meaning, "%s\n", capture->name);
    append_answer(meaning, &answer);
    remora_arena_fini(&arena);
}

static void compare_with_expectation(struct way way)
{
    struct remora_buf meaning;
    struct remora_slice expected = test_read_file(EXPECTED);
    remora_buf_init(&meaning, 1 << 20);
    for (size_t i = 0; i < all.count; i++) {
        struct remora_buf events;
        remora_buf_init(&events, 16 << 20);
        decode(&all.items[i], way, &meaning, &events);
        remora_buf_fini(&events);
    }
    if (!remora_slice_equal(remora_buf_slice(&meaning), expected)) {
        print_error("pieces of %zu bytes\n%.*s", way.chunk_bytes,
                    REMORA_SLICE_ARG(remora_buf_slice(&meaning)));
        fail();
    }
    remora_buf_fini(&meaning);
    free((void *)(uintptr_t)expected.data);
}

/* ---- cases ---- */

static void no_capture_of_this_wire_is_left_out(void **state)
{
    (void)state;
    read_captures(&all);
    struct remora_slice expected = test_read_file(EXPECTED);
    size_t at = 0;
    size_t found = 0;
    while (at < expected.length) {
        size_t end = remora_slice_find(expected, '\n', at);
        if (expected.data[at] != ' ') {
            assert_true(found < all.count);
            assert_slice_equal(remora_slice(expected.data + at, end - at), all.items[found].name);
            found++;
        }
        at = end + 1;
    }
    assert_int_equal(found, all.count);
    assert_true(found >= 33);
    print_message("%zu captures\n", found);
    free((void *)(uintptr_t)expected.data);
}

static void captures_mean_the_same_at_every_piece_size(void **state)
{
    (void)state;
    read_captures(&all);
    for (size_t i = 0; i < REMORA_COUNT_OF(sizes); i++) {
        compare_with_expectation((struct way){.chunk_bytes = sizes[i]});
    }
}

/* Servers are recognised by what they send, so that an unlisted one is understood as well. */
static void captures_mean_the_same_under_no_dialect(void **state)
{
    (void)state;
    read_captures(&all);
    compare_with_expectation((struct way){.is_under_no_dialect = true});
}

/* Event by event what the answer is when it arrives whole. */
static void captures_are_the_same_events_in_200_seeded_splits(void **state)
{
    (void)state;
    read_captures(&all);
    for (size_t i = 0; i < all.count; i++) {
        struct remora_buf meaning;
        struct remora_buf whole;
        remora_buf_init(&meaning, 1 << 20);
        remora_buf_init(&whole, 16 << 20);
        decode(&all.items[i], (struct way){0}, &meaning, &whole);
        for (uint64_t seed = 1; seed <= SEEDED_SPLITS; seed++) {
            struct remora_buf split;
            remora_buf_reset(&meaning, 0);
            remora_buf_init(&split, 16 << 20);
            decode(&all.items[i], (struct way){.seed = seed * 0x9e3779b97f4a7c15u}, &meaning,
                   &split);
            if (!remora_slice_equal(remora_buf_slice(&whole), remora_buf_slice(&split))) {
                fail_msg("%s: seed %llu", all.items[i].name, (unsigned long long)seed);
            }
            remora_buf_fini(&split);
        }
        remora_buf_fini(&whole);
        remora_buf_fini(&meaning);
    }
}

/* Event by event what each chunk means when none is like the one before. */
static void captures_are_the_same_events_when_no_chunk_is_like_another(void **state)
{
    (void)state;
    read_captures(&all);
    for (size_t i = 0; i < all.count; i++) {
        struct remora_buf meaning;
        struct remora_buf alike;
        struct remora_buf unlike;
        struct remora_buf body;
        remora_buf_init(&meaning, 1 << 20);
        remora_buf_init(&alike, 16 << 20);
        remora_buf_init(&unlike, 16 << 20);
        remora_buf_init(&body, 16 << 20);
        decode(&all.items[i], (struct way){0}, &meaning, &alike);
        append_unlike(&body, all.items[i].body);
        struct capture other = all.items[i];
        other.body = remora_buf_slice(&body);
        remora_buf_reset(&meaning, 0);
        decode(&other, (struct way){0}, &meaning, &unlike);
        if (!remora_slice_equal(remora_buf_slice(&alike), remora_buf_slice(&unlike))) {
            fail_msg("%s", all.items[i].name);
        }
        remora_buf_fini(&body);
        remora_buf_fini(&unlike);
        remora_buf_fini(&alike);
        remora_buf_fini(&meaning);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_capture_of_this_wire_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(captures_mean_the_same_at_every_piece_size, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(captures_mean_the_same_under_no_dialect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(captures_are_the_same_events_in_200_seeded_splits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(captures_are_the_same_events_when_no_chunk_is_like_another,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
