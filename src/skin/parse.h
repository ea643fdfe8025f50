/*
 * Reading a caller's JSON by tables. An object is a table of fields; a field names its reader, or none when it is documented
 * but not built. Types are strict, null counts as absent unless the row says otherwise, and every
 * refusal names the path of the value ("messages[2].content[0].type") and the cure.
 */
#ifndef REMORA_SKIN_PARSE_H
#define REMORA_SKIN_PARSE_H

#include "remora/json.h"
#include "remora/skin.h"

/* The numbers that a field takes. */
struct parse_range {
    double least;
    double most;
    bool above_least; /* least itself is refused */
};

struct parse {
    struct remora_arena *arena;
    struct remora_request *request;
    struct remora_encoder *encoder;
    struct remora_fail *fail;
    const struct parse_range *range; /* of the row being read */
    size_t part_count;               /* over all messages */
    bool is_neutral;                 /* the reader met a value that asks for nothing (n: 1) */
    enum remora_tristate excludes;   /* reasoning.exclude, as it was said */
    bool includes_usage;             /* stream_options.include_usage: true */
    struct remora_slice key;         /* of the member being read */
    char path[128];                  /* of the value being read */
    size_t path_length;              /* may exceed what path holds: then the path is told cut */
};

/* Reads one value that is not null into target. */
typedef enum remora_code (*parse_fn)(struct parse *p, struct remora_json value, void *target);

enum parse_null {
    PARSE_NULL_IS_ABSENT,
    PARSE_NULL_REFUSED, /* goes to the reader, which refuses the type */
};

/* Rows of parameters say which one they state; the others use this. */
#define PARSE_ASKS_NOTHING REMORA_PARAMETER_COUNT

struct parse_field {
    struct remora_slice name;
    parse_fn read; /* NULL: documented, not built: UNIMPLEMENTED naming the field */
    size_t offset; /* of what it fills, in the target */
    enum remora_parameter asks;
    const struct parse_range *range; /* of a number */
    enum parse_null null;
    const char *instead; /* of one that is not built: what says the same here, NULL: nothing does */
    bool
        is_list; /* of one that is not built: an empty list is its right value, and asks for nothing */
};

struct parse_table {
    const struct parse_field *fields;
    size_t count;
    parse_fn unknown; /* a member without a row, NULL: refused with "did you mean" */
};
#define PARSE_TABLE(rows, unknown_reader)               \
    {                                                   \
        (rows), REMORA_COUNT_OF(rows), (unknown_reader) \
    }

/* Refuses the value at the current path. The message is "<path> <format...>". */
enum remora_code parse_refuse(struct parse *p, enum remora_code code, const char *format, ...)
    REMORA_PRINTF(3, 4);
/* What the arena said when it refused. */
enum remora_code parse_no_room(struct parse *p);

/* The path while a member or element is read. enter returns what leave restores. */
size_t parse_enter(struct parse *p, struct remora_slice key);
size_t parse_enter_index(struct parse *p, uint32_t index);
void parse_leave(struct parse *p, size_t mark);

/*
 * The JSON text at the current path, laid down in the arena. Refused too is what another reader of it may understand
 * differently (remora_json_doubt), at any depth: whatever of it goes on as it came means there what it meant here.
 */
REMORA_MUST_CHECK enum remora_code parse_document(struct parse *p, struct remora_slice text,
                                                  struct remora_json_doc *doc);
/* All members of an object through a table; each row's reader gets target + offset. */
REMORA_MUST_CHECK enum remora_code parse_object(struct parse *p, struct remora_json value,
                                                const struct parse_table *table, void *target);
/* Refuses the member at the current path, a documented one but for capitals: only `right` is read here. */
enum remora_code parse_refuse_spelling(struct parse *p, struct remora_slice right);
/*
 * The same for any member of an object whose name is one of `names` but for capitals: of what goes on as it came, or is looked
 * into before it is read; of anything else than an object nothing. Tables do it by themselves.
 */
REMORA_MUST_CHECK enum remora_code parse_check_spelling(struct parse *p, struct remora_json object,
                                                        const char *const *names, size_t count);
/* The member at the end of the current path through another table: for an `unknown` reader that has one. */
REMORA_MUST_CHECK enum remora_code parse_member(struct parse *p, const struct parse_table *table,
                                                struct remora_json value, void *target);
/* Each element of an array through `read`, into an array of `bytes` each in the arena. */
struct parse_list {
    void *items;
    size_t count;
};
REMORA_MUST_CHECK enum remora_code parse_array(struct parse *p, struct remora_json value,
                                               size_t bytes, parse_fn read, struct parse_list *out);

/* Plain readers: target is what the name says. */
enum remora_code parse_slice(struct parse *p, struct remora_json value, void *target);
enum remora_code parse_id(struct parse *p, struct remora_json value, void *target);
enum remora_code parse_tristate(struct parse *p, struct remora_json value, void *target);
enum remora_code parse_bool(struct parse *p, struct remora_json value, void *target);
enum remora_code parse_raw_object(struct parse *p, struct remora_json value, void *target);
enum remora_code parse_slices(struct parse *p, struct remora_json value, void *target);
/* struct remora_opt_f64 and struct remora_opt_i64, within the row's range. */
enum remora_code parse_opt_f64(struct parse *p, struct remora_json value, void *target);
enum remora_code parse_opt_i64(struct parse *p, struct remora_json value, void *target);
/* A word of a closed set into a slice (the static word itself). */
enum remora_code parse_word_slice(struct parse *p, struct remora_json value,
                                  const char *const *words, size_t count, void *target);
/* A string that `check` takes; it says why not. */
typedef const char *(*parse_check_fn)(struct remora_slice text);
enum remora_code parse_checked(struct parse *p, struct remora_json value, parse_check_fn check,
                               struct remora_slice *out);
/* Accepted and without effect, as documented. */
enum remora_code parse_ignored_bool(struct parse *p, struct remora_json value, void *target);

REMORA_MUST_CHECK enum remora_code parse_integer(struct parse *p, struct remora_json value,
                                                 int64_t least, int64_t most, int64_t *out);
REMORA_MUST_CHECK enum remora_code parse_number(struct parse *p, struct remora_json value,
                                                const struct parse_range *range, double *out);
/* A word of a closed set: *out is its index. */
REMORA_MUST_CHECK enum remora_code parse_word(struct parse *p, struct remora_json value,
                                              const char *const *words, size_t count, size_t *out);

/* ---- the parts of a chat request; targets are the request's own fields ---- */
/* One content part: target is struct remora_part. */
enum remora_code chat_read_part(struct parse *p, struct remora_json value, void *target);
/* `audio` and `images` of an assistant message, as parts. */
enum remora_code chat_read_assistant_audio(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_assistant_image(struct parse *p, struct remora_json value, void *target);
/* `tool_calls`; what they are signed with goes into `signatures`, of struct remora_reasoning_block. */
REMORA_MUST_CHECK enum remora_code chat_read_calls(struct parse *p, struct remora_json value,
                                                   struct remora_message *out,
                                                   struct parse_list *signatures);
/* Behind the message's reasoning. */
REMORA_MUST_CHECK enum remora_code chat_add_signatures(struct parse *p,
                                                       const struct parse_list *signatures,
                                                       struct remora_message *out);
/* The fields that the proto lacks (READ in tbl/chat_fields.h): target is the request. */
extern const struct parse_table chat_further_table;
/* The members of one message. */
extern const struct parse_table chat_message_table;
enum remora_code chat_read_messages(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_tools(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_tool_choice(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_response_format(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_cache(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_provider(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_reasoning(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_effort(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_logit_bias(struct parse *p, struct remora_json value, void *target);
enum remora_code chat_read_metadata(struct parse *p, struct remora_json value, void *target);
/* A member of `value`, at any depth, that would choose a host or a credential: refused. Names of a schema's properties may be any. */
REMORA_MUST_CHECK enum remora_code chat_refuse_choices(struct parse *p, struct remora_json value);
/* The same of the member that is being read, its own name (p->key) included. */
REMORA_MUST_CHECK enum remora_code chat_refuse_choice(struct parse *p, struct remora_json value);
/*
 * Whether the name is made of words that choose a host or a credential (tbl/refused_words.h): one of the request itself, or
 * with `is_top` false one inside the member named `around`.
 */
bool chat_words_choose(struct remora_slice name, struct remora_slice around, bool is_top);
/* A top-level field that no table names: kept, or refused when it would choose a host or a credential. */
enum remora_code chat_read_extra(struct parse *p, struct remora_json value, void *target);

#endif
