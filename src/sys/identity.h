/* sys/identity.h - a name for a process that a later one with the same pid does not have: the pid and the low half of
 * its start time, {start << 32 | pid}. Never 0 for a live process. Where /proc cannot be read the start time is 0,
 * which is taken as equal to any. */
#ifndef CORDI_SYS_IDENTITY_H
#define CORDI_SYS_IDENTITY_H

#include <stdint.h>

uint64_t cordi_identity_self(void);         /* once there is shared memory (shm.h), which keeps it */
int cordi_identity_open(uint64_t identity); /* a pidfd of that process; -ESRCH: it has ended */

#endif
