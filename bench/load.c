/* bench/load.c - a load for echo servers: `load PORT CONNECTIONS SECONDS [RATE]`.
 *
 * Without a rate each connection sends its next message when the last one came back (closed loop: the ceiling). With a
 * rate that many messages a second are sent in all, spread over the connections, whatever comes back (open loop: what
 * a message costs). Prints one line of JSON: messages, seconds, cpu (this process's own). One bare epoll loop, so
 * that the load is the same for every server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 64, EVENTS = 256 };

static char message[MESSAGE], reply[16384];
static int *fds;
static int connections, epoll_fd;
static uint64_t sent, received; /* bytes */
static uint64_t latency_sum, latency_count;
static int64_t *sent_at;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void connect_one(int index, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u32 = (uint32_t)index };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fds[index] = fd;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll");
}

static void send_one(int index)
{
    sent_at[index] = now();
    if (send(fds[index], message, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
        fail("send");
    sent += MESSAGE;
}

/* What came back, in messages. */
static uint64_t take(int index)
{
    uint64_t before = received / MESSAGE;
    ssize_t n;
    while ((n = recv(fds[index], reply, sizeof reply, MSG_DONTWAIT)) > 0) {
        received += (uint64_t)n;
        if ((size_t)n < sizeof reply)
            break;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN))
        fail("the server closed a connection");
    latency_sum += (uint64_t)(now() - sent_at[index]);
    latency_count++;
    return received / MESSAGE - before;
}

static void run(double seconds, double rate)
{
    struct epoll_event events[EVENTS];
    int64_t begin = now(), end = begin + (int64_t)(seconds * 1e9), t;
    uint64_t due = 0;
    int next = 0;
    if (rate == 0)
        for (int i = 0; i < connections; i++)
            send_one(i);
    while ((t = now()) < end) {
        for (; rate > 0 && (double)due < (double)(t - begin) * rate / 1e9; due++, next = (next + 1) % connections)
            send_one(next);
        int count = epoll_wait(epoll_fd, events, EVENTS, rate > 0 ? 0 : 100);
        for (int i = 0; i < count; i++) {
            int index = (int)events[i].data.u32;
            if (take(index) > 0 && rate == 0)
                send_one(index);
        }
    }
}

int main(int argc, char **argv)
{
    struct rusage usage;
    if (argc < 4) {
        fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS [RATE]\n");
        return 2;
    }
    connections = atoi(argv[2]);
    fds = calloc((size_t)connections, sizeof *fds);
    sent_at = calloc((size_t)connections, sizeof *sent_at);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    memset(message, 'm', sizeof message);
    for (int i = 0; i < connections; i++)
        connect_one(i, atoi(argv[1]));
    printf("connected\n");
    fflush(stdout);
    if (getchar() == EOF) /* whoever measures reads the server's CPU time now */
        return 1;
    int64_t begin = now();
    run(atof(argv[3]), argc > 4 ? atof(argv[4]) : 0);
    double seconds = (double)(now() - begin) / 1e9;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"messages\": %llu, \"seconds\": %.4f, \"cpu\": %.4f, \"mean_us\": %.1f}\n",
           (unsigned long long)(received / MESSAGE), seconds,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           latency_count ? (double)latency_sum / (double)latency_count / 1000 : 0.0);
    fflush(stdout);
    (void)!getchar(); /* keeps the connections until the server's CPU time has been read */
    return 0;
}
