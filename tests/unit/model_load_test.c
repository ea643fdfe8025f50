/* What a request brings: text, for estimates. */
#include "support.h"

#include "remora/request.h"

static void media_are_no_text(void **state)
{
    static const struct remora_part parts[] = {
        {.kind = REMORA_PART_TEXT, .text = REMORA_SLICE_INIT("four")},
        {.kind = REMORA_PART_IMAGE, .media = {.value = REMORA_SLICE_INIT("AAAAAAAA")}},
        {.kind = REMORA_PART_IMAGE, .media = {.value = REMORA_SLICE_INIT("http://x")}},
        {.kind = REMORA_PART_AUDIO,
         .media = {.source = REMORA_MEDIA_BASE64, .value = REMORA_SLICE_INIT("AAAAAAAA")}},
    };
    static const struct remora_message message = {.parts = parts, .part_count = 4};
    struct remora_request request;
    (void)state;
    remora_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    assert_int_equal(remora_request_text_bytes(&request), 4);
}

static void all_that_a_model_reads_is_text(void **state)
{
    static const struct remora_tool_call call = {.name = REMORA_SLICE_INIT("f"),
                                                 .arguments_json = REMORA_SLICE_INIT("{}")};
    static const struct remora_reasoning_block block = {.text = REMORA_SLICE_INIT("thus")};
    static const struct remora_message message = {.name = REMORA_SLICE_INIT("bob"),
                                                  .tool_calls = &call,
                                                  .tool_call_count = 1,
                                                  .reasoning = &block,
                                                  .reasoning_count = 1};
    static const struct remora_tool tool = {.name = REMORA_SLICE_INIT("f"),
                                            .description = REMORA_SLICE_INIT("does"),
                                            .parameters_json = REMORA_SLICE_INIT("{}")};
    static const struct remora_embed_input input = {.text = REMORA_SLICE_INIT("embed")};
    struct remora_request request;
    (void)state;
    remora_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    assert_int_equal(remora_request_text_bytes(&request), 10);
    request.tools = &tool;
    request.tool_count = 1;
    assert_int_equal(remora_request_text_bytes(&request), 17);
    request.inputs = &input;
    request.input_count = 1;
    request.response_format.schema_json = REMORA_SLICE("{}");
    request.response_format.pattern = REMORA_SLICE("a*");
    assert_int_equal(remora_request_text_bytes(&request), 26);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_are_no_text),
        cmocka_unit_test(all_that_a_model_reads_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
