/* Which adapter speaks which wire. A wire without a row is not built: no request reaches its providers. */
#include "openai.h"

static const struct remora_adapter *const adapters[REMORA_WIRE_COUNT] = {
    [REMORA_WIRE_OPENAI] = &openai_adapter,
};

const struct remora_adapter *remora_adapter_for(enum remora_wire wire)
{
    return (unsigned)wire < REMORA_WIRE_COUNT ? adapters[wire] : NULL;
}
