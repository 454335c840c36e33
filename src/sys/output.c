/* Output of whole pieces. write(2) has no flag that keeps SIGPIPE away (RWF_NOSIGNAL is newer than the kernels this
 * runs on), and a library must not change a signal's action for the sake of a print: so the signal is blocked in this
 * thread, and taken back when this write raised it. */
#include "sys/output.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static int write_all(int fd, const char *p, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n >= 0) {
            p += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd wait = { .fd = fd, .events = POLLOUT };
            (void)poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

void cordi_output_hold(struct cordi_output_hold *hold)
{
    sigset_t pipe, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &hold->before);
    sigpending(&pending);
    hold->was_pending = sigismember(&pending, SIGPIPE) == 1;
}

void cordi_output_release(const struct cordi_output_hold *hold, bool raised)
{
    if (raised && !hold->was_pending) {
        struct timespec now = { 0, 0 };
        sigset_t pipe;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &hold->before, NULL);
}

int cordi_output_write(int fd, const void *buf, size_t size)
{
    struct cordi_output_hold hold;
    cordi_output_hold(&hold);
    int rc = write_all(fd, buf, size);
    cordi_output_release(&hold, rc == -EPIPE);
    return rc;
}
