/* See peers.h. Source: proc(5), /proc/pid/fd; reference/grpc-core.md section 3 (names of peers). */
#include "peers.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "remora/text.h"

enum { PEER_BYTES = 64 };

void remora_grpc_peer_of(int fd, char *out, size_t bytes)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer = {.any = {0}};
    char address[INET6_ADDRSTRLEN] = "";
    socklen_t length = sizeof peer;
    out[0] = '\0';
    if (getpeername(fd, &peer.any, &length) != 0) {
        return;
    }
    if (peer.any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &peer.v4.sin_addr, address, sizeof address);
        snprintf(out, bytes, "ipv4:%s:%u", address, ntohs(peer.v4.sin_port));
    } else if (peer.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr)) {
        (void)inet_ntop(AF_INET, &peer.v6.sin6_addr.s6_addr[12], address, sizeof address);
        snprintf(out, bytes, "ipv4:%s:%u", address, ntohs(peer.v6.sin6_port));
    } else if (peer.any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &peer.v6.sin6_addr, address, sizeof address);
        snprintf(out, bytes, "ipv6:%%5B%s%%5D:%u", address, ntohs(peer.v6.sin6_port));
    }
}

void remora_grpc_peers_each(void (*found)(void *context, int fd, const char *peer), void *context)
{
    char peer[PEER_BYTES];
    DIR *open = opendir("/proc/self/fd");
    for (struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;) {
        uint64_t fd = 0;
        if (remora_parse_u64(remora_slice_of(entry->d_name), &fd)) {
            remora_grpc_peer_of((int)fd, peer, sizeof peer);
            if (peer[0] != '\0') {
                found(context, (int)fd, peer);
            }
        }
    }
    if (open != NULL) {
        closedir(open);
    }
}
