/*
 * Places of endpoints: a country ("DE"), the Union ("eu"), or a region of a cloud ("us-east5", "eu-central-1",
 * "europe-west1"). A cloud's region lies in its country by the table, for two letters do not say it: eu-west-2 is London.
 * A word such as "asia" holds the regions that begin with it.
 * A member state lies in the Union. A place that is not known, or "global", lies in nothing but itself. Cannot fail.
 *
 * Asked of every endpoint for every layer, so a layer's countries are bits, made once per plan; only its other words are compared.
 *
 * Source of the members: European Union, "EU countries" (ISO 3166-1 alpha-2), read 2026-11.
 */
#include "needs.h"

static const char members[][3] = {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES",
                                  "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU",
                                  "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"};

/* 0 to 25; more: no letter. */
static unsigned letter(char c)
{
    return ((unsigned char)c | 0x20u) - 'a';
}

static bool is_country(const char *name)
{
    return letter(name[0]) < 26 && letter(name[1]) < 26;
}

static void add(struct remora_judge_regions *out, const char *country)
{
    out->countries[letter(country[0])] |= UINT32_C(1) << letter(country[1]);
}

static bool has(const struct remora_judge_regions *known, const char *country)
{
    return is_country(country) &&
           (known->countries[letter(country[0])] >> letter(country[1]) & 1u) != 0;
}

void policy_regions_collect(const struct remora_slices *asked, struct remora_judge_regions *out)
{
    for (size_t i = 0; i < asked->count; i++) {
        struct remora_slice name = asked->items[i];
        if (name.length != 2 || !is_country(name.data)) {
            out->has_words = true;
            continue;
        }
        add(out, name.data);
        /* Seats are as they are written, and some write what is no code. */
        if (remora_slice_equal_nocase(name, REMORA_SLICE("uk"))) {
            add(out, "GB");
        } else if (remora_slice_equal_nocase(name, REMORA_SLICE("gb"))) {
            add(out, "UK");
        } else if (remora_slice_equal_nocase(name, REMORA_SLICE("eu"))) {
            for (size_t at = 0; at < REMORA_COUNT_OF(members); at++) {
                add(out, members[at]);
            }
        }
    }
}

bool policy_regions_hold(const struct remora_slices *asked,
                         const struct remora_judge_regions *known, struct remora_slice place,
                         const char *country)
{
    if (place.length == 0) {
        return false;
    }
    if (has(known, country)) {
        return true;
    }
    if (!known->has_words) {
        return false;
    }
    struct remora_slice area = remora_slice(place.data, remora_slice_find(place, '-', 0));
    return remora_names_have(asked, place) || (area.length > 2 && remora_names_have(asked, area));
}
