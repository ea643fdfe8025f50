/*
 * What two readers of one text may understand differently. A gateway judges a request and somebody else acts on it: of a name
 * that stands twice one reader takes the first, another the last (RFC 8259 section 4); 1e400 is an infinity, an error or the
 * number itself (section 6: "good interoperability" ends with the doubles of IEEE 754); a NUL ends a text for some (section 9
 * lets implementations limit the characters of strings).
 */
#include "remora/json.h"

/* Without an exponent it takes 309 digits to leave the doubles, with one at least five characters. */
enum { SURELY_FINITE = 4 };

static bool is_beyond(struct remora_json number)
{
    double ignored;
    return remora_json_node_of(number)->length > SURELY_FINITE &&
           !remora_json_double(number, &ignored);
}

static struct remora_json text_around(const struct remora_json_doc *doc, uint32_t offset)
{
    uint32_t node = 0;
    while (doc->nodes[node].type != REMORA_JSON_STRING ||
           doc->nodes[node].offset + doc->nodes[node].length < offset) {
        node++;
    }
    return (struct remora_json){doc, node};
}

/* Of an object or a number. */
static const char *doubt_at(struct remora_json value, struct remora_arena *arena,
                            struct remora_json *where)
{
    enum remora_json_type type = remora_json_type(value);
    if (type == REMORA_JSON_OBJECT) {
        *where = remora_json_duplicate(value, arena);
        return remora_json_is_absent(*where) ? NULL
                                             : "the name occurs twice in its object; send it once";
    }
    *where = value;
    return type == REMORA_JSON_NUMBER && is_beyond(value) ? "the number is larger than any double"
                                                          : NULL;
}

const char *remora_json_doubt(const struct remora_json_doc *doc, struct remora_arena *arena,
                              struct remora_json *where)
{
    if (doc->nul_at != 0) {
        *where = text_around(doc, doc->nul_at);
        return "the text holds a NUL (\\u0000); remove it";
    }
    const char *reason = NULL;
    for (uint32_t node = 0; reason == NULL && node < doc->node_count; node++) {
        enum remora_json_type type = (enum remora_json_type)doc->nodes[node].type;
        if (type == REMORA_JSON_OBJECT || type == REMORA_JSON_NUMBER) {
            reason = doubt_at((struct remora_json){doc, node}, arena, where);
        }
    }
    return reason;
}
