/*
 * Addresses: of an upstream as configuration reads it, as the transport reads it, and as libcurl does; of media; of a
 * listener. What the transport accepts libcurl must read in the same way, or the host that was judged is not the host that is
 * connected to.
 */
#include "../../src/config/url.h"
#include "../../src/transport/inside.h"
#include "remora/config.h"
#include "remora/media.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static bool is_host(const char *theirs, const char *ours)
{
    size_t length = strlen(theirs);
    bool has_brackets = length > 2 && theirs[0] == '[';
    struct remora_slice bare =
        has_brackets ? remora_slice(theirs + 1, length - 2) : remora_slice(theirs, length);
    return remora_slice_equal_nocase(bare, remora_slice_of(ours));
}

/* Two texts of one IPv6 address: libcurl may write it anew. */
static bool is_address(const char *theirs, const struct remora_url *ours)
{
    return ours->is_literal && theirs[0] == '[' && strchr(ours->host, ':') != NULL;
}

static void compare(const char *text, const struct remora_url *ours)
{
    CURLU *url = curl_url();
    char *host = NULL;
    char *port = NULL;
    char *scheme = NULL;
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK) {
        require(curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK,
                "libcurl has the parts of a URL that it takes");
        require(is_host(host, ours->host) || is_address(host, ours), "the same host");
        require(strtoul(port, NULL, 10) == ours->port, "the same port");
        require(strcmp(scheme, ours->is_tls ? "https" : "http") == 0, "the same scheme");
    }
    curl_free(host);
    curl_free(port);
    curl_free(scheme);
    curl_url_cleanup(url);
}

static void read_upstream(struct remora_slice text, const char *terminated)
{
    struct remora_url url;
    struct config_url configured;
    const char *why = NULL;
    bool is_configured = config_url_parse(text, &configured, &why);
    require(is_configured || why != NULL, "a refusal has a reason");
    if (!remora_url_parse(text, &url)) {
        return;
    }
    compare(terminated, &url);
    if (is_configured) {
        require(url.is_tls == configured.is_https, "TLS to both readers");
        require(!url.is_loopback || configured.is_loopback, "loopback to both readers");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_address address;
    char *terminated = malloc(size + 1);
    memcpy(terminated, data, size);
    terminated[size] = '\0';
    struct remora_slice text = remora_slice(terminated, size);
    read_upstream(text, terminated);
    for (int kind = REMORA_PART_TEXT; kind <= REMORA_PART_RAW; kind++) {
        struct remora_media media = {0};
        (void)remora_media_from_url((enum remora_part_kind)kind, text, &media);
        (void)remora_media_from_base64(text, &media);
    }
    enum remora_code code = remora_address_parse(text, &address, &fail);
    require(code == REMORA_OK || (fail.code == code && fail.message[0] != '\0'), "a refusal tells");
    free(terminated);
    return 0;
}
