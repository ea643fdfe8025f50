/*
 * scheme "://" host [":" port] [path], and nothing else.
 *
 * The host is a name, a dotted quad or an IPv6 address in brackets. A host that ends in a number must be a dotted quad as
 * it stands: hexadecimal, octal and short forms are refused, because readers disagree about them (WHATWG URL standard, 3.5
 * "ends in a number checker"). Link-local and unspecified addresses and the metadata services of the clouds are never
 * called, however they are written (remora/address.h).
 */
#include "url.h"

#include "remora/address.h"
#include "remora/text.h"

#include <arpa/inet.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool parse_address(int family, struct remora_slice host, unsigned char out[16])
{
    char text[INET6_ADDRSTRLEN];
    if (host.length >= sizeof text) {
        return false;
    }
    memcpy(text, host.data, host.length);
    text[host.length] = '\0';
    return strlen(text) == host.length && inet_pton(family, text, out) == 1;
}

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* RFC 1123 2.1, and the underscore that names inside clusters have. */
static bool is_name(struct remora_slice host)
{
    size_t label = 0;
    for (size_t i = 0; i < host.length; i++) {
        char c = host.data[i];
        if (c == '.') {
            if (label == 0 || host.data[i - 1] == '-') {
                return false;
            }
            label = 0;
            continue;
        }
        if (!is_alphanumeric(c) && c != '_' && (c != '-' || label == 0)) {
            return false;
        }
        label++;
        if (label > 63) {
            return false;
        }
    }
    return label > 0 && host.data[host.length - 1] != '-' && host.length <= 253;
}

bool config_host_is_loopback(struct remora_slice host)
{
    unsigned char a[16];
    static const unsigned char v6_loopback[16] = {[15] = 1};
    static const struct remora_slice local = REMORA_SLICE_INIT(".localhost");
    if (remora_slice_equal_nocase(host, REMORA_SLICE("localhost"))) {
        return true;
    }
    if (host.length > local.length &&
        remora_slice_equal_nocase(
            remora_slice(host.data + host.length - local.length, local.length), local)) {
        return true; /* RFC 6761 section 6.3 */
    }
    if (parse_address(AF_INET, host, a)) {
        return a[0] == 127;
    }
    if (parse_address(AF_INET6, host, a)) {
        return memcmp(a, v6_loopback, 16) == 0 ||
               (memcmp(a, mapped_prefix, 12) == 0 && a[12] == 127);
    }
    return false;
}

static bool check_v6(struct remora_slice host, const char **why)
{
    unsigned char a[16];
    if (!parse_address(AF_INET6, host, a)) {
        *why = "has brackets without an IPv6 address";
        return false;
    }
    if (remora_address_is_refused_v6(a)) {
        *why = "names a link-local, metadata or unspecified address, which is never called";
        return false;
    }
    return true;
}

static bool check_host(struct remora_slice host, const char **why)
{
    unsigned char a[16];
    if (remora_host_ends_in_number(host)) {
        if (!parse_address(AF_INET, host, a)) {
            *why = "has a numeric host that is not four plain decimal numbers";
            return false;
        }
        if (remora_address_is_refused_v4(a)) {
            *why = "names a link-local, metadata or unspecified address, which is never called";
            return false;
        }
        return true;
    }
    if (!is_name(host)) {
        *why = "has no valid host name";
        return false;
    }
    if (remora_slice_equal_nocase(host, REMORA_SLICE("metadata.google.internal"))) {
        *why = "names a metadata service, which is never called";
        return false;
    }
    return true;
}

static bool check_port(struct remora_slice port, const char **why)
{
    uint64_t value = 0;
    if (port.length > 5 || !remora_parse_u64(port, &value) || value == 0 || value > 65535) {
        *why = "has a port that is not a number from 1 to 65535";
        return false;
    }
    return true;
}

static bool is_path_byte(char c)
{
    /* RFC 3986 section 3.3 pchar and "/" */
    return is_alphanumeric(c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@/%", c) != NULL);
}

static bool check_path(struct remora_slice path, const char **why)
{
    for (size_t i = 0; i < path.length; i++) {
        char c = path.data[i];
        if (c == '?' || c == '#') {
            *why = "has a query or fragment";
            return false;
        }
        bool is_escape = c != '%' || (i + 2 < path.length && is_hex(path.data[i + 1]) &&
                                      is_hex(path.data[i + 2]));
        if (!is_path_byte(c) || !is_escape) {
            *why = "has a character in its path that does not belong there";
            return false;
        }
        bool is_dot = c == '.' && path.data[i - 1] == '/';
        size_t after = is_dot && i + 1 < path.length && path.data[i + 1] == '.' ? i + 2 : i + 1;
        if (is_dot && (after == path.length || path.data[after] == '/')) {
            *why = "has a dot segment in its path";
            return false;
        }
    }
    return true;
}

static bool split_scheme(struct remora_slice text, struct config_url *out,
                         struct remora_slice *rest)
{
    static const struct remora_slice https = REMORA_SLICE_INIT("https://");
    static const struct remora_slice http = REMORA_SLICE_INIT("http://");
    out->is_https = remora_slice_starts_with(text, https);
    if (!out->is_https && !remora_slice_starts_with(text, http)) {
        return false;
    }
    size_t skip = out->is_https ? https.length : http.length;
    *rest = remora_slice(text.data + skip, text.length - skip);
    return true;
}

static bool check_authority(struct remora_slice authority, struct config_url *out, const char **why)
{
    if (remora_slice_find(authority, '@', 0) < authority.length) {
        *why = "has a user or password in it: credentials never stand in an address";
        return false;
    }
    bool is_v6 = authority.length > 0 && authority.data[0] == '[';
    size_t host_end = remora_slice_find(authority, is_v6 ? ']' : ':', 0);
    size_t begin = is_v6 ? 1 : 0;
    if (is_v6 && host_end == authority.length) {
        *why = "has a bracket that is not closed";
        return false;
    }
    out->host = remora_slice(authority.data + begin, host_end - begin);
    if (!(is_v6 ? check_v6(out->host, why) : check_host(out->host, why))) {
        return false;
    }
    size_t colon = host_end + begin;
    if (colon >= authority.length) {
        return true;
    }
    if (authority.data[colon] != ':') {
        *why = "has something behind the host that is no port";
        return false;
    }
    return check_port(remora_slice(authority.data + colon + 1, authority.length - colon - 1), why);
}

bool config_url_parse(struct remora_slice text, struct config_url *out, const char **why)
{
    struct config_url url = {0};
    struct remora_slice rest;
    if (!split_scheme(text, &url, &rest)) {
        *why = "does not begin with https:// or http://";
        return false;
    }
    size_t end = 0;
    while (end < rest.length && rest.data[end] != '/' && rest.data[end] != '?' &&
           rest.data[end] != '#' && rest.data[end] != '\\') {
        end++;
    }
    if (!check_authority(remora_slice(rest.data, end), &url, why) ||
        !check_path(remora_slice(rest.data + end, rest.length - end), why)) {
        return false;
    }
    url.is_loopback = config_host_is_loopback(url.host);
    *out = url;
    return true;
}
