/*
 * DNS rebinding: a page of a foreign site may make a browser send requests to a loopback port under the page's own name. So
 * on a loopback listener Host must be a loopback name, the bound address or one that the operator listed, and an Origin,
 * which only browsers send, must be one too (ARCHITECTURE 4). Listeners beyond loopback need keys or client
 * certificates and ask nothing here; nor
 * do probes, which a kubelet sends to the pod's address.
 */
#include "http.h"

#include "remora/caller.h"
#include "remora/tls.h"

/* Without a port; brackets of IPv6 stay. */
static struct remora_slice without_port(struct remora_slice host)
{
    size_t end = 0;
    if (host.length > 0 && host.data[0] == '[') {
        end = remora_slice_find(host, ']', 0);
        end = end < host.length ? end + 1 : end;
    } else {
        end = remora_slice_find(host, ':', 0);
    }
    return remora_slice(host.data, end);
}

static bool ends_with_nocase(struct remora_slice s, struct remora_slice tail)
{
    return s.length > tail.length &&
           remora_slice_equal_nocase(remora_slice(s.data + s.length - tail.length, tail.length),
                                     tail);
}

/* 127.0.0.0/8 in dotted form: digits and dots only, so that 127.evil.example is none. */
static bool is_loopback_v4(struct remora_slice host)
{
    if (!remora_slice_starts_with(host, REMORA_SLICE("127."))) {
        return false;
    }
    for (size_t i = 0; i < host.length; i++) {
        if ((host.data[i] < '0' || host.data[i] > '9') && host.data[i] != '.') {
            return false;
        }
    }
    return true;
}

static bool is_loopback_name(struct remora_slice host)
{
    return remora_slice_equal_nocase(host, REMORA_SLICE("localhost")) ||
           ends_with_nocase(host, REMORA_SLICE(".localhost")) || remora_slice_is(host, "[::1]") ||
           is_loopback_v4(host);
}

static bool is_configured(const struct http_site *site, struct remora_slice host)
{
    struct remora_slice bound = remora_slice_of(site->address->host);
    if (bound.length > 0 && remora_slice_equal_nocase(host, bound)) {
        return true;
    }
    if (site->worker->engine == NULL) {
        return false;
    }
    const struct remora_config *config = remora_engine_config(site->worker->engine);
    for (size_t i = 0; config != NULL && i < config->allowed_host_count; i++) {
        if (remora_slice_equal_nocase(host, config->allowed_hosts[i])) {
            return true;
        }
    }
    return false;
}

static bool is_ours(const struct http_site *site, struct remora_slice authority)
{
    struct remora_slice host = without_port(authority);
    return is_loopback_name(host) || is_configured(site, host);
}

/* "http://localhost:3000" -> "localhost:3000"; anything else, "null" too, is empty and nobody's. */
static struct remora_slice authority_of(struct remora_slice origin)
{
    static const struct remora_slice schemes[] = {REMORA_SLICE_INIT("http://"),
                                                  REMORA_SLICE_INIT("https://")};
    for (size_t i = 0; i < REMORA_COUNT_OF(schemes); i++) {
        if (remora_slice_starts_with(origin, schemes[i])) {
            return remora_slice(origin.data + schemes[i].length, origin.length - schemes[i].length);
        }
    }
    return remora_slice(NULL, 0);
}

bool http_guard(const struct http_site *site, const struct http_head *head,
                struct remora_fail *fail)
{
    if (!site->address->is_loopback || site->address->is_unix || site->role == REMORA_HTTP_PROBE) {
        return true;
    }
    if (head->host.length > 0 && !is_ours(site, head->host)) {
        return http_refuse(fail, 403,
                           "Host is not a loopback name; list it under hosts if it "
                           "is meant.");
    }
    for (size_t i = 0; i < head->header_count; i++) {
        if (remora_slice_equal_nocase(head->headers[i].name, REMORA_SLICE("Origin")) &&
            !is_ours(site, authority_of(head->headers[i].value))) {
            return http_refuse(fail, 403, "Requests of foreign web pages are refused.");
        }
    }
    return true;
}

static bool has_twice(const struct http_head *head, struct remora_slice name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        count += remora_slice_equal_nocase(head->headers[i].name, name) ? 1 : 0;
    }
    return count > 1;
}

enum remora_code http_identify(const struct http_site *site, const struct http_head *head,
                               struct remora_identity *out, struct remora_fail *fail)
{
    const struct remora_config *config = remora_engine_config(site->worker->engine);
    const struct remora_caller caller = {
        .authorization = http_head_get(head, "Authorization"),
        .api_key = http_head_get(head, "x-api-key"),
        .is_local = site->address->is_loopback,
        .has_certificate = site->address->is_tls && remora_tls_asks_clients(config->tls),
        .local_proof = site->address->is_unix ? REMORA_PROOF_PEER_UID : REMORA_PROOF_NONE,
    };
    if (has_twice(head, REMORA_SLICE("Authorization"))) {
        (void)http_refuse(fail, 400, "Authorization stands in the head more than once.");
        return fail->code;
    }
    return remora_caller_identify(config, &caller, out, fail);
}
