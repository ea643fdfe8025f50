/*
 * Provider slugs in a request are checked against the configuration and the catalog: an unknown one would filter nothing
 * or everything in silence (openrouter.md section 4 "Go beyond"). Only the provider's part is checked; a tag that no
 * endpoint of the model has is how one says "not that one" of models that differ.
 *
 * Fails with INVALID_REQUEST, and "did you mean" when a known slug is near.
 */
#include "names.h"

#include <stdio.h>

#include "remora/text.h"

enum { SHOWN_BYTES = 80, NEAR_MAX = 3 };

struct remora_slice route_shown(struct remora_slice name)
{
    return remora_slice(name.data, remora_utf8_cut(name, SHOWN_BYTES));
}

void route_guess_begin(struct route_guess *guess, struct remora_slice asked)
{
    size_t third = asked.length / 3;
    unsigned near = third < NEAR_MAX ? (unsigned)third : NEAR_MAX;
    *guess = (struct route_guess){.asked = asked, .distance = near + 1};
}

void route_guess_offer(struct route_guess *guess, struct remora_slice name,
                       struct remora_slice written)
{
    if (guess->distance == 0) {
        return;
    }
    unsigned distance = remora_edit_distance(guess->asked, written, guess->distance - 1);
    if (distance < guess->distance) {
        guess->distance = distance;
        guess->best = name;
    }
}

static bool is_known(const struct remora_config *config, struct remora_slice provider)
{
    struct remora_provider_facts facts;
    return remora_config_provider(config, provider) != NULL ||
           remora_catalog_find_provider(provider, &facts);
}

static void guess_provider(const struct remora_config *config, struct route_guess *guess)
{
    for (size_t i = 0; i < config->provider_count; i++) {
        struct remora_slice slug = config->providers[i].facts.slug;
        route_guess_offer(guess, slug, slug);
    }
    for (size_t i = 0; i < remora_catalog_provider_count(); i++) {
        struct remora_provider_facts facts;
        remora_catalog_provider(i, &facts);
        route_guess_offer(guess, facts.slug, facts.slug);
    }
}

static enum remora_code refuse(const struct remora_config *config, const char *param,
                               struct remora_slice provider, struct remora_fail *fail)
{
    struct route_guess guess;
    route_guess_begin(&guess, provider);
    guess_provider(config, &guess);
    struct remora_slice shown = route_shown(provider);
    if (guess.best.length == 0) {
        return remora_fail_set(fail, REMORA_INVALID_REQUEST, param, "no provider is called '%.*s'",
                               REMORA_SLICE_ARG(shown));
    }
    return remora_fail_set(fail, REMORA_INVALID_REQUEST, param,
                           "no provider is called '%.*s'; did you mean '%.*s'?",
                           REMORA_SLICE_ARG(shown), REMORA_SLICE_ARG(guess.best));
}

static enum remora_code check_list(const struct remora_config *config,
                                   const struct remora_slices *slugs, const char *list,
                                   struct remora_fail *fail)
{
    for (size_t i = 0; i < slugs->count; i++) {
        struct remora_slice slug = slugs->items[i];
        struct remora_slice provider = remora_slice(slug.data, remora_slice_find(slug, '/', 0));
        if (!is_known(config, provider)) {
            char param[64];
            snprintf(param, sizeof(param), "provider.%s[%zu]", list, i);
            return refuse(config, param, provider, fail);
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
