/*
 * The error object and its envelope: openrouter.md 10.1 with the paths of design/codes.md "JSON paths of an error". Every
 * word comes from the codes table or from remora_fail; a 500 keeps no detail (openrouter.md 10.1 "Masking").
 */
#include "availability.h"
#include "outcome.h"
#include "remora/skin.h"

enum { IN_BAND_CODE = 502 };

static void write_metadata(struct remora_json_writer *w, const struct remora_fail *fail,
                           const struct remora_outcome *outcome)
{
    const struct remora_code_row *row = remora_code_row(fail->code);
    remora_json_key(w, "metadata");
    remora_json_object_open(w);
    remora_json_key(w, "reason");
    remora_json_write_text(w, row->name);
    remora_json_key(w, "error_type");
    remora_json_write_text(w, row->error_type);
    if (outcome != NULL && outcome->attempt_count > 0 && fail->code != REMORA_INTERNAL) {
        remora_json_key(w, "attempts");
        outcome_write_attempts(w, outcome);
        outcome_write_skipped(w, outcome->skipped, outcome->skipped_count);
    }
    if (availability_filters_left_nothing(outcome)) {
        remora_json_key(w, "candidates");
        outcome_write_candidates(w, outcome->plan);
    }
    remora_json_object_close(w);
}

static const char *message_of(const struct remora_fail *fail)
{
    bool has_message = fail->message[0] != '\0' && fail->code != REMORA_INTERNAL;
    return has_message ? fail->message : remora_code_row(fail->code)->summary;
}

void error_write(struct remora_json_writer *w, const struct remora_fail *fail,
                 const struct remora_outcome *outcome, enum error_place place)
{
    const struct remora_code_row *row = remora_code_row(fail->code);
    bool is_in_band = place == ERROR_IN_BAND;
    int status = remora_fail_http_status(fail);
    int http_status = is_in_band && status == 200 ? IN_BAND_CODE : status;
    remora_json_object_open(w);
    remora_json_key(w, "code");
    remora_json_write_i64(w, is_in_band ? IN_BAND_CODE : http_status);
    remora_json_key(w, "message");
    remora_json_write_text(w, message_of(fail));
    remora_json_key(w, "type");
    remora_json_write_text(w, row->openai_type);
    remora_json_key(w, "param");
    if (fail->param[0] == '\0') {
        remora_json_write_null(w);
    } else {
        remora_json_write_text(w, fail->param);
    }
    remora_json_key(w, "error_type");
    remora_json_write_text(w, row->error_type);
    remora_json_key(w, "http_status");
    remora_json_write_i64(w, http_status);
    availability_write(w, fail, outcome);
    write_metadata(w, fail, outcome);
    remora_json_object_close(w);
}

/* Beside the error, where it is asked for; a 500 is masked, and before routing there is none (openrouter.md 9.1). */
static void write_route(struct remora_json_writer *w, const struct remora_fail *fail,
                        const struct remora_outcome *outcome)
{
    struct remora_buf route;
    if (outcome == NULL || !outcome->wants_route || outcome->plan == NULL ||
        fail->code == REMORA_INTERNAL) {
        return;
    }
    remora_buf_init(&route, REMORA_LIMIT_ROUTE_BYTES);
    outcome_write_route(&route, outcome->plan, NULL);
    outcome_write_metadata(w, &route, outcome);
    remora_buf_fini(&route);
}

void remora_error_body(const struct remora_fail *fail, const struct remora_outcome *outcome,
                       struct remora_buf *out)
{
    struct remora_json_writer w;
    remora_json_write_begin(&w, out);
    remora_json_object_open(&w);
    remora_json_key(&w, "error");
    error_write(&w, fail, outcome, ERROR_IN_ENVELOPE);
    write_route(&w, fail, outcome);
    remora_json_object_close(&w);
}
