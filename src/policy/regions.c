/*
 * Places of endpoints: a country ("DE"), the Union ("eu"), or a region of a cloud ("us-east5", "eu-central-1",
 * "europe-west1"). A cloud's region lies in its country by the table, for two letters do not say it: eu-west-2 is London.
 * A word such as "asia" holds the regions that begin with it.
 * A member state lies in the Union. A place that is not known, or "global", lies in nothing but itself. Cannot fail.
 *
 * Source of the members: European Union, "EU countries" (ISO 3166-1 alpha-2), read 2026-11.
 */
#include "needs.h"

static const char members[][3] = {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES",
                                  "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU",
                                  "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"};

static bool is_member(struct remora_slice country)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(members); i++) {
        if (remora_slice_equal_nocase(country, remora_slice_of(members[i]))) {
            return true;
        }
    }
    return false;
}

bool policy_region_matches(struct remora_slice asked, struct remora_slice place,
                           const char *country)
{
    if (place.length == 0 || asked.length == 0) {
        return false;
    }
    if (remora_slice_equal_nocase(asked, REMORA_SLICE("uk"))) {
        asked = REMORA_SLICE("gb");
    }
    struct remora_slice land = remora_slice_of(country);
    struct remora_slice area = remora_slice(place.data, remora_slice_find(place, '-', 0));
    return remora_slice_equal_nocase(asked, place) || remora_slice_equal_nocase(asked, land) ||
           (asked.length > 2 && remora_slice_equal_nocase(asked, area)) ||
           (remora_slice_equal_nocase(asked, REMORA_SLICE("eu")) && is_member(land));
}
