/* The table of outcomes, and the record of one failure. Source: design/codes.md, by way of tbl/codes.h. */
#include "remora/codes.h"

#include "remora/text.h"

#include <stdarg.h>
#include <stdio.h>

static const struct remora_code_row rows[REMORA_CODE_COUNT] = {
    [REMORA_OK] = {.name = "OK",
                   .http_status = 200,
                   .error_type = "",
                   .openai_type = "",
                   .summary = "Success."},
#define REMORA_CODE(code_name, http, grpc, error, openai, avail, next, model, health, class, text) \
    [REMORA_##code_name] = {.name = #code_name,                                                    \
                            .http_status = (http),                                                 \
                            .grpc_status = (grpc),                                                 \
                            .error_type = (error),                                                 \
                            .openai_type = (openai),                                               \
                            .availability = (avail),                                               \
                            .next_endpoint = REMORA_NEXT_##next,                                   \
                            .next_model = (model),                                                 \
                            .effect = REMORA_EFFECT_##health,                                      \
                            .fail_class = REMORA_CLASS_##class,                                    \
                            .summary = (text)},
#include "remora/tbl/codes.h"
#undef REMORA_CODE
};

static const struct remora_code_row no_row = {
    .name = "UNKNOWN",
    .http_status = 500,
    .grpc_status = 13,
    .error_type = "server",
    .openai_type = "api_error",
    .fail_class = REMORA_CLASS_LASTING,
    .summary = "Internal error.",
};

const struct remora_code_row *remora_code_row(enum remora_code code)
{
    return (unsigned)code < REMORA_CODE_COUNT ? &rows[code] : &no_row;
}

enum remora_code remora_code_by_name(struct remora_slice name)
{
    for (unsigned i = 0; i < REMORA_CODE_COUNT; i++) {
        if (remora_slice_is(name, rows[i].name)) {
            return (enum remora_code)i;
        }
    }
    return REMORA_CODE_COUNT;
}

/* Ends the text in `out` at a character and replaces what is not UTF-8. `length` may lie beyond the end of `out`. */
static void make_utf8(char *out, size_t bytes, int length)
{
    if (length < 0) {
        out[0] = '\0';
        return;
    }
    size_t kept = (size_t)length < bytes ? (size_t)length : bytes - 1;
    if ((size_t)length >= bytes) {
        kept -= remora_utf8_incomplete(remora_slice(out, kept));
    }
    out[kept] = '\0';
    if (remora_utf8_is_valid(remora_slice(out, kept))) {
        return;
    }
    for (size_t i = 0; i < kept;) {
        size_t width = remora_utf8_length(remora_slice(out + i, kept - i));
        if (width == 0) {
            out[i] = '?';
        }
        i += width == 0 ? 1 : width;
    }
}

enum remora_code remora_fail_set(struct remora_fail *fail, enum remora_code code, const char *param,
                                 const char *format, ...)
{
    if (fail == NULL || fail->code != REMORA_OK) {
        return code;
    }
    fail->code = code;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(fail->message, sizeof fail->message, format, arguments);
    va_end(arguments);
    make_utf8(fail->message, sizeof fail->message, length);
    length = snprintf(fail->param, sizeof fail->param, "%s", param == NULL ? "" : param);
    make_utf8(fail->param, sizeof fail->param, length);
    return code;
}

int remora_fail_http_status(const struct remora_fail *fail)
{
    return fail->http_status != 0 ? fail->http_status : remora_code_row(fail->code)->http_status;
}

int remora_fail_grpc_status(const struct remora_fail *fail)
{
    return fail->grpc_status != 0 ? fail->grpc_status : remora_code_row(fail->code)->grpc_status;
}
