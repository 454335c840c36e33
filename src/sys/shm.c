/* sys/shm.c - the two windows, and the blocks that the shared one is cut into.
 *
 * A block is a power of two bytes, of which the first 64 are its header: no two blocks have a cache line in common.
 * Free ones hang on a stack for each size, as {tag, place}: pushing and popping are one compare-and-swap, the tag tells
 * apart a place that has left the stack and come back. There is no lock, so who is killed in here loses one block and
 * stops nobody. The rounding costs address space only: a page that is not touched is no memory. What a large block had
 * touched is given back when it is freed.
 *
 * The windows take 64 GiB of address space where the system lets them (no memory: MAP_NORESERVE), else less. A mapping
 * for each block was used before: it is not there for children that are older than it. A memfd for each, handed from
 * process to process, was rejected: each would have to be opened in each process at its first touch.
 */
#include "sys/shm.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER = 64, LEAST = 8, MOST = 36, PAGE = 4096, LARGE = 16 * PAGE }; /* sizes are 1 << LEAST and up */

struct block {
    _Atomic uint32_t next; /* the place of the next free one of this size; 0: none */
    uint32_t order;        /* its size is 1 << order */
    char pad[HEADER - 8];
};

/* The first block of the window. A place is an offset in units of 1 << LEAST. */
struct head {
    struct block block;
    _Atomic uint64_t top;            /* offset of what was never given out */
    _Atomic uint64_t free[MOST + 1]; /* {tag, place} for each order */
    _Alignas(64) _Atomic uint32_t deaths;
};

struct cordi_shm_window cordi_shm_window;
static _Atomic int made; /* 1: being made, 2: it is there */

static char *base(void)
{
    return atomic_load_explicit(&cordi_shm_window.shared, memory_order_relaxed);
}

static void *reserve(size_t size, int flags)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static bool reserve_both(size_t size)
{
    char *shared = reserve(size, MAP_SHARED), *own = shared == NULL ? NULL : reserve(size, MAP_PRIVATE);
    if (own != NULL && madvise(own, size, MADV_WIPEONFORK) == 0) {
        (void)madvise(shared, size, MADV_DONTDUMP); /* a core of 128 GiB, if sparse, is nobody's friend */
        (void)madvise(own, size, MADV_DONTDUMP);
        atomic_store(&cordi_shm_window.shared, shared);
        cordi_shm_window.own = own;
        atomic_store(&cordi_shm_window.size, size);
        return true;
    }
    if (own != NULL)
        (void)munmap(own, size);
    if (shared != NULL)
        (void)munmap(shared, size);
    return false;
}

static struct head *head(void)
{
    return (struct head *)(void *)base();
}

/* False: there is no room for it. */
static bool window_ready(void)
{
    int fresh = 0;
    if (atomic_load_explicit(&made, memory_order_acquire) == 2)
        return true;
    if (!atomic_compare_exchange_strong(&made, &fresh, 1)) {
        while (atomic_load(&made) == 1)
            sched_yield();
        return atomic_load(&made) == 2;
    }
    bool reserved = false;
    for (int order = MOST; order >= 24 && !reserved; order -= 2)
        reserved = reserve_both((size_t)1 << order);
    if (reserved)
        atomic_store(&head()->top, ((sizeof(struct head) - 1) | ((1 << LEAST) - 1)) + 1);
    atomic_store(&made, reserved ? 2 : 0);
    return reserved;
}

static struct block *at_place(uint32_t place)
{
    return (struct block *)(base() + ((uint64_t)place << LEAST));
}

static struct block *pop(uint32_t order)
{
    _Atomic uint64_t *stack = &head()->free[order];
    uint64_t now = atomic_load(stack), next;
    do {
        if ((uint32_t)now == 0)
            return NULL;
        /* It may be taken and used meanwhile: then the tag has changed, and what was read is not used. */
        next = ((now >> 32) + 1) << 32 | atomic_load(&at_place((uint32_t)now)->next);
    } while (!atomic_compare_exchange_weak(stack, &now, next));
    return at_place((uint32_t)now);
}

static void push(struct block *block)
{
    _Atomic uint64_t *stack = &head()->free[block->order];
    uint32_t place = (uint32_t)((uint64_t)((char *)block - base()) >> LEAST);
    uint64_t now = atomic_load(stack);
    do
        atomic_store(&block->next, (uint32_t)now);
    while (!atomic_compare_exchange_weak(stack, &now, ((now >> 32) + 1) << 32 | place));
}

static struct block *cut(uint32_t order)
{
    uint64_t size = (uint64_t)1 << order, top = atomic_load(&head()->top);
    do
        if (size > cordi_shm_window.size - top)
            return NULL;
    while (!atomic_compare_exchange_weak(&head()->top, &top, top + size));
    struct block *block = (struct block *)(base() + top);
    block->order = order;
    return block;
}

/* The whole pages in a block behind its header. */
static size_t pages_of(const struct block *block, char **first)
{
    uintptr_t begin = ((uintptr_t)block + HEADER + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    uintptr_t end = ((uintptr_t)block + ((uintptr_t)1 << block->order)) & ~(uintptr_t)(PAGE - 1);
    *first = (char *)begin;
    return end > begin ? end - begin : 0;
}

/* Large ones give their pages back, which then read as zeros. */
static void clear(struct block *block)
{
    char *begin = (char *)(block + 1), *end = (char *)block + ((size_t)1 << block->order), *first;
    size_t whole = pages_of(block, &first);
    if (whole < LARGE || madvise(first, whole, MADV_REMOVE) < 0) {
        memset(begin, 0, (size_t)(end - begin));
        return;
    }
    memset(begin, 0, (size_t)(first - begin));
    memset(first + whole, 0, (size_t)(end - first) - whole);
}

int cordi_shm_new(void **ret, size_t size)
{
    uint32_t order = LEAST;
    if (size == 0)
        return -EINVAL;
    while (order <= MOST && size > ((size_t)1 << order) - HEADER)
        order++;
    if (order > MOST || !window_ready())
        return -ENOMEM;
    struct block *block = pop(order);
    if (block == NULL)
        block = cut(order);
    if (block == NULL)
        return -ENOMEM;
    *ret = block + 1;
    return 0;
}

void cordi_shm_free(void *address)
{
    if (address == NULL)
        return;
    struct block *block = (struct block *)address - 1;
    clear(block);
    push(block);
}

bool cordi_shm_contains(const void *address)
{
    if (atomic_load_explicit(&made, memory_order_acquire) != 2)
        return false;
    return (size_t)((const char *)address - base()) < atomic_load(&head()->top);
}

void *cordi_shm_own(const void *block)
{
    return cordi_shm_window.own + ((const char *)block - base());
}

_Atomic uint64_t *cordi_shm_process_word(void)
{
    return (_Atomic uint64_t *)cordi_shm_window.own;
}

_Atomic uint32_t *cordi_shm_deaths(void)
{
    return atomic_load_explicit(&made, memory_order_acquire) == 2 ? &head()->deaths : NULL;
}
