/* bench/peers/echo_pthread.c - an echo server by a thread for each connection; prints "listening PORT". With "poll"
 * each thread waits for its connection and an eventfd before it reads: the least that a thread does which another is to
 * be able to wake, without a signal. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static bool polls;

static void await(int fd, int wake)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN | POLLRDHUP }, { .fd = wake, .events = POLLIN } };
    ppoll(fds, 2, NULL, NULL);
}

static void *echo(void *arg)
{
    int fd = (int)(intptr_t)arg, wake = polls ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
    char buffer[16384];
    for (ssize_t n = 1; n > 0;) {
        if (polls)
            await(fd, wake);
        n = recv(fd, buffer, sizeof buffer, 0);
        if (n > 0 && send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)
            break;
    }
    close(wake);
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argv;
    polls = argc > 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    pthread_attr_t detached;
    pthread_t thread;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
        perror("echo_pthread");
        return 1;
    }
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (pthread_create(&thread, &detached, echo, (void *)(intptr_t)fd) != 0)
            close(fd);
    }
}
