/*
 * In which country a place lies. It is asked of every endpoint when a configuration is built: an empty place is answered at once, and the
 * table is searched by halves.
 */
#include "remora/catalog.h"

/* No region of the table is longer; the unit test looks. */
enum { PLACE_BYTES = 32 };

static const struct {
    struct remora_slice region;
    const char *country;
} places[] = {
#define REMORA_PLACE(region, country) {REMORA_SLICE_INIT(region), country},
#include "remora/tbl/places.h"
#undef REMORA_PLACE
};

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char capital(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* NULL where it does not stand in the table. */
static const char *country_by_table(struct remora_slice place)
{
    size_t low = 0;
    size_t high = REMORA_COUNT_OF(places);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = remora_slice_compare(places[middle].region, place);
        if (order == 0) {
            return places[middle].country;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

void remora_place_country(struct remora_slice place, char country[3])
{
    char word[PLACE_BYTES];
    memset(country, 0, 3);
    if (place.length < 2 || place.length > sizeof word) {
        return;
    }
    for (size_t i = 0; i < place.length; i++) {
        word[i] = small(place.data[i]);
    }
    const char *found = country_by_table(remora_slice(word, place.length));
    if (found == NULL && place.length == 2) {
        found = word;
    }
    for (size_t i = 0; found != NULL && i < 2; i++) {
        country[i] = capital(found[i]);
    }
}
