/* arena.h: memory by lifetime.
 *
 * Everything that lives as long as one load, run, task or turn is taken from that thing's arena and goes with it. Allocation never
 * returns NULL: running out of memory for our own structures ends the process, which the journal makes a supported event. What a
 * script or a peer can grow is limited by whoever reads it, not here. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a); /* NULL is fine */
/* It holds secrets: from now on its memory is overwritten before it is given back. */
void arena_wipe(struct arena *a);
/* As freed and made anew, but cheaper: for what is needed again and again for a short time. */
void arena_clear(struct arena *a);

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len); /* always terminated; may contain NUL bytes */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
size_t arena_used(const struct arena *a); /* bytes handed out so far */

#define arena_new_of(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))

/* Heap memory for the few things that outlive or outgrow an arena; these end the process when there is none. */
void *mem_alloc(size_t size); /* zeroed */
void *mem_realloc(void *p, size_t size);
char *mem_strdup(const char *s);
/* Says why on standard error and ends the process: for what must never happen to our own structures. */
_Noreturn void mem_die(const char *why);

#endif
