/*
 * Log lines: one JSON object a line on standard error.
 *
 * A line is at most REMORA_LIMIT_LOG_LINE_BYTES (= PIPE_BUF on Linux), so that a pipe takes it whole or not at all; when
 * the sink is not writable right now the line is dropped and counted (reliability.md F70). No lock: one write a line, or
 * as many whole lines as fit the same limit on a thread that batches; a file takes any number at once and is always
 * writable. The two atomics below are the process's, like standard error itself; the batch is its thread's.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "remora/json.h"
#include "remora/limits.h"
#include "remora/memory.h"
#include "remora/telemetry.h"

enum { FILE_BATCH_BYTES = 32 << 10 }; /* the lines of a busy round */

static _Atomic int log_level = REMORA_LOG_INFO;
static _Atomic uint64_t log_dropped = 0;
static _Thread_local struct {
    struct remora_buf lines; /* over the memory: what waits, and one line beside it */
    size_t count;            /* of lines */
    size_t most_bytes;       /* that one write may take */
    bool is_file;
    char *memory; /* NULL: lines leave one by one */
} log_batch;

static const char *const level_names[] = {
    [REMORA_LOG_ERROR] = "error",
    [REMORA_LOG_WARN] = "warn",
    [REMORA_LOG_INFO] = "info",
    [REMORA_LOG_DEBUG] = "debug",
};

const char *remora_log_level_name(enum remora_log_level level)
{
    return level_names[level];
}

bool remora_log_level_by_name(struct remora_slice name, enum remora_log_level *out)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(level_names); i++) {
        if (remora_slice_is(name, level_names[i])) {
            *out = (enum remora_log_level)i;
            return true;
        }
    }
    return false;
}

/* RFC 3339 with milliseconds. The date is made once per second and thread. */
static void write_time(struct remora_json_writer *w)
{
    static _Thread_local struct {
        time_t second;
        char text[sizeof "2026-01-01T00:00:00.000Z"];
    } last = {.second = -1};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != last.second) {
        struct tm parts;
        gmtime_r(&now.tv_sec, &parts);
        (void)strftime(last.text, sizeof last.text, "%Y-%m-%dT%H:%M:%S.000Z", &parts);
        last.second = now.tv_sec;
    }
    unsigned ms = (unsigned)(now.tv_nsec / 1000000);
    char *digits = last.text + sizeof last.text - sizeof "000Z";
    digits[0] = (char)('0' + ms / 100);
    digits[1] = (char)('0' + ms / 10 % 10);
    digits[2] = (char)('0' + ms % 10);
    remora_json_key(w, "time");
    remora_json_write_string(w, remora_slice(last.text, sizeof last.text - 1));
}

static void write_field(struct remora_json_writer *w, const struct remora_log_field *field)
{
    if (field->key == NULL) {
        return;
    }
    remora_json_key(w, field->key);
    if (field->text.data != NULL) {
        remora_json_write_string(w, field->text);
    } else {
        remora_json_write_i64(w, field->number);
    }
}

static void write_line(struct remora_buf *line, enum remora_log_level level, const char *message,
                       const struct remora_log_field *fields, size_t count)
{
    struct remora_json_writer w;
    remora_json_write_begin(&w, line);
    remora_json_object_open(&w);
    write_time(&w);
    remora_json_key(&w, "level");
    remora_json_write_text(&w, remora_log_level_name(level));
    remora_json_key(&w, "message");
    remora_json_write_text(&w, message);
    for (size_t i = 0; i < count; i++) {
        write_field(&w, &fields[i]);
    }
    remora_json_object_close(&w);
    remora_buf_append_byte(line, '\n');
}

/* ---- the sink ---- */

static bool is_writable(void)
{
    struct pollfd waiting = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&waiting, 1, 0) == 1 && (waiting.revents & POLLOUT) != 0;
}

static void count_dropped(size_t lines)
{
    atomic_fetch_add_explicit(&log_dropped, lines, memory_order_relaxed);
}

/* Whole lines, as many as the sink takes in one write. */
static void put_lines(struct remora_slice bytes, size_t lines)
{
    if ((!log_batch.is_file && !is_writable()) ||
        write(STDERR_FILENO, bytes.data, bytes.length) != (ssize_t)bytes.length) {
        count_dropped(lines);
    }
}

static void log_alone(enum remora_log_level level, const char *message,
                      const struct remora_log_field *fields, size_t count)
{
    char memory[REMORA_LIMIT_LOG_LINE_BYTES];
    struct remora_buf line;
    remora_buf_init_over(&line, memory, sizeof memory);
    write_line(&line, level, message, fields, count);
    if (remora_buf_code(&line) == REMORA_OK) {
        put_lines(remora_buf_slice(&line), 1);
    } else {
        count_dropped(1);
    }
}

/* ---- batches ---- */

static bool is_regular_file(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

void remora_log_batch_begin(void)
{
    remora_log_batch_end();
    log_batch.is_file = is_regular_file(STDERR_FILENO);
    log_batch.most_bytes = log_batch.is_file ? FILE_BATCH_BYTES : REMORA_LIMIT_LOG_LINE_BYTES;
    size_t bytes = log_batch.most_bytes + REMORA_LIMIT_LOG_LINE_BYTES;
    log_batch.memory = remora_realloc(NULL, bytes);
    log_batch.count = 0;
    if (log_batch.memory != NULL) {
        remora_buf_init_over(&log_batch.lines, log_batch.memory, bytes);
    }
}

void remora_log_flush(void)
{
    if (log_batch.count > 0) {
        put_lines(remora_buf_slice(&log_batch.lines), log_batch.count);
        log_batch.lines.length = 0;
        log_batch.count = 0;
    }
}

void remora_log_batch_end(void)
{
    remora_log_flush();
    remora_free(log_batch.memory);
    log_batch.memory = NULL;
    log_batch.is_file = false;
}

/* Behind the lines that wait; they leave first when it does not fit beside them. */
static void log_batched(enum remora_log_level level, const char *message,
                        const struct remora_log_field *fields, size_t count)
{
    struct remora_buf *lines = &log_batch.lines;
    size_t before = lines->length;
    write_line(lines, level, message, fields, count);
    size_t bytes = lines->length - before;
    if (remora_buf_code(lines) != REMORA_OK || bytes > REMORA_LIMIT_LOG_LINE_BYTES) {
        lines->failed = REMORA_OK;
        lines->length = before;
        count_dropped(1);
        return;
    }
    if (lines->length > log_batch.most_bytes) {
        put_lines(remora_slice(lines->data, before), log_batch.count);
        memmove(lines->data, lines->data + before, bytes);
        lines->length = bytes;
        log_batch.count = 0;
    }
    log_batch.count++;
    if (level <= REMORA_LOG_WARN) {
        remora_log_flush();
    }
}

void remora_log(enum remora_log_level level, const char *message,
                const struct remora_log_field *fields, size_t count)
{
    if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed)) {
        return;
    }
    if (log_batch.memory != NULL) {
        log_batched(level, message, fields, count);
    } else {
        log_alone(level, message, fields, count);
    }
}

void remora_log_set_level(enum remora_log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

enum remora_log_level remora_log_level(void)
{
    return (enum remora_log_level)atomic_load_explicit(&log_level, memory_order_relaxed);
}

uint64_t remora_log_dropped(void)
{
    return atomic_load_explicit(&log_dropped, memory_order_relaxed);
}
