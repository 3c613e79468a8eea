/* redact_scan.h: the automaton below redact.h. It finds every one of many patterns in one pass, whatever the text is made of. */
#ifndef BASE_REDACT_SCAN_H
#define BASE_REDACT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redact_node {
    uint32_t child, sibling; /* of the trie; 0: none */
    uint32_t fail;           /* the longest proper suffix that is a node */
    uint32_t term;           /* this node, or the nearest behind fail, where a pattern ends; 0: none */
    uint32_t depth;
    unsigned char byte, edges;
    bool ends;               /* a pattern ends here */
};

/* On which sides of a pattern in base64 the next character holds some bits of the secret, too. */
enum { REDACT_LEFT = 1, REDACT_RIGHT = 2 };

/* Node 0 is the root. Whoever builds it owns the memory. */
struct redact_trie {
    struct redact_node *nodes;
    size_t n, cap;
    uint32_t first[256];     /* the root's children by byte */
};

struct redact_span {
    size_t from, to;
};
/* Of the text; ascending within one scan, never touching one another. */
struct redact_spans {
    struct redact_span *v;
    size_t n, cap;
};

/* A text as it is meant: what stands in escapes is decoded. */
struct redact_view {
    const char *text;
    const size_t *pos; /* where in the original each byte begins, with an end behind it; NULL: it is the original */
    size_t len;
};

/* Adds a pattern of at least one byte. There must be room: cap - n >= len. */
void redact_trie_add(struct redact_trie *t, const char *pattern, size_t len, unsigned edges);
/* After the last pattern. */
void redact_trie_link(struct redact_trie *t);
/* Adds what is found to spans. Returns how many bytes of the view at its end are the beginning of a pattern. */
size_t redact_scan(const struct redact_trie *t, const struct redact_view *view, struct redact_spans *spans);

/* Of either alphabet, padding aside. */
bool redact_in_base64(char c);

enum redact_escape { REDACT_PERCENT, REDACT_PLUS, REDACT_BACKSLASH, REDACT_ENTITY, REDACT_ESCAPES };
/* The character that begins such an escape. */
char redact_escape_char(enum redact_escape e);
/* Decodes from into text and pos, which have room for from->len (+ 1). What is no escape stays. Returns the length. */
size_t redact_decode(enum redact_escape e, const struct redact_view *from, char *text, size_t *pos);

#endif
