/*
 * See channelz.h. Names in these texts are JSON strings, so what a peer calls itself holds no bare quote and is never taken for
 * a member.
 */
#include "channelz.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include "remora/text.h"

static const char NO_TEXT[] = "";

/* Moves behind the next `key` and gives what stands there up to the quote; false: there is none. */
static bool next_member(const char **at, const char *key, struct remora_slice *out)
{
    const char *found = strstr(*at, key);
    const char *value = found == NULL ? NULL : found + strlen(key);
    const char *end = value == NULL ? NULL : strchr(value, '"');
    if (end == NULL) {
        return false;
    }
    *out = remora_slice(value, (size_t)(end - value));
    *at = end;
    return true;
}

/* 64-bit numbers are strings in protobuf's JSON. 0: absent. */
static uint64_t next_number(const char **at, const char *key)
{
    struct remora_slice digits;
    uint64_t number = 0;
    return next_member(at, key, &digits) && remora_parse_u64(digits, &number) ? number : 0;
}

intptr_t remora_grpc_channelz_server(void)
{
    char *text = grpc_channelz_get_servers(0);
    const char *at = text == NULL ? NO_TEXT : text;
    intptr_t last = 0;
    for (uint64_t id = 0; (id = next_number(&at, "\"serverId\":\"")) > 0;) {
        last = (intptr_t)id;
    }
    gpr_free(text);
    return last;
}

size_t remora_grpc_channelz_sockets(intptr_t server, intptr_t from, struct remora_grpc_socket *out,
                                    size_t most)
{
    char *text =
        server == 0 ? NULL : grpc_channelz_get_server_sockets(server, from, (intptr_t)most);
    const char *at = text == NULL ? NO_TEXT : text;
    struct remora_slice peer;
    size_t count = 0;
    while (count < most && next_member(&at, "\"name\":\"chttp2 ", &peer)) {
        struct remora_grpc_socket *socket = &out[count++];
        *socket = (struct remora_grpc_socket){.id = (intptr_t)next_number(&at, "\"socketId\":\"")};
        if (peer.length < sizeof socket->peer) {
            memcpy(socket->peer, peer.data, peer.length);
        }
    }
    gpr_free(text);
    return count;
}

bool remora_grpc_channelz_failed(intptr_t id, uint64_t *out)
{
    char *text = grpc_channelz_get_socket(id);
    const char *at = text;
    if (text == NULL) {
        return false;
    }
    *out = next_number(&at, "\"streamsFailed\":\"");
    gpr_free(text);
    return true;
}
