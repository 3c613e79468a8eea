#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Memory comes in chunks that are never moved; a request too large for a chunk gets one of its own. */
struct chunk {
    struct chunk *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

struct arena {
    struct chunk *head;
    size_t total;
    bool wipe;
};

enum { chunk_size = 8192, first_size = 1024 };

void mem_die(const char *why) {
    static const char name[] = "quorate: ";
    if (write(STDERR_FILENO, name, sizeof name - 1) > 0 && write(STDERR_FILENO, why, strlen(why)) > 0)
        (void)!write(STDERR_FILENO, "\n", 1);
    abort();
}

static void out_of_memory(void) {
    mem_die("out of memory");
}

void *mem_alloc(size_t size) {
    void *p = calloc(1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *mem_realloc(void *p, size_t size) {
    void *q = realloc(p, size ? size : 1);
    if (!q)
        out_of_memory();
    return q;
}

char *mem_strdup(const char *s) {
    const size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}

struct arena *arena_new(void) {
    return mem_alloc(sizeof(struct arena));
}

void arena_wipe(struct arena *a) {
    a->wipe = true;
}

static void chunk_free(const struct arena *a, struct chunk *c) {
    if (a->wipe)
        explicit_bzero(c->data, c->used);
    free(c);
}

void arena_free(struct arena *a) {
    if (!a)
        return;
    for (struct chunk *c = a->head; c;) {
        struct chunk *next = c->next;
        chunk_free(a, c);
        c = next;
    }
    free(a);
}

void arena_clear(struct arena *a) {
    struct chunk *last = a->head;
    if (!last)
        return;
    while (last->next) {
        struct chunk *next = last->next;
        chunk_free(a, last);
        last = next;
    }
    if (last->used > chunk_size) { /* one that was made for something large */
        chunk_free(a, last);
        last = NULL;
    } else {
        memset(last->data, 0, last->used);
        last->used = 0;
    }
    *a = (struct arena){.head = last};
}

static struct chunk *chunk_new(size_t size) {
    struct chunk *c = mem_alloc(sizeof *c + size);
    c->size = size;
    return c;
}

void *arena_alloc(struct arena *a, size_t size) {
    const size_t align = alignof(max_align_t);
    if (size > SIZE_MAX / 2)
        out_of_memory();
    size = (size + align - 1) & ~(align - 1);
    a->total += size;
    struct chunk *c = a->head;
    if (!c || c->size - c->used < size) {
        if (size > chunk_size / 4) { /* behind the head, so that the head's rest is still used */
            struct chunk *own = chunk_new(size);
            own->used = size;
            if (c) {
                own->next = c->next;
                c->next = own;
            } else {
                a->head = own;
            }
            return own->data;
        }
        struct chunk *fresh = chunk_new(c ? chunk_size : first_size > size ? first_size : size);
        fresh->next = c;
        a->head = c = fresh;
    }
    void *p = c->data + c->used;
    c->used += size;
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t len) {
    char *p = arena_alloc(a, len + 1);
    if (len)
        memcpy(p, s, len);
    return p;
}

char *arena_strdup(struct arena *a, const char *s) {
    return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *p = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
    if (n > 0)
        vsnprintf(p, (size_t)n + 1, fmt, ap);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *p = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}

size_t arena_used(const struct arena *a) {
    return a->total;
}
