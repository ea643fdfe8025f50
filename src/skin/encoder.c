/*
 * The life of an encoder's own state, the same for every skin: made before the request is parsed, so that parse can keep what
 * the answer echoes, and given back with what it owns however the call ends.
 */
#include "remora/skin.h"

enum remora_code remora_encoder_begin(struct remora_encoder *encoder)
{
    if (encoder->skin->state_bytes > 0) {
        encoder->own = remora_alloc(encoder->skin->state_bytes);
        if (encoder->own == NULL) {
            return REMORA_SHEDDING;
        }
    }
    return REMORA_OK;
}

void remora_encoder_end(struct remora_encoder *encoder)
{
    if (encoder->own == NULL) {
        return;
    }
    if (encoder->skin->encoder_fini != NULL) {
        encoder->skin->encoder_fini(encoder);
    }
    remora_free(encoder->own);
    encoder->own = NULL;
}
