/*
 * Provider slugs in a request are checked against the configuration and the catalog: an unknown one would filter nothing
 * or everything in silence (openrouter.md section 4 "Go beyond"). So is a tag that no endpoint of any model has; one that
 * endpoints of other models have is how one says "not that one" of models that differ.
 *
 * Fails with INVALID_REQUEST, and "did you mean" when a known slug or tag is near.
 */
#include "names.h"

#include <stdio.h>

#include "remora/text.h"

const char *route_shown(struct remora_slice name, char out[ROUTE_SHOWN_BYTES])
{
    size_t length = remora_utf8_cut(name, ROUTE_SHOWN_BYTES - 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name.data[i];
        out[i] = c < ' ' || c == 0x7f ? '?' : name.data[i];
    }
    out[length] = '\0';
    return out;
}

static enum remora_code check_slug(const struct remora_config *config, struct remora_slice slug,
                                   const char *param, struct remora_fail *fail)
{
    char hint[REMORA_GUESS_BYTES];
    char shown[ROUTE_SHOWN_BYTES];
    struct remora_slice provider = remora_slug_provider(slug);
    if (!remora_config_knows_provider(config, provider)) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, param, "no provider is called '%s'%s",
                               route_shown(provider, shown),
                               remora_config_provider_hint(config, provider, hint));
    }
    if (provider.length < slug.length && !remora_config_knows_tag(config, slug)) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, param,
                               "no endpoint has the tag '%s'%s", route_shown(slug, shown),
                               remora_config_tag_hint(config, slug, hint));
    }
    return REMORA_OK;
}

static enum remora_code check_list(const struct remora_config *config,
                                   const struct remora_slices *slugs, const char *list,
                                   struct remora_fail *fail)
{
    for (size_t i = 0; i < slugs->count; i++) {
        char param[64];
        snprintf(param, sizeof(param), "provider.%s[%zu]", list, i);
        enum remora_code code = check_slug(config, slugs->items[i], param, fail);
        if (code != REMORA_OK) {
            return code;
        }
    }
    return REMORA_OK;
}

enum remora_code route_check_slugs(const struct remora_config *config,
                                   const struct remora_preferences *preferences,
                                   struct remora_fail *fail)
{
    enum remora_code code = check_list(config, &preferences->order, "order", fail);
    if (code == REMORA_OK) {
        code = check_list(config, &preferences->only, "only", fail);
    }
    if (code == REMORA_OK) {
        code = check_list(config, &preferences->ignore, "ignore", fail);
    }
    return code;
}
