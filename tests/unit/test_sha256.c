/* Digests as everybody else computes them. */
#include "base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of the first n bytes of 0 1 2 … 249 250 0 1 …, by another implementation: around each border of a block. */
static const struct {
    size_t n;
    const char *hex;
} known[] = {
    {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {3, "ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc"},
    {54, "675f28acc0b90a72d1c3a570fe83ac565555db358cf01826dc8eefb2bf7ca0f3"},
    {55, "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59"},
    {56, "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562"},
    {57, "2fe741af801cc238602ac0ec6a7b0c3a8a87c7fc7d7f02a3fe03d1c12eac4d8f"},
    {63, "29af2686fd53374a36b0846694cc342177e428d1647515f078784d69cdb9e488"},
    {64, "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108"},
    {65, "4bfd2c8b6f1eec7a2afeb48b934ee4b2694182027e6d0fc075074f2fabb31781"},
    {119, "da18797ed7c3a777f0847f429724a2d8cd5138e6ed2895c3fa1a6d39d18f7ec6"},
    {120, "f52b23db1fbb6ded89ef42a23ce0c8922c45f25c50b568a93bf1c075420bbb7c"},
    {127, "92ca0fa6651ee2f97b884b7246a562fa71250fedefe5ebf270d31c546bfea976"},
    {128, "471fb943aa23c511f6f72f8d1652d9c880cfa392ad80503120547703e56a2be5"},
    {129, "5099c6a56203f9687f7d33f4bfdf576d31dc91f6b695ecea38b2770c87631135"},
    {200, "1901da1c9f699b48f6b2636e65cbf73abf99d0441ef67f5c540a42f7051dec6f"},
};
enum { nknown = sizeof known / sizeof *known };

static void fill(unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(i % 251);
}

static void digests_are_those_of_the_standard(void **state) {
    (void)state;
    unsigned char data[200];
    char hex[65];
    fill(data, sizeof data);
    for (size_t i = 0; i < nknown; i++) {
        sha256_hex(data, known[i].n, hex);
        assert_string_equal(hex, known[i].hex);
    }
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void parts_of_any_size_give_the_same_digest(void **state) {
    (void)state;
    unsigned char data[200];
    char hex[65];
    fill(data, sizeof data);
    for (size_t step = 1; step <= 130; step++) {
        struct sha256 s;
        sha256_init(&s);
        for (size_t at = 0; at < sizeof data; at += step)
            sha256_add(&s, data + at, step < sizeof data - at ? step : sizeof data - at);
        sha256_add(&s, NULL, 0);
        sha256_end(&s, hex);
        assert_string_equal(hex, known[nknown - 1].hex);
    }
}

static void a_million_letters_have_their_known_digest(void **state) {
    (void)state;
    char *p = malloc(1000000), hex[65];
    assert_non_null(p);
    memset(p, 'a', 1000000);
    sha256_hex(p, 1000000, hex);
    free(p);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standard),
        cmocka_unit_test(parts_of_any_size_give_the_same_digest),
        cmocka_unit_test(a_million_letters_have_their_known_digest),
    };
    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
