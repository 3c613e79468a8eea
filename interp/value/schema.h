/* schema.h: field tables. One table serves reading, defaults, checking, documentation and the JSON Schema.
 *
 * A table is a const array that ends with {0}. Checking a map against it reports, with positions: unknown keys (with the accepted
 * names and the nearest), wrong types, missing required keys. */
#ifndef VALUE_SCHEMA_H
#define VALUE_SCHEMA_H

#include "value/val.h"

/* What a field accepts; several may be given. */
enum field_kind {
    F_STRING = 1,
    F_INT = 2,
    F_NUMBER = 4,
    F_BOOL = 8,
    F_LIST = 16,
    F_MAP = 32,
    F_DURATION = 64, /* a string such as "30s" */
    F_EXPR = 128,    /* a string that is a Lua expression, or a boolean literal */
    F_TEMPLATE = 256, /* additionally: a string with ${{ … }} */
    F_ANY = 512,
    F_NULL = 1024,
    F_LATER = 2048, /* what is inside is checked by whoever reads it; `of` is for the documentation */
};

struct field {
    const char *key;
    unsigned kind; /* enum field_kind, or-ed */
    bool required;
    const char *text;            /* help, one sentence */
    const struct field *of;      /* for F_MAP: the fields of that map; for F_LIST: of each item that is a map */
    const char *const *oneof;    /* for F_STRING: the accepted words, ended by NULL */
};

/* Words of other tools that people type, with what we call it: {"when", "if"}. Ends with {0}. */
struct field_alias {
    const char *word, *ours;
};

/* Checks v against the table; `what` names the thing in messages ("a step", "the runbook"). Errors carry the codes unknown-key,
 * wrong-type, missing-key. */
bool schema_check(const struct val *v, const struct field *fields, const struct field_alias *aliases, const char *what, struct err *err);
/* "a string or a list" */
void field_kind_text(unsigned kind, struct buf *out);
/* The JSON Schema (draft 2020-12) of one table as a val. */
const struct val *schema_json(struct arena *a, const struct field *fields);

#endif
