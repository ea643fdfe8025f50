/*
 * The libcurl transport of one worker.
 *
 * A transfer: start (options are set) -> STARTING -> at the end of the round: its name, the CAs -> WAITING if one is missing,
 * else curl gets it: RUNNING -> on_head, on_body ... -> curl is done -> on_end, and the handle is pooled again. When its user
 * has paused, the end waits: ENDED. A transfer whose connection was found dead before anything was sent begins once more.
 *
 * libcurl must not be called from inside its own callbacks, and our users may call us from there: start, resume, and cancel
 * while curl is on the stack (`inside`) are therefore carried out by the pass at the end of the round (`on_later`), which is
 * also where a time-out of 0 ms runs and where ends are told. So no callback ever comes from inside one of the operations.
 *
 * Ways to fail: start: SHEDDING, INTERNAL. Everything else is told by on_end.
 * Memory: at most REMORA_LIMIT_EASY_HANDLES handles are kept, at most IDLE_CONNECTIONS connections; when more than TRIM_PEAK
 * transfers have all ended, the heap is given back (measurements.md: 187 MB stayed, 13 MB with both).
 */
#include "inside.h"

#include "remora/config.h"
#include "remora/memory.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/single_threaded.h>

enum { IDLE_CONNECTIONS = 128, TRIM_PEAK = 64 };

static struct remora_curl *curl_of(struct remora_transport *base)
{
    return REMORA_CONTAINER_OF(base, struct remora_curl, base);
}

/* libcurl's handles belong to the loop's thread, pausing and cancelling too: whoever calls first is that. */
static struct remora_curl *own(struct remora_transport *base)
{
    struct remora_curl *transport = curl_of(base);
    if (!transport->has_thread) {
        transport->thread = pthread_self();
        transport->has_thread = true;
    }
    assert(pthread_equal(transport->thread, pthread_self()));
    return transport;
}

uint64_t remora_curl_now_ns(struct remora_curl *transport)
{
    const struct remora_clock *clock = remora_loop_clock(transport->loop);
    return clock->now_ns(clock);
}

static struct remora_transfer *transfer_of(struct remora_list *node)
{
    return REMORA_CONTAINER_OF(node, struct remora_transfer, node);
}

static void disarm(struct remora_transfer *transfer)
{
    remora_timers_disarm(remora_loop_timers(transfer->transport->loop), &transfer->timer);
}

/* The transfer is over: nothing of its request is left in the handle. Not from inside curl. */
static void recycle(struct remora_transfer *transfer)
{
    struct remora_curl *transport = transfer->transport;
    disarm(transfer);
    remora_list_remove(&transfer->node);
    remora_list_remove(&transfer->resume);
    remora_transfer_tear_down(transfer);
    transfer->state = REMORA_TRANSFER_FREE;
    transport->in_flight--;
    if (transport->in_flight == 0) {
        remora_later_arm(transport->loop, &transport->later); /* the heap may be trimmed */
    }
    transport_pool_put(transfer);
}

/* Before its end. */
static void take_from_curl(struct remora_transfer *transfer)
{
    transport_remove_early(transfer);
    recycle(transfer);
}

/* ---- ends ---- */

static void finish(struct remora_transfer *transfer, const struct remora_transfer_end *end)
{
    const struct remora_transfer_callbacks *callbacks = transfer->callbacks;
    void *context = transfer->context;
    recycle(transfer);
    callbacks->on_end(context, end);
}

/* An end that curl had no part in. */
static void finish_early(struct remora_transfer *transfer, enum remora_cause cause)
{
    uint64_t name_ns = remora_curl_now_ns(transfer->transport) - transfer->start_ns;
    struct remora_transfer_end end = {.cause = cause, .name_ns = name_ns};
    finish(transfer, &end);
}

static void give_to_curl(struct remora_transfer *transfer);

/* A new connection this time: others of the pool may have died with this one. */
static void begin_anew(struct remora_transfer *transfer)
{
    transfer->veto = REMORA_VETO_NONE;
    transfer->is_fresh = true;
    curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
    give_to_curl(transfer);
}

/* A name that a proxy will resolve is none of our business. */
static bool needs_name(const struct remora_transfer *transfer)
{
    return !transfer->route.url.is_literal && remora_transfer_is_direct(transfer);
}

/* Where nobody takes a connection somebody else may be: the name may lead to another address by now. */
static void doubt_name(const struct remora_transfer *transfer,
                       const struct remora_transfer_end *end)
{
    static const enum remora_cause causes[] = {REMORA_CAUSE_REFUSED, REMORA_CAUSE_UNREACHABLE,
                                               REMORA_CAUSE_CONNECT_TIMEOUT, REMORA_CAUSE_TLS};
    bool is_of_address = false;
    for (size_t i = 0; i < REMORA_COUNT_OF(causes); i++) {
        is_of_address |= end->cause == causes[i];
    }
    if (is_of_address && needs_name(transfer)) {
        remora_names_doubt(transfer->transport->names, &transfer->route.url);
    }
}

static void finish_done(struct remora_transfer *transfer, CURLcode result)
{
    struct remora_transfer_end end;
    bool is_told = transfer->state == REMORA_TRANSFER_RUNNING;
    remora_transfer_end(transfer, result, &end);
    doubt_name(transfer, &end);
    transport_remove(transfer);
    if (!is_told) {
        recycle(transfer);
    } else if (transfer->veto == REMORA_VETO_STALE) {
        begin_anew(transfer);
    } else if (transfer->is_paused) {
        transfer->end = end;
        transfer->state = REMORA_TRANSFER_ENDED;
    } else {
        finish(transfer, &end);
    }
}

static void reap(struct remora_curl *transport)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(transport->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode result = message->data.result; /* the message dies with the handle's removal */
        char *private_data = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_data);
        finish_done((struct remora_transfer *)(void *)private_data, result);
    }
}

static void act(struct remora_curl *transport, curl_socket_t fd, int events)
{
    int running = 0;
    transport->inside++;
    curl_multi_socket_action(transport->multi, fd, events, &running);
    transport->inside--;
}

/*
 * What ended is told at the end of the round, with all that ended in it: libcurl reads one answer after another, then our code
 * decodes and writes one after another, each with its own in the processor's caches.
 */
void remora_curl_act(struct remora_curl *transport, curl_socket_t fd, int events)
{
    act(transport, fd, events);
    remora_later_arm(transport->loop, &transport->later);
}

/* ---- starting ---- */

static void give_to_curl(struct remora_transfer *transfer)
{
    struct remora_curl *transport = transfer->transport;
    disarm(transfer);
    transfer->waited_ns = remora_curl_now_ns(transport) - transfer->start_ns;
    int64_t left_ms =
        transfer->connect_timeout_ms - (int64_t)(transfer->waited_ns / REMORA_NS_PER_MS);
    remora_list_remove(&transfer->node);
    remora_list_append(&transport->running, &transfer->node);
    if (remora_transfer_set_connect(transfer, left_ms) != REMORA_OK) {
        finish_early(transfer, REMORA_CAUSE_MEMORY);
        return;
    }
    transport->inside++;
    CURLMcode code = curl_multi_add_handle(transport->multi, transfer->easy);
    transport->inside--;
    if (code != CURLM_OK) {
        finish_early(transfer, REMORA_CAUSE_MEMORY);
        return;
    }
    transfer->state = REMORA_TRANSFER_RUNNING;
}

static bool needs_trust(const struct remora_transfer *transfer)
{
    return transfer->route.url.is_tls && transfer->provider->ca_pem.length == 0 &&
           transfer->transport->trust != NULL;
}

/* Whose address nobody has told yet was not tried, be it that its lookup had no thread or that nobody answered. */
static void on_connect_timeout(struct remora_timer *timer)
{
    struct remora_transfer *transfer = REMORA_CONTAINER_OF(timer, struct remora_transfer, timer);
    finish_early(transfer, transfer->awaits_name ? REMORA_CAUSE_DNS : REMORA_CAUSE_CONNECT_TIMEOUT);
}

static void wait_for_more(struct remora_transfer *transfer)
{
    struct remora_curl *transport = transfer->transport;
    remora_list_remove(&transfer->node);
    remora_list_append(&transport->waiting, &transfer->node);
    if (transfer->state == REMORA_TRANSFER_WAITING) {
        return;
    }
    transfer->state = REMORA_TRANSFER_WAITING;
    uint64_t due_ns =
        transfer->start_ns + (uint64_t)transfer->connect_timeout_ms * REMORA_NS_PER_MS;
    if (remora_timers_arm(remora_loop_timers(transport->loop), &transfer->timer, due_ns,
                          on_connect_timeout) != REMORA_OK) {
        finish_early(transfer, REMORA_CAUSE_MEMORY);
    }
}

static bool ask_for_trust(struct remora_transfer *transfer)
{
    struct remora_curl *transport = transfer->transport;
    if (!needs_trust(transfer) || remora_trust_is_ready(transport->trust)) {
        return true;
    }
    if (transport->ticket == NULL) {
        transport->ticket = remora_trust_wait(transport->trust, transport);
    }
    return false; /* without a ticket, for want of memory, the connect time-out ends it */
}

static void advance(struct remora_transfer *transfer)
{
    if (!transport_url_may(transfer)) {
        finish_early(transfer, REMORA_CAUSE_FORBIDDEN_ADDRESS);
        return;
    }
    if (!ask_for_trust(transfer)) {
        wait_for_more(transfer);
        return;
    }
    if (needs_name(transfer)) {
        remora_names_return(transfer->transport->names, transfer->resolve);
        transfer->resolve = NULL;
        switch (remora_names_ask(transfer->transport->names, &transfer->route.url,
                                 &transfer->resolve)) {
        case REMORA_NAME_READY:
            break;
        case REMORA_NAME_PENDING:
            transfer->awaits_name = true;
            wait_for_more(transfer);
            return;
        case REMORA_NAME_FAILED:
            finish_early(transfer, REMORA_CAUSE_DNS);
            return;
        case REMORA_NAME_SHORT:
            finish_early(transfer, REMORA_CAUSE_DESCRIPTORS);
            return;
        }
    }
    give_to_curl(transfer);
}

void remora_curl_advance_waiting(struct remora_curl *transport)
{
    struct remora_list batch;
    remora_list_init(&batch);
    for (struct remora_list *node; (node = remora_list_take(&transport->waiting)) != NULL;) {
        remora_list_append(&batch, node);
    }
    for (struct remora_list *node; (node = remora_list_take(&batch)) != NULL;) {
        advance(transfer_of(node));
    }
}

/* ---- the pass at the end of a round ---- */

static void run_resumes(struct remora_curl *transport)
{
    for (struct remora_list *node; (node = remora_list_take(&transport->resuming)) != NULL;) {
        struct remora_transfer *transfer =
            REMORA_CONTAINER_OF(node, struct remora_transfer, resume);
        if (!transfer->is_paused && !transfer->is_held) {
            continue;
        }
        transfer->is_paused = false;
        if (transfer->state == REMORA_TRANSFER_ENDED) {
            struct remora_transfer_end end = transfer->end; /* recycled before it is told */
            finish(transfer, &end);
            continue;
        }
        transfer->is_held = false;
        transport->inside++;
        curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* may deliver what curl held back */
        transport->inside--;
    }
}

static void trim(struct remora_curl *transport)
{
    transport_sent_settle(transport);
    if (transport->in_flight == 0 && transport->peak > TRIM_PEAK) {
        malloc_trim(0);
    }
    transport->peak = transport->in_flight == 0 ? 0 : transport->peak;
}

static void on_later(struct remora_later *later)
{
    struct remora_curl *transport = REMORA_CONTAINER_OF(later, struct remora_curl, later);
    for (struct remora_list *node; (node = remora_list_take(&transport->leaving)) != NULL;) {
        take_from_curl(transfer_of(node));
    }
    run_resumes(transport);
    for (struct remora_list *node; (node = remora_list_take(&transport->starting)) != NULL;) {
        advance(transfer_of(node));
    }
    if (transport->is_timeout_due) {
        transport->is_timeout_due = false;
        act(transport, CURL_SOCKET_TIMEOUT, 0);
    }
    reap(transport);
    trim(transport);
}

/* ---- the operations ---- */

static void prepare(struct remora_transfer *transfer, const struct remora_transfer_input *input)
{
    struct remora_transfer clean = {
        .transport = transfer->transport,
        .easy = transfer->easy,
        .route = transfer->route,
        .is_post = transfer->is_post,
        .sent = transfer->sent,
        .state = REMORA_TRANSFER_STARTING,
        .callbacks = input->callbacks,
        .context = input->context,
        .provider = transport_provider_of(input),
        .request = input->request,
        .start_ns = remora_curl_now_ns(transfer->transport),
        .connect_timeout_ms = input->connect_timeout_ms,
        .body_limit_bytes = input->body_limit_bytes,
        .fd = -1,
    };
    *transfer = clean;
    remora_list_init(&transfer->node);
    remora_list_init(&transfer->resume);
    remora_head_init(&transfer->head);
    transfer->head.may_be_http2 = transfer->provider->http2;
}

static enum remora_code transport_start(struct remora_transport *base,
                                        const struct remora_transfer_input *input,
                                        struct remora_transfer **out)
{
    struct remora_curl *transport = own(base);
    struct remora_transfer *transfer = transport_pool_take(transport, input);
    if (transfer == NULL) {
        return REMORA_SHEDDING;
    }
    prepare(transfer, input);
    transport->in_flight++;
    enum remora_code code = remora_transfer_set_up(transfer, input);
    if (code != REMORA_OK) {
        recycle(transfer);
        return code;
    }
    transport->peak =
        transport->in_flight > transport->peak ? transport->in_flight : transport->peak;
    remora_list_append(&transport->starting, &transfer->node);
    remora_later_arm(transport->loop, &transport->later);
    *out = transfer;
    return REMORA_OK;
}

void remora_curl_resume(struct remora_transfer *transfer)
{
    struct remora_curl *transport = transfer->transport;
    if (remora_list_is_empty(&transfer->resume)) {
        remora_list_append(&transport->resuming, &transfer->resume);
    }
    remora_later_arm(transport->loop, &transport->later);
}

static void transport_resume(struct remora_transport *base, struct remora_transfer *transfer)
{
    (void)own(base);
    remora_curl_resume(transfer);
}

static bool is_with_curl(const struct remora_transfer *transfer)
{
    return transfer->state == REMORA_TRANSFER_RUNNING ||
           transfer->state == REMORA_TRANSFER_RELEASED;
}

static void leave(struct remora_transfer *transfer)
{
    struct remora_curl *transport = transfer->transport;
    if (!is_with_curl(transfer)) {
        recycle(transfer);
        return;
    }
    if (transport->inside == 0) {
        take_from_curl(transfer);
        return;
    }
    transfer->state = REMORA_TRANSFER_LEAVING;
    transfer->request = NULL;
    remora_list_remove(&transfer->node);
    remora_list_append(&transport->leaving, &transfer->node);
    remora_later_arm(transport->loop, &transport->later);
}

static bool transport_cancel(struct remora_transport *base, struct remora_transfer *transfer)
{
    bool is_sent = is_with_curl(transfer) && remora_transfer_is_sent(transfer);
    (void)own(base);
    leave(transfer);
    return is_sent;
}

static void on_release_over(struct remora_timer *timer)
{
    leave(REMORA_CONTAINER_OF(timer, struct remora_transfer, timer));
}

static void transport_release(struct remora_transport *base, struct remora_transfer *transfer)
{
    struct remora_curl *transport = own(base);
    if (!is_with_curl(transfer)) {
        leave(transfer);
        return;
    }
    transfer->state = REMORA_TRANSFER_RELEASED;
    transfer->request = NULL;
    uint64_t due_ns = remora_curl_now_ns(transport) + REMORA_RELEASE_MS * REMORA_NS_PER_MS;
    if (remora_timers_arm(remora_loop_timers(transport->loop), &transfer->timer, due_ns,
                          on_release_over) != REMORA_OK) {
        leave(transfer);
        return;
    }
    if (transfer->is_paused) {
        transport_resume(base, transfer);
    }
}

/* ---- life ---- */

static bool set_multi(struct remora_curl *transport)
{
    CURLM *multi = transport->multi;
#if LIBCURL_VERSION_NUM >= 0x081400
    /* From 8.20 on the threads of lookups belong to the multi handle, which waits for them at its end unless told not to. */
    if (curl_multi_setopt(multi, CURLMOPT_QUICK_EXIT, 1L) != CURLM_OK) {
        return false;
    }
#endif
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, remora_socket_wanted) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, transport) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, remora_curl_timer) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, transport) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS) == CURLM_OK;
}

/*
 * setenv(3) and curl_global_init(3) must not meet other threads. ThreadSanitizer starts one of its own before main
 * (__libc_single_threaded: glibc 2.32 and later).
 */
static bool has_threads(void)
{
#ifdef __SANITIZE_THREAD__
    return false;
#else
    return __libc_single_threaded == 0;
#endif
}

enum remora_code remora_transport_global_init(void)
{
    if (has_threads()) {
        return REMORA_INTERNAL;
    }
    /* A silent resolver costs 3 s instead of 10 (resolv.conf(5)); the operator's own value wins. */
    if (setenv("RES_OPTIONS", "timeout:1 attempts:3", 0) != 0) {
        return REMORA_SHEDDING;
    }
    return transport_init_curl() ? REMORA_OK : REMORA_INTERNAL;
}

enum remora_code remora_transport_new(struct remora_loop *loop, struct remora_trust *trust,
                                      struct remora_transport **out)
{
    static const struct remora_transport_ops OPS = {transport_start, transport_resume,
                                                    transport_cancel, transport_release};
    struct remora_curl *transport = remora_alloc(sizeof *transport);
    if (transport == NULL) {
        return REMORA_SHEDDING;
    }
    transport->base.ops = &OPS;
    transport->loop = loop;
    transport->trust = trust;
    transport->later.run = on_later;
    remora_list_init(&transport->starting);
    remora_list_init(&transport->waiting);
    remora_list_init(&transport->running);
    remora_list_init(&transport->leaving);
    remora_list_init(&transport->resuming);
    remora_list_init(&transport->pool);
    enum remora_code code = remora_curl_read_environment(transport);
    transport->curl_trusts_idle = curl_version_info(CURLVERSION_NOW)->version_num >= 0x081600;
    transport->multi = curl_multi_init();
    transport->names = remora_names_new(transport);
    if (code != REMORA_OK || transport->multi == NULL || transport->names == NULL ||
        !set_multi(transport)) {
        remora_transport_free(&transport->base);
        return REMORA_SHEDDING;
    }
    *out = &transport->base;
    return REMORA_OK;
}

static void drop_all(struct remora_list *list)
{
    while (!remora_list_is_empty(list)) {
        struct remora_transfer *transfer = transfer_of(list->next);
        if (is_with_curl(transfer) || transfer->state == REMORA_TRANSFER_LEAVING) {
            take_from_curl(transfer);
        } else {
            recycle(transfer);
        }
    }
}

void remora_transport_free(struct remora_transport *base)
{
    if (base == NULL) {
        return;
    }
    struct remora_curl *transport = curl_of(base);
    assert(transport->inside == 0);
    drop_all(&transport->starting);
    drop_all(&transport->waiting);
    drop_all(&transport->leaving);
    drop_all(&transport->running); /* those released */
    if (transport->ticket != NULL) {
        remora_trust_withdraw(transport->trust, transport->ticket);
    }
    remora_names_free(transport->names);
    transport_pool_fini(transport);
    curl_multi_cleanup(transport->multi);
    remora_timers_disarm(remora_loop_timers(transport->loop), &transport->timer);
    remora_later_disarm(&transport->later);
    remora_sockets_fini(transport);
    remora_free(transport->no_proxy);
    remora_free(transport);
}

void remora_transport_set_config(struct remora_transport *base, const struct remora_config *config)
{
    struct remora_curl *transport = own(base);
    remora_names_forget(transport->names);
    for (size_t i = 0; i < config->provider_count; i++) {
        const struct remora_provider *provider = &config->providers[i];
        struct remora_url url;
        if (provider->disabled_why != NULL || provider->proxy.length > 0 ||
            !remora_url_parse(provider->facts.base_url, &url) || url.is_literal ||
            transport_has_proxy(transport, &url)) {
            continue;
        }
        remora_names_keep(transport->names, &url);
    }
}
