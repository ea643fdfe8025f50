/* TLS connections of the loop against a client of OpenSSL's, over a socket pair: no network, no sleep. */
#include "certificates.h"
#include "support.h"

#include "remora/limits.h"
#include "remora/tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 20000, LARGE_BYTES = 1 << 20 };

struct fixture {
    struct remora_loop *loop;
    struct remora_tls *tls;
    struct remora_conn *conn;
    int peer;
    SSL_CTX *client_context;
    SSL *client;
    BIO *to_client;
    BIO *from_client;
    char *read; /* what the owner was given */
    size_t read_bytes;
    int gone;
    enum remora_conn_end end;
    int closed;
    int drained;
};

static struct test_authority ours;
static struct test_authority theirs;
static char certificate_pem[4096];
static char key_pem[4096];

static void on_read(struct remora_conn *conn, struct remora_slice bytes)
{
    struct fixture *f = conn->owner;
    assert_true(f->read_bytes + bytes.length <= LARGE_BYTES + 1);
    memcpy(f->read + f->read_bytes, bytes.data, bytes.length);
    f->read_bytes += bytes.length;
}

static void on_drain(struct remora_conn *conn)
{
    struct fixture *f = conn->owner;
    f->drained++;
    assert_int_equal(conn->ops->queued(conn), 0);
}

static void on_gone(struct remora_conn *conn, enum remora_conn_end end)
{
    struct fixture *f = conn->owner;
    f->gone++;
    f->end = end;
}

static void on_closed(struct remora_conn *conn)
{
    struct fixture *f = conn->owner;
    f->closed++;
    f->conn = NULL;
}

static const struct remora_conn_callbacks CALLBACKS = {
    .on_read = on_read, .on_drain = on_drain, .on_gone = on_gone, .on_closed = on_closed};

static void read_bio(BIO *bio, char *out, size_t bytes)
{
    int got = BIO_read(bio, out, (int)bytes - 1);
    assert_true(got > 0);
    out[got] = '\0';
    BIO_free(bio);
}

/* A server certificate of `ours`, as PEM. */
static int make_certificates(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    test_authority_init(&ours, "ours");
    test_authority_init(&theirs, "theirs");
    SSL_CTX *context = test_server_context(&ours, NULL);
    BIO *certificate = BIO_new(BIO_s_mem());
    BIO *key = BIO_new(BIO_s_mem());
    assert_true(PEM_write_bio_X509(certificate, SSL_CTX_get0_certificate(context)));
    assert_true(
        PEM_write_bio_PrivateKey(key, SSL_CTX_get0_privatekey(context), NULL, NULL, 0, NULL, NULL));
    read_bio(certificate, certificate_pem, sizeof certificate_pem);
    read_bio(key, key_pem, sizeof key_pem);
    SSL_CTX_free(context);
    return 0;
}

static enum remora_code make_tls(const char *certificate, const char *key, const char *client_ca,
                                 struct remora_tls **out, struct remora_fail *fail)
{
    struct remora_secret *secret = remora_secret_new(remora_slice_of(key));
    const struct remora_tls_input input = {.certificate = remora_slice_of(certificate),
                                           .key = secret,
                                           .client_ca = remora_slice_of(client_ca)};
    enum remora_code code = remora_tls_new(&input, out, fail);
    remora_secret_free(secret);
    return code;
}

static void make_client(struct fixture *f)
{
    f->client_context = SSL_CTX_new(TLS_client_method());
    f->client = SSL_new(f->client_context);
    f->to_client = BIO_new(BIO_s_mem());
    f->from_client = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(f->to_client, -1);
    SSL_set_bio(f->client, f->to_client, f->from_client);
    SSL_set_connect_state(f->client);
}

static int open_with(void **state, const char *client_ca)
{
    struct fixture *f = calloc(1, sizeof *f);
    int pair[2];
    assert_non_null(f);
    f->read = malloc(LARGE_BYTES + 1);
    assert_non_null(f->read);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(make_tls(certificate_pem, key_pem, client_ca, &f->tls, NULL), REMORA_OK);
    assert_int_equal(remora_loop_new(&f->loop), REMORA_OK);
    assert_int_equal(remora_conn_adopt_tls(f->loop, pair[0], f->tls, &CALLBACKS, f, &f->conn),
                     REMORA_OK);
    f->peer = pair[1];
    make_client(f);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return open_with(state, NULL);
}

static int setup_asking(void **state)
{
    return open_with(state, theirs.pem);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    remora_loop_free(f->loop);
    assert_int_equal(f->closed, 1);
    remora_tls_release(f->tls);
    SSL_free(f->client);
    SSL_CTX_free(f->client_context);
    if (f->peer >= 0) {
        close(f->peer);
    }
    free(f->read);
    free(f);
    return 0;
}

/* One round: what the client has to say in pieces of `piece`, the loop, what the gateway said. */
static size_t turn(struct fixture *f, size_t piece)
{
    char bytes[16384];
    int got = BIO_read(f->from_client, bytes, (int)(piece < sizeof bytes ? piece : sizeof bytes));
    ssize_t sent = got > 0 ? write(f->peer, bytes, (size_t)got) : 0;
    assert_true(got <= 0 || sent == got);
    remora_loop_run_once(f->loop, 0);
    ssize_t came = read(f->peer, bytes, sizeof bytes);
    if (came > 0) {
        assert_int_equal(BIO_write(f->to_client, bytes, (int)came), (int)came);
    }
    ERR_clear_error();
    return came > 0 ? (size_t)came : 0;
}

static void shake(struct fixture *f, size_t piece)
{
    for (int i = 0; i < ROUNDS && SSL_do_handshake(f->client) != 1; i++) {
        turn(f, piece);
    }
    assert_true(SSL_is_init_finished(f->client));
    f->conn->ops->set_reading(f->conn, true);
    for (int i = 0; i < ROUNDS && BIO_pending(f->from_client) > 0; i++) {
        turn(f, piece);
    }
}

static void send_text(struct fixture *f, const char *text)
{
    assert_int_equal(SSL_write(f->client, text, (int)strlen(text)), (int)strlen(text));
}

static void expect_text(struct fixture *f, const char *text)
{
    char bytes[256];
    size_t length = 0;
    for (int i = 0; i < ROUNDS && length < strlen(text); i++) {
        int got = SSL_read(f->client, bytes + length, (int)(sizeof bytes - length));
        length += got > 0 ? (size_t)got : 0;
        turn(f, sizeof bytes);
    }
    assert_int_equal(length, strlen(text));
    assert_memory_equal(bytes, text, length);
}

static void bytes_go_both_ways_in_any_pieces(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 5, 7, 64, 16384};
    for (size_t i = 0; i < REMORA_COUNT_OF(pieces); i++) {
        struct fixture *f = *state;
        shake(f, pieces[i]);
        send_text(f, "hello");
        for (int r = 0; r < ROUNDS && f->read_bytes < 5; r++) {
            turn(f, pieces[i]);
        }
        assert_memory_equal(f->read, "hello", 5);
        f->conn->ops->write(f->conn, REMORA_SLICE("good day"));
        expect_text(f, "good day");
        assert_int_equal(f->drained, 1);
        if (i + 1 < REMORA_COUNT_OF(pieces)) {
            teardown(state);
            setup(state);
        }
    }
}

static void a_burst_of_writes_is_one_record(void **state)
{
    struct fixture *f = *state;
    char bytes[16384];
    shake(f, 16384);
    while (turn(f, 16384) > 0) {
    }
    for (int i = 0; i < 100; i++) {
        f->conn->ops->write(f->conn, REMORA_SLICE("data: x\n\n"));
    }
    remora_loop_run_once(f->loop, 0);
    ssize_t got = read(f->peer, bytes, sizeof bytes);
    assert_true(got > 900 && got < 1000);
    size_t length = (size_t)(unsigned char)bytes[3] << 8 | (unsigned char)bytes[4];
    assert_int_equal((size_t)got, length + 5); /* RFC 8446 section 5.1: the head of one record */
}

static void an_owner_that_does_not_read_is_given_it_later(void **state)
{
    struct fixture *f = *state;
    static char text[LARGE_BYTES];
    size_t put = 0;
    shake(f, 16384);
    f->conn->ops->set_reading(f->conn, false);
    fcntl(f->peer, F_SETFL, O_NONBLOCK);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)(i * 31 >> 7);
    }
    assert_int_equal(SSL_write(f->client, text, sizeof text), (int)sizeof text);
    char bytes[4096];
    for (int i = 0; i < 2000; i++) { /* until nobody takes any more */
        char *data = NULL;
        long left = BIO_get_mem_data(f->from_client, &data);
        ssize_t sent = write(f->peer, data, left < 4096 ? (size_t)left : 4096);
        if (sent > 0) {
            put += (size_t)sent;
            assert_int_equal(BIO_read(f->from_client, bytes, (int)sent), (int)sent);
        }
        remora_loop_run_once(f->loop, 0);
    }
    assert_int_equal(f->read_bytes, 0);
    assert_true(put < sizeof text); /* held: 64 KiB of each kind, and the kernel's */
    f->conn->ops->set_reading(f->conn, true);
    for (int i = 0; i < ROUNDS && f->read_bytes < sizeof text; i++) {
        char *data = NULL;
        long left = BIO_get_mem_data(f->from_client, &data);
        ssize_t sent = left > 0 ? write(f->peer, data, left < 4096 ? (size_t)left : 4096) : 0;
        if (sent > 0) {
            assert_int_equal(BIO_read(f->from_client, bytes, (int)sent), (int)sent);
        }
        remora_loop_run_once(f->loop, 0);
    }
    assert_int_equal(f->read_bytes, sizeof text);
    assert_memory_equal(f->read, text, sizeof text);
}

static void run_until_gone(struct fixture *f)
{
    for (int i = 0; i < ROUNDS && f->gone == 0; i++) {
        turn(f, 16384);
    }
    assert_int_equal(f->gone, 1);
}

static void a_goodbye_is_noticed_while_reading_is_off(void **state)
{
    struct fixture *f = *state;
    shake(f, 16384);
    f->conn->ops->set_reading(f->conn, false);
    send_text(f, "GET");
    SSL_shutdown(f->client);
    run_until_gone(f);
    assert_int_equal(f->end, REMORA_CONN_PEER_CLOSED);
    assert_int_equal(f->read_bytes, 0);
}

static void a_socket_that_closes_is_noticed(void **state)
{
    struct fixture *f = *state;
    shake(f, 16384);
    close(f->peer);
    f->peer = -1;
    for (int i = 0; i < ROUNDS && f->gone == 0; i++) {
        remora_loop_run_once(f->loop, 1);
    }
    assert_int_equal(f->end, REMORA_CONN_PEER_CLOSED);
}

static void run_until_reset(struct fixture *f, const char *first_bytes, size_t count)
{
    assert_int_equal(write(f->peer, first_bytes, count), (ssize_t)count);
    for (int i = 0; i < ROUNDS && f->gone == 0; i++) {
        remora_loop_run_once(f->loop, 1);
    }
    assert_int_equal(f->end, REMORA_CONN_RESET);
    assert_int_equal(f->read_bytes, 0);
    f->conn->ops->close(f->conn, 0); /* as an owner does */
}

/* What the peer reads in the end; 0: nothing but the end. */
static ssize_t last_bytes(struct fixture *f, char *out, size_t count)
{
    ssize_t got = -1;
    for (int i = 0; i < ROUNDS && got < 0; i++) {
        remora_loop_run_once(f->loop, 1);
        got = read(f->peer, out, count);
    }
    return got;
}

static void plaintext_is_told_nothing(void **state)
{
    struct fixture *f = *state;
    char bytes[64];
    run_until_reset(f, "GET / HTTP/1.1\r\n\r\n", 18);
    assert_int_equal(last_bytes(f, bytes, sizeof bytes), 0);
}

static void a_handshake_that_is_none_gets_an_alert(void **state)
{
    struct fixture *f = *state;
    char bytes[64];
    run_until_reset(f, "\x16\x03\x01\x00\x05hello", 10);
    assert_true(last_bytes(f, bytes, sizeof bytes) >= 7);
    assert_int_equal(bytes[0], 21); /* RFC 8446 section 6 */
}

static void a_client_without_a_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS && f->gone == 0; i++) {
        (void)SSL_do_handshake(f->client);
        turn(f, 16384);
    }
    assert_int_equal(f->end, REMORA_CONN_RESET);
    assert_true(remora_tls_asks_clients(f->tls));
}

static void a_lingering_close_sends_all_and_says_goodbye(void **state)
{
    struct fixture *f = *state;
    shake(f, 16384);
    f->conn->ops->write(f->conn, REMORA_SLICE("last words"));
    f->conn->ops->close(f->conn, 5000);
    expect_text(f, "last words");
    char byte;
    assert_true(SSL_read(f->client, &byte, 1) <= 0);
    assert_int_equal(SSL_get_shutdown(f->client) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    close(f->peer);
    f->peer = -1;
    for (int i = 0; i < ROUNDS && f->closed == 0; i++) {
        remora_loop_run_once(f->loop, 1);
    }
    assert_int_equal(f->gone, 0);
}

static void refused(const char *certificate, const char *key, const char *client_ca,
                    const char *words)
{
    struct remora_tls *tls = NULL;
    struct remora_fail fail = REMORA_FAIL_INIT;
    assert_int_equal(make_tls(certificate, key, client_ca, &tls, &fail), REMORA_INVALID_REQUEST);
    assert_null(tls);
    assert_non_null(strstr(fail.message, words));
}

static void texts_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const char LOCKED[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGb\n"
                                 "-----END ENCRYPTED PRIVATE KEY-----\n";
    BIO *other = BIO_new(BIO_s_mem());
    char other_pem[4096];
    assert_true(PEM_write_bio_PrivateKey(other, theirs.key, NULL, NULL, 0, NULL, NULL));
    read_bio(other, other_pem, sizeof other_pem);
    refused("", key_pem, "", "cert_file");
    refused("no PEM", key_pem, "", "cert_file");
    refused(key_pem, key_pem, "", "cert_file");
    refused(certificate_pem, "no PEM", "", "key_file");
    refused(certificate_pem, LOCKED, "", "key_file");
    refused(certificate_pem, other_pem, "", "is not the key of cert_file");
    refused(certificate_pem, key_pem, "no PEM", "client_ca_file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_both_ways_in_any_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(a_burst_of_writes_is_one_record, setup, teardown),
        cmocka_unit_test_setup_teardown(an_owner_that_does_not_read_is_given_it_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_goodbye_is_noticed_while_reading_is_off, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_that_closes_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(plaintext_is_told_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_handshake_that_is_none_gets_an_alert, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_without_a_certificate_is_refused, setup_asking,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lingering_close_sends_all_and_says_goodbye, setup,
                                        teardown),
        cmocka_unit_test(texts_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, make_certificates, NULL);
}
