/* Which addresses each reach takes. */
#include "../../src/transport/address.h"

#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static const enum remora_reach ALL[] = {REMORA_REACH_PROVIDER, REMORA_REACH_METADATA,
                                        REMORA_REACH_PUBLIC};

/* The letters of those that take it, of "PMU" (provider, metadata, public). */
static void assert_taken(const char *address, const char *by)
{
    for (size_t i = 0; i < REMORA_COUNT_OF(ALL); i++) {
        bool is_expected = strchr(by, "PMU"[i]) != NULL;
        if (transport_address_text_may(ALL[i], address) != is_expected) {
            fail_msg("%s: %c", address, "PMU"[i]);
        }
    }
}

static void services_of_the_host_are_for_metadata_only(void **state)
{
    (void)state;
    assert_taken("169.254.169.254", "M");
    assert_taken("169.254.170.2", "M");
    assert_taken("169.254.170.23", "M");
    assert_taken("fd00:ec2::254", "M");
    assert_taken("fd00:ec2::23", "M");
    assert_taken("fd20:ce::254", "M");
    assert_taken("::ffff:169.254.169.254", "M");
    assert_taken("100.100.100.200", "M");
    assert_taken("::ffff:100.100.100.200", "M");
    assert_taken("168.63.129.16", "M");
    assert_taken("::ffff:168.63.129.16", "M");
}

static void other_link_local_addresses_are_for_nobody(void **state)
{
    (void)state;
    static const char *const THEM[] = {
        "169.254.0.0", "169.254.169.253", "169.254.169.255", "169.254.255.255", "fd00:ec2::123",
        "fe80::1",     "fe80::1%eth0",    "febf:ffff::1",    "fd20:ce::1",
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(THEM); i++) {
        assert_taken(THEM[i], "");
    }
}

static void loopback_and_private_addresses_are_for_providers_only(void **state)
{
    (void)state;
    static const char *const THEM[] = {
        "127.0.0.1",        "127.255.255.255",
        "10.0.0.1",         "10.255.255.255",
        "100.64.0.0",       "100.127.255.255",
        "172.16.0.0",       "172.31.255.255",
        "192.0.0.1",        "192.0.2.7",
        "192.88.99.1",      "192.168.0.0",
        "192.168.255.255",  "198.18.0.0",
        "198.19.255.255",   "198.51.100.1",
        "203.0.113.255",    "224.0.0.1",
        "239.255.255.255",  "240.0.0.1",
        "255.255.255.255",  "::1",
        "fc00::1",          "fd12:3456::1",
        "fec0::1",          "ff02::1",
        "2001::1",          "2001:2::1",
        "2001:1ff:ffff::1", "2001:db8::1",
        "2002:7f00:1::",    "3fff::1",
        "3fff:fff::1",      "4000::1",
        "64:ff9b:1::1",     "100::1",
        "::ffff:10.0.0.1",  "::ffff:7f00:1",
        "64:ff9b::a00:1",   "64:ff9b::7f00:1",
        "5f00::1",
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(THEM); i++) {
        assert_taken(THEM[i], "P");
    }
}

static void public_addresses_are_for_providers_and_public(void **state)
{
    (void)state;
    static const char *const THEM[] = {
        "1.1.1.1",          "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
        "100.128.0.0",      "126.255.255.255", "128.0.0.0",       "169.253.255.255",
        "169.255.0.0",      "172.15.255.255",  "172.32.0.0",      "192.0.1.0",
        "192.0.3.0",        "192.88.98.255",   "192.167.255.255", "192.169.0.0",
        "198.17.255.255",   "198.20.0.0",      "198.51.99.255",   "198.51.101.0",
        "203.0.112.255",    "203.0.114.0",     "223.255.255.255", "::ffff:1.1.1.1",
        "64:ff9b::101:101", "2001:200::1",     "2001:db7::1",     "2001:db9::1",
        "2003::1",          "2606:4700::1111", "3ffe::1",         "3fff:1000::1",
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(THEM); i++) {
        assert_taken(THEM[i], "PU");
    }
}

/* Linux takes 0.0.0.0 and :: for loopback, so whatever the name says, they are this machine. */
static void unspecified_and_compatible_addresses_are_for_nobody(void **state)
{
    (void)state;
    static const char *const THEM[] = {
        "0.0.0.0",     "0.255.255.255",     "::",         "::2",
        "::127.0.0.1", "::169.254.169.254", "::1.1.1.1",  "::ffff:0.0.0.0",
        "::ffff:0:1",  "64:ff9b::",         "64:ff9b::1",
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(THEM); i++) {
        assert_taken(THEM[i], "");
    }
}

static void neighbours_of_a_service_of_the_host_are_taken(void **state)
{
    (void)state;
    assert_taken("100.100.100.199", "P");
    assert_taken("100.100.100.201", "P");
    assert_taken("168.63.129.15", "PU");
    assert_taken("168.63.129.17", "PU");
    assert_taken("1.0.0.0", "PU");
    assert_taken("fd00:ec1::254", "P");
    assert_taken("fd20:cf::254", "P");
}

/* An IPv6-only network reaches IPv4 through NAT64; what it hides there is hidden no better. */
static void nat64_hides_no_service_of_the_host(void **state)
{
    (void)state;
    assert_taken("64:ff9b::a9fe:a9fe", "M");
    assert_taken("64:ff9b::a9fe:1", "");
    assert_taken("64:ff9b::6464:64c8", "M");
    assert_taken("64:ff9b::a83f:8110", "M");
}

static void what_is_no_address_is_for_nobody(void **state)
{
    (void)state;
    static const char *const THEM[] = {
        "",         "localhost",
        "1.1.1",    "1.1.1.1.1",
        "01.1.1.1", "0x7f.0.0.1",
        "%eth0",    "[::1]",
        ":::",      "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
    };
    for (size_t i = 0; i < REMORA_COUNT_OF(THEM); i++) {
        assert_taken(THEM[i], "");
    }
}

static void socket_addresses_are_judged_as_their_text_is(void **state)
{
    (void)state;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    inet_pton(AF_INET, "10.0.0.1", &v4.sin_addr);
    inet_pton(AF_INET6, "2606:4700::1111", &v6.sin6_addr);
    const struct sockaddr *const them[] = {(void *)&v4, (void *)&v6, (void *)&path};
    static const bool EXPECTED[][3] = {{true, false, false}, {true, false, true}, {false}};
    for (size_t i = 0; i < REMORA_COUNT_OF(them); i++) {
        for (size_t r = 0; r < REMORA_COUNT_OF(ALL); r++) {
            assert_int_equal(transport_address_may(ALL[r], them[i]), EXPECTED[i][r]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_of_the_host_are_for_metadata_only),
        cmocka_unit_test(other_link_local_addresses_are_for_nobody),
        cmocka_unit_test(loopback_and_private_addresses_are_for_providers_only),
        cmocka_unit_test(public_addresses_are_for_providers_and_public),
        cmocka_unit_test(unspecified_and_compatible_addresses_are_for_nobody),
        cmocka_unit_test(neighbours_of_a_service_of_the_host_are_taken),
        cmocka_unit_test(nat64_hides_no_service_of_the_host),
        cmocka_unit_test(what_is_no_address_is_for_nobody),
        cmocka_unit_test(socket_addresses_are_judged_as_their_text_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
