/*
 * Times that providers and people write: Retry-After and durations.
 * Sources: RFC 9110 section 10.2.3 (Retry-After) and 5.6.7 (the three date formats, two-digit years); protobuf JSON
 * mapping of google.protobuf.Duration ("34.4s"); Go's time.Duration text ("6m0s"), which rate limit headers use.
 */
#include "remora/text.h"

#include "remora/decimal.h"

enum { RETRY_AFTER_MOST_MS = 3600000 };

/* A reader of fixed shapes; `ok` falls at the first thing that does not fit. */
struct cursor {
    struct remora_slice rest;
    bool ok;
};

static void skip_text(struct cursor *c, const char *text)
{
    struct remora_slice expected = remora_slice_of(text);
    c->ok = c->ok && remora_slice_starts_with(c->rest, expected);
    if (c->ok) {
        c->rest.data += expected.length;
        c->rest.length -= expected.length;
    }
}

/* `digits` characters; a blank may stand for a leading zero (asctime). */
static int64_t take_number(struct cursor *c, size_t digits)
{
    uint64_t value = 0;
    struct remora_slice text = remora_slice(c->rest.data, digits);
    if (!c->ok || c->rest.length < digits) {
        c->ok = false;
        return 0;
    }
    if (digits == 2 && text.data[0] == ' ') {
        text = remora_slice(text.data + 1, 1);
    }
    c->ok = remora_parse_u64(text, &value);
    c->rest.data += digits;
    c->rest.length -= digits;
    return (int64_t)value;
}

/* 1 to 12. */
static int64_t take_month(struct cursor *c)
{
    static const char names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (size_t i = 0; c->ok && i < REMORA_COUNT_OF(names); i++) {
        if (remora_slice_starts_with(c->rest, remora_slice_of(names[i]))) {
            skip_text(c, names[i]);
            return (int64_t)i + 1;
        }
    }
    c->ok = false;
    return 0;
}

static void skip_letters(struct cursor *c)
{
    while (c->rest.length > 0 && (unsigned char)((c->rest.data[0] | 0x20) - 'a') < 26) {
        c->rest.data++;
        c->rest.length--;
    }
}

/* Days from 1970-01-01 to a date of the Gregorian calendar: 365 a year and the leap days of whole years before March. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t last = month > 2 ? year : year - 1;
    int64_t leap_days = last / 4 - last / 100 + last / 400;
    return (year - 1970) * 365 + leap_days - 477 + before[month - 1] + day - 1;
}

struct date {
    int64_t year, month, day, hour, minute, second;
};

static void take_clock(struct cursor *c, struct date *date)
{
    date->hour = take_number(c, 2);
    skip_text(c, ":");
    date->minute = take_number(c, 2);
    skip_text(c, ":");
    date->second = take_number(c, 2);
}

/* RFC 9110 5.6.7: a two-digit year more than 50 years ahead is of the century before. */
static int64_t full_year(int64_t two_digits, int64_t now_unix_ms)
{
    int64_t now_year = 1970 + now_unix_ms / 1000 / 31556952;
    int64_t year = now_year - now_year % 100 + two_digits;
    return year > now_year + 50 ? year - 100 : year;
}

/* Behind ", ": "06 Nov 1994 08:49:37 GMT" or "06-Nov-94 08:49:37 GMT". */
static void take_gmt_date(struct cursor *c, int64_t now_unix_ms, struct date *date)
{
    skip_text(c, ", ");
    date->day = take_number(c, 2);
    bool is_rfc850 = c->rest.length > 0 && c->rest.data[0] == '-';
    skip_text(c, is_rfc850 ? "-" : " ");
    date->month = take_month(c);
    skip_text(c, is_rfc850 ? "-" : " ");
    date->year = take_number(c, is_rfc850 ? 2 : 4);
    date->year = is_rfc850 ? full_year(date->year, now_unix_ms) : date->year;
    skip_text(c, " ");
    take_clock(c, date);
    skip_text(c, " GMT");
}

/* Behind the day's name: " Nov  6 08:49:37 1994". */
static void take_asctime(struct cursor *c, struct date *date)
{
    skip_text(c, " ");
    date->month = take_month(c);
    skip_text(c, " ");
    date->day = take_number(c, 2);
    skip_text(c, " ");
    take_clock(c, date);
    skip_text(c, " ");
    date->year = take_number(c, 4);
}

/* The day's name is not compared with the date. */
static bool parse_date(struct remora_slice text, int64_t now_unix_ms, int64_t *out_unix_ms)
{
    struct cursor c = {text, true};
    struct date date = {0};
    skip_letters(&c);
    if (c.rest.length > 0 && c.rest.data[0] == ',') {
        take_gmt_date(&c, now_unix_ms, &date);
    } else {
        take_asctime(&c, &date);
    }
    if (!c.ok || c.rest.length > 0 || date.day < 1 || date.day > 31 || date.hour > 23 ||
        date.minute > 59 || date.second > 60 || date.year < 1) {
        return false;
    }
    int64_t days = days_from_date(date.year, date.month, date.day);
    *out_unix_ms = ((days * 24 + date.hour) * 60 + date.minute) * 60000 + date.second * 1000;
    return true;
}

/* How much of `s` is digits and points. */
static size_t number_length(struct remora_slice s)
{
    size_t at = 0;
    while (at < s.length && ((unsigned char)(s.data[at] - '0') <= 9 || s.data[at] == '.')) {
        at++;
    }
    return at;
}

static bool clamp_to(int64_t ms, int64_t *out_ms)
{
    *out_ms = ms < 0 ? 0 : ms > RETRY_AFTER_MOST_MS ? RETRY_AFTER_MOST_MS : ms;
    return true;
}

/* Seconds may have a fraction: the RFC knows none, providers send them. More digits than fit are more than the most. */
bool remora_parse_retry_after(struct remora_slice value, enum remora_retry_after_unit unit,
                              int64_t now_unix_ms, int64_t *out_ms)
{
    int64_t ms;
    uint64_t whole;
    value = remora_slice_trim(value);
    if (value.length > 0 && number_length(value) == value.length) {
        unsigned scale = unit == REMORA_RETRY_AFTER_SECONDS ? 3 : 0;
        if (remora_decimal_parse(value, scale, &ms, NULL)) {
            return clamp_to(ms, out_ms);
        }
        size_t point = remora_slice_find(value, '.', 0);
        if (point == value.length && !remora_parse_u64(value, &whole)) {
            return clamp_to(RETRY_AFTER_MOST_MS, out_ms);
        }
        return false;
    }
    if (unit == REMORA_RETRY_AFTER_MS || !parse_date(value, now_unix_ms, &ms)) {
        return false;
    }
    return clamp_to(ms - now_unix_ms, out_ms);
}

struct unit {
    struct remora_slice name;
    int64_t ms;
};

/* The unit at the start of `s`, which must be smaller than `below_ms`; NULL when there is none. */
static const struct unit *find_unit(struct remora_slice s, int64_t below_ms)
{
    static const struct unit units[] = {
        {REMORA_SLICE_INIT("ms"), 1},
        {REMORA_SLICE_INIT("s"), 1000},
        {REMORA_SLICE_INIT("m"), 60000},
        {REMORA_SLICE_INIT("h"), 3600000},
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(units); i++) {
        if (remora_slice_starts_with(s, units[i].name)) {
            return units[i].ms < below_ms ? &units[i] : NULL;
        }
    }
    return NULL;
}

/* "1h2m3.5s": numbers with units, each smaller than the one before. */
bool remora_parse_duration_ms(struct remora_slice s, int64_t *out_ms)
{
    int64_t total = 0;
    int64_t below_ms = INT64_MAX;
    while (s.length > 0) {
        int64_t thousandths;
        size_t digits = number_length(s);
        struct remora_slice rest = remora_slice(s.data + digits, s.length - digits);
        const struct unit *unit = find_unit(rest, below_ms);
        if (unit == NULL ||
            !remora_decimal_parse(remora_slice(s.data, digits), 3, &thousandths, NULL) ||
            __builtin_mul_overflow(thousandths, unit->ms, &thousandths) ||
            __builtin_add_overflow(total, thousandths, &total)) {
            return false;
        }
        below_ms = unit->ms;
        s = remora_slice(rest.data + unit->name.length, rest.length - unit->name.length);
    }
    if (below_ms == INT64_MAX || total > INT64_MAX - 500) {
        return false;
    }
    *out_ms = (total + 500) / 1000;
    return true;
}
