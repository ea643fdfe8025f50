/*
 * Finding the end of plain text inside a JSON string: the first quote, backslash or control character. Sixteen or sixty-four
 * bytes at a time where SSE2 is there, eight otherwise. The last bytes are looked at together with bytes before them.
 */
#ifndef REMORA_JSON_SCAN_H
#define REMORA_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline bool json_is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

static inline const char *json_scan_bytes(const char *at, const char *end, bool *high)
{
    while (at < end && json_is_plain((unsigned char)*at)) {
        *high |= (unsigned char)*at >= 0x80;
        at++;
    }
    return at;
}

/*
 * The word tests are those of S. Anderson, "Bit Twiddling Hacks": "determine if a word has a zero byte" and "has a byte
 * less than n". As answers about the whole word they are exact.
 */
static inline bool json_is_plain_word(uint64_t word, bool *high)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = UINT64_C(0x8080808080808080);
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    uint64_t special = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                       ((word - ones * 0x20) & ~word);
    if ((special & tops) != 0) {
        return false;
    }
    *high |= (word & tops) != 0;
    return true;
}

/* Four to eight bytes as one word; those in the middle may be in it twice. */
static inline uint64_t json_short_word(const char *at, size_t length)
{
    uint32_t first;
    uint32_t last;
    memcpy(&first, at, sizeof first);
    memcpy(&last, at + length - sizeof last, sizeof last);
    return (uint64_t)first << 32 | last;
}

static inline uint64_t json_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline const char *json_scan_words(const char *at, const char *end, bool *high)
{
    bool is_long = end - at >= 8;
    for (; end - at >= 8; at += 8) {
        if (!json_is_plain_word(json_word(at), high)) {
            return json_scan_bytes(at, end, high);
        }
    }
    /* The rest together with bytes that have been seen: what is plain is plain twice. */
    bool is_plain = end == at;
    if (is_long && !is_plain) {
        is_plain = json_is_plain_word(json_word(end - 8), high);
    } else if (end - at >= 4) {
        is_plain = json_is_plain_word(json_short_word(at, (size_t)(end - at)), high);
    }
    return is_plain ? end : json_scan_bytes(at, end, high);
}

#ifdef __SSE2__
/* A byte of ones where x has a quote, a backslash or a control character. */
static inline __m128i json_special(__m128i x)
{
    __m128i special =
        _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')), _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
    return _mm_or_si128(special, _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1F)), x));
}

static inline __m128i json_load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* At least sixteen bytes are there: the first of them that is not plain, or at + 16. */
static inline const char *json_scan_16(const char *at, bool *high)
{
    __m128i x = json_load(at);
    unsigned stops = (unsigned)_mm_movemask_epi8(json_special(x)) | 1U << 16;
    unsigned before = (unsigned)__builtin_ctz(stops);
    *high |= ((unsigned)_mm_movemask_epi8(x) & ((1U << before) - 1)) != 0;
    return at + before;
}

/* Fewer than sixteen bytes, with blanks, which are plain, where there is nothing. */
static inline __m128i json_load_short(const char *at, size_t length)
{
    int64_t first = 0x2020202020202020;
    int64_t last = 0x2020202020202020;
    if (length >= 8) {
        memcpy(&first, at, 8);
        memcpy(&last, at + length - 8, 8);
    } else if (length >= 4) {
        memcpy(&first, at, 4);
        memcpy(&last, at + length - 4, 4);
    } else if (length > 0) {
        first = (unsigned char)at[0];
        first = first << 8 | (unsigned char)at[length / 2];
        first = first << 8 | (unsigned char)at[length - 1];
        first |= 0x2020202020000000;
    }
    return _mm_set_epi64x(last, first);
}

static inline const char *json_scan_short(const char *at, const char *end, bool *high)
{
    __m128i x = json_load_short(at, (size_t)(end - at));
    if (_mm_movemask_epi8(json_special(x)) != 0) {
        return json_scan_bytes(at, end, high);
    }
    *high |= _mm_movemask_epi8(x) != 0;
    return end;
}

/*
 * The end of a plain ASCII string that is over within sixteen bytes, as names and words of most documents are: its closing
 * quote. NULL: look closely.
 */
static inline const char *json_scan_word(const char *at, const char *end)
{
    if (end - at < 16) {
        return NULL;
    }
    __m128i x = json_load(at);
    unsigned stops = (unsigned)_mm_movemask_epi8(json_special(x));
    unsigned tops = (unsigned)_mm_movemask_epi8(x);
    if (stops == 0 || (tops & (stops ^ (stops - 1))) != 0) {
        return NULL;
    }
    const char *stop = at + __builtin_ctz(stops);
    return *stop == '"' ? stop : NULL;
}

static inline const char *json_scan_long(const char *at, const char *end, bool *high)
{
    const char *last = end - 16;
    __m128i seen = _mm_setzero_si128();
    for (; end - at >= 64; at += 64) {
        __m128i x[4] = {json_load(at), json_load(at + 16), json_load(at + 32), json_load(at + 48)};
        __m128i stops = _mm_or_si128(_mm_or_si128(json_special(x[0]), json_special(x[1])),
                                     _mm_or_si128(json_special(x[2]), json_special(x[3])));
        if (_mm_movemask_epi8(stops) != 0) {
            break;
        }
        seen = _mm_or_si128(seen, _mm_or_si128(_mm_or_si128(x[0], x[1]), _mm_or_si128(x[2], x[3])));
    }
    *high |= _mm_movemask_epi8(seen) != 0;
    while (at < last) {
        const char *stop = json_scan_16(at, high);
        at += 16;
        if (stop != at) {
            return stop;
        }
    }
    return json_scan_16(last, high); /* some of it for the second time: it was plain */
}
#else
static inline const char *json_scan_word(const char *at, const char *end)
{
    (void)at;
    (void)end;
    return NULL;
}
#endif

/* First byte in [at, end) that is not plain, or end. *high becomes true when a byte >= 0x80 lies before it. */
static inline const char *json_scan(const char *at, const char *end, bool *high)
{
#ifdef __SSE2__
    /* Most strings are names and words: they end within the first sixteen bytes. */
    if (end - at >= 16) {
        const char *stop = json_scan_16(at, high);
        return stop != at + 16 ? stop : json_scan_long(stop, end, high);
    }
    return json_scan_short(at, end, high);
#else
    return json_scan_words(at, end, high);
#endif
}

#endif
