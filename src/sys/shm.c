/* sys/shm.c - anonymous shared mappings, one per object, and the list of them.
 *
 * The list is of heap nodes that are pushed by compare-and-swap and never freed: a node whose mapping is gone is used
 * again. So it needs no lock, and a fork in the middle of a change leaves the child a list that works (a lock held by
 * another thread at that moment would stay locked in the child for ever). Walking it is linear, which is enough for
 * what asks: the start of a process, and unmapping.
 */
#include "sys/shm.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

struct range {
    struct range *next;
    _Atomic uintptr_t start; /* 0: free to be used again */
    _Atomic size_t size;     /* written before start */
};

static struct range *_Atomic ranges;

static int note(void *address, size_t size)
{
    for (struct range *range = atomic_load(&ranges); range != NULL; range = range->next) {
        uintptr_t unused = 0;
        /* 1 is nobody's address: it reserves the node until the size is in. */
        if (atomic_compare_exchange_strong(&range->start, &unused, 1)) {
            atomic_store(&range->size, size);
            atomic_store(&range->start, (uintptr_t)address);
            return 0;
        }
    }
    struct range *range = calloc(1, sizeof *range);
    if (range == NULL)
        return -ENOMEM;
    atomic_init(&range->start, (uintptr_t)address);
    atomic_init(&range->size, size);
    range->next = atomic_load(&ranges);
    while (!atomic_compare_exchange_weak(&ranges, &range->next, range))
        ;
    return 0;
}

static int map(void **ret, size_t size, int flags)
{
    if (size == 0)
        return -EINVAL;
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED)
        return -errno;
    *ret = address;
    return 0;
}

int cordi_shm_map(void **ret, size_t size)
{
    void *address = NULL;
    int rc = map(&address, size, MAP_SHARED);
    if (rc < 0)
        return rc;
    rc = note(address, size);
    if (rc < 0)
        (void)munmap(address, size);
    else
        *ret = address;
    return rc;
}

void cordi_shm_unmap(void *address)
{
    for (struct range *range = atomic_load(&ranges); address != NULL && range != NULL; range = range->next) {
        if (atomic_load(&range->start) == (uintptr_t)address) {
            size_t size = atomic_load(&range->size);
            atomic_store(&range->start, 0); /* first: the address may be given out again once it is unmapped */
            (void)munmap(address, size);
            return;
        }
    }
}

bool cordi_shm_contains(const void *address)
{
    for (struct range *range = atomic_load(&ranges); range != NULL; range = range->next) {
        uintptr_t start = atomic_load(&range->start);
        if (start > 1 && (uintptr_t)address - start < atomic_load(&range->size))
            return true;
    }
    return false;
}

int cordi_shm_map_own(void **ret, size_t size)
{
    void *address = NULL;
    int rc = map(&address, size, MAP_PRIVATE);
    if (rc < 0)
        return rc;
    if (madvise(address, size, MADV_WIPEONFORK) < 0) {
        rc = -errno;
        (void)munmap(address, size);
        return rc;
    }
    *ret = address;
    return 0;
}

void cordi_shm_unmap_own(void *address, size_t size)
{
    if (address != NULL)
        (void)munmap(address, size);
}
