/* sync/late.h - what a signal handler asks for while its thread is in a section of the library (rt/park.h). */
#ifndef CORDI_SYNC_LATE_H
#define CORDI_SYNC_LATE_H

#include <stdint.h>

#include <cordage/event.h>
#include <cordage/lock.h>

/* cord_event_set(), cord_sem_release(): done when the section ends. */
void cordi_late_set(cord_event *event);
void cordi_late_release(cord_sem *sem, uint32_t count);

#endif
