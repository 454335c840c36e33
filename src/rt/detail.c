/* rt/detail.c - the sentence that a failing call leaves for its task, the exit code made of it, and the log.
 *
 * The sentence lies in the task's own block, so that failing allocates nothing and a coroutine keeps its sentence
 * while others fail. It is kept with the answer it belongs to: an old sentence never explains a new failure.
 */
#include <cordage/error.h>
#include <cordage/run.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rt/runtime.h"
#include "rt/task.h"
#include "sys/fd.h"

int cordi_fail(int rc, const char *format, ...)
{
    struct cord_task *self = cordi_self();
    va_list args;
    va_start(args, format);
    vsnprintf(self->detail, sizeof self->detail, format, args);
    va_end(args);
    self->detail_code = rc;
    return rc;
}

int cordi_fail_code(int rc, const char *format, ...)
{
    struct cord_task *self = cordi_self();
    va_list args;
    int length;
    va_start(args, format);
    length = vsnprintf(self->detail, sizeof self->detail, format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof self->detail)
        snprintf(self->detail + length, sizeof self->detail - (size_t)length, ": %s", cord_strerror(rc));
    self->detail_code = rc;
    return rc;
}

const char *cord_error_detail(void)
{
    return cordi_self()->detail;
}

const char *cordi_detail(int rc)
{
    const struct cord_task *self = cordi_self();
    return self->detail_code == rc ? self->detail : cord_strerror(rc);
}

int cord_report(const char *who, ssize_t rc)
{
    if (rc >= 0)
        return 0;
    if (rc == -ECANCELED && cord_run_signal() != 0)
        return cord_run_signal() == SIGINT ? 130 : 0;
    fprintf(stderr, "%s: %s\n", who, cordi_detail((int)rc));
    return 1;
}

void cordi_log(const char *format, ...)
{
    char line[512];
    cord_log_fn *log = cordi_runtime.log;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (log != NULL) {
        log(line);
        return;
    }
    size_t end = length < 0 ? 0 : (size_t)length < sizeof line - 1 ? (size_t)length : sizeof line - 2;
    line[end] = '\n';
    (void)!cordi_fd_write(2, line, end + 1); /* one write: lines of several processes never tear */
}

void cord_log_set(cord_log_fn *log)
{
    cordi_runtime.log = log;
}
