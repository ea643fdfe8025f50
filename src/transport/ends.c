/*
 * How a transfer ended: curl's result, its errno and our own flags as one struct remora_transfer_end.
 *
 * Our own flags come first: every abort from a callback looks the same (23, 26 or 42). Result 0 is not believed without a
 * complete, framed head. Sources: libcurl-errors(3); reference/measurements.md, "Prototypes 2: answers".
 */
#include "inside.h"

#include <errno.h>
#include <openssl/x509_vfy.h>

static enum remora_cause cause_of_veto(enum remora_veto veto)
{
    switch (veto) {
    case REMORA_VETO_NONE:
        break;
    case REMORA_VETO_RESEND:
    case REMORA_VETO_UPLOAD:
    case REMORA_VETO_STALE:
        return REMORA_CAUSE_RESET;
    case REMORA_VETO_HEAD:
        return REMORA_CAUSE_BAD_RESPONSE;
    case REMORA_VETO_ENCODING:
        return REMORA_CAUSE_BAD_ENCODING;
    case REMORA_VETO_TOO_LARGE:
        return REMORA_CAUSE_TOO_LARGE;
    case REMORA_VETO_MEMORY:
        return REMORA_CAUSE_MEMORY;
    case REMORA_VETO_ADDRESS:
        return REMORA_CAUSE_FORBIDDEN_ADDRESS;
    }
    return REMORA_CAUSE_NONE;
}

static enum remora_cause cause_of_success(const struct remora_transfer *transfer)
{
    /* A head without its blank line and a body that only the end of the connection ends both count as cut short. */
    bool is_proven = transfer->head.is_complete && transfer->head.is_framed;
    return is_proven ? REMORA_CAUSE_NONE : REMORA_CAUSE_TRUNCATED;
}

static enum remora_cause cause_of_connect(int error)
{
    if (error == ECONNREFUSED) {
        return REMORA_CAUSE_REFUSED;
    }
    return error == ETIMEDOUT ? REMORA_CAUSE_CONNECT_TIMEOUT : REMORA_CAUSE_UNREACHABLE;
}

static enum remora_cause cause_of_break(const struct remora_transfer *transfer, int error)
{
    if (transfer->send_calls == 0) {
        return REMORA_CAUSE_UNREACHABLE; /* by the proxy, on the way to the provider */
    }
    bool is_reset = error == ECONNRESET || error == EPIPE || error == ETIMEDOUT;
    return transfer->head.is_complete && !is_reset ? REMORA_CAUSE_TRUNCATED : REMORA_CAUSE_RESET;
}

static enum remora_cause cause_of_result(const struct remora_transfer *transfer, CURLcode result,
                                         int error)
{
    switch ((
        int)result) { /* the enum has a hundred values; those not named cannot end an HTTP transfer of ours */
    case CURLE_OK:
        return cause_of_success(transfer);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return transport_lacks_descriptor() ? REMORA_CAUSE_DESCRIPTORS : REMORA_CAUSE_DNS;
    case CURLE_COULDNT_CONNECT:
        return transfer->lacks_descriptor ? REMORA_CAUSE_DESCRIPTORS : cause_of_connect(error);
    case CURLE_PROXY:
        return REMORA_CAUSE_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return REMORA_CAUSE_CONNECT_TIMEOUT; /* the only time-out that curl is given */
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return REMORA_CAUSE_TLS;
    case CURLE_PARTIAL_FILE:
        return REMORA_CAUSE_TRUNCATED;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return cause_of_break(transfer, error);
    case CURLE_BAD_CONTENT_ENCODING:
        return REMORA_CAUSE_BAD_ENCODING;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_OUT_OF_MEMORY: /* a header line above 100 KiB (measured); our own memory is a veto */
        return REMORA_CAUSE_BAD_RESPONSE;
    default:
        return transfer->send_calls == 0 ? REMORA_CAUSE_UNREACHABLE : REMORA_CAUSE_BAD_RESPONSE;
    }
}

/* What an operator can do, for the verdicts that are met; OpenSSL's own words for the rest. */
static const char *words_of(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the certificate has expired: renew it on the server, or set this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the certificate is not valid yet: set this machine's clock, or the server's";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "the certificate is signed by itself: if it is meant, make it the provider's "
               "ca_file";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "the issuer is not known: if it is meant, make its certificate the provider's "
               "ca_file";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the certificate is for another name: base_url needs one that it has";
    }
    return X509_verify_cert_error_string(verdict);
}

/*
 * OpenSSL's verdict on the chain; where that is fine and the peer is refused all the same, libcurl found that the certificate
 * names another host (lib/vtls/openssl.c, servercert). UNSPECIFIED is what libcurl writes there before it knows.
 */
static const char *tls_reason_of(const struct remora_transfer *transfer, CURLcode result)
{
    long verdict = X509_V_OK;
    if (result == CURLE_SSL_CERTPROBLEM || result == CURLE_SSL_CLIENTCERT) {
        return "our client certificate cannot be used, or one is asked for: see client_cert";
    }
    if (curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &verdict) == CURLE_OK &&
        verdict != X509_V_OK && verdict != X509_V_ERR_UNSPECIFIED) {
        return words_of(verdict);
    }
    return result == CURLE_PEER_FAILED_VERIFICATION ? words_of(X509_V_ERR_HOSTNAME_MISMATCH)
                                                    : "the handshake failed";
}

/*
 * The one free re-send (ARCHITECTURE 6): nothing of an answer, and the request cannot have been complete at the provider.
 * Only bodies that leave through READFUNCTION are counted. What an HTTP/2 server has refused it has not taken at all, whatever its
 * end is called: libcurl repeats it, and that is vetoed, or (7.88, the only stream of a connection that goes away) gives up.
 */
static bool is_free_resend(const struct remora_transfer *transfer, CURLcode result)
{
    if (transfer->head.bytes > 0 || transfer->send_calls == 0) {
        return false;
    }
    if (transfer->was_refused) {
        return transfer->veto == REMORA_VETO_NONE || transfer->veto == REMORA_VETO_RESEND;
    }
    bool is_broken = result == CURLE_SEND_FAIL_REWIND || result == CURLE_SEND_ERROR ||
                     result == CURLE_RECV_ERROR || result == CURLE_GOT_NOTHING;
    bool is_counted = transfer->body == NULL && transfer->body_bytes > 0;
    return transfer->veto == REMORA_VETO_NONE && is_broken && is_counted && transfer->was_reused &&
           transfer->handed_bytes < transfer->body_bytes;
}

static uint64_t since_start_ns(const struct remora_transfer *transfer, CURLINFO what)
{
    curl_off_t us = 0;
    if (curl_easy_getinfo(transfer->easy, what, &us) != CURLE_OK || us <= 0) {
        return 0;
    }
    return transfer->waited_ns + (uint64_t)us * 1000;
}

void remora_transfer_end(const struct remora_transfer *transfer, CURLcode result,
                         struct remora_transfer_end *out)
{
    long error = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
    *out = (struct remora_transfer_end){
        .cause = cause_of_veto(transfer->veto),
        .got_head = transfer->head.is_complete,
        .was_sent = transfer->send_calls > 0,
        .was_reused = transfer->was_reused,
        .is_free_resend = is_free_resend(transfer, result),
        .system_error = (int)error,
        .name_ns = since_start_ns(transfer, CURLINFO_NAMELOOKUP_TIME_T),
        .connect_ns = since_start_ns(transfer, CURLINFO_CONNECT_TIME_T),
        .tls_ns = since_start_ns(transfer, CURLINFO_APPCONNECT_TIME_T),
        .first_byte_ns = since_start_ns(transfer, CURLINFO_STARTTRANSFER_TIME_T),
        .body_bytes_received = transfer->received_bytes,
    };
    if (transfer->veto == REMORA_VETO_NONE) {
        out->cause = cause_of_result(transfer, result, (int)error);
    }
    if (out->cause == REMORA_CAUSE_TLS) {
        out->tls_reason = tls_reason_of(transfer, result);
    }
}
