#include "probe.h"

#include <stdio.h>

uint64_t test_now_ns(void)
{
    const struct remora_clock *clock = remora_clock_system();
    return clock->now_ns(clock);
}

void client_init(struct client *client, struct remora_trust *trust)
{
    assert_int_equal(remora_loop_new(&client->loop), REMORA_OK);
    assert_int_equal(remora_transport_new(client->loop, trust, &client->transport), REMORA_OK);
}

void client_fini(struct client *client)
{
    remora_transport_free(client->transport);
    remora_loop_free(client->loop);
}

static void act(struct probe *probe, enum probe_act what)
{
    switch (what) {
    case PROBE_NOTHING:
    case PROBE_PAUSE:
        return;
    case PROBE_CANCEL:
        probe_cancel(probe);
        return;
    case PROBE_RELEASE:
        probe_release(probe);
        return;
    case PROBE_RESUME_AND_PAUSE:
        probe_resume(probe);
        return;
    }
}

static void on_head(void *context, const struct remora_http_response *response)
{
    struct probe *probe = context;
    assert_false(probe->is_in_call);
    assert_false(probe->is_over);
    probe->heads++;
    probe->status = response->status;
    struct remora_slice type = remora_response_header(response, "content-type");
    snprintf(probe->content_type, sizeof probe->content_type, "%.*s", REMORA_SLICE_ARG(type));
    act(probe, probe->on_head);
}

static enum remora_flow on_body(void *context, struct remora_slice bytes)
{
    struct probe *probe = context;
    assert_false(probe->is_in_call);
    assert_false(probe->is_over);
    assert_int_equal(probe->heads, 1);
    probe->bodies++;
    remora_buf_append(&probe->body, bytes);
    enum probe_act what = probe->on_body;
    act(probe, what);
    return what == PROBE_PAUSE || what == PROBE_RESUME_AND_PAUSE ? REMORA_FLOW_PAUSE
                                                                 : REMORA_FLOW_GO;
}

static void on_end(void *context, const struct remora_transfer_end *end)
{
    struct probe *probe = context;
    assert_false(probe->is_in_call);
    assert_false(probe->is_over);
    probe->is_over = true;
    probe->transfer = NULL;
    probe->end = *end;
}

static const struct remora_transfer_callbacks CALLBACKS = {on_head, on_body, on_end};

void probe_init(struct probe *probe, struct client *client, const char *url, const char *path)
{
    memset(probe, 0, sizeof *probe);
    probe->client = client;
    probe->connect_timeout_ms = 5000;
    snprintf(probe->url, sizeof probe->url, "%s%s", url, path);
    probe->request = (struct remora_http_request){
        .method = REMORA_GET,
        .url = remora_slice_of(probe->url),
        .headers = probe->headers,
        .body = probe->pieces,
    };
    remora_buf_init(&probe->body, 64 << 20);
}

void probe_fini(struct probe *probe)
{
    remora_buf_fini(&probe->body);
}

void probe_post(struct probe *probe, const char *body, size_t length)
{
    probe->request.method = REMORA_POST;
    probe->pieces[probe->request.body_pieces++] = remora_slice(body, length);
    probe->request.body_bytes += length;
}

void probe_start(struct probe *probe)
{
    bool has_provider = probe->reach == REMORA_REACH_PROVIDER && !probe->is_nobodys;
    const struct remora_transfer_input input = {
        .request = &probe->request,
        .provider = has_provider ? &probe->provider : NULL,
        .reach = probe->reach,
        .hops = probe->hops,
        .connect_timeout_ms = probe->connect_timeout_ms,
        .body_limit_bytes = probe->body_limit_bytes,
        .callbacks = &CALLBACKS,
        .context = probe,
    };
    struct remora_transport *transport = probe->client->transport;
    probe->is_in_call = true;
    assert_int_equal(transport->ops->start(transport, &input, &probe->transfer), REMORA_OK);
    probe->is_in_call = false;
}

void probe_cancel(struct probe *probe)
{
    struct remora_transport *transport = probe->client->transport;
    probe->is_in_call = true;
    probe->was_sent = transport->ops->cancel(transport, probe->transfer);
    probe->is_in_call = false;
    probe->transfer = NULL;
    probe->is_over = true; /* no callback may follow */
}

void probe_release(struct probe *probe)
{
    struct remora_transport *transport = probe->client->transport;
    probe->is_in_call = true;
    transport->ops->release(transport, probe->transfer);
    probe->is_in_call = false;
    probe->transfer = NULL;
    probe->is_over = true;
}

void probe_resume(struct probe *probe)
{
    struct remora_transport *transport = probe->client->transport;
    probe->is_in_call = true;
    transport->ops->resume(transport, probe->transfer);
    probe->is_in_call = false;
}

void probe_finish(struct probe *probe)
{
    uint64_t until_ns = test_now_ns() + PROBE_PATIENCE_MS * REMORA_NS_PER_MS;
    while (!probe->is_over && test_now_ns() < until_ns) {
        remora_loop_run_once(probe->client->loop, 100);
    }
    assert_true(probe->is_over);
}

void client_run_until(struct client *client, const atomic_int *counter, int wanted)
{
    uint64_t until_ns = test_now_ns() + PROBE_PATIENCE_MS * REMORA_NS_PER_MS;
    while (atomic_load(counter) < wanted && test_now_ns() < until_ns) {
        remora_loop_run_once(client->loop, 2);
    }
    assert_true(atomic_load(counter) >= wanted);
}

void client_run_ms(struct client *client, int ms)
{
    uint64_t until_ns = test_now_ns() + (uint64_t)ms * REMORA_NS_PER_MS;
    while (test_now_ns() < until_ns) {
        remora_loop_run_once(client->loop, 2);
    }
}

void client_run_until_closed(struct client *client, struct raw_server *server)
{
    uint64_t until_ns = test_now_ns() + PROBE_PATIENCE_MS * REMORA_NS_PER_MS;
    while (atomic_load(&server->closed_at_ns) == 0 && test_now_ns() < until_ns) {
        remora_loop_run_once(client->loop, 2);
    }
    assert_true(atomic_load(&server->closed_at_ns) != 0);
}
