/* cordage/time.h - spans and deadlines.
 *
 * A span is a length of time in nanoseconds: 3 * CORD_SECOND. A deadline is a point in time, a type of its
 * own, so that a span cannot be passed by mistake: cord_recv(s, b, n, cord_in(3 * CORD_SECOND)). The clock
 * is CLOCK_MONOTONIC; setting the wall clock changes nothing.
 */
#ifndef CORDAGE_TIME_H
#define CORDAGE_TIME_H

#include <stdint.h>

#include <cordage/attributes.h>

CORD_BEGIN

typedef int64_t cord_span;

#define CORD_NANOSECOND ((cord_span)1)
#define CORD_MICROSECOND (1000 * CORD_NANOSECOND)
#define CORD_MILLISECOND (1000 * CORD_MICROSECOND)
#define CORD_SECOND (1000 * CORD_MILLISECOND)
#define CORD_MINUTE (60 * CORD_SECOND)
#define CORD_HOUR (60 * CORD_MINUTE)

typedef struct {
    int64_t at; /* on the clock of cord_now(); 0: never; INT64_MIN: CORD_NOWAIT */
} cord_deadline;

/* CORD_FOREVER: wait as long as it takes. CORD_NOWAIT: do not wait; what is not ready answers -EAGAIN. */
#ifdef __cplusplus
#define CORD_FOREVER (cord_deadline{ 0 })
#define CORD_NOWAIT (cord_deadline{ INT64_MIN })
#else
#define CORD_FOREVER ((cord_deadline){ 0 })
#define CORD_NOWAIT ((cord_deadline){ INT64_MIN })
#endif

/* Nanoseconds on the monotonic clock; always > 0. Any thread, async-signal-safe. */
CORD_API int64_t cord_now(void);

/* The point `span` from now. A span of 0 or less is a deadline that has passed: the call tries once and then
 * answers -ETIMEDOUT. A span that would overflow is CORD_FOREVER. */
CORD_API cord_deadline cord_in(cord_span span);

/* What is left until then: 0 when it has passed, INT64_MAX for CORD_FOREVER. */
CORD_API cord_span cord_left(cord_deadline deadline);

/* Suspends the calling task for `span` (Python: time.sleep, asyncio.sleep); 0 or less only yields.
 * Any kind. Fails: -ECANCELED. */
CORD_API int cord_sleep(cord_span span);

/* Reads "500ms", "1.5" (seconds), "2m", "1h", "250us" into a span. Fails: -EINVAL. */
CORD_API CORD_MUST_CHECK int cord_span_parse(cord_span *ret, const char *text);

CORD_END

#endif
