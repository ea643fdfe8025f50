/* Names of causes, what was left out of a request, and what of an outcome the caller is owed. */
#include "remora/attempt.h"

#include "remora/text.h"

static const char *const cause_names[REMORA_CAUSE_COUNT] = {
#define REMORA_CAUSE(name, text) [REMORA_CAUSE_##name] = (text),
#include "remora/tbl/causes.h"
#undef REMORA_CAUSE
};

static const struct remora_slice others = REMORA_SLICE_INIT("others");

const char *remora_cause_name(enum remora_cause cause)
{
    return (unsigned)cause < REMORA_CAUSE_COUNT ? cause_names[cause] : "";
}

struct remora_slice remora_dropped_name(const struct remora_dropped *dropped)
{
    return dropped->parameter < REMORA_PARAMETER_COUNT
               ? remora_slice_of(remora_parameter_name(dropped->parameter))
               : dropped->field;
}

void remora_dropped_add(struct remora_dropped dropped[REMORA_DROPPED_MAX], size_t *count,
                        const struct remora_dropped *one)
{
    struct remora_slice name = remora_dropped_name(one);
    for (size_t i = 0; i < *count; i++) {
        if (remora_slice_equal(remora_dropped_name(&dropped[i]), name)) {
            return;
        }
    }
    if (*count < REMORA_DROPPED_MAX) {
        dropped[(*count)++] = *one;
        return;
    }
    dropped[REMORA_DROPPED_MAX - 1] = (struct remora_dropped){
        .parameter = REMORA_PARAMETER_COUNT, .why = one->why, .field = others};
}

void remora_outcome_keep_dropped(struct remora_outcome *outcome,
                                 const struct remora_dropped *dropped, size_t count)
{
    size_t used = 0;
    outcome->dropped_count = count;
    memcpy(outcome->dropped, dropped, count * sizeof dropped[0]);
    for (size_t i = 0; i < count; i++) {
        struct remora_slice *field = &outcome->dropped[i].field;
        if (dropped[i].parameter < REMORA_PARAMETER_COUNT || field->data == others.data) {
            continue;
        }
        if (field->length > sizeof outcome->dropped_text - used) {
            *field = others;
            continue;
        }
        memcpy(outcome->dropped_text + used, field->data, field->length);
        field->data = outcome->dropped_text + used;
        used += field->length;
    }
}

size_t remora_skipped_kept(size_t count)
{
    return count < REMORA_SKIPPED_MAX ? count : REMORA_SKIPPED_MAX;
}

/* Canonical ids lie in the snapshot; a name that nobody knows lies in the request, whose memory goes. */
static void keep_name(struct remora_outcome *outcome, struct remora_skipped *skipped, size_t *used)
{
    size_t room = sizeof outcome->skipped_text - *used;
    size_t most = room < REMORA_SKIPPED_NAME_BYTES ? room : REMORA_SKIPPED_NAME_BYTES;
    if (!skipped->is_asked) {
        return;
    }
    size_t length = remora_utf8_cut(skipped->model, most);
    char *name = outcome->skipped_text + *used;
    if (length > 0) {
        memcpy(name, skipped->model.data, length);
    }
    skipped->model = remora_slice(name, length);
    *used += length;
}

void remora_outcome_keep_skipped(struct remora_outcome *outcome,
                                 const struct remora_skipped skipped[REMORA_SKIPPED_MAX],
                                 size_t count)
{
    size_t used = 0;
    outcome->skipped_count = count;
    memcpy(outcome->skipped, skipped, sizeof outcome->skipped);
    for (size_t i = 0; i < remora_skipped_kept(count); i++) {
        keep_name(outcome, &outcome->skipped[i], &used);
    }
}

static const struct remora_attempt *answering(const struct remora_outcome *outcome)
{
    bool is_answered = outcome->fail.code == REMORA_OK && outcome->attempt_count > 0;
    return is_answered ? &outcome->attempts[outcome->attempt_count - 1] : NULL;
}

bool remora_outcome_lacks_finish(const struct remora_outcome *outcome)
{
    const struct remora_attempt *attempt = answering(outcome);
    return attempt != NULL && attempt->lacks_finish;
}

bool remora_outcome_has_unknown_finish(const struct remora_outcome *outcome)
{
    const struct remora_attempt *attempt = answering(outcome);
    return attempt != NULL && attempt->unknown_finish;
}

bool remora_outcome_has_broken_arguments(const struct remora_outcome *outcome)
{
    const struct remora_attempt *attempt = answering(outcome);
    return attempt != NULL && attempt->broken_arguments;
}

int64_t remora_outcome_missing_choices(const struct remora_outcome *outcome)
{
    const struct remora_attempt *attempt = answering(outcome);
    return attempt == NULL ? 0 : attempt->missing_choices;
}

bool remora_outcome_cost_is_guess(const struct remora_outcome *outcome)
{
    return outcome->cost.certainty == REMORA_CERTAINTY_ESTIMATED &&
           outcome->usage.certainty != REMORA_CERTAINTY_ESTIMATED;
}

bool remora_outcome_cost_is_unknown(const struct remora_outcome *outcome)
{
    return answering(outcome) != NULL && outcome->cost.total_pico_usd < 0;
}

bool remora_outcome_is_notable(const struct remora_outcome *outcome)
{
    return remora_outcome_lacks_finish(outcome) || remora_outcome_has_unknown_finish(outcome) ||
           remora_outcome_has_broken_arguments(outcome) ||
           remora_outcome_missing_choices(outcome) > 0 || outcome->attempt_count > 1 ||
           outcome->skipped_count > 0 || outcome->dropped_count > 0 ||
           outcome->usage.certainty == REMORA_CERTAINTY_ESTIMATED ||
           outcome->cost.certainty == REMORA_CERTAINTY_ESTIMATED ||
           remora_outcome_cost_is_unknown(outcome);
}
