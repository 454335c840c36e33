/* cordage/shared.h - memory that child processes share.
 *
 * It has the same address in all processes of a family (a program and the tasks of kind process that it and they have
 * started), whoever made it and when: so a plain pointer to it may be handed over, in an argument or through a queue.
 * From Python: multiprocessing.Value, Array, shared_memory.
 */
#ifndef CORDAGE_SHARED_H
#define CORDAGE_SHARED_H

#include <stddef.h>

#include <cordage/attributes.h>

CORD_BEGIN

enum { CORD_SHARED = 1 }; /* for cord_lock_new, cord_queue_new and so on: also for other processes */

/* Zeroed memory that all processes of the family have in common, until one of them frees it. What a process that was
 * killed had made stays until the last of the family ends. Fails: -ENOMEM, -EINVAL (size 0). */
CORD_API CORD_MUST_CHECK int cord_shared_new(void **ret, size_t size);
CORD_API void cord_shared_free(void *shared);

CORD_END

#endif
