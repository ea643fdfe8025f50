/*
 * The hop header: making our id, and reading what came.
 *
 * Happy path: no header, or up to REMORA_LIMIT_HOPS - 1 ids of others, kept one behind the other for the next upstream.
 * Ways to fail: an id of ours (a loop), too many ids (a circle of others, or a chain that is too long), anything but ids.
 * The last is refused and not ignored: a list that cannot be read cannot be judged, and nobody but a Remora writes one.
 */
#include "remora/hop.h"

#include <assert.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void remora_hop_id_make(struct remora_random *random, struct remora_hop_id *out)
{
    for (size_t i = 0; i + 1 < sizeof out->text; i++) {
        out->text[i] = letters[remora_random_below(random, sizeof letters - 1)];
    }
    out->text[sizeof out->text - 1] = '\0';
}

/* Any Remora's, of versions with longer ids, too. */
static bool is_id(struct remora_slice id)
{
    for (size_t i = 0; i < id.length; i++) {
        if (id.data[i] == '\0' || strchr(letters, id.data[i]) == NULL) {
            return false;
        }
    }
    return id.length <= REMORA_LIMIT_HOP_ID_BYTES;
}

static enum remora_code judge(const struct remora_hops *hops, struct remora_slice id,
                              const struct remora_hop_id *own, struct remora_fail *fail)
{
    if (!is_id(id)) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, REMORA_HOP_HEADER,
                               "The header " REMORA_HOP_HEADER
                               " is not as Remora writes it; leave it out.");
    }
    if (own != NULL && remora_slice_is(id, own->text)) {
        return remora_fail_set(fail, REMORA_WRONG_ENDPOINT, REMORA_HOP_HEADER,
                               "The request has been here before (header " REMORA_HOP_HEADER
                               "): the base_url of a provider leads back to this Remora.");
    }
    if (hops->count + 1 >= REMORA_LIMIT_HOPS) {
        return remora_fail_set(
            fail, REMORA_WRONG_ENDPOINT, REMORA_HOP_HEADER,
            "The request has passed through %d Remoras before this one (header " REMORA_HOP_HEADER
            "), and %d in all is the most: the base_url of a provider leads in a circle, or the "
            "chain is too long.",
            (int)hops->count + 1, REMORA_LIMIT_HOPS);
    }
    return REMORA_OK;
}

static void keep(struct remora_hops *hops, struct remora_slice id)
{
    assert(hops->length + id.length + 1 <= sizeof hops->text);
    if (hops->count > 0) {
        hops->text[hops->length++] = ',';
    }
    memcpy(hops->text + hops->length, id.data, id.length);
    hops->length += id.length;
    hops->count++;
}

enum remora_code remora_hops_add(struct remora_hops *hops, struct remora_slice value,
                                 const struct remora_hop_id *own, struct remora_fail *fail)
{
    for (size_t at = 0; at < value.length;) {
        size_t comma = remora_slice_find(value, ',', at);
        struct remora_slice id = remora_slice_trim(remora_slice(value.data + at, comma - at));
        at = comma + 1;
        if (id.length == 0) {
            continue;
        }
        enum remora_code code = judge(hops, id, own, fail);
        if (code != REMORA_OK) {
            return code;
        }
        keep(hops, id);
    }
    return REMORA_OK;
}
