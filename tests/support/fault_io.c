// Bytes in and out of a connection, plain or TLS.
#include "fault_connection.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t tls_result(struct connection *connection, int result)
{
    if (result > 0) {
        return result;
    }
    int error = SSL_get_error(connection->ssl, result);
    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return -1;
    }
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -2;
}

static ssize_t plain_result(ssize_t result)
{
    if (result >= 0) {
        return result;
    }
    return errno == EAGAIN || errno == EINTR ? -1 : -2;
}

ssize_t io_read(struct connection *connection, void *data, size_t length)
{
    if (connection->ssl != NULL) {
        return tls_result(connection, SSL_read(connection->ssl, data, (int)length));
    }
    return plain_result(recv(connection->fd, data, length, 0));
}

ssize_t io_write(struct connection *connection, const void *data, size_t length)
{
    if (length == 0) {
        return 0;
    }
    if (connection->ssl != NULL) {
        int most = length > 65536 ? 65536 : (int)length;
        return tls_result(connection, SSL_write(connection->ssl, data, most));
    }
    return plain_result(send(connection->fd, data, length, MSG_NOSIGNAL));
}

void io_close(struct connection *connection, enum step_kind how)
{
    if (how == STEP_RESET) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    if (connection->ssl != NULL) {
        if (how == STEP_CLOSE) {
            SSL_shutdown(connection->ssl);
        }
        SSL_free(connection->ssl);
        ERR_clear_error();
        connection->ssl = NULL;
    }
    close(connection->fd);
    connection->fd = -1;
}
