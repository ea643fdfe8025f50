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

/* Nearer ones make what was kept so far forgotten. */
static void keep(struct remora_guess *guess, struct remora_slice name, unsigned distance)
{
    if (distance < guess->distance) {
        guess->distance = distance;
        guess->count = 0;
    }
    for (size_t i = 0; i < guess->count; i++) {
        if (remora_slice_equal(guess->best[i], name)) {
            return;
        }
    }
    if (guess->count < REMORA_GUESS_MOST) {
        guess->best[guess->count++] = name;
    }
}

void remora_guess_offer(struct remora_guess *guess, struct remora_slice name,
                        struct remora_slice written)
{
    char asked[NAME_BYTES];
    char offered[NAME_BYTES];
    unsigned most = guess->count == 0 ? guess->distance - 1 : guess->distance;
    if (remora_slice_equal(guess->asked, name) || guess->asked.length > NAME_BYTES ||
        written.length > NAME_BYTES) {
        return;
    }
    size_t longer = guess->asked.length > written.length ? guess->asked.length : written.length;
    size_t shorter = guess->asked.length + written.length - longer;
    if (longer - shorter > most) {
        return; /* cannot be as near */
    }
    unsigned distance =
        remora_edit_distance(lower(guess->asked, asked), lower(written, offered), most);
    if (distance <= most) {
        keep(guess, name, distance);
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

/* "; did you mean 'a', 'b' or 'c'?"; one that finds no room ends the list before it. */
const char *remora_guess_hint(const struct remora_guess *guess, char out[REMORA_GUESS_BYTES])
{
    size_t length = 0;
    size_t told = 0;
    size_t needed = sizeof "; did you mean ?" - 1;
    while (told < guess->count &&
           needed + remora_utf8_cut(guess->best[told], SHOWN_BYTES) + sizeof " or ''" <=
               REMORA_GUESS_BYTES) {
        needed += remora_utf8_cut(guess->best[told++], SHOWN_BYTES) + sizeof " or ''" - 1;
    }
    out[0] = '\0';
    for (size_t i = 0; i < told; i++) {
        const char *before = i == 0 ? "; did you mean " : i + 1 == told ? " or " : ", ";
        length += (size_t)snprintf(out + length, REMORA_GUESS_BYTES - length, "%s'%.*s'%s", before,
                                   (int)remora_utf8_cut(guess->best[i], SHOWN_BYTES),
                                   guess->best[i].data, i + 1 == told ? "?" : "");
    }
    return out;
}
