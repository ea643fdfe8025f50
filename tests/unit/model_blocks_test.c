/*
 * Paper prototypes of wires with one list of blocks: what Anthropic's Messages and OpenAI's Responses will read out of a
 * request and out of a collected answer, before either is built (src/README.md, "How what is not built yet will fit").
 */
#include "support.h"

#include "remora/answer.h"
#include "remora/buf.h"
#include "remora/request.h"

#include <stdlib.h>

/* ---- a request: the assistant's turn as its blocks come in Anthropic's content ---- */

static void say(struct remora_buf *out, const char *kind, struct remora_slice what)
{
    remora_buf_printf(out, "%s %.*s\n", kind, REMORA_SLICE_ARG(what));
}

static void write_part(struct remora_buf *out, const struct remora_part *part)
{
    say(out, part->kind == REMORA_PART_RAW ? "raw" : "text", part->text);
}

static void write_reasoning(struct remora_buf *out, const struct remora_reasoning_block *block)
{
    if (block->kind == REMORA_REASONING_ENCRYPTED) {
        say(out, "redacted_thinking", block->text);
        return;
    }
    remora_buf_printf(out, "thinking %.*s signature %.*s\n", REMORA_SLICE_ARG(block->text),
                      REMORA_SLICE_ARG(block->signature));
}

static void write_call(struct remora_buf *out, const struct remora_tool_call *call)
{
    remora_buf_printf(out, "tool_use %.*s %.*s%s\n", REMORA_SLICE_ARG(call->name),
                      REMORA_SLICE_ARG(call->arguments_json),
                      call->cache.is_set ? " cache_control" : "");
}

/* What an adapter of such a wire does with a message. */
static void write_blocks(struct remora_buf *out, const struct remora_message *message)
{
    struct remora_blocks blocks = {.message = message};
    struct remora_block block;
    while (remora_blocks_next(&blocks, &block)) {
        if (block.reasoning != NULL) {
            write_reasoning(out, block.reasoning);
        } else if (block.part != NULL) {
            write_part(out, block.part);
        } else {
            write_call(out, block.call);
        }
    }
}

static void assert_blocks(const struct remora_message *message, const char *expected)
{
    struct remora_buf out;
    remora_buf_init(&out, 4096);
    write_blocks(&out, message);
    assert_slice_equal(remora_buf_slice(&out), expected);
    remora_buf_fini(&out);
}

#define SERVER_USE    "{\"type\":\"server_tool_use\",\"id\":\"srvtoolu_1\",\"name\":\"web_search\"}"
#define SERVER_RESULT "{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"srvtoolu_1\"}"

static const struct remora_reasoning_block thoughts[] = {
    {.kind = REMORA_REASONING_TEXT,
     .text = REMORA_SLICE_INIT("search first"),
     .signature = REMORA_SLICE_INIT("s1"),
     .position = 1},
    {.kind = REMORA_REASONING_TEXT,
     .text = REMORA_SLICE_INIT("now edit"),
     .signature = REMORA_SLICE_INIT("s2"),
     .position = 4},
    {.kind = REMORA_REASONING_ENCRYPTED, .text = REMORA_SLICE_INIT("Zm9v"), .position = 5},
};
static const struct remora_part parts[] = {
    {.kind = REMORA_PART_RAW, .text = REMORA_SLICE_INIT(SERVER_USE), .position = 2},
    {.kind = REMORA_PART_RAW, .text = REMORA_SLICE_INIT(SERVER_RESULT), .position = 3},
    {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("I found it."), .position = 6},
};
static const struct remora_tool_call calls[] = {
    {.id = REMORA_SLICE_INIT("toolu_1"),
     .name = REMORA_SLICE_INIT("Read"),
     .arguments_json = REMORA_SLICE_INIT("{}"),
     .position = 7},
    {.id = REMORA_SLICE_INIT("toolu_2"),
     .index = 1,
     .name = REMORA_SLICE_INIT("Edit"),
     .arguments_json = REMORA_SLICE_INIT("{}"),
     .cache = {.is_set = true, .ttl_s = 3600},
     .position = 8},
};

static void blocks_of_an_assistant_come_back_in_their_places(void **state)
{
    const struct remora_message message = {.role = REMORA_ROLE_ASSISTANT,
                                           .parts = parts,
                                           .part_count = REMORA_COUNT_OF(parts),
                                           .tool_calls = calls,
                                           .tool_call_count = REMORA_COUNT_OF(calls),
                                           .reasoning = thoughts,
                                           .reasoning_count = REMORA_COUNT_OF(thoughts)};
    (void)state;
    assert_blocks(&message, "thinking search first signature s1\n"
                            "raw " SERVER_USE "\n"
                            "raw " SERVER_RESULT "\n"
                            "thinking now edit signature s2\n"
                            "redacted_thinking Zm9v\n"
                            "text I found it.\n"
                            "tool_use Read {}\n"
                            "tool_use Edit {} cache_control\n");
}

/* As chat's messages are: nobody has said where a block stood. */
static void without_positions_reasoning_is_first_and_calls_are_last(void **state)
{
    const struct remora_part text = {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("hi")};
    const struct remora_tool_call call = {.name = REMORA_SLICE_INIT("f")};
    const struct remora_reasoning_block thought = {.text = REMORA_SLICE_INIT("hm")};
    const struct remora_message message = {.parts = &text,
                                           .part_count = 1,
                                           .tool_calls = &call,
                                           .tool_call_count = 1,
                                           .reasoning = &thought,
                                           .reasoning_count = 1};
    (void)state;
    assert_blocks(&message, "thinking hm signature \ntext hi\ntool_use f \n");
}

static void a_message_without_anything_has_no_block(void **state)
{
    const struct remora_message message = {0};
    struct remora_blocks blocks = {.message = &message};
    struct remora_block block = {.part = parts};
    (void)state;
    assert_false(remora_blocks_next(&blocks, &block));
    assert_null(block.part);
}

/* ---- an answer: the blocks of a whole one, each text with its citations ---- */

struct fixture {
    struct remora_arena arena;
    struct remora_answer answer;
};

static void begin(struct fixture *f)
{
    remora_arena_init(&f->arena, 1024, 1 << 20);
    remora_answer_init(&f->answer, &f->arena);
}

static void add(struct fixture *f, struct remora_event event)
{
    assert_int_equal(remora_answer_add(&f->answer, &event), REMORA_OK);
}

static void add_text(struct fixture *f, int32_t block, const char *text)
{
    struct remora_event event = {.kind = REMORA_EVENT_TEXT};
    event.text.block_index = block;
    event.text.text = remora_slice_of(text);
    add(f, event);
}

static void add_citation(struct fixture *f, int32_t text, const char *url)
{
    struct remora_event event = {.kind = REMORA_EVENT_ANNOTATION};
    event.annotation.text_index = text;
    event.annotation.url = remora_slice_of(url);
    add(f, event);
}

static void add_thought(struct fixture *f, int32_t block, const char *text, const char *signature)
{
    struct remora_event event = {.kind = REMORA_EVENT_REASONING};
    event.reasoning.block_index = block;
    event.reasoning.block.text = remora_slice_of(text);
    event.reasoning.block.signature = remora_slice_of(signature);
    add(f, event);
}

static void add_call(struct fixture *f, int32_t index, const char *name, const char *arguments)
{
    struct remora_event event = {.kind = REMORA_EVENT_TOOL_CALL};
    event.tool_call.index = index;
    event.tool_call.name = remora_slice_of(name);
    event.tool_call.arguments = remora_slice_of(arguments);
    add(f, event);
}

static void add_raw(struct fixture *f, const char *raw)
{
    struct remora_event event = {.kind = REMORA_EVENT_RAW};
    event.raw = remora_slice_of(raw);
    add(f, event);
}

static void write_text(struct remora_buf *out, const struct remora_answer_choice *choice,
                       const struct remora_answer_text *text, struct remora_slice all)
{
    say(out, "text", remora_slice(all.data + text->from, text->length));
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        if (i->event.kind == REMORA_EVENT_ANNOTATION &&
            i->event.annotation.text_index == text->index) {
            say(out, "  cites", i->event.annotation.url);
        }
    }
}

/* The block at a position, whatever it is; nothing where an annotation stands, which is told with its text. */
static void write_block(struct remora_buf *out, struct fixture *f,
                        const struct remora_answer_choice *choice, int32_t position)
{
    struct remora_slice all = remora_fragments_join(&choice->text, &f->arena);
    for (const struct remora_answer_text *t = choice->texts; t != NULL; t = t->next) {
        if (t->position == position) {
            write_text(out, choice, t, all);
        }
    }
    for (const struct remora_answer_block *b = choice->reasoning; b != NULL; b = b->next) {
        struct remora_reasoning_block block = b->block;
        block.text = remora_fragments_join(&b->text, &f->arena);
        if (block.position == position) {
            write_reasoning(out, &block);
        }
    }
    for (const struct remora_answer_tool_call *c = choice->tool_calls; c != NULL; c = c->next) {
        if (c->position == position) {
            say(out, "tool_use", c->name);
        }
    }
    for (const struct remora_answer_item *i = choice->items; i != NULL; i = i->next) {
        if (i->position == position && i->event.kind == REMORA_EVENT_RAW) {
            say(out, "raw", i->event.raw);
        }
    }
    if (choice->refusal_position == position) {
        say(out, "refusal", remora_fragments_join(&choice->refusal, &f->arena));
    }
}

static void assert_answer(struct fixture *f, const char *expected)
{
    struct remora_buf out;
    const struct remora_answer_choice *choice = f->answer.choices;
    remora_buf_init(&out, 4096);
    for (int32_t position = 1; position <= choice->positions; position++) {
        write_block(&out, f, choice, position);
    }
    assert_slice_equal(remora_buf_slice(&out), expected);
    remora_buf_fini(&out);
}

static void each_text_of_an_answer_keeps_its_own_citations(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    add_text(&f, 0, "The sky is blue");
    add_text(&f, 0, ".");
    add_citation(&f, 0, "https://a.example/1");
    add_citation(&f, 0, "https://a.example/2");
    add_text(&f, 1, " Grass is");
    add_citation(&f, 1, "https://b.example");
    add_text(&f, 1, " green.");
    add_text(&f, 2, " So it is.");
    assert_answer(&f, "text The sky is blue.\n"
                      "  cites https://a.example/1\n"
                      "  cites https://a.example/2\n"
                      "text  Grass is green.\n"
                      "  cites https://b.example\n"
                      "text  So it is.\n");
    assert_slice_equal(remora_fragments_join(&f.answer.choices->text, &f.arena),
                       "The sky is blue. Grass is green. So it is.");
    remora_arena_fini(&f.arena);
}

static void blocks_of_an_answer_stand_in_the_order_in_which_they_began(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    add_thought(&f, 0, "search", "");
    add_thought(&f, 0, " first", "s1");
    add_raw(&f, SERVER_USE);
    add_raw(&f, SERVER_RESULT);
    add_thought(&f, 1, "now edit", "s2");
    add_text(&f, 0, "Found: ");
    add_call(&f, 0, "Read", "{");
    add_call(&f, 1, "Edit", "{}");
    add_call(&f, 0, "", "}");
    add_text(&f, 1, "done");
    assert_answer(&f, "thinking search first signature s1\n"
                      "raw " SERVER_USE "\n"
                      "raw " SERVER_RESULT "\n"
                      "thinking now edit signature s2\n"
                      "text Found: \n"
                      "tool_use Read\n"
                      "tool_use Edit\n"
                      "text done\n");
    remora_arena_fini(&f.arena);
}

static void a_refusal_has_its_place_and_each_choice_its_own_count(void **state)
{
    struct fixture f;
    struct remora_event refusal = {.kind = REMORA_EVENT_REFUSAL};
    (void)state;
    begin(&f);
    add_text(&f, 0, "Well,");
    refusal.text.text = REMORA_SLICE("I ca");
    add(&f, refusal);
    add_call(&f, 0, "Read", "{}");
    refusal.text.text = REMORA_SLICE("n't.");
    add(&f, refusal);
    refusal.choice_index = 1;
    add(&f, refusal);
    assert_answer(&f, "text Well,\nrefusal I can't.\ntool_use Read\n");
    assert_int_equal(f.answer.choices->next->refusal_position, 1);
    remora_arena_fini(&f.arena);
}

static void the_stop_text_is_kept(void **state)
{
    struct fixture f;
    char bytes[] = "###";
    struct remora_event event = {.kind = REMORA_EVENT_CHOICE_FINISHED};
    (void)state;
    begin(&f);
    event.finished.reason = REMORA_FINISH_STOP;
    event.finished.stop = remora_slice_of(bytes);
    add(&f, event);
    bytes[0] = 'x';
    assert_slice_equal(f.answer.choices->stop, "###");
    remora_arena_fini(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_an_assistant_come_back_in_their_places),
        cmocka_unit_test(without_positions_reasoning_is_first_and_calls_are_last),
        cmocka_unit_test(a_message_without_anything_has_no_block),
        cmocka_unit_test(each_text_of_an_answer_keeps_its_own_citations),
        cmocka_unit_test(blocks_of_an_answer_stand_in_the_order_in_which_they_began),
        cmocka_unit_test(a_refusal_has_its_place_and_each_choice_its_own_count),
        cmocka_unit_test(the_stop_text_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
