/*
 * Addresses to listen on: "HOST:PORT", "[IPV6]:PORT", "unix:/PATH" or "off". HOST is an address or "localhost", never a
 * name that a resolver would have to answer. Port 0 lets the kernel choose.
 */
#include "url.h"

#include "remora/config.h"
#include "remora/text.h"
#include "remora/tls.h"

#include <arpa/inet.h>

/* sun_path holds 108 bytes with its NUL (unix(7)). */
enum { UNIX_PATH_BYTES = 107 };

static enum remora_code refuse(struct remora_fail *fail, const char *why)
{
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "%s", why);
}

static bool is_ip(int family, const char *host)
{
    unsigned char ignored[16];
    return inet_pton(family, host, ignored) == 1;
}

static enum remora_code parse_unix(struct remora_slice path, struct remora_address *out,
                                   struct remora_fail *fail)
{
    if (path.length < 2 || path.data[0] != '/' || path.length > UNIX_PATH_BYTES) {
        return refuse(fail, "unix: needs an absolute path of at most 107 bytes");
    }
    out->is_unix = true;
    out->is_loopback = true;
    return REMORA_OK;
}

static bool split_host(struct remora_slice text, struct remora_slice *host,
                       struct remora_slice *port)
{
    bool is_v6 = text.length > 0 && text.data[0] == '[';
    size_t begin = is_v6 ? 1 : 0;
    size_t end = remora_slice_find(text, is_v6 ? ']' : ':', 0);
    if (end + begin >= text.length || text.data[end + begin] != ':') {
        return false;
    }
    *host = remora_slice(text.data + begin, end - begin);
    *port = remora_slice(text.data + end + begin + 1, text.length - end - begin - 1);
    return true;
}

static enum remora_code parse_tcp(struct remora_slice text, struct remora_address *out,
                                  struct remora_fail *fail)
{
    struct remora_slice host;
    struct remora_slice port;
    uint64_t number = 0;
    if (!split_host(text, &host, &port) || host.length >= sizeof out->host) {
        return refuse(fail, "expected HOST:PORT, [IPV6]:PORT, unix:/PATH or off");
    }
    if (port.length > 5 || !remora_parse_u64(port, &number) || number > 65535) {
        return refuse(fail, "the port must be a number from 0 to 65535");
    }
    memcpy(out->host, host.data, host.length);
    bool is_v6 = text.data[0] == '[';
    bool is_named = !is_v6 && remora_slice_is(host, "localhost");
    if (strlen(out->host) != host.length ||
        !(is_named || is_ip(is_v6 ? AF_INET6 : AF_INET, out->host))) {
        return refuse(fail, "the host must be an IP address or localhost (0.0.0.0 is all of IPv4)");
    }
    out->port = (uint16_t)number;
    out->is_loopback = config_host_is_loopback(host);
    return REMORA_OK;
}

enum remora_code remora_address_parse(struct remora_slice text, struct remora_address *out,
                                      struct remora_fail *fail)
{
    static const struct remora_slice unix_prefix = REMORA_SLICE_INIT("unix:");
    struct remora_address address = {0};
    if (text.length == 0 || text.length >= sizeof address.text) {
        return refuse(fail, "an address has 1 to 127 bytes");
    }
    memcpy(address.text, text.data, text.length);
    enum remora_code rc = REMORA_OK;
    if (remora_slice_is(text, "off")) {
        address.is_off = true;
        address.is_loopback = true;
    } else if (remora_slice_starts_with(text, unix_prefix)) {
        rc = parse_unix(
            remora_slice(text.data + unix_prefix.length, text.length - unix_prefix.length),
            &address, fail);
    } else {
        rc = parse_tcp(text, &address, fail);
    }
    if (rc == REMORA_OK) {
        *out = address;
    }
    return rc;
}

enum remora_code remora_address_check_data(const struct remora_address *address,
                                           enum remora_entry entry, const char *param,
                                           struct remora_fail *fail)
{
    if (address->is_loopback || entry != REMORA_ENTRY_FREE) {
        return REMORA_OK;
    }
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, param,
                           "%s is beyond loopback, where http and grpc need gateway keys (`keys`) "
                           "or client certificates (`tls.client_ca_file`) and admin may not be: "
                           "bind 127.0.0.1, [::1] or a unix socket",
                           address->text);
}

bool remora_config_is_tls(const struct remora_config *config, const struct remora_address *address)
{
    return config->tls != NULL && !address->is_loopback;
}

enum remora_entry remora_config_entry(const struct remora_config *config)
{
    if (config->tls != NULL && remora_tls_asks_clients(config->tls)) {
        return REMORA_ENTRY_CERTIFICATES;
    }
    return config->key_count > 0 ? REMORA_ENTRY_KEYS : REMORA_ENTRY_FREE;
}

bool remora_config_takes_uid(const struct remora_config *config, int64_t uid)
{
    bool takes = config->unix_uid_count == 0;
    for (size_t i = 0; i < config->unix_uid_count && !takes; i++) {
        takes = uid == (int64_t)config->unix_uids[i];
    }
    return takes;
}
