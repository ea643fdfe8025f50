/* See guess.h. Distances are Levenshtein's over ASCII lower case; names over 64 bytes are never near (text.h). */
#include "remora/guess.h"

#include <stdio.h>

#include "remora/text.h"

enum { NEAR_MAX = 3, NAME_BYTES = 64, SHOWN_BYTES = 80 };

static struct remora_slice lower(struct remora_slice text, char out[NAME_BYTES])
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return remora_slice(out, text.length);
}

void remora_guess_begin(struct remora_guess *guess, struct remora_slice asked)
{
    size_t third = asked.length / 3;
    unsigned near = third < NEAR_MAX ? (unsigned)third : NEAR_MAX;
    *guess = (struct remora_guess){.asked = asked, .distance = near + 1};
}

void remora_guess_offer(struct remora_guess *guess, struct remora_slice name,
                        struct remora_slice written)
{
    char asked[NAME_BYTES];
    char offered[NAME_BYTES];
    if (remora_slice_equal(guess->asked, name) || guess->distance == 0 ||
        guess->asked.length > NAME_BYTES || written.length > NAME_BYTES) {
        return;
    }
    size_t longer = guess->asked.length > written.length ? guess->asked.length : written.length;
    size_t shorter = guess->asked.length + written.length - longer;
    if (longer - shorter >= guess->distance) {
        return; /* cannot be nearer */
    }
    unsigned distance = remora_edit_distance(lower(guess->asked, asked), lower(written, offered),
                                             guess->distance - 1);
    if (distance < guess->distance) {
        guess->distance = distance;
        guess->best = name;
    }
}

void remora_guess_offer_model(struct remora_guess *guess, struct remora_slice id)
{
    size_t slash = remora_slice_find(id, '/', 0);
    remora_guess_offer(guess, id, id);
    if (slash < id.length) {
        remora_guess_offer(guess, id, remora_slice(id.data + slash + 1, id.length - slash - 1));
    }
}

const char *remora_guess_hint(const struct remora_guess *guess, char out[REMORA_GUESS_BYTES])
{
    out[0] = '\0';
    if (guess->best.length > 0) {
        snprintf(out, REMORA_GUESS_BYTES, "; did you mean '%.*s'?",
                 (int)remora_utf8_cut(guess->best, SHOWN_BYTES), guess->best.data);
    }
    return out;
}
