/*
 * URLs as adapters build them, read strictly: what is accepted here curl reads in the same way, so that the host that is
 * judged and resolved is the host that is connected to (reference/reliability.md 3.4).
 */
#include "inside.h"

#include "remora/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static bool is_url_byte(char c)
{
    return c > ' ' && c < 0x7f && strchr("\"<>\\^`{|}#", c) == NULL;
}

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

static bool take_scheme(struct remora_slice *text, struct remora_url *url)
{
    const struct remora_slice http = REMORA_SLICE_INIT("http://");
    const struct remora_slice https = REMORA_SLICE_INIT("https://");
    url->is_tls = remora_slice_starts_with(*text, https);
    if (!url->is_tls && !remora_slice_starts_with(*text, http)) {
        return false;
    }
    size_t skip = url->is_tls ? https.length : http.length;
    *text = remora_slice(text->data + skip, text->length - skip);
    return true;
}

static bool take_port(struct remora_slice digits, struct remora_url *url)
{
    unsigned port = 0;
    if (digits.length == 0 || digits.length > 5) {
        return false;
    }
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        port = port * 10 + (unsigned)(digits.data[i] - '0');
    }
    url->port = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

static bool set_host(struct remora_slice host, struct remora_url *url)
{
    if (host.length == 0 || host.length >= sizeof url->host) {
        return false;
    }
    memcpy(url->host, host.data, host.length);
    url->host[host.length] = '\0';
    return true;
}

/* "[" address "]" */
static bool take_v6(struct remora_slice *text, struct remora_url *url)
{
    size_t end = remora_slice_find(*text, ']', 0);
    struct in6_addr address;
    if (end == text->length || !set_host(remora_slice(text->data + 1, end - 1), url) ||
        inet_pton(AF_INET6, url->host, &address) != 1) {
        return false;
    }
    url->is_literal = true;
    url->is_loopback = IN6_IS_ADDR_LOOPBACK(&address);
    *text = remora_slice(text->data + end + 1, text->length - end - 1);
    return true;
}

static bool take_name(struct remora_slice *text, struct remora_url *url)
{
    size_t end = 0;
    while (end < text->length && is_host_byte(text->data[end])) {
        end++;
    }
    if (!set_host(remora_slice(text->data, end), url)) {
        return false;
    }
    struct in_addr address;
    url->is_literal = inet_pton(AF_INET, url->host, &address) == 1;
    /* Other spellings of IPv4 ("127.1", "0x7f.1") are read differently by different programs; libcurl reads them. */
    if (!url->is_literal && remora_host_ends_in_number(remora_slice_of(url->host))) {
        return false;
    }
    bool is_localhost =
        remora_slice_equal_nocase(remora_slice_of(url->host), REMORA_SLICE("localhost"));
    url->is_loopback = is_localhost || (url->is_literal && (ntohl(address.s_addr) >> 24) == 127);
    url->is_literal = url->is_literal || is_localhost;
    *text = remora_slice(text->data + end, text->length - end);
    return true;
}

bool remora_url_parse(struct remora_slice text, struct remora_url *out)
{
    struct remora_url url = {0};
    for (size_t i = 0; i < text.length; i++) {
        if (!is_url_byte(text.data[i])) {
            return false;
        }
    }
    if (!take_scheme(&text, &url) || text.length == 0) {
        return false;
    }
    url.port = url.is_tls ? 443 : 80;
    if (!(text.data[0] == '[' ? take_v6(&text, &url) : take_name(&text, &url))) {
        return false;
    }
    if (text.length > 0 && text.data[0] == ':') {
        size_t end = 1;
        while (end < text.length && text.data[end] != '/' && text.data[end] != '?') {
            end++;
        }
        if (!take_port(remora_slice(text.data + 1, end - 1), &url)) {
            return false;
        }
        text = remora_slice(text.data + end, text.length - end);
    }
    if (text.length > 0 && text.data[0] != '/' && text.data[0] != '?') {
        return false; /* user information, or a byte that no host has */
    }
    *out = url;
    return true;
}
