/* What the head of a chat says beside its path: media type, deadlines, hops, trial features, ids, trace. Pure but for the exchange's arena. */
#ifndef REMORA_FRONT_HTTP_CHAT_HEAD_H
#define REMORA_FRONT_HTTP_CHAT_HEAD_H

#include "http.h"

#include "remora/betas.h"
#include "remora/hop.h"

/* What of the head may be refused: read before anything is held for the request. */
struct chat_head {
    int64_t timeout_ms; /* the caller's own total, -1 none */
    struct remora_hops hops;
    struct remora_betas betas; /* views of the head */
};

/* False with *fail: refused. *out is written only by success. */
bool chat_judge_head(const struct http_site *site, const struct http_head *head,
                     struct chat_head *out, struct remora_fail *fail);
/* Trial features alone, under both names of the header, in as many lines as it likes: views of the head. The same false. */
bool chat_read_betas(const struct http_head *head, struct remora_betas *out,
                     struct remora_fail *fail);
/* The exchange began in this round with the snapshot that the caller was found in. */
void chat_fill_request(const struct http_connection *c, const struct http_head *head,
                       const struct chat_head *judged, struct remora_exchange *exchange);

#endif
