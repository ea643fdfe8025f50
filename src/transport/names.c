/*
 * Host names, resolved in the background.
 *
 * libcurl starts a thread for every lookup, also of the same name. So names are resolved here, by a few threads, and their
 * addresses are given to curl by CURLOPT_RESOLVE, once per change: the entry stays in the multi handle's cache.
 *   - a transfer that is cancelled before curl has seen its list has given nothing: until one has begun, each brings the list.
 *   - hosts of the configuration: every REFRESH; after a failure in RETRY. Others: when they are used and old. Each of them when a
 *     connection to it fails, at most once in DOUBT: it may have moved.
 *   - a name that has never been resolved: its transfers wait. One that failed: transfers fail for RETRY without asking.
 *   - a refresh that fails leaves the addresses as they were.
 *   - a name whose servers do not answer holds its thread for seconds: THREADS of them are enough for those that do, and who has
 *     waited for PATIENCE gets a further one, up to MOST_THREADS. Names that failed last time wait behind all others, who failed more
 *     often behind who failed less, and hold at most FAILED_THREADS.
 *   - at most NAMES of them: callers may name hosts too. A new one takes the place of the one that has gone unasked longest, is
 *     not of the configuration and nobody waits for; curl is told to forget that.
 *
 * The threads share `struct pool` with the loop's side; it is counted, so a thread that hangs in getaddrinfo holds up
 * nobody: the transport goes, the thread finds the pool closed and ends. Results travel by one message that is posted when
 * the list of results was empty.
 *
 * Ways to fail: no such name or no answer (FAILED); no thread or memory (FAILED); no descriptor for the resolver (SHORT), which
 * says the same to its caller as a server that does not answer, or a name that does not exist. Asked again after SHORT.
 */
#include "inside.h"

#include "remora/memory.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, MOST_THREADS = 32, FAILED_THREADS = 8, NAMES = 512, ADDRESSES = 8 };
#define REFRESH_NS  (UINT64_C(30) * REMORA_NS_PER_S)
#define RETRY_NS    (UINT64_C(5) * REMORA_NS_PER_S)
#define SHORT_NS    REMORA_NS_PER_S
#define DOUBT_NS    REMORA_NS_PER_S
#define PATIENCE_NS (UINT64_C(100) * REMORA_NS_PER_MS)

/* One question, then its answer. */
struct job {
    struct remora_list node;
    char host[REMORA_HOST_BYTES];
    uint16_t port;
    uint32_t failures; /* of the name, in a row, before this */
    bool is_resolved;
    bool is_short; /* else: no descriptor was left */
    /* ",address" each; the longest numeric IPv6 address has 45 characters, brackets around it */
    char addresses[ADDRESSES * (INET6_ADDRSTRLEN + 3)];
};

/* Shared with the threads. */
struct pool {
    pthread_mutex_t lock; /* guards all of this but `message` and `names` */
    pthread_cond_t work;
    struct remora_list questions; /* by failures */
    struct remora_list answers;
    size_t holders; /* threads, the loop's side, a posted message */
    size_t threads;
    size_t idle;
    size_t failed; /* threads at work on names that failed last time */
    bool is_closed;
    struct remora_loop *loop;
    struct remora_message_node message;
    struct remora_names *names; /* the loop's side only; NULL once closed */
};

struct name {
    struct remora_list node;
    struct remora_names *names;
    char host[REMORA_HOST_BYTES];
    uint16_t port;
    bool is_kept; /* of the configuration */
    bool is_asked;
    bool is_known;   /* addresses stand */
    bool is_applied; /* curl is known to have them */
    uint64_t asked_ns;
    uint64_t failed_until_ns;
    bool is_short;     /* so it failed */
    uint32_t failures; /* in a row */
    struct remora_timer refresh;
    char addresses[sizeof((struct job *)0)->addresses];
};

struct remora_names {
    struct remora_curl *transport;
    struct pool *pool;
    struct remora_list list;
    size_t count;
    struct remora_timer patience; /* armed while questions may be waiting for a thread */
    struct curl_slist *forgotten; /* entries for CURLOPT_RESOLVE that curl has not been told */
};

/* ---- threads ---- */

/* With the lock held; gives it up. */
static void leave_pool_locked(struct pool *pool)
{
    pool->holders--;
    bool is_last = pool->holders == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!is_last) {
        return;
    }
    for (struct remora_list *node; (node = remora_list_take(&pool->questions)) != NULL;) {
        remora_free(REMORA_CONTAINER_OF(node, struct job, node));
    }
    for (struct remora_list *node; (node = remora_list_take(&pool->answers)) != NULL;) {
        remora_free(REMORA_CONTAINER_OF(node, struct job, node));
    }
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    remora_free(pool);
}

static void append_address(struct job *job, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool is_v6 = address->sa_family == AF_INET6;
    const void *bytes =
        is_v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
              : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if (inet_ntop(address->sa_family, bytes, text, sizeof text) == NULL) {
        return;
    }
    size_t used = strlen(job->addresses);
    snprintf(job->addresses + used, sizeof job->addresses - used, is_v6 ? "%s[%s]" : "%s%s",
             used == 0 ? "" : ",", text);
}

static void resolve(struct job *job)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(job->host, NULL, &hints, &found) != 0) {
        job->is_short = transport_lacks_descriptor();
        return;
    }
    int taken = 0;
    for (struct addrinfo *at = found; at != NULL && taken < ADDRESSES; at = at->ai_next, taken++) {
        if (at->ai_family == AF_INET || at->ai_family == AF_INET6) {
            append_address(job, at->ai_addr);
        }
    }
    freeaddrinfo(found);
    job->is_resolved = job->addresses[0] != '\0';
}

static void answer_locked(struct pool *pool, struct job *job)
{
    bool was_empty = remora_list_is_empty(&pool->answers);
    remora_list_append(&pool->answers, &job->node);
    if (was_empty && !pool->is_closed) {
        pool->holders++;
        remora_loop_post(pool->loop, &pool->message);
    }
}

/* The next question that may have a thread; NULL: none is waiting, or only names that have enough of them. */
static struct job *take_question_locked(struct pool *pool)
{
    if (remora_list_is_empty(&pool->questions)) {
        return NULL;
    }
    struct job *job = REMORA_CONTAINER_OF(pool->questions.next, struct job, node);
    if (job->failures > 0 && pool->failed == FAILED_THREADS) {
        return NULL;
    }
    remora_list_remove(&job->node);
    return job;
}

static void work_locked(struct pool *pool, struct job *job)
{
    size_t failed = job->failures > 0 ? 1 : 0;
    pool->failed += failed;
    pthread_mutex_unlock(&pool->lock);
    resolve(job);
    pthread_mutex_lock(&pool->lock);
    pool->failed -= failed;
    answer_locked(pool, job);
}

static void *run_thread(void *context)
{
    struct pool *pool = context;
    pthread_mutex_lock(&pool->lock);
    while (!pool->is_closed) {
        struct job *job = take_question_locked(pool);
        if (job != NULL) {
            work_locked(pool, job);
        } else if (pool->threads > THREADS) {
            break;
        } else {
            pool->idle++;
            pthread_cond_wait(&pool->work, &pool->lock);
            pool->idle--;
        }
    }
    pool->threads--;
    leave_pool_locked(pool);
    return NULL;
}

/* A further thread when all are busy. */
static void grow_locked(struct pool *pool, size_t most)
{
    pthread_t thread;
    if (pool->idle > 0 || pool->threads >= most) {
        return;
    }
    if (pthread_create(&thread, NULL, run_thread, pool) == 0) {
        pthread_detach(thread);
        pool->threads++;
        pool->holders++;
    }
}

/* Questions that a further thread would take. */
static size_t count_waiting_locked(const struct pool *pool)
{
    size_t count = 0;
    size_t failed = pool->failed;
    for (const struct remora_list *node = pool->questions.next; node != &pool->questions;
         node = node->next) {
        const struct job *job = REMORA_CONTAINER_OF(node, struct job, node);
        if (job->failures > 0 && failed++ >= FAILED_THREADS) {
            break;
        }
        count++;
    }
    return count;
}

/* Behind those whose names failed as often. */
static void queue_locked(struct pool *pool, struct job *job)
{
    struct remora_list *before = &pool->questions;
    while (before->previous != &pool->questions &&
           REMORA_CONTAINER_OF(before->previous, struct job, node)->failures > job->failures) {
        before = before->previous;
    }
    remora_list_append(before, &job->node);
}

/* ---- the loop's side ---- */

static uint64_t now_of(const struct remora_names *names)
{
    return remora_curl_now_ns(names->transport);
}

static struct name *find(struct remora_names *names, const char *host, uint16_t port)
{
    for (struct remora_list *node = names->list.next; node != &names->list; node = node->next) {
        struct name *name = REMORA_CONTAINER_OF(node, struct name, node);
        if (name->port == port && strcmp(name->host, host) == 0) {
            return name;
        }
    }
    return NULL;
}

static void watch_patience(struct remora_names *names);

/* Whoever still waits does so behind names whose servers do not answer. */
static void on_patience(struct remora_timer *timer)
{
    struct remora_names *names = REMORA_CONTAINER_OF(timer, struct remora_names, patience);
    struct pool *pool = names->pool;
    pthread_mutex_lock(&pool->lock);
    size_t waiting = count_waiting_locked(pool);
    for (size_t i = 0; i < waiting; i++) {
        grow_locked(pool, MOST_THREADS);
    }
    pthread_mutex_unlock(&pool->lock);
    if (waiting > 0) {
        watch_patience(names);
    }
}

static void watch_patience(struct remora_names *names)
{
    struct remora_timers *timers = remora_loop_timers(names->transport->loop);
    if (!remora_timer_is_armed(&names->patience)) {
        /* Without memory for the timer the threads there are take what waits. */
        (void)!remora_timers_arm(timers, &names->patience, now_of(names) + PATIENCE_NS,
                                 on_patience);
    }
}

static void ask(struct name *name)
{
    struct pool *pool = name->names->pool;
    struct job *job = name->is_asked ? NULL : remora_alloc(sizeof *job);
    if (job == NULL) {
        return;
    }
    memcpy(job->host, name->host, sizeof job->host);
    job->port = name->port;
    job->failures = name->failures;
    pthread_mutex_lock(&pool->lock);
    grow_locked(pool, THREADS);
    bool is_served = pool->threads > 0;
    if (is_served) {
        queue_locked(pool, job);
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!is_served) {
        remora_free(job);
        return;
    }
    name->is_asked = true;
    name->asked_ns = now_of(name->names);
    watch_patience(name->names);
}

static void on_refresh(struct remora_timer *timer)
{
    ask(REMORA_CONTAINER_OF(timer, struct name, refresh));
}

static void plan_refresh(struct name *name, uint64_t wait_ns)
{
    struct remora_timers *timers = remora_loop_timers(name->names->transport->loop);
    if (name->is_kept) {
        /* Without memory for the timer the name is asked for again when it is used. */
        (void)!remora_timers_arm(timers, &name->refresh, now_of(name->names) + wait_ns, on_refresh);
    } else {
        remora_timers_disarm(timers, &name->refresh);
    }
}

static void take_answer(struct remora_names *names, const struct job *job)
{
    struct name *name = find(names, job->host, job->port);
    if (name == NULL) {
        return;
    }
    name->is_asked = false;
    if (!job->is_resolved) {
        uint64_t wait_ns = job->is_short ? SHORT_NS : RETRY_NS;
        name->is_short = job->is_short;
        name->failures += job->is_short || name->failures == UINT32_MAX ? 0 : 1;
        name->failed_until_ns = now_of(names) + wait_ns;
        plan_refresh(name, wait_ns);
        return;
    }
    if (!name->is_known || strcmp(name->addresses, job->addresses) != 0) {
        memcpy(name->addresses, job->addresses, sizeof name->addresses);
        name->is_applied = false;
    }
    name->is_known = true;
    name->failures = 0;
    name->failed_until_ns = 0;
    plan_refresh(name, REFRESH_NS);
}

static void on_answers(struct remora_message_node *message)
{
    struct pool *pool = REMORA_CONTAINER_OF(message, struct pool, message);
    struct remora_list answers;
    remora_list_init(&answers);
    pthread_mutex_lock(&pool->lock);
    for (struct remora_list *node; (node = remora_list_take(&pool->answers)) != NULL;) {
        remora_list_append(&answers, node);
    }
    struct remora_names *names = pool->names;
    leave_pool_locked(pool);
    for (struct remora_list *node; (node = remora_list_take(&answers)) != NULL;) {
        struct job *job = REMORA_CONTAINER_OF(node, struct job, node);
        if (names != NULL) {
            take_answer(names, job);
        }
        remora_free(job);
    }
    if (names != NULL) {
        remora_curl_advance_waiting(names->transport);
    }
}

static void drop(struct name *name)
{
    remora_timers_disarm(remora_loop_timers(name->names->transport->loop), &name->refresh);
    remora_list_remove(&name->node);
    name->names->count--;
    remora_free(name);
}

static struct name *find_oldest(struct remora_names *names)
{
    struct name *oldest = NULL;
    for (struct remora_list *node = names->list.next; node != &names->list; node = node->next) {
        struct name *name = REMORA_CONTAINER_OF(node, struct name, node);
        if (!name->is_kept && !name->is_asked &&
            (oldest == NULL || name->asked_ns < oldest->asked_ns)) {
            oldest = name;
        }
    }
    return oldest;
}

/* Room for one more. */
static bool make_room(struct remora_names *names)
{
    char entry[REMORA_HOST_BYTES + sizeof "-:65535"];
    if (names->count < NAMES) {
        return true;
    }
    struct name *oldest = find_oldest(names);
    if (oldest == NULL) {
        return false;
    }
    snprintf(entry, sizeof entry, "-%s:%u", oldest->host, (unsigned)oldest->port);
    struct curl_slist *forgotten = curl_slist_append(names->forgotten, entry);
    names->forgotten = forgotten == NULL ? names->forgotten : forgotten;
    drop(oldest);
    return forgotten != NULL;
}

static struct name *add(struct remora_names *names, const struct remora_url *url)
{
    if (!make_room(names)) {
        return NULL;
    }
    struct name *name = remora_alloc(sizeof *name);
    if (name == NULL) {
        return NULL;
    }
    name->names = names;
    memcpy(name->host, url->host, sizeof name->host);
    name->port = url->port;
    remora_list_append(&names->list, &name->node);
    names->count++;
    return name;
}

/* "host:port:address,address": addresses that outlive the cache's time-out (CURLOPT_RESOLVE(3)); what is forgotten first. */
static struct curl_slist *resolve_entry(const struct name *name)
{
    struct remora_names *names = name->names;
    char text[REMORA_HOST_BYTES + sizeof ":65535:" + sizeof name->addresses];
    snprintf(text, sizeof text, "%s:%u:%s", name->host, (unsigned)name->port, name->addresses);
    struct curl_slist *list = curl_slist_append(names->forgotten, text);
    names->forgotten = list == NULL ? names->forgotten : NULL;
    return list;
}

enum remora_name_answer remora_names_ask(struct remora_names *names, const struct remora_url *url,
                                         struct curl_slist **out)
{
    struct name *name = find(names, url->host, url->port);
    name = name == NULL ? add(names, url) : name;
    if (name == NULL) {
        return REMORA_NAME_FAILED;
    }
    uint64_t now_ns = now_of(names);
    bool is_failed = now_ns < name->failed_until_ns;
    if (!is_failed && (!name->is_known || now_ns - name->asked_ns > REFRESH_NS)) {
        ask(name);
    }
    if (!name->is_known) {
        return name->is_asked                ? REMORA_NAME_PENDING
               : is_failed && name->is_short ? REMORA_NAME_SHORT
                                             : REMORA_NAME_FAILED;
    }
    if (!name->is_applied) {
        *out = resolve_entry(name);
        if (*out == NULL) {
            return REMORA_NAME_FAILED;
        }
    }
    return REMORA_NAME_READY;
}

void remora_names_doubt(struct remora_names *names, const struct remora_url *url)
{
    struct name *name = find(names, url->host, url->port);
    if (name != NULL && name->is_known && now_of(names) - name->asked_ns >= DOUBT_NS) {
        ask(name);
    }
}

/* The addresses may have changed since the list was made. */
static bool says_addresses(const struct curl_slist *list, const struct name *name)
{
    size_t length = strlen(name->addresses);
    while (list->next != NULL) {
        list = list->next;
    }
    size_t bytes = strlen(list->data);
    /* Behind the port: they may be the end of others. */
    return bytes > length && list->data[bytes - length - 1] == ':' &&
           strcmp(list->data + bytes - length, name->addresses) == 0;
}

void remora_names_took(struct remora_names *names, const struct remora_url *url,
                       const struct curl_slist *list)
{
    struct name *name = find(names, url->host, url->port);
    if (name != NULL && name->is_known && says_addresses(list, name)) {
        name->is_applied = true;
    }
}

void remora_names_return(struct remora_names *names, struct curl_slist *list)
{
    for (const struct curl_slist *entry = list; entry != NULL; entry = entry->next) {
        if (entry->data[0] == '-') {
            struct curl_slist *forgotten = curl_slist_append(names->forgotten, entry->data);
            names->forgotten = forgotten == NULL ? names->forgotten : forgotten;
        }
    }
    curl_slist_free_all(list);
}

void remora_names_keep(struct remora_names *names, const struct remora_url *url)
{
    struct name *name = find(names, url->host, url->port);
    name = name == NULL ? add(names, url) : name;
    if (name == NULL) {
        return;
    }
    name->is_kept = true;
    if (name->is_known) {
        plan_refresh(name, REFRESH_NS);
    } else {
        ask(name);
    }
}

void remora_names_forget(struct remora_names *names)
{
    for (struct remora_list *node = names->list.next; node != &names->list; node = node->next) {
        struct name *name = REMORA_CONTAINER_OF(node, struct name, node);
        name->is_kept = false;
        plan_refresh(name, 0);
    }
}

/* ---- life ---- */

struct remora_names *remora_names_new(struct remora_curl *transport)
{
    struct remora_names *names = remora_alloc(sizeof *names);
    struct pool *pool = remora_alloc(sizeof *pool);
    if (names == NULL || pool == NULL) {
        remora_free(names);
        remora_free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    remora_list_init(&pool->questions);
    remora_list_init(&pool->answers);
    pool->holders = 1;
    pool->loop = transport->loop;
    pool->message.run = on_answers;
    pool->names = names;
    names->transport = transport;
    names->pool = pool;
    remora_list_init(&names->list);
    return names;
}

void remora_names_free(struct remora_names *names)
{
    if (names == NULL) {
        return;
    }
    while (!remora_list_is_empty(&names->list)) {
        drop(REMORA_CONTAINER_OF(names->list.next, struct name, node));
    }
    remora_timers_disarm(remora_loop_timers(names->transport->loop), &names->patience);
    curl_slist_free_all(names->forgotten);
    struct pool *pool = names->pool;
    pthread_mutex_lock(&pool->lock);
    pool->is_closed = true;
    pool->names = NULL;
    pthread_cond_broadcast(&pool->work);
    leave_pool_locked(pool);
    remora_free(names);
}
