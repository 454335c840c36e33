/* sys/net.c - see net.h. */
#include "sys/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"

static int answer(int rc)
{
    return rc < 0 ? -errno : rc;
}

int cordi_net_socket(int family, int type)
{
    return answer(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

int cordi_net_pair(int fds[2], int type)
{
    return answer(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
}

int cordi_net_bind(int fd, const struct sockaddr *to, socklen_t length)
{
    return answer(bind(fd, to, length));
}

int cordi_net_listen(int fd, int backlog)
{
    return answer(listen(fd, backlog));
}

int cordi_net_local(int fd, struct sockaddr *ret, socklen_t *length)
{
    return answer(getsockname(fd, ret, length));
}

int cordi_net_peer(int fd, struct sockaddr *ret, socklen_t *length)
{
    return answer(getpeername(fd, ret, length));
}

int cordi_net_shutdown(int fd, int how)
{
    return answer(shutdown(fd, how));
}

int cordi_net_option_set(int fd, int level, int name, const void *value, socklen_t length)
{
    return answer(setsockopt(fd, level, name, value, length));
}

int cordi_net_option_get(int fd, int level, int name, void *value, socklen_t *length)
{
    return answer(getsockopt(fd, level, name, value, length));
}

int cordi_net_set(int fd, int level, int name, int value)
{
    return cordi_net_option_set(fd, level, name, &value, sizeof value);
}

int cordi_net_get(int fd, int level, int name, int *value)
{
    socklen_t length = sizeof *value;
    return cordi_net_option_get(fd, level, name, value, &length);
}

int cordi_net_queued(int fd)
{
    int size = 0; /* a pipe knows only FIONREAD, from either end */
    return ioctl(fd, SIOCOUTQ, &size) == 0 || ioctl(fd, FIONREAD, &size) == 0 ? size : -errno;
}

int cordi_net_dup(int fd)
{
    return answer(fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

int cordi_net_close_on_exec(int fd)
{
    return answer(fcntl(fd, F_SETFD, FD_CLOEXEC)); /* the only flag that there is */
}

int cordi_net_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    return answer(fcntl(fd, F_SETFL, flags & ~O_NONBLOCK));
}

unsigned cordi_net_interface(const char *name)
{
    return if_nametoindex(name);
}

int cordi_net_file_note(struct cordi_net_file *ret, const char *path)
{
    struct stat now;
    if (lstat(path, &now) < 0)
        return -errno;
    if (!S_ISSOCK(now.st_mode))
        return -ENOTSOCK;
    *ret = (struct cordi_net_file){ now.st_dev, now.st_ino, getpid() };
    return 0;
}

void cordi_net_file_remove(const struct cordi_net_file *file, const char *path)
{
    struct cordi_net_file now;
    if (cordi_net_file_note(&now, path) == 0 && now.device == file->device && now.inode == file->inode &&
        now.process == file->process)
        unlink(path);
}

int cordi_net_probe(int type, const struct sockaddr *to, socklen_t length)
{
    int fd = cordi_net_socket(to->sa_family, type);
    if (fd < 0)
        return fd;
    int rc = cordi_fd_connect(fd, to, length);
    cordi_fd_close(fd);
    return rc;
}

int cordi_net_lookup(struct sockaddr_storage *ret, int max, const char *host, int type, int *why)
{
    struct addrinfo hints = { .ai_socktype = type }, *found;
    errno = 0;
    *why = getaddrinfo(host, NULL, &hints, &found);
    if (*why == EAI_SYSTEM)
        return errno != 0 ? -errno : -EIO;
    if (*why == EAI_MEMORY)
        return -ENOMEM;
    if (*why != 0)
        return 0;
    int count = 0;
    for (struct addrinfo *i = found; i != NULL && count < max; i = i->ai_next)
        if (i->ai_addrlen <= sizeof *ret)
            memcpy(&ret[count++], i->ai_addr, i->ai_addrlen);
    freeaddrinfo(found);
    return count;
}
