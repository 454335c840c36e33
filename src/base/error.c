/* base/error.c - the words for codes. errno's come from the C library, without its capital letter. */
#include <cordage/error.h>

#include <errno.h>
#include <string.h>

const char *cord_strerror(int code)
{
    switch (code) {
    case CORD_ERESOLVE:
        return "name does not resolve";
    case CORD_EADDRESS:
        return "malformed address";
    case CORD_ETOOLONG:
        return "longer than the buffer";
    case CORD_EENCODING:
        return "not in that encoding";
    case CORD_EENDED:
        return "the stream ended in the middle";
    case -ECANCELED:
        return "cancelled";
    case -ETIMEDOUT:
        return "timed out";
    case -EAGAIN:
        return "not ready";
    case -EADDRINUSE:
        return "address already in use";
    case -ECONNREFUSED:
        return "connection refused";
    case -ECONNRESET:
        return "connection reset by peer";
    case -EPIPE:
        return "broken pipe";
    case -EBADF:
        return "closed";
    case -EOWNERDEAD:
        return "the process died";
    default:
        break;
    }
    const char *words = code < 0 && code > -4096 ? strerrordesc_np(-code) : NULL;
    return code >= 0 ? "success" : words ? words : "unknown code";
}
