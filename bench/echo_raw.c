/* bench/echo_raw.c - the yardstick: an echo server as a bare epoll loop, edge-triggered, one thread, no library.
 * `echo_raw [spin]` prints "listening PORT" and serves until it is killed; with "spin" it looks for events all the time
 * and never sleeps. It keeps no bytes: a message that does not fit the socket's buffer at once ends the connection,
 * which the load reports. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, BUFFER = 16384 };

static char buffer[BUFFER];

static int listen_anywhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 4096) < 0) {
        perror("echo_raw");
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&address, &length);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd };
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int epoll, int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(epoll, fd);
    }
}

static void echo(int fd)
{
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        bool whole = n <= 0 || send(fd, buffer, (size_t)n, MSG_NOSIGNAL) == n;
        if (!whole || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            close(fd);
        if (!whole || n <= 0)
            return;
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    int listener = listen_anywhere(), epoll = epoll_create1(EPOLL_CLOEXEC);
    int timeout = argc > 1 && strcmp(argv[1], "spin") == 0 ? 0 : -1;
    watch(epoll, listener);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, timeout);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                echo(events[i].data.fd);
    }
}
