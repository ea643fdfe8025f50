/* What a large answer holds until it is whole, and that new requests are refused for it but nothing that is under way. */
#include "engine_fixture.h"

#include "../../src/engine/admission.h"

#define KIB         1024
#define BLOCK_BYTES (16 * KIB)

static struct engine_fixture *f;

static int set_up(void **state)
{
    (void)state;
    f = fixture_new("");
    remora_admission_set_bytes(f->admission, 256 * KIB);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(remora_admission_arriving_bytes(f->admission), 0);
    fixture_free(f);
    return 0;
}

/* `blocks` of 16 KiB, all white space: of an answer in one piece they are kept, of a stream they say nothing. */
static void play_blocks(size_t index, int blocks)
{
    char block[BLOCK_BYTES + 1];
    memset(block, '\n', BLOCK_BYTES);
    block[BLOCK_BYTES] = '\0';
    for (int i = 0; i < blocks; i++) {
        (void)play_body(f, index, block);
    }
}

static void begin(enum remora_delivery delivery, int blocks)
{
    fixture_start(f, delivery, "t/m");
    play_head(f, 0, 200, NULL);
    play_blocks(0, blocks);
}

static enum remora_code enter(size_t bytes)
{
    enum remora_code code = remora_admission_enter(f->admission, bytes, NULL);
    if (code == REMORA_OK) {
        remora_admission_leave(f->admission, bytes);
    }
    return code;
}

static void a_large_answer_is_counted_while_it_comes_and_given_back_when_it_is_told(void **state)
{
    (void)state;
    begin(REMORA_UNARY, 4);
    assert_int_equal(remora_admission_arriving_bytes(f->admission), 0); /* as many are */
    play_blocks(0, 1);
    assert_int_equal(remora_admission_arriving_bytes(f->admission), 5 * BLOCK_BYTES);
    play_blocks(0, 1);
    assert_int_equal(remora_admission_arriving_bytes(f->admission), 6 * BLOCK_BYTES);
    size_t left_bytes = 160 * KIB - remora_admission_bytes(f->admission);
    assert_int_equal(enter(left_bytes), REMORA_OK);
    assert_int_equal(enter(left_bytes + 1), REMORA_SHEDDING);
    play_blocks(0, 12); /* beyond all there is: it goes on */
    assert_int_equal(enter(1), REMORA_SHEDDING);
    play_answer(f, 0, 200,
                "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}");
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
    assert_int_equal(enter(256 * KIB), REMORA_OK);
}

static void one_that_fails_is_given_back_before_the_next_attempt(void **state)
{
    (void)state;
    begin(REMORA_UNARY, 6);
    play_end(f, 0, REMORA_CAUSE_RESET);
    assert_int_equal(f->transfer_count, 2);
    assert_int_equal(remora_admission_arriving_bytes(f->admission), 0);
    play_good_unary(f, 1, "x");
}

static void one_whose_caller_leaves_is_given_back(void **state)
{
    (void)state;
    begin(REMORA_UNARY, 6);
    remora_exchange_cancel(f->exchange, REMORA_CLIENT_GONE);
    f->exchange = NULL;
    assert_int_equal(remora_admission_arriving_bytes(f->admission), 0);
}

static void a_stream_is_told_as_it_comes_and_holds_nothing(void **state)
{
    (void)state;
    begin(REMORA_STREAM, 6);
    assert_int_equal(remora_admission_arriving_bytes(f->admission), 0);
    (void)play_body(f, 0, CHUNK_TEXT("x") CHUNK_STOP CHUNK_DONE);
    assert_int_equal(f->outcome.fail.code, REMORA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_large_answer_is_counted_while_it_comes_and_given_back_when_it_is_told, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(one_that_fails_is_given_back_before_the_next_attempt,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_whose_caller_leaves_is_given_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_is_told_as_it_comes_and_holds_nothing, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
