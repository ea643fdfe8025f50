/* Names of the wire families, from tbl/wires.h. */
#include "remora/catalog.h"

struct wire_row {
    const char *name;
    bool is_built;
};

static const struct wire_row wire_rows[REMORA_WIRE_COUNT] = {
#define REMORA_WIRE(name, kind, built) [REMORA_WIRE_##name] = {kind, built},
#include "remora/tbl/wires.h"
#undef REMORA_WIRE
};

const char *remora_wire_name(enum remora_wire wire)
{
    return (size_t)wire < REMORA_WIRE_COUNT ? wire_rows[wire].name : "unknown";
}

bool remora_wire_is_built(enum remora_wire wire)
{
    return (size_t)wire < REMORA_WIRE_COUNT && wire_rows[wire].is_built;
}

enum remora_wire remora_wire_by_name(struct remora_slice kind)
{
    for (size_t i = 0; i < REMORA_WIRE_COUNT; i++) {
        if (remora_slice_is(kind, wire_rows[i].name)) {
            return (enum remora_wire)i;
        }
    }
    return REMORA_WIRE_COUNT;
}
