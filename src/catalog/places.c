/* In which country a place lies. */
#include "remora/catalog.h"

static const struct {
    const char *region;
    const char *country;
} places[] = {
#define REMORA_PLACE(region, country) {region, country},
#include "remora/tbl/places.h"
#undef REMORA_PLACE
};

static const char *country_by_table(struct remora_slice place)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(places); i++) {
        if (remora_slice_equal_nocase(place, remora_slice_of(places[i].region))) {
            return places[i].country;
        }
    }
    return place.length == 2 ? place.data : "\0";
}

void remora_place_country(struct remora_slice place, char country[3])
{
    const char *name = country_by_table(place);
    for (size_t i = 0; i < 2; i++) {
        bool is_small = name[i] >= 'a' && name[i] <= 'z';
        country[i] = is_small ? (char)(name[i] - 'a' + 'A') : name[i];
    }
    country[2] = '\0';
}
