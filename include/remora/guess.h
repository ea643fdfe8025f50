/*
 * "Did you mean": the nearest of many names to one that nobody knows, or those that are as near. Case does not count, because what callers misspell most
 * is the case of a name. Pure, any thread; plain data on the caller's stack, slices are only borrowed.
 *
 *     struct remora_guess guess;
 *     char hint[REMORA_GUESS_BYTES];
 *     remora_guess_begin(&guess, asked);
 *     for each name: remora_guess_offer(&guess, name, name);
 *     "there is no model '%.*s'%s", ..., remora_guess_hint(&guess, hint)
 */
#ifndef REMORA_GUESS_H
#define REMORA_GUESS_H

#include "remora/base.h"

/* The longest hint, with its NUL. */
#define REMORA_GUESS_BYTES 208
/* So many names that are as near are told, or as many as fit. */
#define REMORA_GUESS_MOST 3

struct remora_guess {
    struct remora_slice asked;
    struct remora_slice best[REMORA_GUESS_MOST]; /* in the order in which they were offered */
    size_t count;                                /* 0: nothing is near enough */
    unsigned
        distance; /* of the best; before there is one: the largest that counts as near, plus 1 */
};
/* Near is at most a third of the name wrong, and never more than three letters. */
void remora_guess_begin(struct remora_guess *guess, struct remora_slice asked);
/* Offers a name, unless it is the one that was asked for; `written` is how it would have been spelt here (an id without its author, a name for people). */
void remora_guess_offer(struct remora_guess *guess, struct remora_slice name,
                        struct remora_slice written);
/* A model's id, as it is and without its author. */
void remora_guess_offer_model(struct remora_guess *guess, struct remora_slice id);
/* "; did you mean 'acme/echo-1' or 'acme/echo-2'?", or "" when nothing is near. Returns out. */
const char *remora_guess_hint(const struct remora_guess *guess, char out[REMORA_GUESS_BYTES]);

#endif
