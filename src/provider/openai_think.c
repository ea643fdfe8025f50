/*
 * Reasoning between <think> and </think> at the beginning of the text, for dialects that write it there.
 *
 * Only the very first bytes of a choice's text can open it; what looks like a tag later is text. Line breaks behind the
 * closing tag belong to it. A tag may be cut anywhere: its first bytes are held back as a number, because a part of a tag
 * that was seen is a part of the tag's own text. What never became a tag goes out as what it stands in.
 * Source: providers.md section 8, MiniMax (inline think tags unless reasoning_split).
 */
#include "openai_parts.h"

static const struct remora_slice open_tag = REMORA_SLICE_INIT("<think>");
static const struct remora_slice close_tag = REMORA_SLICE_INIT("</think>");

enum phase { AT_START, INSIDE, BEHIND, PLAIN };
enum { MATCHED_BITS = 4 }; /* of openai_decoder.tags: how much of the tag has been seen */

static enum phase phase_of(uint8_t state)
{
    return (enum phase)(state >> MATCHED_BITS);
}

static size_t matched_of(uint8_t state)
{
    return state & ((1u << MATCHED_BITS) - 1);
}

static uint8_t state_of(enum phase phase, size_t matched)
{
    return (uint8_t)((unsigned)phase << MATCHED_BITS | (unsigned)matched);
}

/* The tag from its byte `matched` on at the head of the text: how many of its bytes are seen then, or 0 for a mismatch. */
static size_t match_on(struct remora_slice tag, size_t matched, struct remora_slice text)
{
    for (size_t i = 0; i < text.length && matched < tag.length; i++, matched++) {
        if (text.data[i] != tag.data[matched]) {
            return 0;
        }
    }
    return matched;
}

static struct remora_slice rest_of(struct remora_slice text, size_t from)
{
    return remora_slice(text.data + from, text.length - from);
}

static enum remora_code put_plain(struct openai_feed *feed, int32_t choice,
                                  struct remora_slice text, struct remora_json logprobs)
{
    feed->decoder->tags[choice] = state_of(PLAIN, 0);
    return openai_put_text(feed, choice, REMORA_EVENT_TEXT, text, logprobs);
}

static enum remora_code think_at_start(struct openai_feed *feed, int32_t choice,
                                       struct remora_slice text, struct remora_json logprobs)
{
    size_t before = matched_of(feed->decoder->tags[choice]);
    size_t matched = match_on(open_tag, before, text);
    if (matched == 0) {
        const struct remora_json none = {0};
        enum remora_code code = put_plain(feed, choice, remora_slice(open_tag.data, before), none);
        return code == REMORA_OK ? put_plain(feed, choice, text, logprobs) : code;
    }
    if (matched < open_tag.length) {
        feed->decoder->tags[choice] = state_of(AT_START, matched);
        return REMORA_OK;
    }
    feed->decoder->tags[choice] = state_of(INSIDE, 0);
    return openai_think_text(feed, choice, rest_of(text, matched - before), logprobs);
}

/* Where the closing tag begins that ends within the text or with it: text.length when there is none. */
static size_t find_close(struct remora_slice text, size_t *matched)
{
    for (size_t at = 0; at < text.length; at++) {
        *matched = match_on(close_tag, 0, rest_of(text, at));
        if (*matched > 0) {
            return at;
        }
    }
    *matched = 0;
    return text.length;
}

static enum remora_code think_inside(struct openai_feed *feed, int32_t choice,
                                     struct remora_slice text, struct remora_json logprobs)
{
    size_t before = matched_of(feed->decoder->tags[choice]);
    size_t matched = match_on(close_tag, before, text);
    size_t at = 0;
    if (before > 0 && matched == 0) {
        enum remora_code code =
            openai_put_reasoning(feed, choice, remora_slice(close_tag.data, before));
        if (code != REMORA_OK) {
            return code;
        }
        before = 0;
    }
    if (before == 0) {
        at = find_close(text, &matched);
    }
    enum remora_code code = openai_put_reasoning(feed, choice, remora_slice(text.data, at));
    if (code != REMORA_OK || matched < close_tag.length) {
        feed->decoder->tags[choice] = state_of(INSIDE, matched);
        return code;
    }
    feed->decoder->tags[choice] = state_of(BEHIND, 0);
    return openai_think_text(feed, choice, rest_of(text, at + close_tag.length - before), logprobs);
}

static enum remora_code think_behind(struct openai_feed *feed, int32_t choice,
                                     struct remora_slice text, struct remora_json logprobs)
{
    size_t at = 0;
    while (at < text.length && (text.data[at] == '\n' || text.data[at] == '\r')) {
        at++;
    }
    return at == text.length ? REMORA_OK : put_plain(feed, choice, rest_of(text, at), logprobs);
}

enum remora_code openai_think_text(struct openai_feed *feed, int32_t choice,
                                   struct remora_slice text, struct remora_json logprobs)
{
    if (text.length == 0) {
        return openai_put_text(feed, choice, REMORA_EVENT_TEXT, text, logprobs);
    }
    enum phase phase = phase_of(feed->decoder->tags[choice]);
    feed->is_stateful |= phase != PLAIN;
    switch (phase) {
    case AT_START:
        return think_at_start(feed, choice, text, logprobs);
    case INSIDE:
        return think_inside(feed, choice, text, logprobs);
    case BEHIND:
        return think_behind(feed, choice, text, logprobs);
    case PLAIN:
        break;
    }
    return put_plain(feed, choice, text, logprobs);
}

enum remora_code openai_think_end(struct openai_feed *feed, int32_t choice)
{
    const struct remora_json none = {0};
    uint8_t state = feed->decoder->tags[choice];
    feed->decoder->tags[choice] = state_of(PLAIN, 0);
    size_t matched = matched_of(state);
    if (matched == 0) {
        return REMORA_OK;
    }
    if (phase_of(state) == INSIDE) {
        return openai_put_reasoning(feed, choice, remora_slice(close_tag.data, matched));
    }
    return openai_put_text(feed, choice, REMORA_EVENT_TEXT, remora_slice(open_tag.data, matched),
                           none);
}
