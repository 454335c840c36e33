/* net/limit.c - limits of a connection: what a slow or greedy peer may take its time for.
 *
 * A socket without limits pays one test as a call enters, that of its own time-out: `timeout` in struct cordi_socket is
 * below 0 when there are limits, ~idle. Such a call then has `limited` -1, a sign, which is found by the tests that its
 * path has anyway for failures.
 *
 * Receiving only shortens the deadline: to `first`, until a byte has come, and to `whole`. Sending never waits in the
 * system call's own wait: it is told not to wait, and cordi_limit_wait() waits for room in its place. There, out of
 * time because of `stalled`, it asks the kernel how much is still on its way: less than at the start means that the
 * peer takes some, and the span begins anew. Readiness alone does not tell: a TCP socket is writable when a third of
 * its buffer is free, a UNIX one when three quarters are, which a slow reader may take minutes for.
 *
 * Left: to ask the kernel more often within the span, so that a peer that stops is found out sooner than in twice the
 * span; each look would cost a waking of each waiting task.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/socket.h"
#include "rt/park.h"

/* Set by cord_socket_limit() in any task, read by every call; the points in time are on the clock of cord_now(). */
struct cordi_limits {
    _Atomic int64_t first, stalled, whole; /* spans; 0: none */
    _Atomic int64_t first_at;              /* 0: none, or a byte has come; whoever received it sets that */
    _Atomic int64_t whole_at;              /* 0: none */
};

static struct cordi_limits *limits_of(struct cordi_socket *socket)
{
    return atomic_load_explicit(&socket->limits, memory_order_acquire);
}

static int64_t get(const _Atomic int64_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

static void set(_Atomic int64_t *field, int64_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

/* ---- calls ---- */

static void shorten(struct cordi_call *call, int64_t at, enum cordi_bound_by bound)
{
    if (at == 0 || (call->deadline.at != 0 && call->deadline.at <= at))
        return;
    call->deadline.at = at;
    call->bound = bound;
}

/* The deadline of what comes next; CORD_NOWAIT stays. */
static void bound(struct cordi_call *call, const struct cordi_limits *limits)
{
    call->deadline = call->asked;
    call->bound = CORDI_BY_CALL;
    if (call->direction == CORDI_READ)
        shorten(call, get(&limits->first_at), CORDI_BY_FIRST);
    shorten(call, get(&limits->whole_at), CORDI_BY_WHOLE);
}

/* True: no byte more in this call, and no call more; cord_left() of CORD_FOREVER is not 0. */
static bool is_over(struct cordi_call *call, const struct cordi_limits *limits)
{
    cord_deadline end = { get(&limits->whole_at) };
    if (call->asked.at == CORD_NOWAIT.at || cord_left(end) > 0)
        return false;
    call->deadline = end;
    call->bound = CORDI_BY_WHOLE;
    return true;
}

int cordi_limit_enter(struct cordi_call *call, cord_span timeout)
{
    cord_span idle = timeout < 0 ? ~timeout : timeout;
    struct cordi_limits *limits = timeout < 0 ? limits_of(call->socket) : NULL;
    int rc;
    if (idle > 0 && call->deadline.at == 0)
        call->deadline = cord_in(idle);
    if (limits == NULL)
        return cordi_io_turn(call->io, call->direction, call->deadline);
    call->limited = -1;
    call->asked = call->deadline;
    call->since = 0;
    do { /* whose turn it was may have received the first byte meanwhile */
        bound(call, limits);
        rc = is_over(call, limits) ? -ETIMEDOUT : cordi_io_turn(call->io, call->direction, call->deadline);
    } while (rc == -ETIMEDOUT && call->bound == CORDI_BY_FIRST && get(&limits->first_at) == 0);
    if (rc < 0)
        return rc;
    bound(call, limits);
    if (call->direction == CORDI_WRITE)
        call->deadline = CORD_NOWAIT;
    return 0;
}

void cordi_limit_note(const struct cordi_call *call, ssize_t came)
{
    struct cordi_limits *limits = limits_of(call->socket);
    const struct cordi_reader *reader = call->socket->reader;
    if (call->direction == CORDI_READ && get(&limits->first_at) != 0 &&
        (came > 0 || (reader != NULL && reader->end > 0)))
        set(&limits->first_at, 0);
}

ssize_t cordi_limit_more(struct cordi_call *call, ssize_t came)
{
    const struct cordi_limits *limits = limits_of(call->socket);
    if (came < 0)
        return came;
    cordi_limit_note(call, came);
    if (is_over(call, limits))
        return -ETIMEDOUT;
    if (call->direction == CORDI_READ)
        bound(call, limits);
    return came;
}

/* As bound(), and with what `stalled` leaves. */
static void bound_wait(struct cordi_call *call, const struct cordi_limits *limits)
{
    int64_t stalled = get(&limits->stalled);
    if (call->since == 0) {
        call->since = cord_now();
        call->queued = cordi_net_queued(cordi_io_fd(call->io));
    }
    bound(call, limits);
    if (stalled > 0 && stalled < INT64_MAX - call->since)
        shorten(call, call->since + stalled, CORDI_BY_STALLED);
}

/* The peer has taken something since it was last asked. */
static bool has_taken(struct cordi_call *call)
{
    int queued = cordi_net_queued(cordi_io_fd(call->io));
    if (queued < 0 || queued >= call->queued)
        return false;
    call->queued = queued;
    call->since = cord_now();
    return true;
}

int cordi_limit_wait(struct cordi_call *call, ssize_t failed)
{
    const struct cordi_limits *limits = limits_of(call->socket);
    int rc = (int)failed;
    if (rc != -EAGAIN || call->limited == 0 || call->asked.at == CORD_NOWAIT.at)
        return rc;
    do {
        bound_wait(call, limits);
        rc = cordi_io_wait(call->io, CORDI_WRITE, call->deadline);
    } while (rc == -ETIMEDOUT && call->bound == CORDI_BY_STALLED && has_taken(call));
    if (rc == 0) {
        call->deadline = CORD_NOWAIT;
        call->bound = CORDI_BY_CALL;
    }
    return rc;
}

int cordi_limit_nap(struct cordi_call *call, cord_span *nap)
{
    if (call->limited != 0 && call->asked.at != CORD_NOWAIT.at)
        bound_wait(call, limits_of(call->socket));
    return cordi_socket_nap(nap, call->deadline);
}

/* ---- sentences ---- */

enum { SPAN_TEXT = 32 };

/* "5 s", "250 ms". Answers buf, of SPAN_TEXT bytes. */
static const char *span_text(cord_span span, char *buf)
{
    cord_span unit = span >= CORD_SECOND ? CORD_SECOND : span >= CORD_MILLISECOND ? CORD_MILLISECOND : CORD_MICROSECOND;
    const char *name = unit == CORD_SECOND ? "s" : unit == CORD_MILLISECOND ? "ms" : "us";
    snprintf(buf, SPAN_TEXT, "%.9g %s", (double)span / (double)unit, name);
    return buf;
}

bool cordi_limit_cut(const struct cordi_call *call, ssize_t rc)
{
    return rc == -ETIMEDOUT && call->limited != 0 && call->bound != CORDI_BY_CALL && cord_left(call->deadline) == 0;
}

int cordi_limit_fail(const struct cordi_call *call, int rc)
{
    const struct cordi_limits *limits = limits_of(call->socket);
    char name[CORD_ADDRESS_TEXT], span[SPAN_TEXT];
    if (!cordi_limit_cut(call, rc))
        return cordi_socket_fail(call->socket, rc);
    cord_address_text(&call->socket->name, name, sizeof name);
    if (call->bound == CORDI_BY_FIRST)
        return cordi_fail(rc, "%s: timed out: no byte came within %s", name, span_text(get(&limits->first), span));
    if (call->bound == CORDI_BY_STALLED)
        return cordi_fail(rc, "%s: timed out: the peer took nothing for %s", name,
                          span_text(get(&limits->stalled), span));
    return cordi_fail(rc, "%s: timed out: the connection took longer than %s", name,
                      span_text(get(&limits->whole), span));
}

/* ---- setting them ---- */

/* Zeroed at first; there from then on until the socket is closed. NULL: no memory. */
static struct cordi_limits *hang(struct cordi_socket *socket)
{
    struct cordi_limits *found = limits_of(socket), *made = found == NULL ? calloc(1, sizeof *made) : NULL;
    if (made == NULL || atomic_compare_exchange_strong(&socket->limits, &found, made))
        return found != NULL ? found : made;
    free(made); /* another task was faster */
    return found;
}

static int set_limits(struct cordi_socket *socket, const cord_socket_limits *wanted)
{
    bool any = wanted->first > 0 || wanted->stalled > 0 || wanted->whole > 0;
    if (wanted->idle < 0 || wanted->first < 0 || wanted->stalled < 0 || wanted->whole < 0)
        return -EINVAL;
    struct cordi_limits *limits = any ? hang(socket) : limits_of(socket);
    if (any && limits == NULL)
        return -ENOMEM;
    if (limits != NULL) {
        set(&limits->first, wanted->first);
        set(&limits->stalled, wanted->stalled);
        set(&limits->whole, wanted->whole);
        set(&limits->first_at, wanted->first > 0 ? cord_in(wanted->first).at : 0);
        set(&limits->whole_at, wanted->whole > 0 ? cord_in(wanted->whole).at : 0);
    }
    atomic_store_explicit(&socket->timeout, any ? ~wanted->idle : wanted->idle, memory_order_release);
    return 0;
}

int cord_socket_limit(cord_socket socket, const cord_socket_limits *limits)
{
    struct cordi_io *io = cordi_socket_get(socket);
    char name[CORD_ADDRESS_TEXT];
    if (io == NULL)
        return -EBADF;
    struct cordi_socket *data = cordi_socket_of(io);
    int rc = set_limits(data, limits);
    cord_address_text(&data->name, name, sizeof name);
    if (rc == -EINVAL)
        (void)cordi_fail(rc, "%s: a limit is a span of 0 or more", name);
    else if (rc < 0)
        (void)cordi_socket_fail(data, rc);
    cordi_io_put(io);
    return rc;
}

int cord_socket_timeout(cord_socket socket, cord_span timeout)
{
    struct cordi_io *io = cordi_socket_get(socket);
    if (io == NULL)
        return -EBADF;
    struct cordi_socket *data = cordi_socket_of(io);
    int rc = timeout < 0 ? -EINVAL : 0;
    int64_t old = get(&data->timeout);
    if (rc < 0)
        (void)cordi_socket_fail(data, rc);
    while (rc == 0 && !atomic_compare_exchange_weak(&data->timeout, &old, old < 0 ? ~timeout : timeout))
        ;
    cordi_io_put(io);
    return rc;
}
