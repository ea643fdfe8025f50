/*
 * Whether text that comes in pieces is a whole JSON value yet.
 *
 * Happy path: byte after byte moves a small state; what stands inside a string is skipped as fast as the parser does it.
 * An open container is one bit, so that nothing is allocated. Once a byte fits nowhere, the state stays WRONG.
 * The grammar is the parser's (read.c), which a fuzz target holds it to. Source: RFC 8259 sections 2 to 8.
 */
#include "remora/json.h"

#include "remora/limits.h"

#include "scan.h"

enum state {
    VALUE,         /* a value is due; zero: also the beginning */
    FIRST_ELEMENT, /* a value, or the array's end */
    FIRST_NAME,    /* a member's name, or the object's end */
    NAME,          /* a member's name */
    COLON,         /* behind a name */
    BEHIND,        /* a value has ended */
    TEXT,          /* inside a string */
    ESCAPE,        /* behind its backslash */
    HEX,           /* in the digits of \u */
    LOW_BACKSLASH, /* behind a high surrogate */
    LOW_U,         /* and its backslash */
    LITERAL,       /* true, false, null */
    MINUS,         /* a number may end in ZERO, WHOLE, FRACTION and EXPONENT */
    ZERO,
    WHOLE,
    POINT,
    FRACTION,
    EXPONENT_MARK,
    EXPONENT_SIGN,
    EXPONENT,
    WRONG,
};

static const char *const literals[] = {"true", "false", "null"};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_in_object(const struct remora_json_progress *p)
{
    return (p->objects & 1) != 0;
}

static void open_container(struct remora_json_progress *p, bool is_object)
{
    if (p->depth == REMORA_LIMIT_JSON_DEPTH) {
        p->state = WRONG;
        return;
    }
    p->depth++;
    p->objects = p->objects << 1 | (is_object ? 1 : 0);
    p->state = is_object ? FIRST_NAME : FIRST_ELEMENT;
}

static void close_container(struct remora_json_progress *p, char c)
{
    bool is_right = p->depth > 0 && (c == '}') == is_in_object(p);
    p->depth -= is_right ? 1 : 0;
    p->objects >>= is_right ? 1 : 0;
    p->state = is_right ? BEHIND : WRONG;
}

static void begin_text(struct remora_json_progress *p, bool is_name)
{
    p->is_name = is_name;
    p->state = TEXT;
}

static void begin_literal(struct remora_json_progress *p, char c)
{
    p->state = WRONG;
    for (uint8_t i = 0; i < REMORA_COUNT_OF(literals); i++) {
        if (literals[i][0] == c) {
            p->literal = i;
            p->place = 1;
            p->state = LITERAL;
        }
    }
}

static void begin_value(struct remora_json_progress *p, char c)
{
    if (c == '{' || c == '[') {
        open_container(p, c == '{');
    } else if (c == '"') {
        begin_text(p, false);
    } else if (c == '-') {
        p->state = MINUS;
    } else if (is_digit(c)) {
        p->state = c == '0' ? ZERO : WHOLE;
    } else {
        begin_literal(p, c);
    }
}

/* Behind a value. */
static void step_behind(struct remora_json_progress *p, char c)
{
    if (c == '}' || c == ']') {
        close_container(p, c);
    } else if (c == ',' && p->depth > 0) {
        p->state = is_in_object(p) ? NAME : VALUE;
    } else {
        p->state = WRONG;
    }
}

/* Where blanks may stand. */
static void step_between(struct remora_json_progress *p, char c)
{
    if (is_blank(c)) {
        return;
    }
    bool is_end = (p->state == FIRST_ELEMENT && c == ']') || (p->state == FIRST_NAME && c == '}');
    if (p->state == BEHIND || is_end) {
        step_behind(p, c);
    } else if (p->state == VALUE || p->state == FIRST_ELEMENT) {
        begin_value(p, c);
    } else if (p->state == COLON) {
        p->state = c == ':' ? VALUE : WRONG;
    } else if (c == '"') {
        begin_text(p, true);
    } else {
        p->state = WRONG;
    }
}

static void step_literal(struct remora_json_progress *p, char c)
{
    const char *literal = literals[p->literal];
    if (literal[p->place] != c) {
        p->state = WRONG;
        return;
    }
    p->place++;
    p->state = literal[p->place] == '\0' ? BEHIND : LITERAL;
}

static bool may_end(enum state state)
{
    return state == ZERO || state == WHOLE || state == FRACTION || state == EXPONENT;
}

/* Where a number goes with this byte; WRONG: nowhere. */
static enum state next_of_number(enum state state, char c)
{
    bool has_exponent = state == EXPONENT_MARK || state == EXPONENT_SIGN || state == EXPONENT;
    if (is_digit(c)) {
        if (state == MINUS) {
            return c == '0' ? ZERO : WHOLE;
        }
        if (state == ZERO) {
            return WRONG;
        }
        bool has_point = state == POINT || state == FRACTION;
        return has_exponent ? EXPONENT : has_point ? FRACTION : WHOLE;
    }
    if (c == '.' && (state == ZERO || state == WHOLE)) {
        return POINT;
    }
    if ((c == 'e' || c == 'E') && may_end(state) && !has_exponent) {
        return EXPONENT_MARK;
    }
    return (c == '+' || c == '-') && state == EXPONENT_MARK ? EXPONENT_SIGN : WRONG;
}

static void step_number(struct remora_json_progress *p, char c)
{
    enum state state = (enum state)p->state;
    enum state next = next_of_number(state, c);
    if (next == WRONG && may_end(state)) {
        p->state = BEHIND; /* the byte belongs to what follows */
        step_between(p, c);
        return;
    }
    p->state = next;
}

static void step_hex(struct remora_json_progress *p, char c)
{
    unsigned letter = ((unsigned char)c | 0x20U) - 'a';
    if (!is_digit(c) && letter > 5) {
        p->state = WRONG;
        return;
    }
    unsigned digit = is_digit(c) ? (unsigned)(c - '0') : letter + 10;
    p->unit = (uint16_t)(p->unit << 4 | digit);
    p->place++;
    if (p->place < 4) {
        return;
    }
    bool is_low = p->unit >= 0xDC00 && p->unit <= 0xDFFF;
    bool is_high = p->unit >= 0xD800 && p->unit <= 0xDBFF;
    if (is_low != p->is_low_surrogate) {
        p->state = WRONG;
        return;
    }
    p->is_low_surrogate = is_high;
    p->state = is_high ? LOW_BACKSLASH : TEXT;
}

static void begin_hex(struct remora_json_progress *p)
{
    p->place = 0;
    p->unit = 0;
    p->state = HEX;
}

static void step_escape(struct remora_json_progress *p, char c)
{
    if (c == 'u') {
        begin_hex(p);
    } else {
        p->state = c != '\0' && strchr("\"\\/bfnrt", c) != NULL ? TEXT : WRONG;
    }
}

/* One byte inside a string that is not plain. */
static void step_text(struct remora_json_progress *p, char c)
{
    if (c == '"') {
        p->state = p->is_name ? COLON : BEHIND;
    } else {
        p->state = c == '\\' ? ESCAPE : WRONG;
    }
}

static void step(struct remora_json_progress *p, char c)
{
    switch ((enum state)p->state) {
    case VALUE:
    case FIRST_ELEMENT:
    case FIRST_NAME:
    case NAME:
    case COLON:
    case BEHIND:
        step_between(p, c);
        return;
    case TEXT:
        step_text(p, c);
        return;
    case ESCAPE:
        step_escape(p, c);
        return;
    case HEX:
        step_hex(p, c);
        return;
    case LOW_BACKSLASH:
        p->state = c == '\\' ? LOW_U : WRONG;
        return;
    case LOW_U:
        if (c == 'u') {
            begin_hex(p);
        } else {
            p->state = WRONG;
        }
        return;
    case LITERAL:
        step_literal(p, c);
        return;
    case MINUS:
    case ZERO:
    case WHOLE:
    case POINT:
    case FRACTION:
    case EXPONENT_MARK:
    case EXPONENT_SIGN:
    case EXPONENT:
        step_number(p, c);
        return;
    case WRONG:
        return;
    }
}

void remora_json_progress_feed(struct remora_json_progress *progress, struct remora_slice piece)
{
    if (piece.length == 0) {
        return;
    }
    const char *end = piece.data + piece.length;
    bool is_high_seen = false; /* of no interest here */
    for (const char *at = piece.data; at < end && progress->state != WRONG; at++) {
        if (progress->state == TEXT) {
            at = json_scan(at, end, &is_high_seen);
            if (at == end) {
                return;
            }
        }
        step(progress, *at);
    }
}

bool remora_json_progress_is_empty(const struct remora_json_progress *progress)
{
    return progress->depth == 0 && progress->state == VALUE;
}

bool remora_json_progress_is_whole(const struct remora_json_progress *progress)
{
    enum state state = (enum state)progress->state;
    return progress->depth == 0 && (state == BEHIND || may_end(state));
}
