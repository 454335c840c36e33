/* rt/time.c - spans, deadlines, sleeping. A sleep is a wait for nothing, until its deadline. */
#include <cordage/time.h>

#include <cordage/task.h>

#include <errno.h>
#include <string.h>

#include "rt/park.h"
#include "sys/clock.h"

int64_t cord_now(void)
{
    return cordi_clock_now();
}

cord_deadline cord_in(cord_span span)
{
    int64_t at;
    if (__builtin_add_overflow(cordi_clock_now(), span, &at))
        return span > 0 ? CORD_FOREVER : (cord_deadline){ 1 };
    return (cord_deadline){ at > 0 ? at : 1 };
}

cord_span cord_left(cord_deadline deadline)
{
    if (deadline.at == 0)
        return INT64_MAX;
    if (deadline.at < 0)
        return 0;
    cord_span left = deadline.at - cordi_clock_now();
    return left > 0 ? left : 0;
}

int cord_sleep(cord_span span)
{
    struct cordi_waiter node;
    int rc;
    if (span <= 0)
        return cord_yield();
    cordi_wait_begin(&node, CORDI_CANCELLABLE, "a sleep");
    rc = cordi_park(cord_in(span));
    return rc == -ETIMEDOUT ? 0 : rc;
}

int cord_span_parse(cord_span *ret, const char *text)
{
    static const struct {
        const char *name;
        cord_span span;
    } units[] = {
        { "", CORD_SECOND },        { "s", CORD_SECOND }, { "ns", CORD_NANOSECOND }, { "us", CORD_MICROSECOND },
        { "ms", CORD_MILLISECOND }, { "m", CORD_MINUTE }, { "h", CORD_HOUR },
    };
    double count = 0, place = 1;
    const char *at = text;
    while (*at >= '0' && *at <= '9')
        count = count * 10 + (*at++ - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++)
            count += (*at - '0') * (place /= 10);
    for (size_t i = 0; at > text && at[-1] != '.' && i < sizeof units / sizeof *units; i++)
        if (strcmp(at, units[i].name) == 0 && count * (double)units[i].span < 9e18) {
            *ret = (cord_span)(count * (double)units[i].span + 0.5);
            return 0;
        }
    return cordi_fail(-EINVAL, "\"%s\" is no length of time; write 500ms, 1.5 (seconds), 2m or 1h", text);
}
