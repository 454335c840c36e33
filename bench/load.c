/* bench/load.c - a load for echo servers: `load PORT CONNECTIONS SECONDS [RATE [SIZE [DEPTH [warm]]]]`.
 *
 * Without a rate (or 0) each connection sends its next message when one came back (closed loop: the ceiling), and
 * keeps DEPTH of them under way (1); those that came back together are answered together. With a rate that many
 * messages a second are sent in all, spread over the connections, whatever comes back (open loop: what a message
 * costs). Messages are of SIZE bytes (64); what a connection has under way must fit the socket's buffers.
 * With "warm" each connection has had an answer before anything is counted, so the server has accepted all of them.
 * Prints one line of JSON: messages; seconds; cpu (this process's own); p50_us and p99_us, from a send to the answer,
 * and in an open loop from when the message was due, so that a load or a server that lags behind hides nothing; least
 * (what the connection that got least got, of their mean). One bare epoll loop, so that the load is the same for every
 * server. */
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

enum {
    EVENTS = 256,
    FINE = 32 /* steps for each doubling of a latency */,
    MOST = 128 * 1024 /* bytes that a connection has under way */
};

struct connection {
    int fd;
    size_t came; /* bytes of a message that has not come back whole */
    int64_t sent_at;
    uint64_t answered;
};

static char messages[MOST], reply[16384];
static struct connection *all;
static int connections, epoll_fd;
static size_t size = 64, depth = 1;
static uint64_t received; /* messages */
static double rate;       /* messages a second, in turn over the connections; 0: as answers come */
static int64_t begin;
static uint64_t latencies[64 * FINE], latency_count;

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

static void note_latency(int64_t ns)
{
    int doublings = 63 - __builtin_clzll((uint64_t)ns | FINE);
    latencies[doublings * FINE + (int)((uint64_t)ns >> (doublings - 5) & (FINE - 1))]++;
    latency_count++;
}

/* In microseconds: within 3 %. */
static double percentile(double part)
{
    uint64_t left = (uint64_t)(part * (double)latency_count);
    size_t i = 0;
    while (i < sizeof latencies / sizeof *latencies - 1 && latencies[i] <= left)
        left -= latencies[i++];
    return (double)(1ULL << i / FINE) * (1 + ((double)(i % FINE) + 0.5) / FINE) / 1000;
}

static double least(void)
{
    uint64_t fewest = UINT64_MAX;
    for (int i = 0; i < connections; i++)
        fewest = all[i].answered < fewest ? all[i].answered : fewest;
    return received ? (double)fewest * connections / (double)received : 0;
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
    all[index].fd = fd;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll");
}

static void send_some(struct connection *c, size_t count)
{
    c->sent_at = now();
    if (send(c->fd, messages, count * size, MSG_NOSIGNAL) != (ssize_t)(count * size))
        fail("send");
}

/* When a connection's message was to be sent; both count from 0. */
static int64_t due_at(const struct connection *c, uint64_t message)
{
    return begin + (int64_t)((double)(message * (uint64_t)connections + (uint64_t)(c - all)) * 1e9 / rate);
}

/* How many messages came back. */
static size_t take(struct connection *c)
{
    ssize_t n;
    while ((n = recv(c->fd, reply, sizeof reply, MSG_DONTWAIT)) > 0) {
        c->came += (size_t)n;
        if ((size_t)n < sizeof reply)
            break;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN))
        fail("the server closed a connection");
    size_t count = c->came / size;
    c->came %= size;
    received += count;
    if (count == 0)
        return 0;
    int64_t t = now();
    if (rate == 0)
        note_latency(t - c->sent_at);
    for (size_t i = 0; rate > 0 && i < count; i++)
        note_latency(t - due_at(c, c->answered + i));
    c->answered += count;
    return count;
}

static void warm_up(void)
{
    for (int i = 0; i < connections; i++)
        send_some(&all[i], 1);
    for (int i = 0; i < connections; i++)
        for (size_t came = 0; came < size;) {
            ssize_t n = recv(all[i].fd, reply, sizeof reply, 0);
            if (n <= 0)
                fail("no answer");
            came += (size_t)n;
        }
}

/* Messages that have not been answered have taken at least so long. */
static void note_unanswered(int64_t t)
{
    for (int i = 0; i < connections; i++)
        for (uint64_t message = all[i].answered; due_at(&all[i], message) <= t; message++)
            note_latency(t - due_at(&all[i], message));
}

static void run(double seconds)
{
    struct epoll_event events[EVENTS];
    int64_t end = begin + (int64_t)(seconds * 1e9), t;
    uint64_t due = 0;
    int next = 0;
    if (rate == 0)
        for (int i = 0; i < connections; i++)
            send_some(&all[i], depth);
    while ((t = now()) < end) {
        for (; rate > 0 && (double)due < (double)(t - begin) * rate / 1e9; due++, next = (next + 1) % connections)
            send_some(&all[next], 1);
        int ready = epoll_wait(epoll_fd, events, EVENTS, rate > 0 ? 0 : 100);
        for (int i = 0; i < ready; i++) {
            struct connection *c = &all[events[i].data.u32];
            size_t count = take(c);
            if (count > 0 && rate == 0)
                send_some(c, count);
        }
    }
    if (rate > 0)
        note_unanswered(end);
}

int main(int argc, char **argv)
{
    struct rusage usage;
    rate = argc > 4 ? atof(argv[4]) : rate;
    size = argc > 5 ? (size_t)atoi(argv[5]) : size;
    depth = argc > 6 ? (size_t)atoi(argv[6]) : depth;
    if (argc < 4 || size == 0 || depth == 0 || size > MOST / depth) {
        fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS [RATE [SIZE [DEPTH [warm]]]]; SIZE * DEPTH <= %d\n",
                MOST);
        return 2;
    }
    connections = atoi(argv[2]);
    all = calloc((size_t)connections, sizeof *all);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    memset(messages, 'm', sizeof messages);
    for (int i = 0; i < connections; i++)
        connect_one(i, atoi(argv[1]));
    if (argc > 7 && strcmp(argv[7], "warm") == 0)
        warm_up();
    printf("connected\n");
    fflush(stdout);
    if (getchar() == EOF) /* whoever measures reads the server's CPU time now */
        return 1;
    begin = now();
    run(atof(argv[3]));
    double seconds = (double)(now() - begin) / 1e9;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"messages\": %llu, \"seconds\": %.4f, \"cpu\": %.4f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
           "\"least\": %.3f}\n",
           (unsigned long long)received, seconds,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           percentile(0.5), percentile(0.99), least());
    fflush(stdout);
    (void)!getchar(); /* keeps the connections until the server's CPU time has been read */
    return 0;
}
