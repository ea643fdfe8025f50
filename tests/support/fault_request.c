// Reading requests: framing (RFC 9112 sections 6 and 7), and what the answer shall be.
// The reader is lenient where it costs nothing; judging requests is not this server's work.
#include "fault_connection.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

// The value of a header of the current head; empty when absent.
static struct slice header_of(const struct text *head, const char *name)
{
    const char *at = head->data;
    const char *end = head->data + head->length;
    size_t name_length = strlen(name);
    while ((at = memmem(at, (size_t)(end - at), "\r\n", 2)) != NULL) {
        at += 2;
        if ((size_t)(end - at) > name_length && at[name_length] == ':' &&
            strncasecmp(at, name, name_length) == 0) {
            const char *value = at + name_length + 1;
            const char *line_end = memmem(value, (size_t)(end - value), "\r\n", 2);
            while (value < line_end && *value == ' ') {
                value++;
            }
            return (struct slice){value, (size_t)(line_end - value)};
        }
    }
    return (struct slice){0};
}

static struct slice target_of(const struct text *head)
{
    const char *line_end = memmem(head->data, head->length, "\r\n", 2);
    const char *space = memchr(head->data, ' ', (size_t)(line_end - head->data));
    if (space == NULL) {
        return (struct slice){0};
    }
    const char *after = memrchr(space + 1, ' ', (size_t)(line_end - space - 1));
    return after ? (struct slice){space + 1, (size_t)(after - space - 1)} : (struct slice){0};
}

static void count_link(struct connection *connection)
{
    struct server *server = connection->server;
    connection->is_admin = admin_is(target_of(&connection->head));
    if (connection->is_admin) {
        server->ledger.accepted -= connection->requests == 0 && server->ledger.accepted > 0;
        connection->record_id = 0;
        return;
    }
    struct slice head = {connection->head.data, connection->head.length - 2};
    struct record *record = ledger_open(&server->ledger, head);
    record->connection = connection->id;
    record->nth_on_connection = connection->requests;
    connection->record_id = record->id;
}

static void answer_expect(struct connection *connection)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    bool acts_at_once =
        connection->behaviour != NULL && connection->behaviour->moment == FAULT_AT_ONCE;
    if (header_of(&connection->head, "Expect").length > 0 && !acts_at_once) {
        io_write(connection, go_on, sizeof go_on - 1);
    }
}

bool request_begin(struct connection *connection)
{
    const char *end = memmem(connection->in.data, connection->in.length, "\r\n\r\n", 4);
    size_t length = (size_t)(end - connection->in.data) + 4;
    connection->head.length = 0;
    connection->body.length = 0;
    text_add(&connection->head, connection->in.data, length);
    text_drop(&connection->in, length);
    if (target_of(&connection->head).length == 0) {
        return false;
    }
    struct slice coding = header_of(&connection->head, "Transfer-Encoding");
    struct slice content_length = header_of(&connection->head, "Content-Length");
    bool is_chunked = coding.length == 7 && strncasecmp(coding.data, "chunked", 7) == 0;
    connection->framing = is_chunked ? BODY_CHUNK_SIZE : BODY_LENGTH;
    connection->body_left =
        !is_chunked && content_length.length > 0 ? strtoull(content_length.data, NULL, 10) : 0;
    connection->body_done = !is_chunked && connection->body_left == 0;
    count_link(connection);
    request_classify(connection);
    answer_expect(connection);
    return true;
}

static void move_bytes(struct connection *connection)
{
    size_t length = connection->in.length < connection->body_left ? connection->in.length
                                                                  : connection->body_left;
    text_add(&connection->body, connection->in.data, length);
    text_drop(&connection->in, length);
    connection->body_left -= length;
}

// Takes one line off `in`; false while it is not there. `line` lives until the next drop.
static bool take_line(struct connection *connection, char line[32])
{
    const char *end = connection->in.length > 0
                          ? memmem(connection->in.data, connection->in.length, "\r\n", 2)
                          : NULL;
    if (end == NULL) {
        return false;
    }
    size_t length = (size_t)(end - connection->in.data);
    memset(line, 0, 32);
    memcpy(line, connection->in.data, length < 31 ? length : 31);
    text_drop(&connection->in, length + 2);
    return true;
}

static bool take_chunked(struct connection *connection)
{
    char line[32];
    for (;;) {
        if (connection->framing == BODY_CHUNK_DATA) {
            move_bytes(connection);
            if (connection->body_left > 0) {
                return true;
            }
            connection->framing = BODY_CHUNK_CRLF;
        }
        if (!take_line(connection, line)) {
            return true;
        }
        if (connection->framing == BODY_CHUNK_SIZE) {
            char *end = NULL;
            connection->body_left = strtoull(line, &end, 16);
            if (end == line) {
                return false;
            }
            connection->framing = connection->body_left > 0 ? BODY_CHUNK_DATA : BODY_TRAILER;
        } else if (connection->framing == BODY_CHUNK_CRLF) {
            connection->framing = BODY_CHUNK_SIZE;
        } else if (line[0] == '\0') {
            connection->body_done = true;
            return true;
        }
    }
}

bool request_take_body(struct connection *connection)
{
    if (connection->framing != BODY_LENGTH) {
        return take_chunked(connection);
    }
    move_bytes(connection);
    connection->body_done = connection->body_left == 0;
    return true;
}

// The first segment of the target: `429` of `/429/v1/chat/completions`.
static struct slice first_segment(struct slice target)
{
    if (target.length == 0 || target.data[0] != '/') {
        return (struct slice){0};
    }
    const char *start = target.data + 1;
    const char *slash = memchr(start, '/', target.length - 1);
    return slash ? (struct slice){start, (size_t)(slash - start)} : (struct slice){0};
}

static void count_request(struct connection *connection, struct slice name)
{
    struct ledger *ledger = &connection->server->ledger;
    struct counter *counter = ledger_counter(ledger, name);
    connection->counter = counter;
    connection->demand.nth = counter->requests++;
    connection->demand.nth_on_link = connection->requests;
    counter->fresh += connection->requests == 0;
    counter->reused += connection->requests > 0;
    counter->open++;
    counter->max_open = counter->open > counter->max_open ? counter->open : counter->max_open;
    struct record *record = ledger_record(ledger, connection->record_id);
    if (record != NULL) {
        strcpy(record->name, counter->name);
        counter->last_arrived_ms = record->arrived_ms;
    }
}

void request_classify(struct connection *connection)
{
    if (connection->counter != NULL || connection->is_admin) {
        return;
    }
    // While the body arrives only its beginning is searched, so that large ones stay cheap.
    if (!connection->body_done && connection->body.length > LEDGER_BODY) {
        return;
    }
    connection->demand = (struct demand){.text = connection->server->text};
    unsigned *number = connection->demand.number;
    struct slice name = first_segment(target_of(&connection->head));
    connection->behaviour = behaviour_find(name, number);
    if (connection->behaviour == NULL) {
        name = model_of((struct slice){connection->body.data, connection->body.length});
        connection->behaviour = behaviour_find(name, number);
    }
    if (connection->behaviour == NULL && !connection->body_done) {
        return;
    }
    if (connection->behaviour != NULL) {
        connection->demand.argument = connection->behaviour->argument;
    } else if (name.length == 0) {
        name = slice_of("(none)");
    }
    count_request(connection, name);
}

void request_keep_body(struct connection *connection)
{
    struct ledger *ledger = &connection->server->ledger;
    struct record *record = ledger_record(ledger, connection->record_id);
    if (record == NULL) {
        return;
    }
    size_t kept = connection->body.length < LEDGER_BODY ? connection->body.length : LEDGER_BODY;
    record->body.length = 0;
    text_add(&record->body, connection->body.data, kept);
    record->body_bytes = connection->body.length;
    if (connection->body_done) {
        record->received_ms = ledger_now_ms(ledger);
        ledger_identify(ledger, record, header_of(&connection->head, "X-Request-Id"));
        connection->counter->received++;
    }
}

// GET .../models, for programs that look before they ask; and a clear word for a wrong name.
static void answer_unnamed(struct connection *connection)
{
    static const char models[] =
        "{\"object\":\"list\",\"data\":[{\"id\":\"ok\",\"object\":\"model\",\"created\":1,"
        "\"owned_by\":\"fault\"}]}";
    static const char unknown[] =
        "{\"error\":{\"message\":\"fault_server: no behaviour of that name\","
        "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"model_not_found\"}}";
    bool is_get = connection->head.length > 4 && memcmp(connection->head.data, "GET ", 4) == 0;
    const char *body = is_get ? models : unknown;
    script_printf(&connection->script,
                  "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                  is_get ? "200 OK" : "404 Not Found", strlen(body), body);
}

void request_answer(struct connection *connection)
{
    struct slice body = {connection->body.data, connection->body.length};
    struct slice name = {0};
    if (connection->is_admin) {
        admin_answer(connection, target_of(&connection->head));
        return;
    }
    name = slice_of(connection->counter->name);
    request_keep_body(connection);
    demand_read(&connection->demand, name, body);
    if (connection->behaviour == NULL) {
        answer_unnamed(connection);
    } else {
        connection->behaviour->write(&connection->script, &connection->demand);
    }
}
