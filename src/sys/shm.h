/* sys/shm.h - memory that a family of processes shares: one window of address space, at one address in all of them.
 *
 * The window is reserved before the first child can exist (at the first use, or at the first process), as one mapping
 * that children inherit. So what any process of the family takes out of it, at whatever time, is there for all others
 * under the same address, and a plain pointer to it may be handed over.
 *
 * Beside it lies a second window of the same size, in which each process has bytes of its own: zeros at its start,
 * whatever its parent had there. The bytes that belong to a block are found by its address.
 */
#ifndef CORDI_SYS_SHM_H
#define CORDI_SYS_SHM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CORDI_SHM_OWN = 192 }; /* bytes of its own that a process has for each block */

int cordi_shm_new(void **ret, size_t size); /* zeroed, aligned to 64. Fails: -ENOMEM, -EINVAL */
void cordi_shm_free(void *block);           /* what new gave, to any process of the family; NULL is allowed */
bool cordi_shm_contains(const void *address);

/* Where the window is, from its making on; told without a look at the memory in question. */
extern struct cordi_shm_window {
    char *_Atomic shared;
    char *own;
    _Atomic size_t size;
} cordi_shm_window;
static inline bool cordi_shm_is_there(const void *address)
{
    const char *shared = atomic_load_explicit(&cordi_shm_window.shared, memory_order_relaxed);
    return (uintptr_t)address - (uintptr_t)shared < atomic_load_explicit(&cordi_shm_window.size, memory_order_relaxed);
}

/* What this process has for itself of a block. */
void *cordi_shm_own(const void *block);

/* This process's own word, 0 at its start; the window must be there. */
_Atomic uint64_t *cordi_shm_process_word(void);

/* A word of the family that counts the processes that have ended. NULL: there is no window. */
_Atomic uint32_t *cordi_shm_deaths(void);

#endif
