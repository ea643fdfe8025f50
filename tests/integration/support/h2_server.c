#include "h2_server.h"

#include <string.h>

enum { HEAD_BYTES = 9, PREFACE_BYTES = 24, PAYLOAD_MOST = 16384 };
enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

struct frame {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    size_t length;
    char payload[PAYLOAD_MOST];
};

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                  const unsigned char *in, unsigned in_length, void *context)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl;
    (void)context;
    int result = SSL_select_next_proto(&chosen, out_length, ours, sizeof ours - 1, in, in_length);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void h2_offer(SSL_CTX *context)
{
    SSL_CTX_set_alpn_select_cb(context, choose, NULL);
}

static void put32(char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (char)(value >> (24 - 8 * i));
    }
}

static bool send_frame(struct raw_connection *c, int type, int flags, uint32_t stream,
                       const char *payload, size_t length)
{
    char bytes[HEAD_BYTES + 64];
    put32(bytes, (uint32_t)length << 8);
    bytes[3] = (char)type;
    bytes[4] = (char)flags;
    put32(bytes + 5, stream);
    memcpy(bytes + HEAD_BYTES, payload, length);
    return raw_write_bytes(c, bytes, HEAD_BYTES + length);
}

static bool read_frame(struct raw_connection *c, struct frame *frame)
{
    unsigned char head[HEAD_BYTES];
    if (!raw_read_bytes(c, (char *)head, sizeof head)) {
        return false;
    }
    frame->length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    frame->type = head[3];
    frame->flags = head[4];
    frame->stream =
        ((uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8]) &
        0x7fffffff;
    return frame->length <= sizeof frame->payload &&
           raw_read_bytes(c, frame->payload, frame->length);
}

bool h2_begin(struct raw_connection *c)
{
    const unsigned char *protocol = NULL;
    unsigned length = 0;
    char preface[PREFACE_BYTES];
    SSL_get0_alpn_selected(c->ssl, &protocol, &length);
    return length == 2 && memcmp(protocol, "h2", 2) == 0 &&
           raw_read_bytes(c, preface, sizeof preface) && send_frame(c, SETTINGS, 0, 0, "", 0);
}

static bool acknowledge(struct raw_connection *c, const struct frame *frame)
{
    if ((frame->flags & ACK) != 0) {
        return true;
    }
    if (frame->type == SETTINGS) {
        return send_frame(c, SETTINGS, ACK, 0, "", 0);
    }
    return frame->type != PING || send_frame(c, PING, ACK, 0, frame->payload, 8);
}

void h2_wait_reset(struct raw_connection *c)
{
    static _Thread_local struct frame frame;
    while (read_frame(c, &frame) && frame.type != RST_STREAM &&
           (frame.type != SETTINGS || acknowledge(c, &frame))) {
    }
}

uint32_t h2_read_request(struct raw_connection *c)
{
    static _Thread_local struct frame frame;
    while (read_frame(c, &frame)) {
        if (frame.type == SETTINGS || frame.type == PING) {
            if (!acknowledge(c, &frame)) {
                return 0;
            }
        } else if ((frame.type == DATA || frame.type == HEADERS) &&
                   (frame.flags & END_STREAM) != 0) {
            atomic_fetch_add(&c->server->requests, 1);
            return frame.stream;
        }
    }
    return 0;
}

bool h2_answer(struct raw_connection *c, uint32_t stream)
{
    /* RFC 7541, appendix A: entry 8 of the static table is `:status: 200`. */
    return send_frame(c, HEADERS, END_HEADERS, stream, "\x88", 1) &&
           send_frame(c, DATA, END_STREAM, stream, "{}", 2);
}

bool h2_reset(struct raw_connection *c, uint32_t stream, uint32_t error)
{
    char payload[4];
    put32(payload, error);
    return send_frame(c, RST_STREAM, 0, stream, payload, sizeof payload);
}

bool h2_goaway(struct raw_connection *c, uint32_t last_stream)
{
    char payload[8];
    put32(payload, last_stream);
    put32(payload + 4, H2_NO_ERROR);
    return send_frame(c, GOAWAY, 0, 0, payload, sizeof payload);
}
