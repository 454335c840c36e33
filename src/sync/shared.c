/* sync/shared.c - shared memory for users, and what the shared lock, event and queue have in common. */
#include "sync/shared.h"

#include <errno.h>

#include "rt/offload.h"
#include "sys/futex.h"
#include "sys/shm.h"

int cord_shared_new(void **ret, size_t size)
{
    if (size == 0)
        return cordi_fail(-EINVAL, "shared memory: its size must be at least 1");
    int rc = cordi_shm_map(ret, size);
    return rc < 0 ? cordi_fail_code(rc, "shared memory of %zu bytes", size) : 0;
}

void cord_shared_free(void *shared)
{
    cordi_shm_unmap(shared);
}

int cordi_shared_object_new(void **ret, size_t size, void **own, size_t own_size)
{
    void *mine = NULL;
    int rc = cordi_shm_map_own(&mine, own_size);
    if (rc == 0)
        rc = cordi_shm_map(ret, size);
    if (rc < 0) {
        cordi_shm_unmap_own(mine, own_size);
        return cordi_fail_code(rc, "shared object of %zu bytes", size);
    }
    *own = mine;
    return 0;
}

void cordi_shared_object_free(void *object, void *own, size_t own_size)
{
    cordi_shm_unmap_own(own, own_size);
    cordi_shm_unmap(object);
}

/* A futex is a 32-bit word; the low half of ours comes first in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the futex is the low half of a 64-bit word");

static _Atomic uint32_t *low_half(_Atomic uint64_t *word)
{
    return (_Atomic uint32_t *)word;
}

struct sleep {
    _Atomic uint32_t *word;
    uint32_t expected;
    int64_t deadline;
};

static int sleep_here(void *arg)
{
    struct sleep *sleep = arg;
    int rc = cordi_futex_wait(sleep->word, sleep->expected, sleep->deadline, true);
    return rc == -ETIMEDOUT ? rc : 0; /* a word that differs and a signal both mean: look again */
}

int cordi_shared_sleep(_Atomic uint64_t *word, uint32_t expected, int cancellable, cord_deadline deadline)
{
    struct sleep sleep = { low_half(word), expected, deadline.at };
    if (cancellable == CORDI_UNCANCELLABLE && !cordi_must_offload())
        return sleep_here(&sleep);
    if (cancellable == CORDI_CANCELLABLE && !cordi_must_offload()) {
        int rc = cordi_thread_sleep(sleep.word, expected, deadline);
        if (rc != -ENOSYS)
            return rc;
    }
    /* With CORD_FOREVER the wait for the helper is not a cancellation point: the futex keeps the time. */
    if (cancellable == CORDI_UNCANCELLABLE)
        deadline = CORD_FOREVER;
    else if (deadline.at == 0)
        deadline.at = INT64_MAX;
    return cordi_offload(CORDI_OFFLOAD_SHARED, sleep_here, &sleep, sizeof sleep, NULL, deadline);
}

void cordi_shared_wake(_Atomic uint64_t *word)
{
    cordi_futex_wake(low_half(word), INT32_MAX, true);
}
