/*
 * grpc.health.v1.Health. What the HTTP probes say, for gRPC clients and kubelets: "liveness" serves while we can answer
 * (/livez); "readiness", "" and every service serve when the process is ready (/readyz, remora_process_unready).
 *
 *   Check  one answer; NOT_FOUND for a name that is not known
 *   Watch  an answer at once and at each change (remora_grpc_front_health_changed); SERVICE_UNKNOWN for an unknown name.
 *          A client that does not read gets the newest state when it does, never a queue. Ends by the caller's leaving, or
 *          with DRAINING once the front drains, read or not: a stream without an end would hold the drain for its whole
 *          grace; and after a tenth of grpc.max_connection_age_ms
 *   List   every name that Check knows
 *
 * Refused: a malformed message; more watches than REMORA_LIMIT_GRPC_WATCHES on one worker, since anybody may ask. Those are
 * UNIMPLEMENTED, the one status with which clients that check health by themselves go on as if it were good: with any other
 * whoever comes last would make no call at all, at a gateway that serves.
 * Source: grpc/grpc, doc/health-checking.md; grpc/proposal A17 (what clients do with UNIMPLEMENTED).
 */
#include "descriptors.h"
#include "grpc/health/v1/health.pb-c.h"
#include "pb.h"
#include "remora/limits.h"
#include "schemas.h"
#include "services.h"
#include "unpack.h"

typedef Grpc__Health__V1__HealthCheckResponse Response;
typedef Grpc__Health__V1__HealthListResponse__StatusesEntry Entry;

#define STATUS(name) (int)GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

static const char DRAINS[] = "The gateway is shutting down.";
static const char *const PROBES[] = {"", "liveness", "readiness"};

static struct remora_grpc_subject subject_of(struct remora_slice name)
{
    struct remora_grpc_subject subject = {.is_liveness = remora_slice_is(name, "liveness")};
    for (size_t i = 0; i < REMORA_COUNT_OF(PROBES); i++) {
        subject.is_known = subject.is_known || remora_slice_is(name, PROBES[i]);
    }
    for (size_t i = 0; i < remora_grpc_descriptors.service_count; i++) {
        subject.is_known =
            subject.is_known || remora_slice_is(name, remora_grpc_descriptors.services[i]);
    }
    return subject;
}

static int status_of(const struct remora_grpc_call *call, struct remora_grpc_subject subject)
{
    if (!subject.is_known) {
        return STATUS(SERVICE_UNKNOWN);
    }
    const struct remora_config *config = remora_engine_config(remora_grpc_engine(call));
    bool serves =
        subject.is_liveness || remora_process_unready(call->front->process, config) == NULL;
    return serves ? STATUS(SERVING) : STATUS(NOT_SERVING);
}

static void fill(Response *response, int status)
{
    response->has_status = true;
    response->status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)status;
}

static grpc_slice pack_status(int status)
{
    Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    fill(&response, status);
    return remora_pb_pack(&response.base);
}

static enum remora_code read_subject(struct remora_grpc_call *call, struct remora_slice bytes,
                                     struct remora_grpc_subject *out, struct remora_fail *fail)
{
    Grpc__Health__V1__HealthCheckRequest *request = NULL;
    struct remora_arena *arena = &call->lane->scratch;
    remora_arena_reset(arena);
    enum remora_code code = remora_grpc_unpack(
        bytes, &remora_schema_grpc_health_v1_HealthCheckRequest,
        &grpc__health__v1__health_check_request__descriptor, arena, &request, fail);
    if (code == REMORA_OK) {
        *out = subject_of(remora_pb_slice(request->service));
    }
    return code;
}

void remora_grpc_health_check(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_grpc_subject subject = {false, false};
    enum remora_code code = read_subject(call, bytes, &subject, &fail);
    if (code == REMORA_OK && !subject.is_known) {
        code = remora_fail_set(&fail, REMORA_NOT_FOUND, "service",
                               "There is no such service here; Health/List names all.");
    }
    if (code != REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        return;
    }
    remora_grpc_status_ok(&call->status, NULL);
    remora_grpc_answer(call, pack_status(status_of(call, subject)));
}

/* ---- Watch ---- */

/* Again when the send that is under way has come back. */
static void tell(struct remora_grpc_call *call)
{
    int status = status_of(call, call->subject);
    if (!call->is_sending && status != call->told_status) {
        call->told_status = status;
        remora_grpc_send(call, pack_status(status));
    }
}

static void forget(struct remora_grpc_call *call)
{
    if (!remora_list_is_empty(&call->watcher)) {
        remora_list_remove(&call->watcher);
        call->lane->watcher_count--;
    }
}

static void on_gone(struct remora_grpc_call *call, enum remora_code why)
{
    (void)why;
    forget(call);
}

static void send_away(struct remora_grpc_call *call, const char *why)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    forget(call);
    remora_fail_set(&fail, REMORA_DRAINING, NULL, "%s", why);
    remora_grpc_send_away(call, &fail);
}

static void on_old(struct remora_timer *patience)
{
    send_away(REMORA_CONTAINER_OF(patience, struct remora_grpc_call, patience),
              "This watch is old; begin another.");
}

/*
 * A watch would keep its connection, however old, for ever. The core tells neither how old that is nor that it has said
 * GOAWAY, so every watch is short against the age: the last one of a connection ends soon after it.
 */
static void grow_old(struct remora_grpc_call *call)
{
    enum { SHARE = 10 };
    int64_t age_ms = remora_engine_config(remora_grpc_engine(call))->grpc_connection_age_ms;
    uint64_t ns = (uint64_t)age_ms * REMORA_NS_PER_MS / SHARE;
    if (age_ms > 0 && !remora_grpc_wait(call, ns, on_old)) {
        send_away(call, "The gateway is out of memory; try again.");
    }
}

void remora_grpc_health_watch(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_grpc_lane *lane = call->lane;
    enum remora_code code = read_subject(call, bytes, &call->subject, &fail);
    if (code == REMORA_OK && lane->watcher_count >= REMORA_LIMIT_GRPC_WATCHES) {
        code = remora_fail_set(&fail, REMORA_UNIMPLEMENTED, NULL,
                               "%d calls watch this gateway's health already; share one of them.",
                               REMORA_LIMIT_GRPC_WATCHES);
    }
    if (code != REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        return;
    }
    call->told_status = -1;
    call->on_writable = tell;
    call->on_gone = on_gone;
    remora_list_append(&lane->watchers, &call->watcher);
    lane->watcher_count++;
    tell(call);
    grow_old(call);
    if (atomic_load(&call->front->is_draining)) {
        send_away(call, DRAINS);
    }
}

void remora_grpc_front_health_changed(struct remora_grpc_front *front,
                                      const struct remora_worker *worker)
{
    struct remora_list *head = &front->lanes[worker->index].watchers;
    struct remora_list *next = NULL;
    bool is_draining = atomic_load(&front->is_draining);
    for (struct remora_list *node = head->next; node != head; node = next) {
        struct remora_grpc_call *call = REMORA_CONTAINER_OF(node, struct remora_grpc_call, watcher);
        next = node->next;
        tell(call);
        if (is_draining) {
            send_away(call, DRAINS);
        }
    }
    if (is_draining) {
        remora_grpc_unread_drain(&front->lanes[worker->index]);
    }
    if (atomic_load(&front->is_shut)) {
        remora_grpc_receivers_drain(&front->lanes[worker->index]);
    }
}

/* ---- List ---- */

static void put(Grpc__Health__V1__HealthListResponse *response, struct remora_arena *arena,
                const struct remora_grpc_call *call, const char *name)
{
    Entry *entry =
        remora_pb_new(arena, &grpc__health__v1__health_list_response__statuses_entry__descriptor);
    Response *value = remora_pb_new(arena, &grpc__health__v1__health_check_response__descriptor);
    if (entry == NULL || value == NULL) {
        return;
    }
    struct remora_slice key = remora_slice_of(name);
    fill(value, status_of(call, subject_of(key)));
    entry->has_key = true; /* a map's entry says both, even the empty name */
    entry->key = remora_pb_text(key);
    entry->value = value;
    response->statuses[response->n_statuses++] = entry;
}

void remora_grpc_health_list(struct remora_grpc_call *call, struct remora_slice bytes)
{
    struct remora_fail fail = REMORA_FAIL_INIT;
    struct remora_arena *arena = &call->lane->scratch;
    Grpc__Health__V1__HealthListRequest *request = NULL;
    Grpc__Health__V1__HealthListResponse response = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    remora_arena_reset(arena);
    if (remora_grpc_unpack(bytes, &remora_schema_grpc_health_v1_HealthListRequest,
                           &grpc__health__v1__health_list_request__descriptor, arena, &request,
                           &fail) != REMORA_OK) {
        remora_grpc_refuse(call, &fail);
        return;
    }
    size_t services = remora_grpc_descriptors.service_count;
    response.statuses = remora_pb_list(arena, REMORA_COUNT_OF(PROBES) + services);
    for (size_t i = 0; response.statuses != NULL && i < REMORA_COUNT_OF(PROBES); i++) {
        put(&response, arena, call, PROBES[i]);
    }
    for (size_t i = 0; response.statuses != NULL && i < services; i++) {
        put(&response, arena, call, remora_grpc_descriptors.services[i]);
    }
    remora_grpc_answer_built(call, arena, &response.base);
}
