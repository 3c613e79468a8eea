/* scan.h: Lua's tokens with their places, for references, hints and positions. Private to lua/. */
#ifndef LUA_SCAN_H
#define LUA_SCAN_H

#include "lua/expr.h"

enum tok_kind { TOK_END, TOK_NAME, TOK_KEYWORD, TOK_STRING, TOK_NUMBER, TOK_OP, TOK_BAD };

struct tok {
    enum tok_kind kind;
    uint32_t at, len; /* bytes of the text */
};

/* The token at or after *pos (white space and comments are passed over); *pos ends behind it. TOK_BAD: a string or comment without end,
 * or a byte that Lua does not know. */
struct tok scan_next(const char *text, size_t len, size_t *pos);
/* All tokens, ended by TOK_END. */
struct tok *scan_all(struct arena *a, const char *text, size_t len, size_t *ret_n);
bool tok_is(const char *text, const struct tok *t, const char *word);

/* The references of an expression. Sets e->refs. */
void scan_refs(struct arena *a, struct expr *e, const struct tok *toks);
/* What other languages write and Lua does not; true if an error was added. */
bool scan_hints(const struct expr *e, const struct tok *toks, struct err *err);

/* The place of bytes off…off+len of a text that a YAML scalar at `at` holds. Exact when the text stands in the source as it is, on one line
 * or as the lines of a block; else the place of the scalar. */
struct mark scan_mark(struct mark at, const char *text, size_t off, size_t len);
/* The place of the key under a path of keys in the first table of a Lua file; mark_whole if it is not found. */
struct mark scan_key_mark(const struct source *src, const char *const *path, size_t n);

#endif
