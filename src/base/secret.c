/*
 * Secrets. Each lives in a private mapping of its own, or with others that go when it goes: core dumps leave it out (MADV_DONTDUMP) and it is
 * locked in memory where RLIMIT_MEMLOCK allows; neither is required. It is wiped before it is unmapped.
 *
 * A file is read into such a mapping too, so that no copy is left elsewhere. Fails: the file is absent, empty,
 * not to be read by us, not a regular file or writable by everybody (INVALID_REQUEST), too long (TOO_LARGE), no memory (SHEDDING). Whatever
 * else keeps it from being read (no descriptor left, a mount that is sick) is INTERNAL: the secret may be there as it was.
 */
#include "remora/secret.h"

#include "remora/limits.h"
#include "remora/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct remora_secret {
    size_t mapped_bytes; /* 0: it lies in a page of secrets */
    size_t length;
    bool is_exposed;
    char bytes[];
};

struct remora_secret_page {
    struct remora_secret_page *next;
    size_t mapped_bytes;
    size_t used;
    _Alignas(struct remora_secret) char memory[];
};
enum { SECRET_PAGE_BYTES = 4096 };

static void *map_locked(size_t bytes)
{
    void *mapping = remora_alloc_private(bytes);
    if (mapping != NULL) {
        (void)mlock(mapping, bytes);
    }
    return mapping;
}

static struct remora_secret *map(size_t bytes)
{
    size_t mapped = sizeof(struct remora_secret) + bytes;
    struct remora_secret *secret = map_locked(mapped);
    if (secret != NULL) {
        secret->mapped_bytes = mapped;
    }
    return secret;
}

struct remora_secret *remora_secret_new(struct remora_slice bytes)
{
    if (bytes.length > REMORA_LIMIT_SECRET_BYTES) {
        return NULL;
    }
    struct remora_secret *secret = map(bytes.length);
    if (secret != NULL && bytes.length > 0) {
        memcpy(secret->bytes, bytes.data, bytes.length);
        secret->length = bytes.length;
    }
    return secret;
}

/* The newest page if it has room for so much, else a new one; NULL without memory. */
static struct remora_secret_page *page_for(struct remora_secret_pages *pages, size_t bytes)
{
    struct remora_secret_page *page = pages->first;
    if (page != NULL && page->mapped_bytes - sizeof *page - page->used >= bytes) {
        return page;
    }
    size_t mapped = bytes + sizeof *page;
    mapped = mapped < SECRET_PAGE_BYTES ? SECRET_PAGE_BYTES : mapped;
    page = map_locked(mapped);
    if (page != NULL) {
        page->next = pages->first;
        page->mapped_bytes = mapped;
        pages->first = page;
    }
    return page;
}

struct remora_secret *remora_secret_add(struct remora_secret_pages *pages,
                                        struct remora_slice bytes)
{
    size_t align = _Alignof(struct remora_secret) - 1;
    size_t size = (sizeof(struct remora_secret) + bytes.length + align) & ~align;
    if (bytes.length > REMORA_LIMIT_SECRET_BYTES) {
        return NULL;
    }
    struct remora_secret_page *page = page_for(pages, size);
    if (page == NULL) {
        return NULL;
    }
    struct remora_secret *secret = (struct remora_secret *)(void *)(page->memory + page->used);
    page->used += size;
    if (bytes.length > 0) {
        memcpy(secret->bytes, bytes.data, bytes.length);
        secret->length = bytes.length;
    }
    return secret;
}

struct remora_secret *remora_secret_copy(struct remora_secret_pages *pages,
                                         const struct remora_secret *secret)
{
    struct remora_secret *copy =
        remora_secret_add(pages, remora_slice(secret->bytes, secret->length));
    if (copy != NULL) {
        copy->is_exposed = secret->is_exposed;
    }
    return copy;
}

struct remora_secret *remora_secret_adopt(struct remora_secret_pages *pages,
                                          struct remora_secret *secret)
{
    struct remora_secret *adopted = remora_secret_copy(pages, secret);
    remora_secret_free(secret);
    return adopted;
}

void remora_secret_pages_fini(struct remora_secret_pages *pages)
{
    while (pages->first != NULL) {
        struct remora_secret_page *page = pages->first;
        pages->first = page->next;
        remora_free_private(page, page->mapped_bytes);
    }
}

void remora_secret_free(struct remora_secret *secret)
{
    if (secret != NULL) {
        assert(secret->mapped_bytes > 0);
        remora_free_private(secret, secret->mapped_bytes);
    }
}

static enum remora_code refuse(struct remora_fail *fail, const char *path, const char *why)
{
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, NULL, "secret file %s %s", path, why);
}

static enum remora_code open_failed(struct remora_fail *fail, const char *path, int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return refuse(fail, path, "does not exist: create it or correct the path");
    case EACCES:
    case EPERM:
        return refuse(fail, path, "may not be read: give this user read permission");
    default:
        return remora_fail_set(fail, REMORA_INTERNAL, NULL,
                               "secret file %s cannot be read (%s): check the path and the mount",
                               path, strerrordesc_np(error));
    }
}

static enum remora_code check_file(int fd, const char *path, bool *is_exposed,
                                   struct remora_fail *fail)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return open_failed(fail, path, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return refuse(fail, path, "is not a regular file: name a file that holds the secret");
    }
    if ((status.st_mode & S_IWOTH) != 0) {
        return refuse(fail, path, "is writable by everybody: chmod o-w it");
    }
    *is_exposed = (status.st_mode & S_IROTH) != 0;
    return REMORA_OK;
}

/* Reads to the end or until `capacity` bytes are there. */
static enum remora_code read_all(int fd, char *to, size_t capacity, size_t *length)
{
    size_t got = 0;
    while (got < capacity) {
        ssize_t n = read(fd, to + got, capacity - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return REMORA_INVALID_REQUEST;
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    *length = got;
    return REMORA_OK;
}

static size_t without_newline(const char *bytes, size_t length)
{
    if (length > 0 && bytes[length - 1] == '\n') {
        length--;
        if (length > 0 && bytes[length - 1] == '\r') {
            length--;
        }
    }
    return length;
}

static enum remora_code fill(struct remora_secret *secret, int fd, const char *path,
                             struct remora_fail *fail)
{
    size_t length = 0;
    /* Room for the longest secret, its newline and one byte that shows that there is more. */
    enum remora_code rc = read_all(fd, secret->bytes, REMORA_LIMIT_SECRET_BYTES + 3, &length);
    if (rc != REMORA_OK) {
        return open_failed(fail, path, errno);
    }
    secret->length = without_newline(secret->bytes, length);
    if (secret->length > REMORA_LIMIT_SECRET_BYTES) {
        return remora_fail_set(fail, REMORA_TOO_LARGE, NULL,
                               "secret file %s is longer than %d bytes: is it the right file?",
                               path, REMORA_LIMIT_SECRET_BYTES);
    }
    if (secret->length == 0) {
        return refuse(fail, path, "is empty: write the secret into it");
    }
    return REMORA_OK;
}

enum remora_code remora_secret_read(const char *path, struct remora_secret **out,
                                    struct remora_fail *fail)
{
    struct remora_secret *secret = NULL;
    bool is_exposed = false;
    /* O_NONBLOCK: a FIFO of that name must not hold up the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return open_failed(fail, path, errno);
    }
    enum remora_code rc = check_file(fd, path, &is_exposed, fail);
    if (rc != REMORA_OK) {
        goto out;
    }
    secret = map(REMORA_LIMIT_SECRET_BYTES + 3);
    if (secret == NULL) {
        rc = remora_fail_set(fail, REMORA_SHEDDING, NULL, "no memory for secret file %s", path);
        goto out;
    }
    rc = fill(secret, fd, path, fail);
    if (rc != REMORA_OK) {
        goto out;
    }
    struct remora_secret *fitting = remora_secret_new(remora_slice(secret->bytes, secret->length));
    if (fitting == NULL) {
        rc = remora_fail_set(fail, REMORA_SHEDDING, NULL, "no memory for secret file %s", path);
        goto out;
    }
    fitting->is_exposed = is_exposed;
    *out = fitting;
out:
    remora_secret_free(secret);
    close(fd);
    return rc;
}

/* Bytes of all strings with their NULs; *count of them. */
static size_t measure_environment(size_t *count)
{
    size_t bytes = 0;
    size_t at = 0;
    for (; environ != NULL && environ[at] != NULL; at++) {
        bytes += strlen(environ[at]) + 1;
    }
    *count = at;
    return bytes;
}

bool remora_secret_hide_environment(void)
{
    size_t count = 0;
    size_t bytes = measure_environment(&count);
    struct remora_secret *hidden = map(bytes);
    if (hidden == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(environ[i]) + 1;
        char *copy = hidden->bytes + hidden->length;
        memcpy(copy, environ[i], length);
        explicit_bzero(environ[i], length);
        environ[i] = copy;
        hidden->length += length;
    }
    return true; /* the mapping is the environment's from now on, and is never given back */
}

bool remora_secret_is_exposed(const struct remora_secret *secret)
{
    return secret->is_exposed;
}

size_t remora_secret_length(const struct remora_secret *secret)
{
    return secret->length;
}

void remora_secret_use(const struct remora_secret *secret,
                       void (*use)(void *context, struct remora_slice bytes), void *context)
{
    use(context, remora_slice(secret->bytes, secret->length));
}

bool remora_secret_equal(const struct remora_secret *a, const struct remora_secret *b)
{
    if (a->length != b->length) {
        return false;
    }
    volatile unsigned char different = 0;
    for (size_t i = 0; i < a->length; i++) {
        different = (unsigned char)(different | (a->bytes[i] ^ b->bytes[i]));
    }
    return different == 0;
}
