/*
 * The grammar guard: what an adapter made of a provider's bytes, judged event by event.
 *
 * Happy path: started, content of each choice, one finish per choice, usage anywhere.
 * Refused, as UPSTREAM_UNAVAILABLE with cause bad_event: an index out of range, a tool call that skips an index or
 * begins without a name, a text that skips an index or goes on behind the next one, a citation of a text that cannot come next,
 * content behind the finish of its choice, kinds that only the engine makes. Whether every choice has finished is asked at
 * the end (remora_guard_is_complete).
 * A second finish of a choice is dropped: some providers send it again with the usage.
 */
#include "remora/event.h"

void remora_guard_init(struct remora_guard *guard)
{
    memset(guard, 0, sizeof *guard);
}

static enum remora_code refuse(struct remora_fail *fail, const char *what)
{
    if (fail != NULL && fail->code == REMORA_OK) {
        fail->cause = REMORA_CAUSE_BAD_EVENT;
    }
    return remora_fail_set(fail, REMORA_UPSTREAM_UNAVAILABLE, NULL,
                           "The provider's answer is out of order: %s.", what);
}

static bool is_finished(const struct remora_guard *guard, uint32_t choice)
{
    return (guard->finished[choice / 64] >> (choice % 64) & 1u) != 0;
}

static void finish(struct remora_guard *guard, uint32_t choice, bool *pass)
{
    if (is_finished(guard, choice)) {
        *pass = false;
        return;
    }
    guard->finished[choice / 64] |= UINT64_C(1) << (choice % 64);
    guard->choices_finished++;
}

static enum remora_code check_tool_call(struct remora_guard *guard, uint32_t choice,
                                        const struct remora_event *event, struct remora_fail *fail)
{
    int32_t index = event->tool_call.index;
    int32_t opened = guard->tool_calls[choice];
    if (index < 0 || index > opened || index >= REMORA_LIMIT_TOOL_CALLS) {
        return refuse(fail, "a tool call has an impossible index");
    }
    if (index < opened) {
        return REMORA_OK;
    }
    if (remora_slice_is_empty(event->tool_call.name)) {
        return refuse(fail, "a tool call has no name");
    }
    guard->tool_calls[choice]++;
    return REMORA_OK;
}

/* What the sound says is no text of the choice. */
static enum remora_code check_text(struct remora_guard *guard, uint32_t choice,
                                   const struct remora_event *event, struct remora_fail *fail)
{
    int32_t index = event->text.block_index;
    int32_t opened = choice == 0 ? guard->texts : 1;
    if (event->text.is_transcript || (index >= 0 && index == opened - 1)) {
        return REMORA_OK;
    }
    if (choice > 0 || index != opened || opened == INT32_MAX) {
        return refuse(fail, "a text has an impossible index");
    }
    guard->texts++;
    return REMORA_OK;
}

/* It may come before its text, but not before the one before that. */
static enum remora_code check_annotation(const struct remora_guard *guard, uint32_t choice,
                                         const struct remora_event *event, struct remora_fail *fail)
{
    int32_t index = event->annotation.text_index;
    int32_t next = choice == 0 ? guard->texts : 0;
    return index >= 0 && index <= next ? REMORA_OK : refuse(fail, "a citation belongs to no text");
}

static enum remora_code check_content(struct remora_guard *guard, uint32_t choice,
                                      const struct remora_event *event, struct remora_fail *fail)
{
    guard->has_content = true;
    if (event->kind == REMORA_EVENT_TEXT) {
        return check_text(guard, choice, event, fail);
    }
    if (event->kind == REMORA_EVENT_ANNOTATION) {
        return check_annotation(guard, choice, event, fail);
    }
    return event->kind == REMORA_EVENT_TOOL_CALL ? check_tool_call(guard, choice, event, fail)
                                                 : REMORA_OK;
}

static enum remora_code check_choice(struct remora_guard *guard, const struct remora_event *event,
                                     bool *pass, struct remora_fail *fail)
{
    if (event->choice_index < 0 || event->choice_index >= REMORA_LIMIT_CHOICES) {
        return refuse(fail, "a choice has an impossible index");
    }
    uint32_t choice = (uint32_t)event->choice_index;
    if (choice >= guard->choices_seen) {
        guard->choices_seen = choice + 1;
    }
    if (event->kind == REMORA_EVENT_CHOICE_FINISHED) {
        finish(guard, choice, pass);
        return REMORA_OK;
    }
    if (is_finished(guard, choice)) {
        return refuse(fail, "content follows the end of its choice");
    }
    return check_content(guard, choice, event, fail);
}

enum remora_code remora_guard_check(struct remora_guard *guard, const struct remora_event *event,
                                    bool *pass, struct remora_fail *fail)
{
    *pass = true;
    if (remora_event_is_content(event->kind) || event->kind == REMORA_EVENT_CHOICE_FINISHED) {
        return check_choice(guard, event, pass, fail);
    }
    if (event->kind == REMORA_EVENT_ATTEMPT_FAILED || event->kind == REMORA_EVENT_COMPLETED) {
        return refuse(fail, "an event of the gateway's own came from a provider");
    }
    return REMORA_OK;
}

bool remora_guard_is_complete(const struct remora_guard *guard)
{
    return guard->choices_finished > 0 && guard->choices_finished == guard->choices_seen;
}
