/*
 * Places of endpoints: a country ("DE"), the Union ("eu"), or a region of a cloud ("us-east5", "eu-central-1",
 * "europe-west1"). A cloud's region lies in what its first word names; a member state lies in the Union. A place that is not
 * known, or "global", lies nowhere. Cannot fail.
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

bool policy_region_matches(struct remora_slice asked, struct remora_slice place)
{
    if (place.length == 0) {
        return false;
    }
    if (remora_slice_equal_nocase(asked, place)) {
        return true;
    }
    struct remora_slice area = remora_slice(place.data, remora_slice_find(place, '-', 0));
    if (area.length < place.length && remora_slice_equal_nocase(asked, area)) {
        return true;
    }
    return remora_slice_equal_nocase(asked, REMORA_SLICE("eu")) &&
           (is_member(area) || remora_slice_equal_nocase(area, REMORA_SLICE("europe")));
}
