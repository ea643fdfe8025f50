/* What "did you mean" offers, and what it does not. */
#include "support.h"

#include <string.h>

#include "remora/guess.h"

static const char *hint_of(const char *asked)
{
    static char hint[REMORA_GUESS_BYTES];
    static const char *const names[] = {"openai", "deepinfra", "acme/echo-1", "acme/echo-2"};
    struct remora_guess guess;
    remora_guess_begin(&guess, remora_slice_of(asked));
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        remora_guess_offer_model(&guess, remora_slice_of(names[i]));
    }
    return remora_guess_hint(&guess, hint);
}

static void the_nearest_name_is_offered(void **state)
{
    (void)state;
    assert_string_equal(hint_of("opnai"), "; did you mean 'openai'?");
    assert_string_equal(hint_of("acme/echo-3"), "; did you mean 'acme/echo-1' or 'acme/echo-2'?");
    assert_string_equal(hint_of("acme/ekko-2"), "; did you mean 'acme/echo-2'?");
}

static void an_id_is_known_without_its_author(void **state)
{
    (void)state;
    assert_string_equal(hint_of("echo-2"), "; did you mean 'acme/echo-2'?");
}

static void case_does_not_count(void **state)
{
    (void)state;
    assert_string_equal(hint_of("OpenAI"), "; did you mean 'openai'?");
    assert_string_equal(hint_of("ACME/ECHO-1"), "; did you mean 'acme/echo-1'?");
}

static void what_is_far_is_not_offered(void **state)
{
    (void)state;
    assert_string_equal(hint_of("groq"), "");
    assert_string_equal(hint_of("open"), "");
    assert_string_equal(hint_of(""), "");
    assert_string_equal(hint_of("deepinfra-or-something-else"), "");
}

static void a_third_of_a_name_may_be_wrong_and_no_more_than_three_letters(void **state)
{
    (void)state;
    assert_string_equal(hint_of("opxxai"), "; did you mean 'openai'?");
    assert_string_equal(hint_of("oxxxai"), "");
    assert_string_equal(hint_of("acme/exxx-1"), "; did you mean 'acme/echo-1'?");
    assert_string_equal(hint_of("acme/exxo-3"), "; did you mean 'acme/echo-1' or 'acme/echo-2'?");
    assert_string_equal(hint_of("acmx/exxx-1"), "");
}

static void the_name_itself_is_no_guess(void **state)
{
    (void)state;
    struct remora_guess guess;
    char hint[REMORA_GUESS_BYTES];
    remora_guess_begin(&guess, REMORA_SLICE("acme"));
    remora_guess_offer(&guess, REMORA_SLICE("acme"), REMORA_SLICE("acme"));
    assert_string_equal(remora_guess_hint(&guess, hint), "");
}

static void a_name_for_people_leads_to_the_slug(void **state)
{
    (void)state;
    struct remora_guess guess;
    char hint[REMORA_GUESS_BYTES];
    remora_guess_begin(&guess, REMORA_SLICE("Google Vertex"));
    remora_guess_offer(&guess, REMORA_SLICE("google-vertex"), REMORA_SLICE("Google Vertex"));
    assert_string_equal(remora_guess_hint(&guess, hint), "; did you mean 'google-vertex'?");
}

static void as_many_as_fit_are_told_each_once(void **state)
{
    (void)state;
    static const char *const names[] = {"a1", "b/a2", "a2", "a3", "a4"};
    char hint[REMORA_GUESS_BYTES];
    char longer[2][65] = {"", ""};
    struct remora_guess guess;
    remora_guess_begin(&guess, REMORA_SLICE("a22"));
    for (size_t i = 0; i < REMORA_COUNT_OF(names); i++) {
        remora_guess_offer(&guess, remora_slice_of(names[i]), REMORA_SLICE("a2"));
        remora_guess_offer(&guess, remora_slice_of(names[i]), REMORA_SLICE("a2"));
    }
    assert_string_equal(remora_guess_hint(&guess, hint), "; did you mean 'a1', 'b/a2' or 'a2'?");
    memset(longer[0], 'n', 64);
    memset(longer[1], 'n', 64);
    longer[0][0] = 'x';
    longer[1][0] = 'y';
    remora_guess_begin(&guess, remora_slice(longer[0] + 1, 63));
    remora_guess_offer(&guess, REMORA_SLICE("x"), remora_slice_of(longer[0]));
    remora_guess_offer(&guess, remora_slice_of(longer[0]), remora_slice_of(longer[0]));
    remora_guess_offer(&guess, remora_slice_of(longer[1]), remora_slice_of(longer[1]));
    assert_int_equal(guess.count, 3);
    assert_int_equal(strlen(remora_guess_hint(&guess, hint)), 15 + 3 + 2 + 66 + 4 + 66 + 1);
    guess.best[0] = remora_slice_of(longer[1]);
    assert_int_equal(strlen(remora_guess_hint(&guess, hint)), 15 + 66 + 4 + 66 + 1);
}

static void long_names_are_cut_or_never_near(void **state)
{
    (void)state;
    char name[200];
    char hint[REMORA_GUESS_BYTES];
    struct remora_guess guess;
    memset(name, 'n', sizeof name);
    remora_guess_begin(&guess, remora_slice(name, 65));
    remora_guess_offer(&guess, remora_slice(name, 64), remora_slice(name, 64));
    assert_string_equal(remora_guess_hint(&guess, hint), "");
    remora_guess_begin(&guess, remora_slice(name, 64));
    remora_guess_offer(&guess, remora_slice(name, 199), remora_slice(name, 63));
    assert_int_equal(strlen(remora_guess_hint(&guess, hint)), 16 + 80 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_name_is_offered),
        cmocka_unit_test(an_id_is_known_without_its_author),
        cmocka_unit_test(case_does_not_count),
        cmocka_unit_test(what_is_far_is_not_offered),
        cmocka_unit_test(a_third_of_a_name_may_be_wrong_and_no_more_than_three_letters),
        cmocka_unit_test(the_name_itself_is_no_guess),
        cmocka_unit_test(a_name_for_people_leads_to_the_slug),
        cmocka_unit_test(as_many_as_fit_are_told_each_once),
        cmocka_unit_test(long_names_are_cut_or_never_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
