/* base/error.c - the words for codes. What users meet often is in the table, so that it reads well in the middle of a
 * sentence; the other errnos' words are the C library's, with its capital letters.
 */
#include <cordage/error.h>

#include <errno.h>
#include <string.h>

static const struct {
    int code;
    const char *words;
} table[] = {
    { CORD_ERESOLVE, "name does not resolve" },
    { CORD_EADDRESS, "malformed address" },
    { CORD_ETOOLONG, "longer than the buffer" },
    { CORD_EENCODING, "not in that encoding" },
    { CORD_EENDED, "the stream ended in the middle" },
    { CORD_EBROKEN, "the barrier is broken" },
    { -ECANCELED, "cancelled" },
    { -ETIMEDOUT, "timed out" },
    { -EAGAIN, "not ready" },
    { -EBADF, "closed" },
    { -EOWNERDEAD, "the process died" },
    { -EPIPE, "broken pipe" },
    { -ECONNRESET, "connection reset by peer" },
    { -ECONNREFUSED, "connection refused" },
    { -EADDRINUSE, "address already in use" },
    { -EADDRNOTAVAIL, "cannot assign requested address" },
    { -ENETUNREACH, "network is unreachable" },
    { -EHOSTUNREACH, "no route to host" },
    { -ENOTCONN, "not connected" },
    { -ENOTSOCK, "not a socket" },
    { -EMSGSIZE, "message too long" },
    { -ENOENT, "no such file or directory" },
    { -EACCES, "permission denied" },
    { -EPERM, "operation not permitted" },
    { -EMFILE, "too many open files" },
    { -ENOMEM, "out of memory" },
    { -EINVAL, "invalid argument" },
};

const char *cord_strerror(int code)
{
    if (code >= 0)
        return "success";
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == code)
            return table[i].words;
    const char *words = code > -4096 ? strerrordesc_np(-code) : NULL;
    return words ? words : "unknown code";
}
