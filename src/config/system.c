/* The process as input of a build: its environment, its files, its clock. */
#include "remora/clock.h"
#include "remora/config.h"
#include "remora/limits.h"
#include "remora/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *system_getenv(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

static enum remora_code system_read_secret(void *context, const char *path,
                                           struct remora_secret **out, struct remora_fail *fail)
{
    (void)context;
    return remora_secret_read(path, out, fail);
}

static enum remora_code refuse(struct remora_fail *fail, const char *path, const char *why)
{
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "%s: %s", path, why);
}

/* What the owner of the file can mend, or else what the machine lacks now. */
static enum remora_code unread(struct remora_fail *fail, const char *path, int error)
{
    enum remora_code code =
        error == EACCES || error == EPERM ? REMORA_INVALID_REQUEST : REMORA_INTERNAL;
    return remora_fail_set(fail, code, NULL, "%s: %s", path, strerrordesc_np(error));
}

static enum remora_code read_bytes(int fd, const char *path, struct remora_arena *arena,
                                   struct remora_slice *out, struct remora_fail *fail)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return refuse(fail, path, "not a regular file");
    }
    if (status.st_size > REMORA_LIMIT_CONFIG_BYTES) {
        return refuse(fail, path, "larger than 4 MiB");
    }
    size_t size = (size_t)status.st_size;
    char *bytes = remora_arena_alloc(arena, size + 1);
    if (bytes == NULL) {
        return remora_fail_set(fail, arena->failed, NULL, "%s: no room", path);
    }
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, bytes + got, size - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? unread(fail, path, errno)
                         : refuse(fail, path, "shrank while it was read");
        }
        got += (size_t)n;
    }
    *out = remora_slice(bytes, got);
    return REMORA_OK;
}

static enum remora_code system_read_file(void *context, const char *path,
                                         struct remora_arena *arena, struct remora_slice *out,
                                         struct remora_fail *fail)
{
    (void)context;
    /* O_NONBLOCK: a FIFO of that name must not hold up the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return remora_fail_set(fail, REMORA_NOT_FOUND, NULL, "%s: %s", path,
                               strerrordesc_np(errno));
    }
    if (fd < 0) {
        return unread(fail, path, errno);
    }
    enum remora_code rc = read_bytes(fd, path, arena, out, fail);
    close(fd);
    return rc;
}

void remora_config_input_system(struct remora_config_input *input)
{
    input->getenv = system_getenv;
    input->getenv_context = NULL;
    input->read_secret = system_read_secret;
    input->read_file = system_read_file;
    input->file_context = NULL;
    input->now_unix_ms = remora_clock_system()->unix_ms(remora_clock_system());
}
