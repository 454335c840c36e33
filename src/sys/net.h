/* sys/net.h - the system calls of sockets, each answering -errno.
 *
 * What waits (recvmsg, sendmsg, accept, connect) and close(2) are in sys/fd.h. Descriptors made here are close-on-exec
 * and non-blocking, so that connect(2) and accept(2) can be begun without waiting.
 */
#ifndef CORDI_SYS_NET_H
#define CORDI_SYS_NET_H

#include <sys/socket.h>
#include <sys/types.h>

int cordi_net_socket(int family, int type);
int cordi_net_pair(int fds[2], int type);
int cordi_net_bind(int fd, const struct sockaddr *to, socklen_t length);
int cordi_net_listen(int fd, int backlog);
int cordi_net_local(int fd, struct sockaddr *ret, socklen_t *length);
int cordi_net_peer(int fd, struct sockaddr *ret, socklen_t *length);
int cordi_net_shutdown(int fd, int how);
int cordi_net_option_set(int fd, int level, int name, const void *value, socklen_t length);
int cordi_net_option_get(int fd, int level, int name, void *value, socklen_t *length);
int cordi_net_set(int fd, int level, int name, int value); /* an int option */
int cordi_net_get(int fd, int level, int name, int *value);
int cordi_net_queued(int fd); /* bytes that were sent and that the other side has not taken yet; -errno */
int cordi_net_dup(int fd);    /* close-on-exec */
int cordi_net_close_on_exec(int fd);
int cordi_net_blocking(int fd); /* takes O_NONBLOCK away */

/* The number of a network interface, 0: there is none of that name. */
unsigned cordi_net_interface(const char *name);

/* A file of the file system, to know it again, and the process that noted it. */
struct cordi_net_file {
    dev_t device;
    ino_t inode;
    pid_t process;
};
int cordi_net_file_note(struct cordi_net_file *ret, const char *path); /* -ENOTSOCK: not a socket's */
/* Removes the path when it still names that file and this process noted it. */
void cordi_net_file_remove(const struct cordi_net_file *file, const char *path);
/* Connects once without waiting, to see whether anybody listens: 0 or -errno. */
int cordi_net_probe(int type, const struct sockaddr *to, socklen_t length);

/* getaddrinfo(3): at most max addresses in its order. The number; 0 and in *why its EAI code; -errno. */
int cordi_net_lookup(struct sockaddr_storage *ret, int max, const char *host, int type, int *why);

#endif
