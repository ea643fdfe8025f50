/*
 * How long the JSON parser takes for a chat body of 2 KB (10 messages) and for a streamed chunk of 200 bytes. Each round
 * parses into an arena that is reset before, as a request and a decoder feed do. Prints the best of several rounds, which
 * other work on the machine disturbs least.
 */
#include "remora/clock.h"
#include "remora/json.h"

#include <stdio.h>

enum { ROUNDS = 50, PARSES = 10000 };

static void make_body(struct remora_buf *buf)
{
    struct remora_json_writer w;
    remora_json_write_begin(&w, buf);
    remora_json_object_open(&w);
    remora_json_key(&w, "model");
    remora_json_write_text(&w, "acme/echo-1");
    remora_json_key(&w, "messages");
    remora_json_array_open(&w);
    for (int i = 0; i < 10; i++) {
        remora_json_object_open(&w);
        remora_json_key(&w, "role");
        remora_json_write_text(&w, i % 2 == 0 ? "user" : "assistant");
        remora_json_key(&w, "content");
        remora_json_write_text(&w,
                               "The sea is calm tonight, the tide is full, the moon lies fair upon "
                               "the straits; on the coast the light gleams and is gone; the cliffs "
                               "stand, glimmering.");
        remora_json_object_close(&w);
    }
    remora_json_array_close(&w);
    remora_json_key(&w, "temperature");
    remora_json_write_double(&w, 0.7);
    remora_json_key(&w, "stream");
    remora_json_write_bool(&w, true);
    remora_json_object_close(&w);
}

static double best_ns(struct remora_slice text, size_t chunk_bytes)
{
    static const struct remora_json_limits limits = {64, 100000};
    const struct remora_clock *clock = remora_clock_system();
    struct remora_arena arena;
    struct remora_json_doc doc;
    double best = 1e18;
    remora_arena_init(&arena, chunk_bytes, 1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = clock->now_ns(clock);
        for (int i = 0; i < PARSES; i++) {
            remora_arena_reset(&arena);
            if (remora_json_parse(text, &arena, &limits, &doc, NULL) != REMORA_OK) {
                return 0;
            }
        }
        double each = (double)(clock->now_ns(clock) - begin) / PARSES;
        best = each < best ? each : best;
    }
    remora_arena_fini(&arena);
    return best;
}

int main(void)
{
    static const struct remora_slice chunk = REMORA_SLICE_INIT(
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
        "\"model\":\"echo-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" tide\"},"
        "\"finish_reason\":null}]}");
    struct remora_buf body;
    remora_buf_init(&body, 1 << 20);
    make_body(&body);
    printf("chat body  %5zu bytes %8.0f ns\n", body.length, best_ns(remora_buf_slice(&body), 8192));
    printf("chat chunk %5zu bytes %8.0f ns\n", chunk.length, best_ns(chunk, 4096));
    remora_buf_fini(&body);
    return 0;
}
