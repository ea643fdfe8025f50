// Building scripts: bytes, pauses and ends of one answer.
#include "fault_script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void script_free(struct script *script)
{
    text_free(&script->bytes);
    free(script->steps);
    *script = (struct script){0};
}

void script_step(struct script *script, struct step step)
{
    if (script->count == script->capacity) {
        script->capacity = script->capacity ? script->capacity * 2 : 16;
        script->steps = realloc(script->steps, script->capacity * sizeof *script->steps);
        if (script->steps == NULL) {
            abort();
        }
    }
    script->steps[script->count++] = step;
}

void script_wait(struct script *script, uint32_t ms)
{
    script_step(script, (struct step){.kind = STEP_WAIT, .ms = ms});
}

// The bytes from `offset` to the end of the string become a step, or part of the one before.
static void send_added(struct script *script, size_t offset)
{
    size_t length = script->bytes.length - offset;
    if (script->one_write && script->count > 0) {
        struct step *last = &script->steps[script->count - 1];
        if (last->kind == STEP_SEND && last->times == 1 && last->offset + last->length == offset) {
            last->length += length;
            return;
        }
    }
    script_step(script,
                (struct step){.kind = STEP_SEND, .offset = offset, .length = length, .times = 1});
}

void script_send(struct script *script, const void *data, size_t length)
{
    size_t offset = script->bytes.length;
    text_add(&script->bytes, data, length);
    send_added(script, offset);
}

void script_printf(struct script *script, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = NULL;
    int length = vasprintf(&line, format, arguments);
    va_end(arguments);
    if (length < 0) {
        abort();
    }
    script_send(script, line, (size_t)length);
    free(line);
}

void script_repeat(struct script *script, const void *data, size_t length, uint64_t times)
{
    size_t offset = script->bytes.length;
    text_add(&script->bytes, data, length);
    script_step(script, (struct step){
                            .kind = STEP_SEND, .offset = offset, .length = length, .times = times});
}

void script_drip(struct script *script, size_t first, size_t piece, uint32_t ms)
{
    for (size_t i = first; i < script->count; i++) {
        if (script->steps[i].kind == STEP_SEND) {
            script->steps[i].kind = STEP_DRIP;
            script->steps[i].piece = piece;
            script->steps[i].ms = ms;
        }
    }
}

void script_body(struct script *script, const void *data, size_t length)
{
    size_t offset = script->bytes.length;
    if (script->until_eof) {
        script_send(script, data, length);
        return;
    }
    size_t most = script->split ? script->split : length;
    for (size_t at = 0; at < length; at += most) {
        size_t piece = length - at < most ? length - at : most;
        text_printf(&script->bytes, "%zx\r\n", piece);
        text_add(&script->bytes, (const char *)data + at, piece);
        text_puts(&script->bytes, "\r\n");
    }
    send_added(script, offset);
}

void script_body_end(struct script *script)
{
    if (script->until_eof) {
        script_step(script, (struct step){.kind = STEP_CLOSE});
        return;
    }
    script_send(script, "0\r\n\r\n", 5);
}

void script_event(struct script *script, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *payload = NULL;
    int length = vasprintf(&payload, format, arguments);
    va_end(arguments);
    if (length < 0) {
        abort();
    }
    const char *line_end = script->line_end ? script->line_end : "\n";
    struct text event = {0};
    text_puts(&event, "data: ");
    text_add(&event, payload, (size_t)length);
    text_puts(&event, line_end);
    text_puts(&event, line_end);
    script_body(script, event.data, event.length);
    text_free(&event);
    free(payload);
}
