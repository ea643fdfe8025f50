/*
 * Whether a transfer goes through a proxy: a provider's own always; else the environment's, but for what NO_PROXY exempts.
 *
 * libcurl reads the same variables by itself. What is read here decides whether a name is ours to resolve and whose address is
 * judged; where both are asked (a name in NO_PROXY) libcurl is told what was decided.
 *
 * Sources: CURLOPT_PROXY(3) and CURLOPT_NOPROXY(3), "Environment variables".
 */
#include "inside.h"

#include "remora/memory.h"

#include <stdlib.h>

static const char *value_of(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* http_proxy in lower case only: HTTP_PROXY may be a header of somebody's CGI request. */
enum remora_code remora_curl_read_environment(struct remora_curl *transport)
{
    bool has_any = value_of("all_proxy") != NULL || value_of("ALL_PROXY") != NULL;
    const char *exempt = value_of("no_proxy");
    exempt = exempt == NULL ? value_of("NO_PROXY") : exempt;
    transport->has_http_proxy = has_any || value_of("http_proxy") != NULL;
    transport->has_https_proxy =
        has_any || value_of("https_proxy") != NULL || value_of("HTTPS_PROXY") != NULL;
    transport->no_proxy = exempt == NULL ? NULL : remora_strdup(remora_slice_of(exempt));
    return exempt != NULL && transport->no_proxy == NULL ? REMORA_SHEDDING : REMORA_OK;
}

static struct remora_slice without_last_dot(struct remora_slice name)
{
    bool has_dot = name.length > 0 && name.data[name.length - 1] == '.';
    return remora_slice(name.data, name.length - (has_dot ? 1 : 0));
}

/* The domain itself and all within it, with a dot in front or without. */
static bool is_within(struct remora_slice host, struct remora_slice domain)
{
    if (domain.length > 0 && domain.data[0] == '.') {
        domain = remora_slice(domain.data + 1, domain.length - 1);
    }
    domain = without_last_dot(domain);
    if (domain.length == 0 || domain.length > host.length) {
        return false;
    }
    size_t before = host.length - domain.length;
    return remora_slice_equal_nocase(remora_slice(host.data + before, domain.length), domain) &&
           (before == 0 || host.data[before - 1] == '.');
}

static bool ends_entry(char c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\0';
}

/* A name: addresses, and nets of them, are left to libcurl, for nothing of them has to be resolved. */
static bool is_exempt(const struct remora_curl *transport, const struct remora_url *url)
{
    const char *at = transport->no_proxy;
    struct remora_slice host = without_last_dot(remora_slice_of(url->host));
    if (at == NULL || url->is_literal) {
        return false;
    }
    if (strcmp(at, "*") == 0) {
        return true;
    }
    while (*at != '\0') {
        size_t length = 0;
        while (!ends_entry(at[length])) {
            length++;
        }
        if (is_within(host, remora_slice(at, length))) {
            return true;
        }
        at += length + (at[length] == '\0' ? 0 : 1);
    }
    return false;
}

bool transport_has_proxy(const struct remora_curl *transport, const struct remora_url *url)
{
    return (url->is_tls ? transport->has_https_proxy : transport->has_http_proxy) &&
           !is_exempt(transport, url);
}

bool remora_transfer_is_direct(const struct remora_transfer *transfer)
{
    const struct remora_curl *transport = transfer->transport;
    const struct remora_url *url = &transfer->route.url;
    if (transfer->route.reach == REMORA_REACH_METADATA) {
        return true;
    }
    if (transfer->route.reach == REMORA_REACH_PUBLIC) {
        return !(url->is_tls ? transport->has_https_proxy : transport->has_http_proxy);
    }
    return transfer->provider->proxy.length == 0 && !transport_has_proxy(transport, url);
}

enum remora_reach transport_reach_of_hop(const struct remora_transfer *transfer)
{
    bool is_proxy = !remora_transfer_is_direct(transfer);
    return is_proxy && transfer->route.reach == REMORA_REACH_PUBLIC ? REMORA_REACH_PROVIDER
                                                                    : transfer->route.reach;
}

/*
 * Loopback is never proxied and metadata never leaves the host; a provider's own proxy always is used; else the environment's
 * NO_PROXY decides, but not for what a caller names: NO_PROXY lists the hosts inside.
 */
const char *transport_no_proxy_of(const struct remora_transfer *transfer)
{
    enum remora_reach reach = transfer->route.reach;
    const struct remora_url *url = &transfer->route.url;
    if (reach == REMORA_REACH_METADATA || url->is_loopback) {
        return "*";
    }
    if (reach == REMORA_REACH_PUBLIC || transfer->provider->proxy.length > 0) {
        return "";
    }
    return is_exempt(transfer->transport, url) ? "*" : NULL;
}
