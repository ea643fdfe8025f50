// Behaviours of the HTTP message: lengths, chunks, heads, types, encodings.
// What a strict reader does with them: RFC 9112 sections 5 to 7, RFC 9110 section 8.4.
#include "fault_openai.h"

#include <stdlib.h>
#include <string.h>

#define FAULT(pattern, function, argument, moment, description) \
    void function(struct script *script, const struct demand *demand);
#include "fault_table.h"
#undef FAULT

#define JSON_TYPE   "Content-Type: application/json\r\n"
#define STREAM_TYPE "Content-Type: text/event-stream\r\n"

static void end_with(struct script *script, enum step_kind kind)
{
    script_step(script, (struct step){.kind = kind});
}

// The body that a good answer would have, without HTTP framing.
static void payload(struct text *body, const struct demand *demand)
{
    if (!demand->stream) {
        openai_words_body(body, demand, FAULT_WORDS);
        return;
    }
    struct script bare = {.until_eof = true};
    openai_role(&bare, demand);
    openai_words(&bare, demand, 0, FAULT_WORDS);
    openai_tail(&bare, demand, FAULT_WORDS);
    text_add(body, bare.bytes.data, bare.bytes.length);
    script_free(&bare);
}

static const char *type_of(const struct demand *demand)
{
    return demand->stream ? STREAM_TYPE : JSON_TYPE;
}

void framing_eof(struct script *script, const struct demand *demand)
{
    struct text body = {0};
    payload(&body, demand);
    script_printf(script, "HTTP/1.1 200 OK\r\n%sConnection: close\r\n\r\n", type_of(demand));
    if (!demand->argument) {
        script_send(script, body.data, body.length);
    } else if (!demand->stream) {
        script_send(script, body.data, body.length / 2);
    } else {
        script->until_eof = true;
        openai_role(script, demand);
        openai_words(script, demand, 0, demand->number[0]);
    }
    end_with(script, STEP_CLOSE);
    text_free(&body);
}

void framing_length(struct script *script, const struct demand *demand)
{
    struct text body = {0};
    struct text head = {0};
    payload(&body, demand);
    text_printf(&head, "HTTP/1.1 200 OK\r\n%s", type_of(demand));
    size_t length = body.length;
    switch (demand->argument) {
    case 0:
        text_printf(&head, "Content-Length: %zu\r\n", length + 10);
        break;
    case 1:
        text_printf(&head, "Content-Length: %zu\r\nContent-Length: %zu\r\n", length - 1, length);
        break;
    case 2:
        text_printf(&head, "Content-Length: %zu\r\nContent-Length: %zu\r\n", length, length);
        break;
    case 3:
        text_printf(&head, "Content-Length: %zu\r\nTransfer-Encoding: chunked\r\n", length);
        break;
    case 4:
        text_puts(&head, "Content-Length: -5\r\n");
        break;
    default:
        text_printf(&head, "Content-Length: %zu\r\n", length);
    }
    text_puts(&head, "\r\n");
    if (demand->argument == 5) {
        text_puts(&body, "XX");
    }
    script->one_write = true;
    script_send(script, head.data, head.length);
    if (demand->argument == 3) {
        script_body(script, body.data, body.length);
        script_body_end(script);
    } else {
        script_send(script, body.data, body.length);
    }
    if (demand->argument == 0 || demand->argument == 4) {
        end_with(script, STEP_FIN);
    }
    text_free(&head);
    text_free(&body);
}

void framing_chunk(struct script *script, const struct demand *demand)
{
    struct text body = {0};
    payload(&body, demand);
    script_printf(script, "HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n",
                  type_of(demand));
    if (demand->argument == 2) {
        script_body(script, body.data, body.length);
    } else {
        size_t first = body.length / 2;
        script_body(script, body.data, first);
        script_printf(script, demand->argument ? "%zx\r\n%.*sXX\r\n" : "zz%zx\r\n%.*s\r\n",
                      body.length - first, (int)(body.length - first), body.data + first);
    }
    end_with(script, STEP_FIN);
    text_free(&body);
}

void framing_head(struct script *script, const struct demand *demand)
{
    struct text body = {0};
    payload(&body, demand);
    switch (demand->argument) {
    case 0:
        script_printf(script, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n", type_of(demand),
                      body.length);
        break;
    case 1:
        script_printf(script, "HTTP/1.1 200 OK\r\n%s", type_of(demand));
        break;
    case 2:
        script_printf(script, "HTP/1.1 two hundred\r\n\r\n");
        break;
    case 3:
        script_send(script, body.data, body.length);
        break;
    case 4:
        script_printf(script, "HTTP/1.1 200 OK\nContent-Length: %zu\n\n%.*s", body.length,
                      (int)body.length, body.data);
        text_free(&body);
        return;
    default:
        script_send(script, "HTTP/1.1 200 OK\r\nX-Bad: a\0b\r\n", 29);
        script_printf(script, "%sContent-Length: %zu\r\n\r\n", type_of(demand), body.length);
        script_send(script, body.data, body.length);
        text_free(&body);
        return;
    }
    end_with(script, STEP_FIN);
    text_free(&body);
}

void framing_1xx(struct script *script, const struct demand *demand)
{
    static const char early[] = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n";
    script_repeat(script, early, sizeof early - 1, demand->number[0]);
    openai_answer(script, demand, FAULT_WORDS);
}

static void reply_with(struct script *script, const struct demand *demand,
                       const struct text *headers)
{
    struct text body = {0};
    payload(&body, demand);
    script_printf(script, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n", type_of(demand),
                  body.length);
    script_send(script, headers->data, headers->length);
    script_send(script, "\r\n", 2);
    script_send(script, body.data, body.length);
    text_free(&body);
}

void framing_header(struct script *script, const struct demand *demand)
{
    size_t kibibytes = demand->argument ? (size_t)demand->argument : demand->number[0];
    struct text header = {0};
    text_puts(&header, "X-Big: ");
    size_t start = header.length;
    text_add(&header, NULL, kibibytes << 10);
    memset(header.data + start, 'b', kibibytes << 10);
    text_puts(&header, "\r\n");
    reply_with(script, demand, &header);
    text_free(&header);
}

void framing_headers(struct script *script, const struct demand *demand)
{
    struct text headers = {0};
    for (unsigned i = 0; i < demand->number[0]; i++) {
        text_printf(&headers, "X-Many-%u: %u\r\n", i, i);
    }
    reply_with(script, demand, &headers);
    text_free(&headers);
}

void framing_secrets(struct script *script, const struct demand *demand)
{
    struct text headers = {0};
    text_puts(
        &headers,
        "Set-Cookie: session=canary\r\nx-goog-api-key: canary\r\nAuthorization: Bearer canary\r\n");
    reply_with(script, demand, &headers);
    text_free(&headers);
}

static uint32_t crc32_of(const unsigned char *data, size_t length)
{
    uint32_t crc = 0xffffffffU;
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
        }
    }
    return ~crc;
}

static void add_little_endian(struct text *out, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        char byte = (char)(value >> (8 * i) & 0xff);
        text_add(out, &byte, 1);
    }
}

// One stored deflate block in a gzip member (RFC 1951 section 3.2.4, RFC 1952 section 2.3).
static void gzip(struct text *out, const struct text *plain)
{
    text_add(out, "\x1f\x8b\x08\0\0\0\0\0\0\xff\x01", 11);
    add_little_endian(out, (uint32_t)plain->length, 2);
    add_little_endian(out, ~(uint32_t)plain->length, 2);
    text_add(out, plain->data, plain->length);
    add_little_endian(out, crc32_of((const unsigned char *)plain->data, plain->length), 4);
    add_little_endian(out, (uint32_t)plain->length, 4);
}

static void reply_gzip(struct script *script, const struct demand *demand)
{
    struct text body = {0};
    struct text packed = {0};
    payload(&body, demand);
    gzip(&packed, &body);
    script_printf(script,
                  "HTTP/1.1 200 OK\r\n%sContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
                  type_of(demand), packed.length);
    script_send(script, packed.data, packed.length);
    text_free(&body);
    text_free(&packed);
}

void wrong_type(struct script *script, const struct demand *demand)
{
    struct demand turned = *demand;
    struct text page = {0};
    switch (demand->argument) {
    case 0:
        text_puts(&page, "<!DOCTYPE html><html><body>Please log in</body></html>");
        openai_reply(script, "200 OK", "Content-Type: text/html\r\n", &page);
        text_free(&page);
        break;
    case 1:
        turned.stream = false;
        openai_answer(script, &turned, FAULT_WORDS);
        break;
    case 2:
        turned.stream = true;
        openai_answer(script, &turned, FAULT_WORDS);
        break;
    default:
        reply_gzip(script, demand);
    }
}
