/* pool.h: memory for the many small objects of one Lua state.
 *
 * Lua tells the size of what it frees, so blocks of one size class need no header and go to a list of their own; larger ones go to malloc.
 * Memory is given back as a whole. With a sanitizer everything goes to malloc, so that it can see what happens. */
#ifndef LUA_POOL_H
#define LUA_POOL_H

#include <stddef.h>

struct pool;

struct pool *pool_new(void);
void pool_free(struct pool *p);
/* As realloc, with the old size (0 for none); size 0 frees and returns NULL. NULL: there is no memory, and the old block is as it was. */
void *pool_realloc(struct pool *p, void *block, size_t old, size_t size);

#endif
