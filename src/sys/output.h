/* sys/output.h - writing to a descriptor that may be anything: a terminal, a pipe, a file. */
#ifndef CORDI_SYS_OUTPUT_H
#define CORDI_SYS_OUTPUT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Around a write(2): keeps SIGPIPE from this thread, and takes it back when the write raised it (-EPIPE). */
struct cordi_output_hold {
    sigset_t before;
    bool was_pending;
};
void cordi_output_hold(struct cordi_output_hold *hold);
void cordi_output_release(const struct cordi_output_hold *hold, bool raised);

/* Writes all of it, with one write(2) unless the system takes it in parts. SIGPIPE is held off for the call. On a
 * descriptor that somebody made non-blocking it waits. 0 or -errno (-EPIPE: the reader has gone). */
int cordi_output_write(int fd, const void *buf, size_t size);

#endif
