/* net/systemd.c - see systemd.h. Without libsystemd: what is needed of it are four variables and one datagram.
 *
 * The passed descriptors are 3, 4, ... and LISTEN_PID says whom they are for, so that a child which inherits the
 * variables does not take them for its own. LISTEN_FDNAMES has their names in this order, with colons between; a name
 * may come several times, and without the variable each is "unknown". Descriptors of other names need not be sockets:
 * systemd passes FIFOs and what a service has put into its store as well.
 */
#include "net/systemd.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "net/socket.h"
#include "rt/park.h"
#include "sys/fd.h"
#include "sys/proc.h"

enum { FIRST = 3, DIGITS = 9 };

/* ---- sockets ---- */

/* A variable that holds a number, of at most 9 digits and nothing else. -ENOENT: it is not set, or empty. -EINVAL */
static int number_of(const char *variable)
{
    const char *text = getenv(variable);
    if (text == NULL || *text == 0)
        return cordi_fail(-ENOENT,
                          "systemd: no sockets were passed to this process (%s is not set); "
                          "start it by a .socket unit or by systemd-socket-activate(1)",
                          variable);
    size_t digits = strspn(text, "0123456789");
    if (text[digits] != 0 || digits > DIGITS)
        return cordi_fail(-EINVAL, "systemd: %s is \"%.40s\", not a number of at most %d digits", variable, text,
                          DIGITS);
    return (int)strtol(text, NULL, 10);
}

/* How many descriptors were passed to this process. */
static int passed(void)
{
    int process = number_of("LISTEN_PID"), self = cordi_proc_pid();
    if (process < 0)
        return process;
    if (process != self)
        return cordi_fail(-ENOENT,
                          "systemd: the sockets were passed to process %d, and this is %d; "
                          "the program itself has to be what the unit starts",
                          process, self);
    int count = number_of("LISTEN_FDS");
    if (count == 0)
        return cordi_fail(-ENOENT, "systemd: LISTEN_FDS is 0; the .socket unit needs a Listen... line");
    return count;
}

/* As many names as descriptors. */
static int check_names(const char *names, int count)
{
    int found = 1;
    for (const char *at = names; at != NULL && (at = strchr(at, ':')) != NULL; at++)
        found++;
    if (names != NULL && found != count)
        return cordi_fail(-EINVAL, "systemd: LISTEN_FDNAMES has %d names for %d descriptors: \"%.100s\"", found, count,
                          names);
    return 0;
}

/* Whether the name at *names, where there are names, is that; goes on to the next. */
static bool is_named(const char **names, const char *name)
{
    const char *this = *names != NULL ? *names : "unknown";
    size_t length = strcspn(this, ":");
    if (*names != NULL)
        *names += length + (this[length] == ':');
    return *name == 0 || (strlen(name) == length && memcmp(name, this, length) == 0);
}

/* Each has to be open, and a socket where it is asked for. */
static int check_descriptor(int fd, int count, bool wanted)
{
    int type = cordi_fd_socket_type(fd), rc = type < 0 ? type : cordi_net_close_on_exec(fd);
    if (rc < 0)
        return cordi_fail_code(rc, "systemd: LISTEN_FDS is %d, but descriptor %d is not open", count, fd);
    if (type == 0 && wanted)
        return cordi_fail(-ENOTSOCK,
                          "systemd: descriptor %d is no socket; give the sockets of the unit a name of "
                          "their own (FileDescriptorName=)",
                          fd);
    return 0;
}

int cordi_systemd_sockets(const char *name, int *fds, int most)
{
    int count = passed(), found = 0;
    const char *names = getenv("LISTEN_FDNAMES"), *next = names;
    int rc = count < 0 ? count : check_names(names, count);
    for (int i = 0; i < count && rc == 0; i++) {
        bool wanted = is_named(&next, name);
        rc = check_descriptor(FIRST + i, count, wanted);
        if (wanted && found < most)
            fds[found] = FIRST + i;
        found += wanted;
    }
    if (rc == 0 && found == 0)
        return cordi_fail(-ENOENT,
                          "systemd: no socket is named \"%.64s\", but \"%.100s\"; write "
                          "FileDescriptorName=%.64s into its .socket unit",
                          name, names != NULL ? names : "unknown", name);
    return rc < 0 ? rc : found;
}

/* ---- notes ---- */

static int notify(const char *path, const char *state)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t length = strlen(path);
    cord_span nap = 0;
    if ((path[0] != '/' && path[0] != '@') || length < 2 || length >= sizeof to.sun_path)
        return -EINVAL;
    memcpy(to.sun_path, path, length);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    struct iovec piece = { (void *)(uintptr_t)state, strlen(state) };
    struct msghdr message = { .msg_name = &to,
                              .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length),
                              .msg_iov = &piece,
                              .msg_iovlen = 1 };
    int fd = cordi_net_socket(AF_UNIX, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    cord_deadline end = cord_in(CORD_SECOND);
    ssize_t rc;
    do
        rc = cordi_fd_sendmsg(fd, &message, MSG_DONTWAIT);
    while (rc == -EAGAIN && (rc = cordi_socket_nap(&nap, end)) == 0);
    cordi_fd_close(fd);
    return rc < 0 ? (int)rc : 0;
}

int cordi_systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || *path == 0)
        return 0;
    int rc = notify(path, state);
    if (rc == -EINVAL)
        return cordi_fail(rc, "systemd: NOTIFY_SOCKET is \"%.120s\"; it is a path or @name of at most 107 bytes", path);
    return rc < 0 ? cordi_fail_code(rc, "systemd: NOTIFY_SOCKET %s", path) : 0;
}
