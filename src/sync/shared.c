/* sync/shared.c - shared memory for users, and what the shared objects have in common. */
#include "sync/shared.h"

#include <errno.h>

int cord_shared_new(void **ret, size_t size)
{
    if (size == 0)
        return cordi_fail(-EINVAL, "shared memory: its size must be at least 1");
    int rc = cordi_shm_new(ret, size);
    return rc < 0 ? cordi_fail_code(rc, "shared memory of %zu bytes", size) : 0;
}

void cord_shared_free(void *shared)
{
    cordi_shm_free(shared);
}

int cordi_shared_object_new(void **ret, size_t size, const char *name)
{
    int rc = cordi_shm_new(ret, size);
    return rc < 0 ? cordi_fail_code(rc, "%s in shared memory", name) : 0;
}

/* A futex is a 32-bit word; the low half of ours comes first in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the futex is the low half of a 64-bit word");

static _Atomic uint32_t *low_half(_Atomic uint64_t *word)
{
    return (_Atomic uint32_t *)word;
}

struct cordi_sleep cordi_shared_sleep_on(_Atomic uint64_t *word, uint64_t expected, uint32_t deaths, const char *what)
{
    return (struct cordi_sleep){ low_half(word), (uint32_t)expected, deaths, what };
}

int cordi_shared_sleep(_Atomic uint64_t *word, uint32_t expected, uint32_t deaths, const char *what, int cancellable,
                       cord_deadline deadline)
{
    return cordi_sleep_on(&(struct cordi_sleep){ low_half(word), expected, deaths, what }, cancellable, deadline);
}

void cordi_shared_wake(_Atomic uint64_t *word)
{
    cordi_word_wake(low_half(word));
}
