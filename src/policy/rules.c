/* The names of the rules and the codes of their families, read from tbl/rules.h. */
#include "remora/policy.h"

static const struct {
    const char *name;
    enum remora_code family;
} rules[REMORA_RULE_COUNT] = {
    [REMORA_RULE_NONE] = {"", REMORA_OK},
#define REMORA_RULE(name, text, family) [REMORA_RULE_##name] = {(text), REMORA_##family},
#include "remora/tbl/rules.h"
#undef REMORA_RULE
};

const char *remora_rule_name(enum remora_rule rule)
{
    return (unsigned)rule < REMORA_RULE_COUNT ? rules[rule].name : "";
}

enum remora_code remora_rule_family(enum remora_rule rule)
{
    return (unsigned)rule < REMORA_RULE_COUNT ? rules[rule].family : REMORA_OK;
}
