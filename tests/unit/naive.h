/* naive.h: every way in which a small plan can go, by plain recursion: what the exploration is held against. It works out the semantics of
 * steps for itself, from the text of the language, on a world of three numbers and a word (explore_kit.h): no state is hashed, cut off or remembered.
 * Besides what is there, demo.join is demo.add as a change of the membership, and demo.drift an event: once z is over 1, x or y may become one more. */
#ifndef TESTS_NAIVE_H
#define TESTS_NAIVE_H

#include <stdbool.h>
#include <stddef.h>

enum { NAIVE_LIST = 4, NAIVE_STEPS = 24, NAIVE_FANS = 64, NAIVE_ITEMS = 96, NAIVE_RULES = 3 };

enum naive_var { NAIVE_X, NAIVE_Y, NAIVE_Z, NAIVE_NUMBERS };
enum naive_word { WORD_NONE, WORD_HALF, WORD_NEVER, WORD_BAD };
extern const char *const naive_vars[], *const naive_words[];

enum naive_test { TEST_NONE, TEST_EQ, TEST_GE, TEST_LT, TEST_WORD, TEST_UNKNOWN, TEST_FAILED, TEST_SKIPPED };
struct naive_expr {
    enum naive_test test;
    enum naive_var var;
    int k;       /* to compare with; a word; or the step's place in its list */
};

struct naive_value { /* k, or the item, or var + k as it is at that time */
    enum { VALUE_CONST, VALUE_ITEM, VALUE_VAR } kind;
    enum naive_var var;
    int k;
};

enum naive_kind { NAIVE_ADD, NAIVE_RISK, NAIVE_ONCE, NAIVE_COMMAND, NAIVE_WAIT, NAIVE_GROUP, NAIVE_FIRST };

struct naive_list {
    struct naive_step *steps[NAIVE_LIST];
    int n;
};

struct naive_step {
    int id;
    enum naive_kind kind;
    enum naive_var to;             /* add, risk */
    struct naive_value by;         /* add */
    bool member;                   /* add: a change of the membership, as risk is */
    bool effect, effect_word;      /* command, wait */
    enum naive_var effect_var;
    enum naive_word word;
    struct naive_value effect_value;
    struct naive_expr cond, unless, verify, wait;
    struct naive_list inside, rescue;
    int items[3], nitems;          /* of for_each or try_each; 0: none */
    int parallel, attempts, max_failures;
    bool try_each, go_on;
    bool own_needs;                /* `needs` is written */
    unsigned needs;                /* bits of places in its list */
};

struct naive_world {
    int n[NAIVE_NUMBERS];
    enum naive_word word;
};

struct naive_plan {
    struct naive_step steps[NAIVE_STEPS];
    int nsteps;
    struct naive_list root;
    struct naive_world start;
    int events;                    /* at most, on one way */
};

enum naive_rule { RULE_CAP, RULE_BAD_END, RULE_EVEN };
struct naive_result {
    int length[NAIVE_RULES];       /* of the shortest way to a breach in transitions; 0: the rule holds. RULE_EVEN (of the end): 1 */
    size_t leaves;
};

/* false: there are more leaves than that, or more instances of steps than there is room for. */
bool naive_enumerate(const struct naive_plan *p, size_t most, struct naive_result *ret);

#endif
