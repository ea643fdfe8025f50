// Counters and the ring of the last requests, and their JSON.
#include "fault_ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

double ledger_now_ms(const struct ledger *ledger)
{
    return (double)(clock_ns() - ledger->start_ns) / 1e6;
}

struct record *ledger_open(struct ledger *ledger, struct slice head)
{
    uint64_t id = ++ledger->last_id;
    struct record *record = &ledger->records[id % LEDGER_KEPT];
    text_free(&record->head);
    text_free(&record->body);
    *record = (struct record){.id = id,
                              .arrived_ms = ledger_now_ms(ledger),
                              .received_ms = LEDGER_NO_TIME,
                              .first_byte_ms = LEDGER_NO_TIME,
                              .ended_ms = LEDGER_NO_TIME};
    text_add(&record->head, head.data, head.length);
    return record;
}

struct record *ledger_record(struct ledger *ledger, uint64_t id)
{
    struct record *record = &ledger->records[id % LEDGER_KEPT];
    return record->id == id && id != 0 ? record : NULL;
}

struct counter *ledger_counter(struct ledger *ledger, struct slice name)
{
    if (name.length >= LEDGER_NAME) {
        name.length = LEDGER_NAME - 1;
    }
    struct counter **link = &ledger->counters;
    for (; *link != NULL; link = &(*link)->next) {
        if (slice_is(name, (*link)->name)) {
            return *link;
        }
    }
    struct counter *counter = calloc(1, sizeof *counter);
    if (counter == NULL) {
        abort();
    }
    memcpy(counter->name, name.data, name.length);
    counter->last_arrived_ms = counter->last_aborted_ms = LEDGER_NO_TIME;
    *link = counter;
    return counter;
}

// FNV-1a, 64 bits.
static uint64_t hash_of(struct slice bytes)
{
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < bytes.length; i++) {
        hash = (hash ^ (unsigned char)bytes.data[i]) * 1099511628211U;
    }
    return hash;
}

void ledger_identify(struct ledger *ledger, struct record *record, struct slice request_id)
{
    struct slice body = {record->body.data, record->body.length};
    record->fingerprint = hash_of(request_id.length > 0 ? request_id : body);
    record->times = 1;
    for (size_t i = 0; i < LEDGER_KEPT; i++) {
        const struct record *other = &ledger->records[i];
        record->times += other->id != 0 && other != record && other->received_ms >= 0 &&
                         other->fingerprint == record->fingerprint;
    }
}

void ledger_reset(struct ledger *ledger)
{
    for (size_t i = 0; i < LEDGER_KEPT; i++) {
        text_free(&ledger->records[i].head);
        text_free(&ledger->records[i].body);
        ledger->records[i] = (struct record){0};
    }
    ledger->accepted = 0;
    for (struct counter *counter = ledger->counters; counter; counter = counter->next) {
        struct counter zero = {.open = counter->open, .max_open = counter->open};
        memcpy(zero.name, counter->name, sizeof zero.name);
        zero.last_arrived_ms = zero.last_aborted_ms = LEDGER_NO_TIME;
        zero.next = counter->next;
        *counter = zero;
    }
}

static void time_json(struct text *out, const char *name, double ms)
{
    if (ms < 0) {
        text_printf(out, ",\"%s\":null", name);
    } else {
        text_printf(out, ",\"%s\":%.3f", name, ms);
    }
}

static void counter_json(struct text *out, const struct counter *counter)
{
    text_json_bytes(out, slice_of(counter->name));
    text_printf(out, ":{\"requests\":%" PRIu64 ",\"received\":%" PRIu64 ",\"complete\":%" PRIu64,
                counter->requests, counter->received, counter->complete);
    text_printf(out, ",\"cut\":%" PRIu64 ",\"aborted\":%" PRIu64, counter->cut, counter->aborted);
    text_printf(out, ",\"fresh\":%" PRIu64 ",\"reused\":%" PRIu64, counter->fresh, counter->reused);
    text_printf(out, ",\"bytes_sent\":%" PRIu64 ",\"open\":%" PRIu64 ",\"max_open\":%" PRIu64,
                counter->bytes_sent, counter->open, counter->max_open);
    time_json(out, "last_arrived_ms", counter->last_arrived_ms);
    time_json(out, "last_aborted_ms", counter->last_aborted_ms);
    text_puts(out, "}");
}

void ledger_stats_json(const struct ledger *ledger, struct text *out)
{
    text_printf(out,
                "{\"start_monotonic_ns\":%" PRIu64 ",\"now_ms\":%.3f,\"accepted\":%" PRIu64
                ",\"open_connections\":%" PRIu64 ",\"behaviours\":{",
                ledger->start_ns, ledger_now_ms(ledger), ledger->accepted,
                ledger->open_connections);
    const char *comma = "";
    for (const struct counter *counter = ledger->counters; counter; counter = counter->next) {
        text_puts(out, comma);
        counter_json(out, counter);
        comma = ",";
    }
    text_puts(out, "}}\n");
}

// The lines behind the request line as [[name, value], ...].
static void headers_json(struct text *out, struct slice lines)
{
    const char *at = lines.data;
    const char *end = lines.data + lines.length;
    const char *comma = "";
    text_puts(out, ",\"headers\":[");
    while (at < end) {
        const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        line_end = line_end ? line_end : end;
        const char *colon = memchr(at, ':', (size_t)(line_end - at));
        if (colon != NULL) {
            const char *value = colon + 1;
            while (value < line_end && *value == ' ') {
                value++;
            }
            text_printf(out, "%s[", comma);
            text_json_bytes(out, (struct slice){at, (size_t)(colon - at)});
            text_puts(out, ",");
            text_json_bytes(out, (struct slice){value, (size_t)(line_end - value)});
            text_puts(out, "]");
            comma = ",";
        }
        at = line_end + 2;
    }
    text_puts(out, "]");
}

static void head_json(struct text *out, const struct text *head)
{
    const char *end = head->data + head->length;
    const char *line_end = memmem(head->data, head->length, "\r\n", 2);
    line_end = line_end ? line_end : end;
    const char *space = memchr(head->data, ' ', (size_t)(line_end - head->data));
    space = space ? space : line_end;
    const char *target = space < line_end ? space + 1 : line_end;
    const char *after = memrchr(target, ' ', (size_t)(line_end - target));
    after = after ? after : line_end;
    text_puts(out, ",\"method\":");
    text_json_bytes(out, (struct slice){head->data, (size_t)(space - head->data)});
    text_puts(out, ",\"target\":");
    text_json_bytes(out, (struct slice){target, (size_t)(after - target)});
    const char *lines = line_end + 2 <= end ? line_end + 2 : end;
    headers_json(out, (struct slice){lines, (size_t)(end - lines)});
}

static void record_json(struct text *out, const struct record *record)
{
    static const char *const outcomes[] = {"open", "complete", "cut", "aborted"};
    text_printf(out, "{\"id\":%" PRIu64 ",\"behaviour\":", record->id);
    text_json_bytes(out, slice_of(record->name));
    head_json(out, &record->head);
    text_puts(out, ",\"body\":");
    text_json_bytes(out, (struct slice){record->body.data, record->body.length});
    text_printf(out, ",\"body_bytes\":%" PRIu64 ",\"bytes_sent\":%" PRIu64, record->body_bytes,
                record->bytes_sent);
    text_printf(out, ",\"connection\":%" PRIu64 ",\"nth_on_connection\":%" PRIu64,
                record->connection, record->nth_on_connection);
    text_printf(out, ",\"times\":%u,\"outcome\":\"%s\"", record->times, outcomes[record->outcome]);
    time_json(out, "arrived_ms", record->arrived_ms);
    time_json(out, "received_ms", record->received_ms);
    time_json(out, "first_byte_ms", record->first_byte_ms);
    time_json(out, "ended_ms", record->ended_ms);
    text_puts(out, "}");
}

void ledger_requests_json(const struct ledger *ledger, struct text *out)
{
    const char *comma = "";
    text_puts(out, "[");
    for (uint64_t i = 1; i <= LEDGER_KEPT; i++) {
        const struct record *record = &ledger->records[(ledger->last_id + i) % LEDGER_KEPT];
        if (record->id != 0) {
            text_puts(out, comma);
            record_json(out, record);
            comma = ",";
        }
    }
    text_puts(out, "]\n");
}

void ledger_last_json(struct ledger *ledger, struct text *out)
{
    const struct record *record = ledger_record(ledger, ledger->last_id);
    if (record == NULL) {
        text_puts(out, "null\n");
        return;
    }
    record_json(out, record);
    text_puts(out, "\n");
}
