/*
 * Easy handles: the options that never change are set once, when a handle is made; those of the way to a provider (URL, trust,
 * proxy, version) all together, when a handle goes another way than the last time; headers, body and time for every request.
 * (curl_easy_reset would keep connections and sessions, too, but costs the constant options again: about forty calls per
 * request. Parsing the URL again costs a sixth of all that libcurl does for a request.)
 *
 * A request's headers are written into one block that holds the curl_slist nodes as well: curl keeps the pointer and copies
 * nothing until it sends. Secrets are written into it directly and the block is wiped before it is freed.
 *
 * Bodies: up to REMORA_GATHER_BYTES in one buffer, which leaves in one send together with the head. Larger ones are read
 * from the caller's pieces by READFUNCTION; there is no SEEKFUNCTION, on purpose: curl cannot send them a second time.
 *
 * Ways to fail: no memory (SHEDDING); a header that HTTP cannot carry (INTERNAL).
 */
#include "inside.h"

#include "remora/hop.h"
#include "remora/memory.h"
#include "remora/secret.h"

#include <stdlib.h>

/* What libcurl itself writes into a head beside the URL: request line, Host, Accept, Content-Length, with room. */
enum { OWN_HEAD_BYTES = 512 };

/* ---- options that never change ---- */

static bool set_limits(CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           /* A lookup that hangs must not hold up the loop when its transfer is removed. */
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, 600L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)REMORA_READ_BYTES) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)REMORA_SEND_BYTES) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L) == CURLE_OK;
}

static bool set_tls(CURL *easy)
{
    /* The three NULLs and the 0 belong together; see trust.c. */
    return curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L) == CURLE_OK;
}

static bool set_close(CURL *easy, struct remora_curl *transport)
{
    return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, remora_socket_close) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transport) == CURLE_OK;
}

CURL *remora_easy_new(struct remora_curl *transport)
{
    CURL *easy = curl_easy_init();
    if (easy != NULL && set_limits(easy) && set_tls(easy) && set_close(easy, transport)) {
        return easy;
    }
    curl_easy_cleanup(easy);
    return NULL;
}

/* ---- headers ---- */

static void put(void *at, struct remora_slice bytes)
{
    char **to = at;
    if (bytes.length > 0) {
        memcpy(*to, bytes.data, bytes.length);
        *to += bytes.length;
    }
}

static size_t line_bytes(const struct remora_header *header)
{
    size_t secret = header->secret == NULL ? 0 : remora_secret_length(header->secret);
    return header->name.length + sizeof ": " + header->value.length + secret;
}

/* False for a line that HTTP cannot carry. */
static bool put_line(char **to, const struct remora_header *header)
{
    char *line = *to;
    bool is_empty = header->value.length == 0 && header->secret == NULL;
    put(to, header->name);
    /* curl's spelling of a header without a value is a semicolon (CURLOPT_HTTPHEADER(3)). */
    put(to, is_empty ? REMORA_SLICE(";") : REMORA_SLICE(": "));
    put(to, header->value);
    if (header->secret != NULL) {
        remora_secret_use(header->secret, put, to);
    }
    *(*to)++ = '\0';
    /* Looked at once it stands together: a NUL would end the line early. */
    size_t length = strlen(line);
    struct remora_slice name = header->name;
    return line + length + 1 == *to && memchr(line, '\r', length) == NULL &&
           memchr(line, '\n', length) == NULL && name.length > 0 &&
           remora_slice_find(name, ':', 0) == name.length &&
           remora_slice_find(name, ';', 0) == name.length;
}

/* The hop header, then the adapter's. */
struct header_lines {
    struct remora_header hop;
    size_t hop_count; /* 0 or 1 */
    const struct remora_http_request *request;
};

static size_t count_lines(const struct header_lines *lines)
{
    return lines->hop_count + lines->request->header_count;
}

static const struct remora_header *line_at(const struct header_lines *lines, size_t at)
{
    return at < lines->hop_count ? &lines->hop : &lines->request->headers[at - lines->hop_count];
}

/* Nodes and text of all headers lie in one block. */
static enum remora_code write_lines(struct remora_transfer *transfer,
                                    const struct header_lines *lines)
{
    /* Else a body above 1 MB waits a second for 100. Smaller ones are spared: each line costs ten comparisons in curl. */
    static const char NO_EXPECT[] = "Expect:";
    size_t own = lines->request->body_bytes > REMORA_GATHER_BYTES ? 1 : 0;
    size_t nodes = own + count_lines(lines);
    size_t bytes = nodes * sizeof(struct curl_slist) + sizeof NO_EXPECT;
    for (size_t i = 0; i < count_lines(lines); i++) {
        bytes += line_bytes(line_at(lines, i));
    }
    transfer->head_block = remora_realloc(NULL, bytes);
    if (transfer->head_block == NULL) {
        return REMORA_SHEDDING;
    }
    transfer->head_block_bytes = bytes;
    struct curl_slist *list = (void *)transfer->head_block;
    char *at = transfer->head_block + nodes * sizeof *list;
    bool is_fine = true;
    for (size_t i = 0; i < nodes; i++) {
        list[i] = (struct curl_slist){at, i + 1 < nodes ? &list[i + 1] : NULL};
        if (i < own) {
            put(&at, remora_slice(NO_EXPECT, sizeof NO_EXPECT));
        } else {
            is_fine = put_line(&at, line_at(lines, i - own)) && is_fine;
        }
    }
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, nodes > 0 ? list : NULL);
    return is_fine ? REMORA_OK : REMORA_INTERNAL;
}

static enum remora_code write_headers(struct remora_transfer *transfer,
                                      const struct remora_transfer_input *input)
{
    const struct header_lines lines = {
        .hop = {.name = REMORA_SLICE_INIT(REMORA_HOP_HEADER), .value = input->hops},
        .hop_count = input->hops.length > 0 ? 1 : 0,
        .request = input->request,
    };
    return write_lines(transfer, &lines);
}

/* ---- bodies ---- */

static enum remora_code gather(struct remora_transfer *transfer,
                               const struct remora_http_request *request)
{
    transfer->body = remora_realloc(NULL, request->body_bytes + 1); /* 1: an empty body is a body */
    if (transfer->body == NULL) {
        return REMORA_SHEDDING;
    }
    size_t at = 0;
    for (size_t i = 0; i < request->body_pieces; i++) {
        struct remora_slice piece = request->body[i];
        if (piece.length > request->body_bytes - at) {
            return REMORA_INTERNAL; /* body_bytes is not the sum */
        }
        if (piece.length > 0) {
            memcpy(transfer->body + at, piece.data, piece.length);
        }
        at += piece.length;
    }
    return at == request->body_bytes ? REMORA_OK : REMORA_INTERNAL;
}

static enum remora_code set_body(struct remora_transfer *transfer,
                                 const struct remora_http_request *request)
{
    CURL *easy = transfer->easy;
    transfer->body_bytes = request->body_bytes;
    if (!transfer->is_post || request->method != REMORA_POST) {
        transfer->is_post = request->method == REMORA_POST;
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method == REMORA_PUT ? "PUT" : NULL);
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
    }
    if (request->method == REMORA_GET) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return REMORA_OK;
    }
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
    if (request->body_bytes > REMORA_GATHER_BYTES) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
        return REMORA_OK;
    }
    enum remora_code code = gather(transfer, request);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body);
    return code;
}

/* A body may hold what a key is worth (a token's request) and is somebody's prompt otherwise. */
static void wipe_body(struct remora_transfer *transfer)
{
    if (transfer->body != NULL) {
        explicit_bzero(transfer->body, transfer->body_bytes);
        remora_free(transfer->body);
        transfer->body = NULL;
    }
}

bool remora_transfer_is_sent(const struct remora_transfer *transfer)
{
    curl_off_t sent = 0;
    return transfer->send_calls > 0 &&
           curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent) == CURLE_OK &&
           (uint64_t)sent >= transfer->body_bytes;
}

void remora_transfer_drop_body(struct remora_transfer *transfer)
{
    if (transfer->body != NULL && remora_transfer_is_sent(transfer)) {
        wipe_body(transfer);
    }
}

/* ---- provider ---- */

/* False when the text does not fit: paths and proxies of the configuration are shorter. */
static bool set_text(CURL *easy, CURLoption option, struct remora_slice text)
{
    char copy[4096];
    if (text.length == 0) {
        return curl_easy_setopt(easy, option, NULL) == CURLE_OK;
    }
    if (text.length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    return curl_easy_setopt(easy, option, copy) == CURLE_OK;
}

static bool set_trust(struct remora_transfer *transfer)
{
    CURL *easy = transfer->easy;
    struct remora_slice own = transfer->provider->ca_pem;
    /* An own CA goes in as CAINFO_BLOB because that is part of the key by which connections are reused; a store is not. */
    struct curl_blob blob = {
        .data = (void *)(uintptr_t)own.data, .len = own.length, .flags = CURL_BLOB_COPY};
    bool is_public = own.length == 0 && transfer->transport->trust != NULL;
    return curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, own.length == 0 ? NULL : &blob) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, is_public ? remora_trust_use : NULL) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, transfer->transport->trust) == CURLE_OK &&
           set_text(easy, CURLOPT_SSLCERT, transfer->provider->client_certificate_file) &&
           set_text(easy, CURLOPT_SSLKEY, transfer->provider->client_key_file);
}

const struct remora_provider *transport_provider_of(const struct remora_transfer_input *input)
{
    static const struct remora_provider NOBODY = {.headers = NULL};
    return input->provider == NULL ? &NOBODY : input->provider;
}

bool transport_url_may(const struct remora_transfer *transfer)
{
    const struct remora_url *url = &transfer->route.url;
    const char *address = url->is_loopback ? "127.0.0.1" : url->host; /* localhost is a name */
    return !url->is_literal || transport_address_text_may(transfer->route.reach, address);
}

/*
 * What an HTTP/2 server has refused only libcurl's words tell (on_debug in transfer.c), so these are listened to. Over a reused
 * connection it takes a refusal for a connection that died and says so, unless it holds the request for an RTSP RECEIVE
 * (Curl_retry_request in lib/transfer.c of 7.88, in lib/multi.c of 8.x); over HTTP the option means nothing else. Should it come to
 * mean nothing at all, refusals go unnoticed and fall back: what is sent for free rests on the words alone.
 */
static bool set_http2(CURL *easy, bool is_http2)
{
    long version = is_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
    long calls_it_refused = is_http2 ? CURL_RTSPREQ_RECEIVE : CURL_RTSPREQ_OPTIONS;
    return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_VERBOSE, is_http2 ? 1L : 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_RTSP_REQUEST, calls_it_refused) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PIPEWAIT, is_http2 ? 1L : 0L) == CURLE_OK;
}

static bool set_way(struct remora_transfer *transfer)
{
    CURL *easy = transfer->easy;
    const struct remora_provider *provider = transfer->provider;
    /* Names are ours to resolve and their addresses given for good (names.c), but a proxy's: else curl looks through all that it
     * has after every transfer for what is a minute old. */
    long address_age_s = remora_transfer_is_direct(transfer) ? -1L : 60L;
    return set_text(easy, CURLOPT_PROXY, provider->proxy) &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, transport_no_proxy_of(transfer)) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, address_age_s) == CURLE_OK &&
           set_http2(easy, provider->http2);
}

/* ---- the route ---- */

static void list_parts(const struct remora_transfer_input *input,
                       struct remora_slice parts[static REMORA_ROUTE_PARTS])
{
    const struct remora_provider *provider = transport_provider_of(input);
    parts[0] = input->request->url;
    parts[1] = provider->proxy;
    parts[2] = provider->client_certificate_file;
    parts[3] = provider->client_key_file;
    parts[4] = provider->ca_pem;
}

bool remora_route_is(const struct remora_route *route, const struct remora_transfer_input *input)
{
    struct remora_slice parts[REMORA_ROUTE_PARTS];
    const char *at = route->text;
    if (at == NULL || route->is_http2 != transport_provider_of(input)->http2 ||
        route->reach != input->reach) {
        return false;
    }
    list_parts(input, parts);
    for (size_t i = 0; i < REMORA_ROUTE_PARTS; i++) {
        if (!remora_slice_equal(parts[i], remora_slice(at, route->lengths[i]))) {
            return false;
        }
        at += route->lengths[i];
    }
    return true;
}

static void forget_route(struct remora_route *route)
{
    remora_free(route->text);
    route->text = NULL;
}

void remora_route_fini(struct remora_route *route)
{
    forget_route(route);
    curl_url_cleanup(route->parsed);
    route->parsed = NULL;
}

/* Last of all, when every option stands: text that is there is a promise. */
static bool remember_route(struct remora_route *route, const struct remora_transfer_input *input)
{
    struct remora_slice parts[REMORA_ROUTE_PARTS];
    size_t bytes = 0;
    list_parts(input, parts);
    for (size_t i = 0; i < REMORA_ROUTE_PARTS; i++) {
        bytes += parts[i].length;
    }
    char *at = remora_realloc(NULL, bytes);
    route->text = at;
    route->is_http2 = transport_provider_of(input)->http2;
    for (size_t i = 0; at != NULL && i < REMORA_ROUTE_PARTS; i++) {
        route->lengths[i] = parts[i].length;
        if (parts[i].length > 0) {
            memcpy(at, parts[i].data, parts[i].length);
        }
        at += parts[i].length;
    }
    return route->text != NULL;
}

/* The URL goes in parsed; CURLOPT_URL is emptied so that curl's own text of it, which messages name, is made anew. */
static bool set_url(struct remora_transfer *transfer, struct remora_slice url)
{
    struct remora_route *route = &transfer->route;
    char *text = remora_strdup(url);
    if (route->parsed == NULL) {
        route->parsed = curl_url();
    }
    bool is_set =
        text != NULL && route->parsed != NULL &&
        curl_url_set(route->parsed, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK &&
        curl_easy_setopt(transfer->easy, CURLOPT_URL, NULL) == CURLE_OK &&
        curl_easy_setopt(transfer->easy, CURLOPT_CURLU, route->parsed) == CURLE_OK;
    remora_free(text);
    return is_set;
}

static enum remora_code set_route(struct remora_transfer *transfer,
                                  const struct remora_transfer_input *input)
{
    struct remora_route *route = &transfer->route;
    if (remora_route_is(route, input)) {
        return REMORA_OK;
    }
    forget_route(route);
    route->reach = input->reach;
    if (!remora_url_parse(input->request->url, &route->url)) {
        return REMORA_INTERNAL;
    }
    bool is_set = set_url(transfer, input->request->url) && set_trust(transfer) &&
                  set_way(transfer) && remember_route(route, input);
    return is_set ? REMORA_OK : REMORA_SHEDDING;
}

enum remora_code remora_transfer_set_up(struct remora_transfer *transfer,
                                        const struct remora_transfer_input *input)
{
    if (input->reach != REMORA_REACH_PROVIDER && input->provider != NULL) {
        return REMORA_INTERNAL; /* a provider's certificate and CA are for the provider */
    }
    enum remora_code code = set_route(transfer, input);
    if (code == REMORA_OK) {
        code = write_headers(transfer, input);
    }
    return code == REMORA_OK ? set_body(transfer, input->request) : code;
}

enum remora_code remora_transfer_set_connect(struct remora_transfer *transfer, int64_t left_ms)
{
    long wait_ms = left_ms > 0 ? (long)left_ms : 1L; /* 0 would be curl's default, 300 s */
    bool is_set = curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, wait_ms) == CURLE_OK;
    if (is_set && transfer->resolve != NULL) {
        is_set = curl_easy_setopt(transfer->easy, CURLOPT_RESOLVE, transfer->resolve) == CURLE_OK;
    }
    return is_set ? REMORA_OK : REMORA_SHEDDING;
}

/* The head as libcurl wrote it and a body that was gathered. */
static void wipe_sent(struct remora_transfer *transfer)
{
    size_t bytes = OWN_HEAD_BYTES + transfer->head_block_bytes;
    for (size_t i = 0; i < REMORA_ROUTE_PARTS; i++) {
        bytes += transfer->route.lengths[i];
    }
    transfer->transport->curl_keeps_sent |=
        transfer->sent.bytes != NULL || transfer->route.is_http2;
    transport_sent_wipe(&transfer->sent, bytes + transfer->body_bytes);
}

void remora_transfer_tear_down(struct remora_transfer *transfer)
{
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, NULL);
    if (transfer->resolve != NULL) {
        curl_easy_setopt(transfer->easy, CURLOPT_RESOLVE, NULL);
    }
    if (transfer->is_fresh) {
        curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 0L);
    }
    wipe_sent(transfer);
    if (transfer->head_block != NULL) {
        explicit_bzero(transfer->head_block, transfer->head_block_bytes);
        remora_free(transfer->head_block);
        transfer->head_block = NULL;
    }
    wipe_body(transfer);
    if (transfer->has_begun) {
        curl_slist_free_all(transfer->resolve);
    } else {
        remora_names_return(transfer->transport->names, transfer->resolve);
    }
    transfer->resolve = NULL;
    transfer->request = NULL;
    remora_head_fini(&transfer->head);
}
