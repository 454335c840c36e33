/* sys/clock.h - the monotonic clock, in nanoseconds. */
#ifndef CORDI_SYS_CLOCK_H
#define CORDI_SYS_CLOCK_H

#include <stdint.h>

int64_t cordi_clock_now(void);

#endif
