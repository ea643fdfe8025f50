/*
 * remora demo: two fake providers behind a loopback port of their own, spoken to like any other provider. The first one
 * always answers 503, the second one answers: every call shows a fallback. With --providers 127.0.0.1:PORT the port is known, and
 * a `remora serve` beside it has them as providers at http://127.0.0.1:PORT/flaky/v1 and /steady/v1.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "remora/memory.h"

struct demo {
    struct remora_process process; /* of the fake providers: a worker without an engine */
    struct remora_worker worker;
    struct remora_http_front *front;
    pthread_t thread;
    bool is_running;
    char document[2048];
};

static const char document_format[] =
    "version: 1\n"
    "service: demo\n"
    "providers:\n"
    "  flaky:\n"
    "    kind: openai\n"
    "    base_url: http://127.0.0.1:%u/flaky/v1\n"
    "    data_policy: {training: false, retains_prompts: false, zdr: true}\n"
    "  steady:\n"
    "    kind: openai\n"
    "    base_url: http://127.0.0.1:%u/steady/v1\n"
    "    data_policy: {training: false, retains_prompts: false, zdr: true}\n"
    "models:\n"
    "  demo/echo-1:\n"
    "    context_length: 8192\n"
    "    endpoints:\n"
    "      - {provider: flaky, model_id: echo-1, pricing: {prompt: \"0.000001\", completion: "
    "\"0.000002\"}}\n"
    "      - {provider: steady, model_id: echo-1, pricing: {prompt: \"0.000001\", completion: "
    "\"0.000002\"}}\n"
    "services:\n"
    "  demo:\n"
    "    models: {default: demo/echo-1}\n"
    "    provider: {data_collection: deny}\n";

static void *run_demo(void *context)
{
    struct demo *demo = context;
    pthread_setname_np(pthread_self(), "demo-providers");
    remora_loop_run(demo->worker.loop);
    return NULL;
}

static enum remora_code listen_at(const char *providers, struct remora_address *out,
                                  struct remora_fail *fail)
{
    enum remora_code code = remora_address_parse(
        remora_slice_of(providers == NULL ? "127.0.0.1:0" : providers), out, fail);
    if (code == REMORA_OK && strcmp(out->host, "127.0.0.1") != 0) {
        code =
            remora_fail_set(fail, REMORA_INVALID_REQUEST, "--providers", "expected 127.0.0.1:PORT");
    }
    return code;
}

static enum remora_code open_providers(struct demo *demo, const char *providers,
                                       struct remora_fail *fail)
{
    struct remora_address address;
    demo->process.workers = &demo->worker;
    demo->process.worker_count = 1;
    demo->process.is_ready = true;
    enum remora_code code = remora_loop_new(&demo->worker.loop);
    if (code == REMORA_OK) {
        code = listen_at(providers, &address, fail);
    }
    if (code == REMORA_OK && pthread_create(&demo->thread, NULL, run_demo, demo) != 0) {
        code = remora_fail_set(fail, REMORA_SHEDDING, NULL, "cannot start a thread");
    }
    if (code != REMORA_OK) {
        return code;
    }
    demo->is_running = true;
    return remora_http_front_open(&demo->process, REMORA_HTTP_DEMO, &address, &demo->front, fail);
}

enum remora_code demo_start(const char *providers, struct demo **out, struct remora_fail *fail)
{
    struct demo *demo = remora_alloc(sizeof *demo);
    if (demo == NULL) {
        return remora_fail_set(fail, REMORA_SHEDDING, NULL, "out of memory");
    }
    enum remora_code code = open_providers(demo, providers, fail);
    if (code != REMORA_OK) {
        demo_stop(demo);
        return code;
    }
    unsigned port = remora_http_front_port(demo->front);
    snprintf(demo->document, sizeof demo->document, document_format, port, port);
    *out = demo;
    return REMORA_OK;
}

const char *demo_document(const struct demo *demo)
{
    return demo->document;
}

static void close_front(void *context)
{
    struct demo *demo = context;
    remora_http_front_drain(demo->front, 0);
    remora_http_front_cut(demo->front, 0);
}

void demo_stop(struct demo *demo)
{
    if (demo == NULL) {
        return;
    }
    if (demo->is_running) {
        if (demo->front != NULL) {
            app_worker_call(&demo->worker, close_front, demo);
        }
        remora_loop_stop(demo->worker.loop);
        pthread_join(demo->thread, NULL);
    }
    if (demo->worker.loop != NULL) {
        remora_loop_free(demo->worker.loop);
    }
    remora_http_front_free(demo->front);
    remora_free(demo);
}

static void print_providers(const struct app *app)
{
    unsigned port = remora_http_front_port(app->demo->front);
    printf("The fake providers are at http://127.0.0.1:%u/flaky/v1 and "
           "http://127.0.0.1:%u/steady/v1\n",
           port, port);
}

/* Where a listener of the command line (NULL: the default, localhost) is called: "127.0.0.1", "[::1]". */
static const char *host_of(const char *listener, char out[80])
{
    struct remora_address address;
    struct remora_fail ignored = REMORA_FAIL_INIT;
    if (listener == NULL ||
        remora_address_parse(remora_slice_of(listener), &address, &ignored) != REMORA_OK ||
        strcmp(address.host, "localhost") == 0 || strcmp(address.host, "0.0.0.0") == 0) {
        return "127.0.0.1";
    }
    bool is_v6 = strchr(address.host, ':') != NULL;
    snprintf(out, 80, is_v6 ? "[%s]" : "%s",
             strcmp(address.host, "::") == 0 ? "::1" : address.host);
    return out;
}

static void print_http(const char *host, unsigned port)
{
    printf(
        "  curl -N http://%s:%u/v1/chat/completions -H 'Content-Type: application/json' \\\n"
        "    -d "
        "'{\"model\":\"demo/"
        "echo-1\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n\n",
        host, port);
}

static void print_grpc(const char *host, unsigned port)
{
    printf(
        "  grpcurl -plaintext -d "
        "'{\"chat\":{\"model\":\"demo/"
        "echo-1\",\"messages\":[{\"role\":\"ROLE_USER\",\"parts\":[{\"text\":\"Hello\"}]}]}}' \\\n"
        "    %s:%u remora.v1.ChatService/StreamChat\n\n",
        host, port);
}

/* What can be called: a listener that is off, or a unix socket, has no port. */
void demo_print_help(const struct app *app)
{
    char room[80];
    const struct app_options *o = &app->options;
    unsigned http = app->http != NULL ? remora_http_front_port(app->http) : 0;
    unsigned grpc = app->grpc != NULL ? remora_grpc_front_port(app->grpc) : 0;
    if (app->options.providers != NULL) {
        print_providers(app);
    }
    if (http != 0 || grpc != 0) {
        puts("\nRemora is up with two fake providers: 'flaky' always fails, 'steady' answers.\n");
    }
    if (http != 0) {
        print_http(host_of(o->http, room), http);
    }
    if (grpc != 0) {
        print_grpc(host_of(o->grpc, room), grpc);
    }
    if (http != 0) {
        printf("  export OPENAI_BASE_URL=http://%s:%u/v1 OPENAI_API_KEY=unused\n\n",
               host_of(o->http, room), http);
    }
    if (http != 0 || grpc != 0) {
        puts("Ctrl-C stops it.");
    }
    fflush(stdout);
}
