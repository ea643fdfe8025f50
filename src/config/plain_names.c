/*
 * Names of the document (an alias, a model, a service) that YAML 1.1 takes for something else than text when they stand without
 * quotes. Here they are the text that was written; Helm, which reads 1.1, hands `on` to the chart as "true", 4.10 as "4.1" and 5_000 as
 * "5000". They are warned of. Numbers in that older spelling are refused where values are checked (check.c).
 * Source: yaml.org/type "bool", "null", "float" and "int" (YAML 1.1 types, read 2026-11).
 */
#include "loader.h"

#include "remora/decimal.h"

enum { NUMBER_BYTES = 64 }; /* longer ones are no numbers to anybody */

static bool is_word(struct remora_slice name)
{
    static const char *const words[] = {"y",   "n",    "yes",   "no",   "on",
                                        "off", "true", "false", "null", "~"};
    for (size_t i = 0; i < REMORA_COUNT_OF(words); i++) {
        if (remora_slice_equal_nocase(name, remora_slice_of(words[i]))) {
            return true;
        }
    }
    return false;
}

/* 0x1f, 0b11, 0o17: with letters of 16 in each, which tells them well enough from words. */
static bool is_based(struct remora_slice digits)
{
    bool found =
        digits.length > 2 && digits.data[0] == '0' && strchr("xbo", digits.data[1]) != NULL;
    for (size_t i = 2; i < digits.length && found; i++) {
        found = digits.data[i] != '\0' && strchr("0123456789abcdefABCDEF", digits.data[i]) != NULL;
    }
    return found;
}

/* 1.1 allows _ between digits and drops it. A name that would be no number without is cut, which makes it none either. */
static struct remora_slice without_groups(struct remora_slice name, char out[NUMBER_BYTES])
{
    size_t length = 0;
    for (size_t i = 0; i < name.length && length < NUMBER_BYTES; i++) {
        if (name.data[i] != '_' || i == 0) {
            out[length++] = name.data[i];
        }
    }
    return remora_slice(out, length);
}

/* Digits with at most one point among them, however many: Helm rounds what has more than its numbers hold, and .5 is "0.5". */
static bool is_digits(struct remora_slice digits)
{
    size_t points = 0;
    size_t others = 0;
    for (size_t i = 0; i < digits.length; i++) {
        points += digits.data[i] == '.';
        others += digits.data[i] != '.' && (digits.data[i] < '0' || digits.data[i] > '9');
    }
    return others == 0 && points <= 1 && digits.length > points;
}

static bool is_number(struct remora_slice name)
{
    char room[NUMBER_BYTES];
    int64_t ignored = 0;
    bool has_sign = name.length > 1 && (name.data[0] == '-' || name.data[0] == '+');
    struct remora_slice digits =
        without_groups(has_sign ? remora_slice(name.data + 1, name.length - 1) : name, room);
    return is_based(digits) || is_digits(digits) || remora_decimal_floor(digits, 0, &ignored, NULL);
}

/* The tree's depth is bounded (REMORA_LIMIT_CONFIG_DEPTH). */
void config_warn_of_plain_names(struct config_loader *loader, const struct config_node *node)
{
    const struct config_node *first = node == NULL ? NULL : node->first;
    for (const struct config_node *item = first; item != NULL; item = item->next) {
        if (item->is_plain_key && (is_word(item->key) || is_number(item->key))) {
            config_warn(loader, item,
                        "the name is no text to YAML 1.1, which Helm reads: put it in quotes");
        }
        config_warn_of_plain_names(loader, item);
    }
}
