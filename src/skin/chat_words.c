/*
 * The words of a name (tbl/refused_words.h). A name is cut where it has anything but letters and where small letters turn to
 * capitals (service_url, serviceUrl, APIKey1: "api", "key"); what is written together of nothing but words of the tables
 * (serviceurl) counts as those. Then, from its end:
 *
 * 1. Words that may follow say nothing else and go (api_key_value).
 * 2. The last one says what it is; the ones before say whose. Where none is before, those of the object around do
 *    (server.url).
 * 3. A harmless word directly before ends the matter (dataset_url, client_request_token).
 */
#include "parse.h"

#include "remora/text.h"

enum set { ANYTHING, OUTSIDE, HOST, SETTING, CREDENTIAL, TAIL, CONTENT, SIGN };

struct term {
    struct remora_slice word;
    enum set set;
};

static const struct term heads[] = {
#define REMORA_REFUSED_WORD(text, set) {REMORA_SLICE_INIT(text), set},
#include "remora/tbl/refused_words.h"
#undef REMORA_REFUSED_WORD
};

static const struct term others[] = {
#define REMORA_REFUSED_BEHIND(text, set) {REMORA_SLICE_INIT(text), set},
#include "remora/tbl/refused_words.h"
#undef REMORA_REFUSED_BEHIND
#define REMORA_REFUSED_VENDOR(text) {REMORA_SLICE_INIT(text), CREDENTIAL},
#include "remora/tbl/refused_vendors.h"
#undef REMORA_REFUSED_VENDOR
#define REMORA_REFUSED_TAIL(text) {REMORA_SLICE_INIT(text), TAIL},
#include "remora/tbl/refused_words.h"
#undef REMORA_REFUSED_TAIL
#define REMORA_HARMLESS_BEFORE(text, set) {REMORA_SLICE_INIT(text), set},
#include "remora/tbl/refused_words.h"
#undef REMORA_HARMLESS_BEFORE
};

/* What is longer is judged by its end. */
enum { NAME_BYTES = 64, WORDS_MOST = NAME_BYTES };
_Static_assert(NAME_BYTES <= 64, "a bit for each letter of a name");

struct words {
    struct remora_slice items[WORDS_MOST];
    size_t count;
    char text[NAME_BYTES];
    uint64_t no_run; /* of the word being added: bit n, its last n + 1 letters are no run */
};

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
    return is_capital(c) || is_small(c);
}

/* Whether the letter at `at`, which others precede, begins a word: fooBar, APIKey; not the s of URLs. */
static bool begins_word(struct remora_slice name, size_t at)
{
    const char *c = name.data + at;
    if (!is_letter(c[-1]) || !is_capital(*c)) {
        return !is_letter(c[-1]);
    }
    bool small_follows = at + 1 < name.length && is_small(c[1]);
    bool ends_as_plural =
        small_follows && c[1] == 's' && (at + 2 == name.length || !is_small(c[2]));
    return !is_capital(c[-1]) || (small_follows && !ends_as_plural);
}

/* Whether the text begins with the word, or with its plural, which is one longer. */
static bool begins_with(struct remora_slice text, struct remora_slice word, size_t plural)
{
    return remora_slice_starts_with(text, word) &&
           (plural == 0 || (text.length > word.length && text.data[word.length] == 's'));
}

static bool add_run(struct words *out, struct remora_slice text);

static bool add_run_of(struct words *out, struct remora_slice text, const struct term *terms,
                       size_t count)
{
    for (size_t i = 0; i < 2 * count; i++) {
        size_t length = terms[i / 2].word.length + i % 2;
        if (begins_with(text, terms[i / 2].word, i % 2)) {
            out->items[out->count++] = remora_slice(text.data, length);
            if (add_run(out, remora_slice(text.data + length, text.length - length))) {
                return true;
            }
            out->count--;
        }
    }
    return false;
}

/*
 * The words of a text that is nothing but words of the tables, one behind the other; otherwise adds none. Each end of a name is
 * tried once: words that stand in several tables would else double the ways through it one by one (apiapiapi...).
 */
static bool add_run(struct words *out, struct remora_slice text)
{
    if (text.length == 0) {
        return true;
    }
    uint64_t bit = UINT64_C(1) << (text.length - 1);
    bool is_run =
        (out->no_run & bit) == 0 && (add_run_of(out, text, heads, REMORA_COUNT_OF(heads)) ||
                                     add_run_of(out, text, others, REMORA_COUNT_OF(others)));
    out->no_run |= is_run ? 0 : bit;
    return is_run;
}

static void add_word(struct words *out, struct remora_slice word)
{
    out->no_run = 0;
    if (!add_run(out, word)) { /* nothing is a run of none */
        out->items[out->count++] = word;
    }
}

/* The end of the name, with what other readers take for letters as those. */
static struct remora_slice letters_of(struct remora_slice name, char out[NAME_BYTES])
{
    size_t length = 0;
    size_t at = name.length > NAME_BYTES ? name.length - NAME_BYTES : 0;
    while (at < name.length) {
        out[length++] = remora_text_letter(name, &at);
    }
    return remora_slice(out, length);
}

static void split(struct remora_slice name, struct words *out)
{
    char letters[NAME_BYTES];
    name = letters_of(name, letters);
    struct remora_slice word = remora_slice(out->text, 0);
    out->count = 0;
    for (size_t at = 0; at < name.length; at++) {
        char c = name.data[at];
        if (!is_letter(c)) {
            continue;
        }
        if (at > 0 && begins_word(name, at)) {
            add_word(out, word);
            word = remora_slice(out->text + at, 0);
        } else if (word.length == 0) {
            word = remora_slice(out->text + at, 0);
        }
        out->text[at] = is_capital(c) ? (char)(c - 'A' + 'a') : c;
        word.length++;
    }
    add_word(out, word);
}

static bool is_word(struct remora_slice word, struct remora_slice term)
{
    size_t plural = word.length - term.length;
    return word.length >= term.length && plural <= 1 && begins_with(word, term, plural);
}

static bool is_of(struct remora_slice word, enum set set)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(others); i++) {
        if (others[i].set == set && is_word(word, others[i].word)) {
            return true;
        }
    }
    return false;
}

/* The words that say whose it is, in their order. */
struct owners {
    const struct remora_slice *items;
    size_t count;
};

static bool has_of(struct owners owners, enum set set)
{
    for (size_t i = 0; i < owners.count; i++) {
        if (is_of(owners.items[i], set)) {
            return true;
        }
    }
    return false;
}

static bool is_right_behind(struct owners owners, enum set set)
{
    return owners.count > 0 && is_of(owners.items[owners.count - 1], set);
}

/* Whether a head that wants `set` before it has that. */
static bool is_owned(enum set set, struct owners owners, bool is_top)
{
    switch (set) {
    case OUTSIDE:
        return !is_right_behind(owners, CONTENT) &&
               (is_top || has_of(owners, HOST) || has_of(owners, SETTING));
    case HOST:
        return has_of(owners, HOST);
    case CREDENTIAL:
        return !is_right_behind(owners, SIGN) && has_of(owners, CREDENTIAL);
    case ANYTHING:
    case SETTING:
    case TAIL:
    case CONTENT:
    case SIGN:
        break;
    }
    return true;
}

/* Whether the last of the first `count` words of the name chooses, the ones before or those around being its owners. */
static bool is_choice(const struct words *own, size_t count, const struct words *around,
                      bool is_top)
{
    struct owners owners = {own->items, count - 1};
    if (owners.count == 0) {
        owners = (struct owners){around->items, around->count};
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(heads); i++) {
        bool is_all = is_top && own->count == 1 && remora_slice_equal(own->items[0], heads[i].word);
        if (is_word(own->items[count - 1], heads[i].word) &&
            (is_all || is_owned(heads[i].set, owners, is_top))) {
            return true;
        }
    }
    return false;
}

bool chat_words_choose(struct remora_slice name, struct remora_slice around, bool is_top)
{
    struct words own;
    struct words outer;
    split(name, &own);
    split(is_top ? REMORA_SLICE("") : around, &outer);
    bool goes_on = true;
    for (size_t count = own.count; count > 0 && goes_on; count--) {
        if (is_choice(&own, count, &outer, is_top)) {
            return true;
        }
        goes_on = is_of(own.items[count - 1], TAIL);
    }
    return false;
}
