/* cordage/shared.h - memory that child processes share.
 *
 * What is made before a process is started has the same address in it, so a plain pointer to it may be handed over.
 * From Python: multiprocessing.Value, Array, shared_memory.
 */
#ifndef CORDAGE_SHARED_H
#define CORDAGE_SHARED_H

#include <stddef.h>

#include <cordage/attributes.h>

CORD_BEGIN

enum { CORD_SHARED = 1 }; /* for cord_lock_new, cord_event_new, cord_queue_new: also for other processes */

/* Zeroed memory that this process and those it starts from now on have in common. Whoever made it frees it, when no
 * other process uses it any more (theirs stays mapped until they end). Fails: -ENOMEM, -EINVAL (size 0). */
CORD_API CORD_MUST_CHECK int cord_shared_new(void **ret, size_t size);
CORD_API void cord_shared_free(void *shared);

CORD_END

#endif
