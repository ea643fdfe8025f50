/* The error object of a provider's answer, whatever its shape, and what it means. */
#ifndef REMORA_PROVIDER_ENVELOPE_H
#define REMORA_PROVIDER_ENVELOPE_H

#include "remora/json.h"
#include "remora/provider.h"

struct envelope {
    int status; /* a `code` that is an HTTP status of an error, or 0 */
    struct remora_slice code;
    struct remora_slice type;
    struct remora_slice message;
    struct remora_slice param;
    struct remora_slice reason; /* of our own envelope: metadata.reason */
    bool is_moderated;          /* metadata names what of the content was refused */
    int64_t retry_after_ms;     /* -1 none */
};

/* False when the value holds no error. Slices are views of the text or lie in the arena. */
bool envelope_read(struct remora_json root, struct remora_arena *arena, struct envelope *out);
/* What a refusal is about, by facts that no text of the caller's can make (about.c). The endpoint may be NULL. */
bool about_model(const struct envelope *envelope);
/* Nothing is served under the path, which callers do not choose: no word of the model. */
bool about_path(const struct envelope *envelope);
/* Where we call from is refused: a network's rule, a country. */
bool about_place(const struct envelope *envelope);
/* The account has no money left, and it is said under a status of the request's. */
bool about_balance(const struct envelope *envelope);
/* Something else than the model is named as missing. */
bool about_other(const struct envelope *envelope);
/* A policy of whoever stands behind us (a Remora, OpenRouter) leaves the model out, for this request or for all. */
bool about_policy(const struct envelope *envelope);
bool about_content(const struct envelope *envelope);
bool about_key(const struct envelope *envelope, const struct remora_endpoint *endpoint);
/*
 * Fills *fail from status, envelope (may be NULL) and hint; the endpoint (may be NULL) tells the secrets to be removed. `cause` overrides the status' own unless it is NONE.
 * Returns fail->code.
 */
enum remora_code envelope_judge(const struct envelope *envelope, int status,
                                const struct remora_endpoint *endpoint, enum remora_cause cause,
                                struct remora_fail *fail);
/*
 * Text of a provider made fit for a caller: one line, no URL, nothing that looks like a key, none of the secrets that the
 * provider is sent (NULL: none are known); NUL-terminated.
 */
void scrub_text(struct remora_slice text, const struct remora_provider *provider, char *out,
                size_t out_bytes);
/* True when `word` stands in the text, in any case. */
bool text_has(struct remora_slice text, const char *word);

#endif
