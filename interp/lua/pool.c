#include "lua/pool.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif

enum { grain = 16, classes = 32, few = 16 };

/* Bytes of a chunk with its header: of the first few, and of those that follow, which are a huge page where the system has them: thousands of
 * states touch so much memory that taking it page by page is a tenth of an exploration. */
static const size_t small_chunk = 64 * 1024, large_chunk = 2 * 1024 * 1024;

struct block {
    struct block *next;
};

struct chunk {
    struct chunk *next;
    size_t used, size; /* of data */
    _Alignas(max_align_t) char data[];
};

struct pool {
    struct block *free[classes + 1]; /* by size in grains */
    struct chunk *chunks;
    size_t nchunks;
};

struct pool *pool_new(void) {
    return mem_alloc(sizeof(struct pool));
}

void pool_free(struct pool *p) {
    while (p->chunks) {
        struct chunk *next = p->chunks->next;
        free(p->chunks);
        p->chunks = next;
    }
    free(p);
}

/* 0: not a size of the pool */
static size_t class_of(size_t size) {
#ifdef WITH_SANITIZER
    (void)size;
    return 0;
#else
    const size_t n = (size + grain - 1) / grain;
    return n <= classes ? n : 0;
#endif
}

static struct chunk *chunk_new(struct pool *p) {
    const size_t size = p->nchunks < few ? small_chunk : large_chunk;
    struct chunk *c = size == large_chunk ? aligned_alloc(large_chunk, large_chunk) : malloc(size);
    if (!c)
        return NULL;
    if (size == large_chunk)
        (void)madvise(c, size, MADV_HUGEPAGE); /* without them it is only slower */
    *c = (struct chunk){.next = p->chunks, .size = size - sizeof *c};
    p->chunks = c;
    p->nchunks++;
    return c;
}

static void *take(struct pool *p, size_t class) {
    struct block *b = p->free[class];
    if (b) {
        p->free[class] = b->next;
        return b;
    }
    const size_t size = class * grain;
    if ((!p->chunks || p->chunks->used + size > p->chunks->size) && !chunk_new(p))
        return NULL;
    void *block = p->chunks->data + p->chunks->used;
    p->chunks->used += size;
    return block;
}

static void give(struct pool *p, void *block, size_t class) {
    struct block *b = block;
    b->next = p->free[class];
    p->free[class] = b;
}

void *pool_realloc(struct pool *p, void *block, size_t old, size_t size) {
    const size_t from = block ? class_of(old) : 0, to = class_of(size);
    if (!size) {
        if (from)
            give(p, block, from);
        else
            free(block);
        return NULL;
    }
    if (block && from && from == to)
        return block;
    if (!to && !from)
        return realloc(block, size);
    void *q = to ? take(p, to) : malloc(size);
    if (!q || !block)
        return q;
    memcpy(q, block, old < size ? old : size);
    if (from)
        give(p, block, from);
    else
        free(block);
    return q;
}
