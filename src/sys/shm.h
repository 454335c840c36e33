/* sys/shm.h - memory that children share, at one address in the whole family (fork keeps it). The ranges are noted,
 * so that a pointer handed to a process can be checked. */
#ifndef CORDI_SYS_SHM_H
#define CORDI_SYS_SHM_H

#include <stdbool.h>
#include <stddef.h>

int cordi_shm_map(void **ret, size_t size); /* zeroed. Fails: -ENOMEM, -EINVAL */
void cordi_shm_unmap(void *address);        /* what map gave; NULL is allowed */
bool cordi_shm_contains(const void *address);

/* The opposite: zeroed memory that each process of the family has for itself at the same address. A child begins
 * with zeros, whatever its parent had there. Fails: -ENOMEM, -EINVAL. */
int cordi_shm_map_own(void **ret, size_t size);
void cordi_shm_unmap_own(void *address, size_t size); /* NULL is allowed */

#endif
