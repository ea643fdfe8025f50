// Finding the behaviour for a name, and reading from the request what behaviours want to know.
#include "fault_behaviour.h"

#include <stdio.h>
#include <string.h>

#define FAULT(pattern, function, argument, moment, description) \
    void function(struct script *script, const struct demand *demand);
#include "fault_table.h"
#undef FAULT

static const struct behaviour table[] = {
#define FAULT(pattern, function, argument, moment, description) \
    {pattern, function, argument, moment, description},
#include "fault_table.h"
#undef FAULT
};

static size_t digits(struct slice name, size_t at, unsigned *number)
{
    size_t count = 0;
    unsigned value = 0;
    while (at + count < name.length && count < 8 && name.data[at + count] >= '0' &&
           name.data[at + count] <= '9') {
        value = value * 10 + (unsigned)(name.data[at + count] - '0');
        count++;
    }
    *number = value;
    return count;
}

static bool matches(const char *pattern, struct slice name, unsigned number[2])
{
    size_t at = 0;
    unsigned numbers = 0;
    number[0] = number[1] = 0;
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '#') {
            size_t count = digits(name, at, &number[numbers < 2 ? numbers : 1]);
            if (count == 0) {
                return false;
            }
            numbers++;
            at += count;
        } else if (at >= name.length || name.data[at++] != *pattern) {
            return false;
        }
    }
    return at == name.length;
}

static struct slice without_tag(struct slice name)
{
    const char *tag = name.length ? memchr(name.data, '@', name.length) : NULL;
    return tag ? (struct slice){name.data, (size_t)(tag - name.data)} : name;
}

const struct behaviour *behaviour_find(struct slice name, unsigned number[2])
{
    struct slice bare = without_tag(name);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (matches(table[i].pattern, bare, number)) {
            return &table[i];
        }
    }
    return NULL;
}

struct slice model_of(struct slice body)
{
    struct slice model = json_string_inner(json_member(body, "model"));
    const char *slash = model.length ? memrchr(model.data, '/', model.length) : NULL;
    if (slash != NULL) {
        model.length -= (size_t)(slash + 1 - model.data);
        model.data = slash + 1;
    }
    return model;
}

// The text of a message's content: a string, or the first part that has a text.
static struct slice content_text(struct slice message)
{
    struct slice content = json_member(message, "content");
    struct slice part;
    while (json_element(&content, &part)) {
        struct slice text = json_string_inner(json_member(part, "text"));
        if (text.data != NULL) {
            return text;
        }
    }
    return json_string_inner(content);
}

void demand_read(struct demand *demand, struct slice name, struct slice body)
{
    demand->name = without_tag(name);
    demand->stream = slice_is(json_member(body, "stream"), "true");
    struct slice usage = json_member(json_member(body, "stream_options"), "include_usage");
    demand->include_usage = slice_is(usage, "true");
    struct slice messages = json_member(body, "messages");
    struct slice message;
    while (json_element(&messages, &message)) {
        if (slice_is(json_member(message, "role"), "\"user\"")) {
            demand->asked = content_text(message);
        }
    }
}

void behaviour_list(void)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        printf("%-22s %s%s\n", table[i].pattern, table[i].description,
               table[i].moment == FAULT_AT_ONCE ? " [acts before the body is read]" : "");
    }
}
