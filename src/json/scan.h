/*
 * Finding the end of plain text inside a JSON string: the first quote, backslash or control character. Sixteen or thirty-two
 * bytes at a time where SSE2 is there, eight otherwise.
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

static inline const char *json_scan_words(const char *at, const char *end, bool *high)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        if (!json_is_plain_word(word, high)) {
            return json_scan_bytes(at, end, high);
        }
        at += 8;
    }
    if (end - at >= 4 && json_is_plain_word(json_short_word(at, (size_t)(end - at)), high)) {
        return end;
    }
    return json_scan_bytes(at, end, high);
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
#endif

/* First byte in [at, end) that is not plain, or end. *high becomes true when a byte >= 0x80 lies before it. */
static inline const char *json_scan(const char *at, const char *end, bool *high)
{
#ifdef __SSE2__
    while (end - at >= 32) {
        __m128i first = json_load(at);
        __m128i second = json_load(at + 16);
        if (_mm_movemask_epi8(_mm_or_si128(json_special(first), json_special(second))) != 0) {
            break;
        }
        *high |= _mm_movemask_epi8(_mm_or_si128(first, second)) != 0;
        at += 32;
    }
    while (end - at >= 16) {
        __m128i x = json_load(at);
        unsigned stops = (unsigned)_mm_movemask_epi8(json_special(x));
        unsigned tops = (unsigned)_mm_movemask_epi8(x);
        if (stops != 0) {
            unsigned before = (unsigned)__builtin_ctz(stops);
            *high |= (tops & ((1U << before) - 1)) != 0;
            return at + before;
        }
        *high |= tops != 0;
        at += 16;
    }
#endif
    return json_scan_words(at, end, high);
}

#endif
