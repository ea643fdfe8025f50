/*
 * The words of a name. A name is cut where it has anything but letters and digits and where small letters turn to capitals
 * (service_url, serviceUrl, APIKey: "api", "key"); its last word says what it is, those before whose (tbl/refused_words.h).
 * A word that is written together of nothing but words of the tables (serviceurl) counts as those.
 */
#include "parse.h"

enum set { ANYTHING, HOST, CREDENTIAL };

struct term {
    struct remora_slice word;
    enum set set;
};

static const struct term heads[] = {
#define REMORA_REFUSED_WORD(text, set) {REMORA_SLICE_INIT(text), set},
#include "remora/tbl/refused_words.h"
#undef REMORA_REFUSED_WORD
};

static const struct term before[] = {
#define REMORA_REFUSED_BEHIND(text, set) {REMORA_SLICE_INIT(text), set},
#include "remora/tbl/refused_words.h"
#undef REMORA_REFUSED_BEHIND
#define REMORA_REFUSED_VENDOR(text) {REMORA_SLICE_INIT(text), CREDENTIAL},
#include "remora/tbl/refused_vendors.h"
#undef REMORA_REFUSED_VENDOR
};

/* What is longer is judged by its end. */
enum { NAME_BYTES = 64, WORDS_MOST = NAME_BYTES };

struct words {
    struct remora_slice items[WORDS_MOST];
    size_t count;
    char text[NAME_BYTES];
};

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_plain(char c)
{
    return is_capital(c) || is_small(c) || (c >= '0' && c <= '9');
}

/* Whether the letter at `at`, which others precede, begins a word: fooBar, APIKey; not the s of URLs. */
static bool begins_word(struct remora_slice name, size_t at)
{
    const char *c = name.data + at;
    if (!is_plain(c[-1]) || !is_capital(*c)) {
        return !is_plain(c[-1]);
    }
    bool small_follows = at + 1 < name.length && is_small(c[1]);
    bool ends_as_plural =
        small_follows && c[1] == 's' && (at + 2 == name.length || !is_small(c[2]));
    return !is_capital(c[-1]) || (small_follows && !ends_as_plural);
}

static void split(struct remora_slice name, struct words *out)
{
    out->count = 0;
    for (size_t at = 0; at < name.length; at++) {
        char c = name.data[at];
        if (!is_plain(c)) {
            continue;
        }
        if (at == 0 || begins_word(name, at)) {
            out->items[out->count++] = remora_slice(out->text + at, 0);
        }
        out->text[at] = is_capital(c) ? (char)(c - 'A' + 'a') : c;
        out->items[out->count - 1].length++;
    }
}

static bool is_run(struct remora_slice text);

static bool begins_run(struct remora_slice text, const struct term *terms, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = terms[i].word.length;
        if (remora_slice_starts_with(text, terms[i].word) &&
            is_run(remora_slice(text.data + length, text.length - length))) {
            return true;
        }
    }
    return false;
}

/* Nothing but words of the tables, one behind the other. */
static bool is_run(struct remora_slice text)
{
    return text.length == 0 || begins_run(text, before, REMORA_COUNT_OF(before)) ||
           begins_run(text, heads, REMORA_COUNT_OF(heads));
}

/* `word` without `tail`, or its plural, at its end; false when it does not end so. */
static bool cut_tail(struct remora_slice word, struct remora_slice tail, struct remora_slice *rest)
{
    for (size_t plural = 0; plural < 2; plural++) {
        size_t length = tail.length + plural;
        if (word.length >= length &&
            memcmp(word.data + word.length - length, tail.data, tail.length) == 0 &&
            (plural == 0 || word.data[word.length - 1] == 's')) {
            *rest = remora_slice(word.data, word.length - length);
            return true;
        }
    }
    return false;
}

/* Whether a word of the set stands before the last, or at the end of what is written together with it. */
static bool has_before(const struct words *words, struct remora_slice rest, enum set set)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(before); i++) {
        struct remora_slice ignored;
        bool is_found = before[i].set == set && cut_tail(rest, before[i].word, &ignored);
        for (size_t w = 0; before[i].set == set && !is_found && w + 1 < words->count; w++) {
            is_found = remora_slice_equal(words->items[w], before[i].word);
        }
        if (is_found) {
            return true;
        }
    }
    return set == ANYTHING;
}

bool chat_words_choose(struct remora_slice name)
{
    struct words words;
    struct remora_slice rest;
    size_t skipped = name.length > NAME_BYTES ? name.length - NAME_BYTES : 0;
    split(remora_slice(name.data + skipped, name.length - skipped), &words);
    if (words.count == 0) {
        return false;
    }
    for (size_t i = 0; i < REMORA_COUNT_OF(heads); i++) {
        if (cut_tail(words.items[words.count - 1], heads[i].word, &rest) && is_run(rest) &&
            has_before(&words, rest, heads[i].set)) {
            return true;
        }
    }
    return false;
}
