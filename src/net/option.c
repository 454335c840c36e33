/* net/option.c - socket options as a table: one row for each, one form (int64_t) for all. Refused: setsockopt(2) as it
 * is, with void pointers; what is not in the table is done through cord_fileno(). */
#include <cordage/option.h>

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "net/socket.h"
#include "rt/park.h"
#include "sys/net.h"

static const struct row {
    const char *name;
    int level, number;
    int least, most; /* of what may be set; least > most: it can only be read */
} rows[] = {
    [CORD_NO_DELAY] = { "CORD_NO_DELAY", IPPROTO_TCP, TCP_NODELAY, 0, 1 },
    [CORD_KEEP_ALIVE] = { "CORD_KEEP_ALIVE", SOL_SOCKET, SO_KEEPALIVE, 0, 1 },
    [CORD_BROADCAST] = { "CORD_BROADCAST", SOL_SOCKET, SO_BROADCAST, 0, 1 },
    [CORD_REUSE_ADDRESS] = { "CORD_REUSE_ADDRESS", SOL_SOCKET, SO_REUSEADDR, 0, 1 },
    [CORD_REUSE_PORT] = { "CORD_REUSE_PORT", SOL_SOCKET, SO_REUSEPORT, 0, 1 },
    [CORD_RECV_BUFFER] = { "CORD_RECV_BUFFER", SOL_SOCKET, SO_RCVBUF, 1, INT_MAX / 2 },
    [CORD_SEND_BUFFER] = { "CORD_SEND_BUFFER", SOL_SOCKET, SO_SNDBUF, 1, INT_MAX / 2 },
    [CORD_LINGER] = { "CORD_LINGER", SOL_SOCKET, SO_LINGER, -1, 65535 },
    [CORD_USER_TIMEOUT] = { "CORD_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 0, INT_MAX },
    [CORD_PENDING_ERROR] = { "CORD_PENDING_ERROR", SOL_SOCKET, SO_ERROR, 1, 0 },
    [CORD_LISTENING] = { "CORD_LISTENING", SOL_SOCKET, SO_ACCEPTCONN, 1, 0 },
};
enum { ROWS = sizeof rows / sizeof *rows };

/* The slot and the row; a TCP option is for TCP only, whatever the kernel says of it elsewhere. */
static int find(cord_socket socket, cord_option option, struct cordi_io **io, const struct row **row)
{
    if (option < CORD_NO_DELAY || (int)option >= ROWS)
        return cordi_fail(-EINVAL, "socket option %d: there is none of that number", (int)option);
    *row = &rows[option];
    *io = cordi_socket_get(socket);
    if (*io == NULL)
        return -EBADF;
    return 0;
}

static bool is_supported(struct cordi_io *io, const struct row *row)
{
    return row->level != IPPROTO_TCP || cordi_socket_of(io)->name.transport == CORD_TCP;
}

/* Lets the slot go; of a failure makes the sentence. */
static int done(struct cordi_io *io, const struct row *row, int rc)
{
    char name[CORD_ADDRESS_TEXT];
    if (rc == -ENOTSOCK)
        rc = -EOPNOTSUPP;
    if (rc < 0)
        (void)cordi_fail_code(rc, "%s: %s", cord_address_text(&cordi_socket_of(io)->name, name, sizeof name),
                              row->name);
    cordi_io_put(io);
    return rc;
}

int cord_option_set(cord_socket socket, cord_option option, int64_t value)
{
    struct cordi_io *io = NULL;
    const struct row *row = NULL;
    int rc = find(socket, option, &io, &row);
    if (rc < 0)
        return rc;
    int fd = cordi_io_fd(io);
    struct linger linger = { .l_onoff = value >= 0, .l_linger = value > 0 ? (int)value : 0 };
    if (!is_supported(io, row))
        rc = -EOPNOTSUPP;
    else if (value < row->least || value > row->most)
        rc = -EINVAL;
    else if (option == CORD_LINGER)
        rc = cordi_net_option_set(fd, row->level, row->number, &linger, sizeof linger);
    else
        rc = cordi_net_set(fd, row->level, row->number, (int)value);
    return done(io, row, rc);
}

int cord_option_get(cord_socket socket, cord_option option, int64_t *value)
{
    struct cordi_io *io = NULL;
    const struct row *row = NULL;
    int rc = find(socket, option, &io, &row), found = 0;
    if (rc < 0)
        return rc;
    int fd = cordi_io_fd(io);
    struct linger linger = { 0 };
    socklen_t length = sizeof linger;
    if (!is_supported(io, row))
        rc = -EOPNOTSUPP;
    else if (option == CORD_LINGER)
        rc = cordi_net_option_get(fd, row->level, row->number, &linger, &length);
    else
        rc = cordi_net_get(fd, row->level, row->number, &found);
    if (rc == 0)
        *value = option != CORD_LINGER ? found : linger.l_onoff ? linger.l_linger : -1;
    return done(io, row, rc);
}
