/*
 * Names of the dialects of the openai-chat wire and what they do not take, from tbl/dialects.h.
 *
 * The catalog says `openai` of every server without quirks, also of those that know neither max_completion_tokens nor the
 * developer role; the dialect `openai` is therefore OpenAI's own and is taken only for its slug or its host.
 */
#include "remora/catalog.h"

struct dialect_row {
    const char *name;
    remora_parameter_set refused;
};

#define PARAMETER(name) (UINT64_C(1) << REMORA_PARAMETER_##name)
static const struct dialect_row dialect_rows[REMORA_DIALECT_COUNT] = {
#define REMORA_DIALECT(name, text, refused) [REMORA_DIALECT_##name] = {text, refused},
#include "remora/tbl/dialects.h"
#undef REMORA_DIALECT
};
#undef PARAMETER

const char *remora_dialect_name(enum remora_dialect dialect)
{
    return dialect_rows[dialect].name;
}

enum remora_dialect remora_dialect_by_name(struct remora_slice name)
{
    for (size_t i = 0; i < REMORA_DIALECT_COUNT; i++) {
        if (remora_slice_is(name, dialect_rows[i].name)) {
            return (enum remora_dialect)i;
        }
    }
    return REMORA_DIALECT_COUNT;
}

static bool is_openai_itself(const struct remora_provider_facts *provider)
{
    return remora_slice_is(provider->slug, "openai") ||
           remora_slice_starts_with(provider->base_url, REMORA_SLICE("https://api.openai.com/"));
}

enum remora_dialect remora_dialect_of(const struct remora_provider_facts *provider)
{
    enum remora_dialect dialect = remora_dialect_by_name(provider->dialect);
    bool is_foreign = dialect == REMORA_DIALECT_OPENAI && !is_openai_itself(provider);
    return dialect == REMORA_DIALECT_COUNT || is_foreign ? REMORA_DIALECT_GENERIC : dialect;
}

remora_parameter_set remora_dialect_refused(enum remora_dialect dialect)
{
    return dialect_rows[dialect].refused;
}
