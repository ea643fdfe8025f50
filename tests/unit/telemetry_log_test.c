/* Log lines on standard error, one by one and in batches. Standard error is a pipe here. */
#include "support.h"

#include "remora/limits.h"
#include "remora/telemetry.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIPE_BYTES = 64 << 10 };

struct sink {
    int saved_fd;
    int read_fd;
    char text[PIPE_BYTES + 1];
};

static struct sink sink;

static int set_up(void **state)
{
    int fds[2];
    if (pipe2(fds, O_NONBLOCK) != 0) {
        return -1;
    }
    sink.saved_fd = dup(STDERR_FILENO);
    sink.read_fd = fds[0];
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    *state = &sink;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remora_log_batch_end();
    dup2(sink.saved_fd, STDERR_FILENO);
    close(sink.saved_fd);
    close(sink.read_fd);
    return 0;
}

/* What one write has brought: a pipe gives at most what lies there. */
static const char *taken(void)
{
    ssize_t got = read(sink.read_fd, sink.text, PIPE_BYTES);
    sink.text[got > 0 ? got : 0] = '\0';
    return sink.text;
}

static void say(enum remora_log_level level, const char *word)
{
    const struct remora_log_field fields[] = {REMORA_LOG_TEXT("word", remora_slice_of(word)),
                                              REMORA_LOG_NUMBER("number", -7)};
    remora_log(level, "said", fields, REMORA_COUNT_OF(fields));
}

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n' ? 1 : 0;
    }
    return count;
}

static void line_is_one_json_object_with_its_time(void **state)
{
    (void)state;
    say(REMORA_LOG_INFO, "a\"b");
    const char *line = taken();
    static const char head[] = "{\"time\":\"";
    assert_memory_equal(line, head, sizeof head - 1);
    const char *time = line + sizeof head - 1;
    assert_int_equal(time[4], '-');
    assert_int_equal(time[10], 'T');
    assert_int_equal(time[19], '.');
    assert_string_equal(time + 23,
                        "Z\",\"level\":\"info\",\"message\":\"said\",\"word\":\"a\\\"b\","
                        "\"number\":-7}\n");
}

static void batch_waits_for_its_flush(void **state)
{
    (void)state;
    remora_log_batch_begin();
    say(REMORA_LOG_INFO, "one");
    say(REMORA_LOG_INFO, "two");
    assert_string_equal(taken(), "");
    remora_log_flush();
    assert_int_equal(count_lines(taken()), 2);
    remora_log_flush();
    assert_string_equal(taken(), "");
}

static void warning_takes_the_batch_along(void **state)
{
    (void)state;
    remora_log_batch_begin();
    say(REMORA_LOG_INFO, "one");
    say(REMORA_LOG_WARN, "two");
    const char *text = taken();
    assert_int_equal(count_lines(text), 2);
    assert_true(strstr(text, "one") < strstr(text, "two"));
}

static void end_of_a_batch_writes_what_is_left(void **state)
{
    (void)state;
    remora_log_batch_begin();
    say(REMORA_LOG_INFO, "one");
    remora_log_batch_end();
    assert_int_equal(count_lines(taken()), 1);
    say(REMORA_LOG_INFO, "two");
    assert_int_equal(count_lines(taken()), 1);
}

/* Whole lines only, none lost, and no write beyond what a pipe takes whole. */
static void full_batch_leaves_in_whole_lines(void **state)
{
    (void)state;
    enum { LINES = 40 };
    size_t lines = 0;
    char word[600];
    memset(word, 'w', sizeof word);
    word[sizeof word - 1] = '\0';
    remora_log_batch_begin();
    for (int i = 0; i < LINES; i++) {
        say(REMORA_LOG_INFO, word);
        const char *text = taken();
        assert_true(strlen(text) <= REMORA_LIMIT_LOG_LINE_BYTES);
        assert_true(text[0] == '\0' || text[strlen(text) - 1] == '\n');
        lines += count_lines(text);
    }
    assert_true(lines > 0);
    remora_log_flush();
    assert_int_equal(lines + count_lines(taken()), LINES);
}

static void line_that_is_too_long_is_dropped_and_counted(void **state)
{
    (void)state;
    static char word[REMORA_LIMIT_LOG_LINE_BYTES * 3];
    memset(word, 'w', sizeof word - 1);
    uint64_t before = remora_log_dropped();
    remora_log_batch_begin();
    say(REMORA_LOG_INFO, "one");
    say(REMORA_LOG_INFO, word);
    word[REMORA_LIMIT_LOG_LINE_BYTES] = '\0';
    say(REMORA_LOG_INFO, word);
    say(REMORA_LOG_INFO, "two");
    remora_log_flush();
    assert_int_equal(count_lines(taken()), 2);
    assert_int_equal(remora_log_dropped(), before + 2);
    remora_log_batch_end();
    say(REMORA_LOG_INFO, word);
    assert_string_equal(taken(), "");
    assert_int_equal(remora_log_dropped(), before + 3);
}

static void full_sink_drops_and_counts_every_line(void **state)
{
    (void)state;
    static char block[4096];
    while (write(STDERR_FILENO, block, sizeof block) > 0) {
    }
    uint64_t before = remora_log_dropped();
    remora_log_batch_begin();
    say(REMORA_LOG_INFO, "one");
    say(REMORA_LOG_INFO, "two");
    remora_log_flush();
    assert_int_equal(remora_log_dropped(), before + 2);
}

/* A file takes whatever a round has to say in one write, and what fills even that leaves in whole lines. */
static void file_takes_a_round_at_once(void **state)
{
    (void)state;
    enum { LINES = 20 };
    static char text[64 << 10];
    char word[1000];
    memset(word, 'w', sizeof word);
    word[sizeof word - 1] = '\0';
    FILE *file = tmpfile();
    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    remora_log_batch_begin();
    for (int i = 0; i < LINES; i++) {
        say(REMORA_LOG_INFO, word);
    }
    assert_int_equal(lseek(STDERR_FILENO, 0, SEEK_END), 0);
    remora_log_flush();
    ssize_t got = pread(STDERR_FILENO, text, sizeof text - 1, 0);
    assert_true(got > 0);
    text[got] = '\0';
    assert_int_equal(count_lines(text), LINES);
    for (int i = 0; i < LINES * 2; i++) {
        say(REMORA_LOG_INFO, word);
    }
    off_t end = lseek(STDERR_FILENO, 0, SEEK_END);
    assert_true(end > got);
    assert_int_equal(pread(STDERR_FILENO, text, 1, end - 1), 1);
    assert_int_equal(text[0], '\n');
    remora_log_flush();
    assert_int_equal(lseek(STDERR_FILENO, 0, SEEK_END), got * 3);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(line_is_one_json_object_with_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(batch_waits_for_its_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warning_takes_the_batch_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(end_of_a_batch_writes_what_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_batch_leaves_in_whole_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(line_that_is_too_long_is_dropped_and_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(full_sink_drops_and_counts_every_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_takes_a_round_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
