/* See newcomers.h. */
#include "newcomers.h"

#include <grpc/grpc_posix.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channelz.h"
#include "remora/limits.h"
#include "remora/memory.h"

/* No more are open than this, so none of the two lines is ever full (connections.h). */
enum { MOST = REMORA_LIMIT_CONNECTIONS };

struct remora_grpc_newcomers {
    struct remora_grpc_newcomers_input input;
    pthread_t thread;
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t has_more;
    bool is_refused;
    int waiting[MOST]; /* a ring */
    size_t first;
    size_t count;
    struct remora_grpc_newcomer given[MOST]; /* and not told */
    size_t given_count;
    struct remora_message_node message; /* to tell them */
    intptr_t next_id;                   /* the thread's own */
};

/* ---- the thread ---- */

/* False: there will be none. */
static bool take(struct remora_grpc_newcomers *n, int *fd)
{
    pthread_mutex_lock(&n->mutex);
    while (n->count == 0 && !n->is_refused) {
        pthread_cond_wait(&n->has_more, &n->mutex);
    }
    bool is_one = n->count > 0;
    if (is_one) {
        *fd = n->waiting[n->first];
        n->first = (n->first + 1) % MOST;
        n->count--;
    }
    pthread_mutex_unlock(&n->mutex);
    return is_one;
}

static bool is_refused(struct remora_grpc_newcomers *n)
{
    pthread_mutex_lock(&n->mutex);
    bool answer = n->is_refused;
    pthread_mutex_unlock(&n->mutex);
    return answer;
}

/* The core numbers what it is handed at once and in order, so what is new is this one. Cores of the old generation do not. */
static intptr_t id_of_newest(struct remora_grpc_newcomers *n)
{
    struct remora_grpc_socket socket = {0};
    if (remora_grpc_channelz_sockets(n->input.listed_as, n->next_id, &socket, 1) == 1) {
        n->next_id = socket.id + 1;
    }
    return socket.id;
}

static void tell(struct remora_grpc_newcomers *n, const struct remora_grpc_newcomer *newcomer)
{
    pthread_mutex_lock(&n->mutex);
    bool has_room =
        n->given_count < MOST; /* else the loop has stood still while a thousand came and went */
    bool is_first = n->given_count == 0;
    if (has_room) {
        n->given[n->given_count++] = *newcomer;
    }
    pthread_mutex_unlock(&n->mutex);
    if (is_first) {
        remora_loop_post(n->input.loop, &n->message);
    }
}

static void give(struct remora_grpc_newcomers *n, int fd)
{
    struct stat status = {.st_ino = 0};
    struct remora_grpc_newcomer newcomer = {.fd = fd};
    if (fstat(fd, &status) == 0) {
        newcomer.inode = status.st_ino;
    }
    grpc_server_add_channel_from_fd(n->input.server, fd, n->input.credentials);
    newcomer.id = id_of_newest(n);
    if (newcomer.id != 0) {
        tell(n, &newcomer);
    }
}

static void *give_each(void *context)
{
    struct remora_grpc_newcomers *n = context;
    int fd = -1;
    pthread_setname_np(pthread_self(), "grpc-newcomers");
    while (take(n, &fd)) {
        if (is_refused(n)) {
            close(fd);
        } else {
            give(n, fd);
        }
    }
    return NULL;
}

/* ---- the loop ---- */

static void on_message(struct remora_message_node *message)
{
    struct remora_grpc_newcomers *n =
        REMORA_CONTAINER_OF(message, struct remora_grpc_newcomers, message);
    pthread_mutex_lock(&n->mutex);
    for (size_t i = 0; i < n->given_count; i++) {
        n->input.told(n->input.context, &n->given[i]);
    }
    n->given_count = 0;
    pthread_mutex_unlock(&n->mutex);
}

void remora_grpc_newcomers_give(struct remora_grpc_newcomers *newcomers, int fd)
{
    pthread_mutex_lock(&newcomers->mutex);
    bool is_taken = !newcomers->is_refused && newcomers->count < MOST;
    if (is_taken) {
        newcomers->waiting[(newcomers->first + newcomers->count++) % MOST] = fd;
        pthread_cond_signal(&newcomers->has_more);
    }
    pthread_mutex_unlock(&newcomers->mutex);
    if (!is_taken) {
        close(fd);
    }
}

/* ---- beginning and end ---- */

enum remora_code remora_grpc_newcomers_open(const struct remora_grpc_newcomers_input *input,
                                            struct remora_grpc_newcomers **out)
{
    struct remora_grpc_newcomers *n = remora_alloc(sizeof *n);
    if (n == NULL) {
        return REMORA_SHEDDING;
    }
    n->input = *input;
    n->message.run = on_message;
    pthread_mutex_init(&n->mutex, NULL);
    pthread_cond_init(&n->has_more, NULL);
    if (pthread_create(&n->thread, NULL, give_each, n) != 0) {
        remora_grpc_newcomers_free(n);
        return REMORA_SHEDDING;
    }
    *out = n;
    return REMORA_OK;
}

void remora_grpc_newcomers_refuse(struct remora_grpc_newcomers *newcomers)
{
    if (newcomers != NULL) {
        pthread_mutex_lock(&newcomers->mutex);
        newcomers->is_refused = true;
        pthread_cond_signal(&newcomers->has_more);
        pthread_mutex_unlock(&newcomers->mutex);
    }
}

void remora_grpc_newcomers_join(struct remora_grpc_newcomers *newcomers)
{
    if (newcomers != NULL) {
        remora_grpc_newcomers_refuse(newcomers);
        pthread_join(newcomers->thread, NULL);
    }
}

void remora_grpc_newcomers_free(struct remora_grpc_newcomers *newcomers)
{
    if (newcomers != NULL) {
        pthread_cond_destroy(&newcomers->has_more);
        pthread_mutex_destroy(&newcomers->mutex);
        remora_free(newcomers);
    }
}
