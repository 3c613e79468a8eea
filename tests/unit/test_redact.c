/* Secrets do not leave the process: whatever form they have taken, whatever they are part of, and however the text was cut. */
#include "base/redact.h"

#include "base/redact_scan.h"
#include "value/json.h"
#include "value/redacted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct kit {
    struct arena *a;
    struct buf out;
    uint64_t seed;
};

static int setup(void **state) {
    struct kit *k = calloc(1, sizeof *k);
    k->a = arena_new();
    buf_init(&k->out, 0);
    const char *seed = getenv("SEED");
    k->seed = seed ? strtoull(seed, NULL, 10) : 20260301;
    *state = k;
    return 0;
}

static int teardown(void **state) {
    struct kit *k = *state;
    redact_wipe();
    buf_done(&k->out);
    arena_free(k->a);
    free(k);
    return 0;
}

static void secret(const char *s) {
    const char *why;
    if (!redact_add(s, strlen(s), &why))
        fail_msg("%s: %s", s, why);
}

static const char *masked(struct kit *k, const char *s) {
    buf_clear(&k->out);
    redact_text(s, strlen(s), &k->out);
    return k->out.data;
}

static uint32_t roll(struct kit *k, uint32_t n) {
    k->seed = k->seed * 6364136223846793005u + 1442695040888963407u;
    return n ? (uint32_t)(k->seed >> 33) % n : 0;
}

/* ---- forms ---- */

static void every_form_is_found(void **state) {
    struct kit *k = *state;
    secret("p\xc3\xa4ss w\"ord'$<&>\\");
    static const char *const cases[][2] = {
        {"it is p\xc3\xa4ss w\"ord'$<&>\\!", "it is ***!"},
        {"cMOkc3MgdyJvcmQnJDwmPlw=", "***"},                                              /* base64 */
        {"YWRtaW46cMOkc3Mgdyjvcmqn", "YWRtaW46cMOkc3Mgdyjvcmqn"},                          /* another text */
        {"Authorization: Basic YWRtaW46cMOkc3MgdyJvcmQnJDwmPlw=", "Authorization: Basic YWRtaW46***"}, /* admin: before it */
        {"?p=p%C3%A4ss%20w%22ord%27%24%3C%26%3E%5C&x", "?p=***&x"},                        /* URL, all */
        {"?p=p%c3%a4ss+w%22ord'$%3c&%3e%5c", "?p=***"},                                    /* a form, some */
        {"%70%C3%A4%73%73%20%77%22%6F%72%64%27%24%3C%26%3E%5C", "***"},                    /* more than needed */
        {"%2570%25C3%25A4ss%2520w%2522ord%2527%2524%253C%2526%253E%255C", "***"},          /* twice */
        {"{\"p\":\"p\xc3\xa4ss w\\\"ord'$<&>\\\\\"}", "{\"p\":\"***\"}"},                  /* JSON */
        {"{\"p\":\"p\\u00e4ss w\\\"ord'$\\u003c\\u0026\\u003e\\\\\"}", "{\"p\":\"***\"}"}, /* as Go writes it */
        {"{\\\"p\\\":\\\"p\xc3\xa4ss w\\\\\\\"ord'$<&>\\\\\\\\\\\"}", "{\\\"p\\\":\\\"***\\\"}"}, /* in a string of JSON */
        {"'p\xc3\xa4ss w\"ord'\\''$<&>\\'", "'***'"},                                      /* the shell's quotes */
        {"'p\xc3\xa4ss w\"ord'\"'\"'$<&>\\'", "'***'"},
        {"\"p\xc3\xa4ss w\\\"ord'\\$<&>\\\\\"", "\"***\""},
        {"p\xc3\xa4ss\\ w\\\"ord\\'\\$\\<\\&\\>\\\\ x", "*** x"},
        {"$'p\\303\\244ss w\"ord\\'$<&>\\\\'", "$'***'"},
        {"'p\xc3\xa4ss w\"ord''$<&>\\'", "'***'"},                                         /* YAML's */
        {"p\xc3\xa4ss w&quot;ord&#39;$&lt;&amp;&gt;\\", "***"},                            /* XML */
        {"70c3a473732077226f726427243c263e5c", "***"},
        {"70C3A473732077226F726427243C263E5C", "***"},
        {"p\\xc3\\xa4ss w\\x22ord'$<&>\\x5c", "***"},                                      /* what we make visible */
        {"p\xc3\xa4ss word", "p\xc3\xa4ss word"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(masked(k, cases[i][0]), cases[i][1]);
}

static void neighbours_stay_and_a_run_of_secrets_is_masked_once(void **state) {
    struct kit *k = *state;
    secret("hunter2");
    secret("hunter22");
    secret("2wood");
    assert_string_equal(masked(k, "xhunter2x hunter22x hunter hunter2hunter2 hunter2wood"), "x***x ***x hunter *** ***");
    assert_string_equal(masked(k, "HUNTER2 hunter 2"), "HUNTER2 hunter 2");
    assert_string_equal(masked(k, ""), "");
}

static void without_secrets_nothing_changes(void **state) {
    struct kit *k = *state;
    const char *text = "100% of \\u0041 + &amp; a+b";
    assert_false(redact_any());
    assert_string_equal(masked(k, text), text);
    assert_ptr_equal(redact_str(k->a, text), text);
    secret("hunter2");
    assert_string_equal(masked(k, text), text);
    assert_ptr_equal(redact_str(k->a, text), text);
    assert_string_equal(redact_str(k->a, "a hunter2"), "a ***");
    redact_wipe();
    assert_string_equal(masked(k, "hunter2"), "hunter2");
}

static void a_secret_that_cannot_be_masked_is_refused(void **state) {
    (void)state;
    const char *why;
    static char large[REDACT_MAX + 1];
    assert_false(redact_add("abc", 3, &why));
    assert_string_equal(why, "a secret of under 4 bytes cannot be masked without masking half the log");
    assert_false(redact_add(" abc\n", 5, &why));
    assert_false(redact_add("", 0, &why));
    memset(large, 'x', sizeof large);
    assert_false(redact_add(large, sizeof large, &why));
    assert_non_null(strstr(why, "32 KiB"));
    assert_false(redact_any());
    for (int i = 0; i < 5; i++) { /* as long as the room lasts */
        large[0] = (char)('a' + i);
        assert_int_equal(redact_add(large, REDACT_MAX, &why), i < 4);
    }
    assert_non_null(strstr(why, "more secrets"));
    for (int i = 0; i < 100; i++) /* one that is known takes none */
        assert_true(redact_add(large, 0, &why) || redact_add((large[0] = 'a', large), REDACT_MAX, &why));
}

static void each_line_of_a_secret_of_several_is_one(void **state) {
    struct kit *k = *state;
    secret("-----BEGIN KEY-----\nMIIEvQIBADANBgkq\r\nhkiG9w0BAQEFAASC\n-----END KEY-----\n");
    assert_string_equal(masked(k, "node | hkiG9w0BAQEFAASC"), "node | ***");
    assert_string_equal(masked(k, "MIIEvQIBADANBgkq\\nhkiG"), "***\\nhkiG");
    assert_string_equal(masked(k, "-----BEGIN KEY-----"), "-----BEGIN KEY-----");
    assert_string_equal(masked(k, "-----BEGIN KEY-----\\nMIIEvQIBADANBgkq\\r\\nhkiG9w0BAQEFAASC\\n-----END KEY-----"), "***");
}

/* ---- values ---- */

static void json_stays_json_whatever_the_secret_is(void **state) {
    struct kit *k = *state;
    static const char *const secrets[] = {"\":\"a", "true", "1234", "\\\\\\\\", "{\"a\"", "\"}],\"", "null", "    "};
    static const char doc[] = "{\"a\":\"x\\\":\\\"ay\",\"true\":true,\"n\":1234,\"m\":51234,\"b\\\\\\\\\\\\\\\\\":[\"{\\\"a\\\"\",null],\"tru***\":\"true\",\"trtrue\":2}";
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        const char *why;
        (void)redact_add(secrets[i], strlen(secrets[i]), &why);
    }
    const struct val *v, *back;
    struct err *err = err_new(k->a);
    assert_true(json_parse(k->a, "doc", doc, strlen(doc), &v, err));
    json_print(redacted(k->a, v), JSON_COMPACT, &k->out);
    assert_true(json_parse(k->a, "doc", k->out.data, k->out.len, &back, err));
    assert_int_equal(val_len(back), val_len(v));
    assert_string_equal(k->out.data, "{\"a\":\"x***y\",\"***\":true,\"n\":\"***\",\"m\":51234,\"b***\":[\"***\",null],\"tru***\":\"***\",\"tr***\":2}");
}

static void keys_that_become_one_stay_two(void **state) {
    struct kit *k = *state;
    secret("alpha");
    secret("omega");
    struct val *m = val_map_new(k->a);
    val_map_set(k->a, m, "alpha", val_int(k->a, 1));
    val_map_set(k->a, m, "omega", val_int(k->a, 2));
    json_print(redacted(k->a, m), JSON_COMPACT, &k->out);
    assert_string_equal(k->out.data, "{\"***\":1,\"***#2\":2}");
}

static void a_text_is_masked_before_it_is_shortened(void **state) {
    struct kit *k = *state;
    secret("correct horse battery staple");
    val_show(val_str(k->a, "it is correct horse battery staple"), &k->out, 14);
    assert_string_equal(k->out.data, "it is ***");
}

/* ---- random ---- */

static const char *form_of(struct kit *k, const char *s, size_t len, int kind) {
    struct buf b = BUF_INIT, t = BUF_INIT;
    static const char alphabet[2][65] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};
    const bool upper = roll(k, 2);
    if (kind == 1 || kind == 2) { /* base64, with something before and behind */
        for (uint32_t i = roll(k, 7); i; i--)
            buf_addc(&t, (char)(1 + roll(k, 255)));
        buf_add(&t, s, len);
        for (uint32_t i = roll(k, 4); i; i--)
            buf_addc(&t, (char)(1 + roll(k, 255)));
        for (size_t i = 0; i < t.len; i += 3) {
            const uint32_t v = (uint32_t)(unsigned char)t.data[i] << 16 | (i + 1 < t.len ? (uint32_t)(unsigned char)t.data[i + 1] << 8 : 0) |
                               (i + 2 < t.len ? (unsigned char)t.data[i + 2] : 0);
            for (size_t c = 0; c < 4; c++)
                if (c <= t.len - i)
                    buf_addc(&b, alphabet[kind - 1][v >> (18 - 6 * c) & 63]);
                else if (kind == 1)
                    buf_addc(&b, '=');
        }
    } else if (kind == 3) { /* URL */
        const uint32_t often = roll(k, 4);
        for (size_t i = 0; i < len; i++)
            if (s[i] == ' ' && upper)
                buf_addc(&b, '+');
            else if ((unsigned char)s[i] <= ' ' || strchr("%+&=#?", s[i]) || !roll(k, often + 1) || (unsigned char)s[i] > 126)
                buf_printf(&b, roll(k, 2) ? "%%%02X" : "%%%02x", (unsigned)(unsigned char)s[i]);
            else
                buf_addc(&b, s[i]);
    } else if (kind == 4) { /* JSON of our own, or with \u */
        json_print(val_strn(k->a, s, len), JSON_COMPACT, &t);
        for (size_t i = 1; i + 1 < t.len; i++)
            if (upper && strchr("<>&'abc", t.data[i]) && t.data[i - 1] != '\\')
                buf_printf(&b, "\\u%04x", (unsigned)t.data[i]);
            else
                buf_addc(&b, t.data[i]);
    } else if (kind == 5) { /* '…' */
        for (size_t i = 0; i < len; i++)
            buf_adds(&b, s[i] == '\'' ? upper ? "'\\''" : "'\"'\"'" : (char[]){s[i], 0});
    } else if (kind == 6) { /* "…" */
        for (size_t i = 0; i < len; i++) {
            if (strchr("\"\\$`", s[i]))
                buf_addc(&b, '\\');
            buf_addc(&b, s[i]);
        }
    } else if (kind == 7) {
        for (size_t i = 0; i < len; i++)
            buf_printf(&b, upper ? "%02X" : "%02x", (unsigned)(unsigned char)s[i]);
    } else {
        buf_add(&b, s, len);
    }
    const char *form = arena_strndup(k->a, b.data, b.len);
    buf_done(&b);
    buf_done(&t);
    return form;
}
enum { kinds = 8 };

static const char *random_secret(struct kit *k) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\"'\\$`%+&<>=/ \t-_.:{}\xc3\xa4";
    const size_t len = 6 + roll(k, 40);
    char *s = arena_alloc(k->a, len + 1);
    for (size_t i = 0; i < len; i++)
        s[i] = i == 0 || i + 1 == len ? letters[roll(k, 62)] : letters[roll(k, sizeof letters - 1 - 2)];
    return s;
}

static void noise(struct kit *k, struct buf *b, size_t max) {
    static const char letters[] = "abcdefgh %+\\\"'&;=/xXuU0123456789-_.:{}[]\n\t";
    for (size_t n = roll(k, (uint32_t)max + 1); n; n--)
        buf_addc(b, letters[roll(k, sizeof letters - 1)]);
}

static void random_secrets_are_found_in_random_forms_at_random_places(void **state) {
    struct kit *k = *state;
    printf("# seed %llu\n", (unsigned long long)k->seed);
    for (int round = 0; round < 300; round++) {
        redact_wipe();
        const char *s[4] = {""};
        const size_t n = 1 + roll(k, 4);
        for (size_t i = 0; i < n; i++)
            secret(s[i] = random_secret(k));
        for (int kind = 0; kind < kinds; kind++) {
            const char *x = s[roll(k, (uint32_t)n)], *form = form_of(k, x, strlen(x), kind);
            struct buf text = BUF_INIT;
            const bool alone = kind == 1 || kind == 2; /* base64 of neighbours is theirs */
            noise(k, &text, 60);
            buf_addc(&text, '|');
            const size_t from = text.len;
            buf_adds(&text, form);
            const size_t behind = text.len;
            buf_addc(&text, '|');
            noise(k, &text, 60);
            buf_clear(&k->out);
            redact_text(text.data, text.len, &k->out);
            if (strstr(k->out.data, x) || (!alone && strstr(k->out.data, form)) || !strstr(k->out.data, "***"))
                fail_msg("round %d, kind %d: <%s> as <%s> in <%s> gives <%s>", round, kind, x, form, text.data, k->out.data);
            if (!redact_found(text.data + from, behind - from))
                fail_msg("round %d, kind %d: <%s> is not found by itself", round, kind, form);
            /* what is masked holds none any more, and masking it again changes nothing */
            assert_false(redact_found(k->out.data, k->out.len));
            buf_done(&text);
        }
        arena_clear(k->a);
    }
}

/* Pieces of a stream as process.c and attach.c make them: the tail is kept for the next. */
static void cut_anywhere_a_stream_gives_away_nothing(void **state) {
    struct kit *k = *state;
    printf("# seed %llu\n", (unsigned long long)k->seed);
    for (int round = 0; round < 300; round++) {
        redact_wipe();
        const char *x = random_secret(k);
        secret(x);
        struct buf text = BUF_INIT, held = BUF_INIT, pieces = BUF_INIT, whole = BUF_INIT;
        for (int i = 0; i < 6; i++) {
            noise(k, &text, 30);
            buf_addc(&text, '|');
            buf_adds(&text, form_of(k, x, strlen(x), (int)roll(k, kinds)));
            buf_addc(&text, '|');
        }
        for (size_t at = 0; at < text.len;) {
            size_t n = 1 + roll(k, 40);
            n = n < text.len - at ? n : text.len - at;
            buf_add(&held, text.data + at, n);
            at += n;
            const size_t tail = at == text.len ? 0 : redact_tail(held.data, held.len);
            assert_true(tail <= held.len && tail <= 6 * redact_longest() + 16 + 1);
            redact_text(held.data, held.len - tail, &pieces);
            char *rest = arena_strndup(k->a, held.data + held.len - tail, tail);
            buf_clear(&held);
            buf_add(&held, rest, tail);
        }
        redact_text(text.data, text.len, &whole);
        if (strcmp(pieces.data, whole.data))
            fail_msg("round %d: <%s> in <%s>\nwhole  %s\npieces %s", round, x, text.data, whole.data, pieces.data);
        buf_done(&text);
        buf_done(&held);
        buf_done(&pieces);
        buf_done(&whole);
        arena_clear(k->a);
    }
}

static void a_cut_text_can_end_without_half_a_secret(void **state) {
    (void)state;
    secret("hunter2hunter3");
    static const char text[] = "it is hunter2hunter3";
    for (size_t len = 7; len < sizeof text - 1; len++)
        assert_in_range(len - redact_tail(text, len), 5, 6);
    assert_int_equal(redact_tail("\"it is\"", 7), 0);
    static const char json[] = "p=\\u0068\\u0075";
    for (size_t len = 3; len < sizeof json - 1; len++)
        assert_in_range(len - redact_tail(json, len), 1, 2);
}

/* What would make a naive search quadratic. The bound is loose: a quadratic one takes minutes. */
static void the_time_grows_with_the_text_alone(void **state) {
    struct kit *k = *state;
    char s[2001] = "";
    memset(s, 'a', 2000);
    s[1999] = 'b';
    secret(s);
    for (int i = 0; i < 50; i++) {
        char one[40];
        snprintf(one, sizeof one, "aaaaaaaaaaaaaaaaaaaaaaa%dab", i);
        secret(one);
    }
    const size_t len = 8 << 20;
    char *text = mem_alloc(len);
    memset(text, 'a', len);
    const clock_t start = clock();
    buf_clear(&k->out);
    redact_text(text, len, &k->out);
    assert_int_equal(k->out.len, len);
    assert_true(redact_tail(text, len) >= 1999);
    assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
    free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_form_is_found),
        TEST(neighbours_stay_and_a_run_of_secrets_is_masked_once),
        TEST(without_secrets_nothing_changes),
        TEST(a_secret_that_cannot_be_masked_is_refused),
        TEST(each_line_of_a_secret_of_several_is_one),
        TEST(json_stays_json_whatever_the_secret_is),
        TEST(keys_that_become_one_stay_two),
        TEST(a_text_is_masked_before_it_is_shortened),
        TEST(random_secrets_are_found_in_random_forms_at_random_places),
        TEST(cut_anywhere_a_stream_gives_away_nothing),
        TEST(a_cut_text_can_end_without_half_a_secret),
        TEST(the_time_grows_with_the_text_alone),
    };
    return cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}
