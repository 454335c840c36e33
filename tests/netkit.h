/* tests/netkit.h - what the tests of sockets share. */
#ifndef TESTS_NETKIT_H
#define TESTS_NETKIT_H

#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "rt/io.h"

/* Starts fn as a task that shares this one's memory: of the mode's kind, but a thread where that is a process. */
static inline cord_task *start_beside(cord_fn *fn, const void *arg, size_t arg_size)
{
    cord_task *task = NULL;
    cord_kind kind = mode.kind == CORD_PROCESS ? CORD_THREAD : mode.kind;
    ok(cord_task_start(&task, fn, arg, arg_size, &(cord_task_options){ .kind = kind }));
    return task;
}

struct turn {
    cord_socket socket;
    enum cordi_direction direction;
};

static inline bool turn_is_taken(void *arg)
{
    struct turn *this = arg;
    struct cordi_io *io = cordi_io_get(this->socket.id);
    int rc = cordi_io_turn(io, this->direction, CORD_NOWAIT);
    if (rc == 0)
        cordi_io_turn_end(io, this->direction);
    cordi_io_put(io);
    return rc != 0;
}

/* Until another task is within a call on that socket. */
static inline void until_busy(cord_socket socket, enum cordi_direction direction)
{
    struct turn this = { socket, direction };
    eventually(turn_is_taken, &this);
}

/* For the rare wait that cannot be observed, as that of another process: makes it likely that it has begun. The test
 * has to hold in either case. */
static inline void let_it_begin(void)
{
    ok(cord_sleep(20 * CORD_MILLISECOND));
}

/* A connected pair over "tcp", "unix" or "udp"; [1] is the accepted end. */
static inline void pair_over(const char *transport, cord_socket ret[2])
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, transport);
    ok(cord_connect(&ret[0], address, NULL, soon()));
    ok(cord_accept(listener, &ret[1], NULL, soon()));
    cord_close(&listener);
}

/* Sends until nothing more is taken, also when what is under way has gone on to the peer. */
static inline void fill(cord_socket socket)
{
    static const char block[64 * 1024];
    ssize_t rc;
    while ((rc = cord_send(socket, block, sizeof block, cord_in(50 * CORD_MILLISECOND))) >= 0)
        ;
    is(rc, -ETIMEDOUT);
}

static inline void sentence_is(const char *want)
{
    ck_assert_str_eq(cord_error_detail(), want);
}

static inline void sentence_has(const char *want)
{
    ck_assert_msg(strstr(cord_error_detail(), want) != NULL, "\"%s\" does not say \"%s\"", cord_error_detail(), want);
}

static inline void received(cord_socket socket, const char *want)
{
    char buf[256];
    ssize_t n = cord_recv(socket, buf, sizeof buf - 1, soon());
    ok(n);
    buf[n] = 0;
    ck_assert_str_eq(buf, want);
}

#endif
