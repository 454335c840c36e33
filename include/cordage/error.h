/* cordage/error.h - what a call that failed says.
 *
 * Every call answers >= 0 when it worked and a negative code when it did not: -errno, or one of the
 * codes below, which lie below every errno. Nothing is left in errno. Each failing call also leaves one
 * sentence for the calling task, which names the thing and the reason.
 *
 * The answers that are easily confused are different everywhere:
 *   -ETIMEDOUT   the deadline that you passed     -EAGAIN      CORD_NOWAIT and nothing was ready
 *   0            the stream ended in order        -ECANCELED   the calling task was cancelled
 *   -EBADF       our side closed it               -EPIPE, -ECONNRESET   the peer broke it
 */
#ifndef CORDAGE_ERROR_H
#define CORDAGE_ERROR_H

#include <sys/types.h>

#include <cordage/attributes.h>

CORD_BEGIN

enum {
    CORD_OWNER_DIED = 1,    /* not a failure: the lock is yours, and its last owner died holding it */
    CORD_ERESOLVE = -5001,  /* the name does not resolve (Python: gaierror) */
    CORD_EADDRESS = -5002,  /* the address text is malformed */
    CORD_ETOOLONG = -5003,  /* a line or frame is longer than the buffer; none of it was taken away */
    CORD_EENCODING = -5004, /* bytes or characters that the encoding does not have (Python: UnicodeError) */
    CORD_EENDED = -5005,    /* the stream ended in the middle (Python: IncompleteReadError) */
    CORD_EBROKEN = -5006    /* the barrier is broken (Python: BrokenBarrierError) */
};

/* The words for any code that a cordage call returned: "connection refused". Static text; any thread. */
CORD_API const char *cord_strerror(int code);

/* The sentence that the calling task's last failing call left: "tcp:127.0.0.1:9090: address already in use".
 * "" when nothing failed yet. Valid until the task's next failing call. */
CORD_API const char *cord_error_detail(void);

/* For the end of main: prints "WHO: SENTENCE" on stderr when rc < 0, and gives the exit code: 0 for rc >= 0,
 * 1 for a failure; after a signal that cord_run() caught, 130 for SIGINT and 0 for SIGTERM, without a word. */
CORD_API int cord_report(const char *who, ssize_t rc);

CORD_END

#endif
