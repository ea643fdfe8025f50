/*
 * Reading a JSON text without laying out all of it: what is large, regular and read once stays folded, so that the tape does
 * not grow with it. Pure: any thread, as all of remora/json.h.
 */
#ifndef REMORA_JSON_FOLD_H
#define REMORA_JSON_FOLD_H

#include "remora/json.h"

/*
 * Containers that lie `levels` deep inside a member of this name, wherever it stands, are folded: checked as everything is and
 * kept as one node without elements (count 0), whose raw text can be parsed by itself. `levels` 2 folds the elements of
 * the arrays of {"member": {"list": [ ... ]}}. The name is compared raw.
 */
struct remora_json_fold {
    struct remora_slice member;
    uint32_t levels; /* at least 1 */
};

/* As remora_json_parse, with the same codes; what is folded does not count against limits->nodes. */
REMORA_MUST_CHECK enum remora_code remora_json_parse_folded(struct remora_slice text,
                                                            struct remora_arena *arena,
                                                            const struct remora_json_limits *limits,
                                                            const struct remora_json_fold *fold,
                                                            struct remora_json_doc *out,
                                                            struct remora_json_error *error);

#endif
