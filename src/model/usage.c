/* Token counts: absent, total, merged. */
#include "remora/usage.h"

enum direction { DIRECTION_INPUT, DIRECTION_OUTPUT };

static const enum direction directions[REMORA_USAGE_CLASS_COUNT] = {
#define REMORA_USAGE_CLASS(name, direction, price, label, ...) \
    [REMORA_USAGE_##name] = DIRECTION_##direction,
#include "remora/tbl/usage.h"
#undef REMORA_USAGE_CLASS
};

void remora_usage_init(struct remora_usage *usage)
{
    for (size_t i = 0; i < REMORA_USAGE_CLASS_COUNT; i++) {
        usage->tokens[i] = -1;
    }
    usage->cached_audio_tokens = -1;
    usage->accepted_prediction_tokens = -1;
    usage->rejected_prediction_tokens = -1;
    usage->image_count = -1;
    usage->search_count = -1;
    usage->certainty = REMORA_CERTAINTY_UNKNOWN;
    usage->extent = REMORA_USAGE_WHOLE;
    usage->reported_pico_usd = -1;
}

/* A dozen counts of at most 2^53 cannot overflow; a sum that does anyway is not known. */
static int64_t total_of(const struct remora_usage *usage, enum direction direction)
{
    int64_t total = -1;
    for (size_t i = 0; i < REMORA_USAGE_CLASS_COUNT; i++) {
        if (directions[i] != direction || usage->tokens[i] < 0) {
            continue;
        }
        if (__builtin_add_overflow(total < 0 ? 0 : total, usage->tokens[i], &total)) {
            return -1;
        }
    }
    return total;
}

int64_t remora_usage_input_total(const struct remora_usage *usage)
{
    return total_of(usage, DIRECTION_INPUT);
}

int64_t remora_usage_output_total(const struct remora_usage *usage)
{
    return total_of(usage, DIRECTION_OUTPUT);
}

int64_t remora_usage_audio_input(const struct remora_usage *usage)
{
    int64_t beside = usage->tokens[REMORA_USAGE_AUDIO_INPUT];
    int64_t cached = usage->cached_audio_tokens;
    if (beside < 0 || cached < 0) {
        return beside < 0 ? cached : beside;
    }
    return beside + cached;
}

void remora_usage_add(struct remora_usage *into, const struct remora_usage *other)
{
    for (size_t i = 0; i < REMORA_USAGE_CLASS_COUNT; i++) {
        if (other->tokens[i] >= 0) {
            int64_t sum = (into->tokens[i] < 0 ? 0 : into->tokens[i]) + other->tokens[i];
            into->tokens[i] = sum > REMORA_TOKENS_MAX ? REMORA_TOKENS_MAX : sum;
        }
    }
    into->certainty = other->certainty > into->certainty ? other->certainty : into->certainty;
}

static void replace(int64_t *count, int64_t later, bool is_whole)
{
    if (is_whole || later >= 0) {
        *count = later;
    }
}

void remora_usage_merge(struct remora_usage *into, const struct remora_usage *later)
{
    bool is_whole = later->extent == REMORA_USAGE_WHOLE;
    const bool is_counted[] = {[DIRECTION_INPUT] = remora_usage_input_total(later) >= 0,
                               [DIRECTION_OUTPUT] = remora_usage_output_total(later) >= 0};
    for (size_t i = 0; i < REMORA_USAGE_CLASS_COUNT; i++) {
        replace(&into->tokens[i], later->tokens[i], is_whole && is_counted[directions[i]]);
    }
    bool replaces_input = is_whole && is_counted[DIRECTION_INPUT];
    replace(&into->cached_audio_tokens, later->cached_audio_tokens, replaces_input);
    bool replaces_output = is_whole && is_counted[DIRECTION_OUTPUT];
    replace(&into->accepted_prediction_tokens, later->accepted_prediction_tokens, replaces_output);
    replace(&into->rejected_prediction_tokens, later->rejected_prediction_tokens, replaces_output);
    if (later->certainty == REMORA_CERTAINTY_ACTUAL ||
        later->certainty == REMORA_CERTAINTY_ESTIMATED) {
        into->certainty = later->certainty;
    }
    replace(&into->search_count, later->search_count, false);
    replace(&into->reported_pico_usd, later->reported_pico_usd, false);
}
