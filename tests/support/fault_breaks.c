// Behaviours of the connection: resets, cuts, silence, slowness. Streams break after N text chunks,
// unary answers after half of the body.
#include "fault_openai.h"

#include <string.h>

#define FAULT(pattern, function, argument, moment, description) \
    void function(struct script *script, const struct demand *demand);
#include "fault_table.h"
#undef FAULT

static void end_with(struct script *script, int kind)
{
    script_step(script, (struct step){.kind = (enum step_kind)kind});
}

static void unary_head(struct script *script, const struct text *body)
{
    script_printf(script,
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                  "%zu\r\n\r\n",
                  body->length);
}

// What comes before the break.
static void opening(struct script *script, const struct demand *demand, unsigned words)
{
    if (demand->stream) {
        openai_head(script);
        openai_role(script, demand);
        openai_words(script, demand, 0, words);
        return;
    }
    struct text body = {0};
    openai_words_body(&body, demand, FAULT_WORDS);
    unary_head(script, &body);
    script_send(script, body.data, body.length / 2);
    text_free(&body);
}

// What would have come after it.
static void closing(struct script *script, const struct demand *demand, unsigned words)
{
    if (demand->stream) {
        openai_words(script, demand, words, words + FAULT_WORDS);
        openai_tail(script, demand, words + FAULT_WORDS);
        return;
    }
    struct text body = {0};
    openai_words_body(&body, demand, FAULT_WORDS);
    script_send(script, body.data + body.length / 2, body.length - body.length / 2);
    text_free(&body);
}

void break_bare(struct script *script, const struct demand *demand)
{
    end_with(script, demand->argument);
}

// RST throws away what the peer has not read yet, so the peer gets a moment to read it.
static void end_after_bytes(struct script *script, const struct demand *demand)
{
    if (demand->argument == STEP_RESET) {
        script_wait(script, 20);
    }
    end_with(script, demand->argument);
}

void break_head(struct script *script, const struct demand *demand)
{
    if (demand->stream) {
        openai_head(script);
    } else {
        unary_head(script, &(struct text){.length = 500});
    }
    end_after_bytes(script, demand);
}

void break_after(struct script *script, const struct demand *demand)
{
    opening(script, demand, demand->number[0]);
    end_after_bytes(script, demand);
}

void break_mid_event(struct script *script, const struct demand *demand)
{
    opening(script, demand, 1);
    if (demand->stream) {
        static const char half[] = "data: {\"id\":\"chatcmpl-fault\",\"choices\":[{\"index\":0,";
        script_body(script, half, sizeof half - 1);
    }
    end_after_bytes(script, demand);
}

void break_finish(struct script *script, const struct demand *demand)
{
    opening(script, demand, FAULT_WORDS);
    if (demand->stream) {
        openai_finish(script, demand, "stop");
    }
    end_after_bytes(script, demand);
}

void break_second(struct script *script, const struct demand *demand)
{
    if (demand->nth_on_link == 0) {
        openai_answer(script, demand, FAULT_WORDS);
    } else {
        end_with(script, demand->argument);
    }
}

void close_after(struct script *script, const struct demand *demand)
{
    if (!demand->argument) {
        openai_answer(script, demand, FAULT_WORDS);
    } else if (demand->stream) {
        script_printf(script, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: "
                              "close\r\nTransfer-Encoding: chunked\r\n\r\n");
        openai_role(script, demand);
        openai_words(script, demand, 0, FAULT_WORDS);
        openai_tail(script, demand, FAULT_WORDS);
    } else {
        struct text body = {0};
        openai_words_body(&body, demand, FAULT_WORDS);
        openai_reply(script, "200 OK", "Content-Type: application/json\r\nConnection: close\r\n",
                     &body);
        text_free(&body);
    }
    end_with(script, STEP_CLOSE);
}

void hold(struct script *script, const struct demand *demand)
{
    if (!demand->argument) {
        end_with(script, STEP_HOLD);
        openai_answer(script, demand, FAULT_WORDS);
        return;
    }
    opening(script, demand, demand->number[0]);
    end_with(script, STEP_HOLD);
    closing(script, demand, demand->number[0]);
}

void slow(struct script *script, const struct demand *demand)
{
    if (!demand->argument) {
        script_wait(script, demand->number[0]);
        openai_answer(script, demand, FAULT_WORDS);
        return;
    }
    opening(script, demand, 0);
    script_wait(script, demand->number[0]);
    closing(script, demand, 0);
}

void drip(struct script *script, const struct demand *demand)
{
    openai_answer(script, demand, FAULT_WORDS);
    script_drip(script, 0, 1, demand->number[0]);
}

void stop_reading(struct script *script, const struct demand *demand)
{
    if (!demand->argument) {
        end_with(script, STEP_SILENT);
        return;
    }
    script_wait(script, demand->number[0]);
    end_with(script, STEP_RESUME);
    openai_answer(script, demand, FAULT_WORDS);
}
