/* bench/udp_load.c - a load for UDP echo servers:
 * `udp_load PORT SOCKETS SECONDS [RATE [SIZE [WINDOW [TRAIN]]]]`.
 *
 * Without a rate (or 0) each socket keeps WINDOW datagrams (4) of SIZE bytes (64) under way and sends as many as came
 * back (closed loop). With a rate that many a second are sent in all, whatever comes back (open loop). With a TRAIN
 * over 1 datagrams are sent in trains of so many (UDP_SEGMENT) and received in trains (UDP_GRO). What did not come
 * back within 100 ms is counted as lost and sent anew. One line of JSON: messages (that came back), seconds, cpu (this
 * process's own), lost. One bare epoll loop with recvmmsg and sendmmsg, so that the load is the same for each server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
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

enum { EVENTS = 64, BATCH = 64, MOST = 65536 };

struct peer {
    int fd;
    long under_way;
    int64_t heard_at;
};

static char bytes[MOST], replies[BATCH][MOST];
static struct peer *all;
static int sockets, epoll_fd;
static size_t size = 64, window = 4, train = 1;
static uint64_t received, lost;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "udp_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void connect_one(int index, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)index };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1, cut = (int)size, room = 4 << 20;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (train > 1 && (setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof one) < 0 ||
                      setsockopt(fd, SOL_UDP, UDP_SEGMENT, &cut, sizeof cut) < 0))
        fail("no trains here");
    all[index].fd = fd;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll");
}

/* `count` datagrams; in trains only whole ones. How many went. */
static size_t send_some(struct peer *peer, size_t count)
{
    struct iovec piece = { bytes, size * train };
    struct mmsghdr list[BATCH];
    size_t sent = 0, messages = count / train;
    for (size_t i = 0; i < BATCH && i < messages; i++)
        list[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1 } };
    while (sent < messages) {
        size_t left = messages - sent;
        int rc = sendmmsg(peer->fd, list, (unsigned)(left < BATCH ? left : BATCH), 0);
        if (rc < 0)
            fail("send");
        sent += (size_t)rc;
    }
    peer->under_way += (long)(sent * train);
    return sent * train;
}

/* What came back, in datagrams. */
static void take(struct peer *peer)
{
    struct iovec pieces[BATCH];
    struct mmsghdr list[BATCH];
    int batch = train > 1 ? 16 : BATCH;
    for (int i = 0; i < batch; i++) {
        pieces[i] = (struct iovec){ replies[i], train > 1 ? MOST : size };
        list[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &pieces[i], .msg_iovlen = 1 } };
    }
    int count = recvmmsg(peer->fd, list, (unsigned)batch, MSG_DONTWAIT, NULL);
    if (count < 0 && errno != EAGAIN)
        fail("recv");
    for (int i = 0; i < count; i++) {
        size_t datagrams = train > 1 ? (list[i].msg_len + size - 1) / size : 1;
        received += datagrams;
        peer->under_way -= (long)datagrams;
    }
    peer->heard_at = now();
    if (peer->under_way < 0) /* some came after they were given up */
        peer->under_way = 0;
}

static void give_up(int64_t t)
{
    for (int i = 0; i < sockets; i++)
        if (all[i].under_way > 0 && t - all[i].heard_at > 100 * 1000000) {
            lost += (uint64_t)all[i].under_way;
            all[i].under_way = 0;
            all[i].heard_at = t;
        }
}

static void refill(struct peer *peer)
{
    if (peer->under_way < (long)window)
        send_some(peer, window - (size_t)peer->under_way);
}

static void run_closed(int64_t end)
{
    struct epoll_event events[EVENTS];
    int64_t t, looked_at = now();
    for (int i = 0; i < sockets; i++) {
        all[i].heard_at = looked_at;
        refill(&all[i]);
    }
    while ((t = now()) < end) {
        int count = epoll_wait(epoll_fd, events, EVENTS, 20);
        for (int i = 0; i < count; i++) {
            struct peer *peer = &all[events[i].data.u32];
            take(peer);
            refill(peer);
        }
        if (t - looked_at < 20 * 1000000)
            continue;
        looked_at = t;
        give_up(t);
        for (int i = 0; i < sockets; i++)
            refill(&all[i]);
    }
}

static void run_open(int64_t begin, int64_t end, double rate)
{
    struct epoll_event events[EVENTS];
    double due = 0;
    uint64_t sent = 0;
    int next = 0;
    for (int64_t t; (t = now()) < end; next = (next + 1) % sockets) {
        due = (double)(t - begin) * rate / 1e9;
        if ((double)sent + (double)train <= due)
            sent += send_some(&all[next], train);
        int count = epoll_wait(epoll_fd, events, EVENTS, 0);
        for (int i = 0; i < count; i++)
            take(&all[events[i].data.u32]);
    }
    lost = sent > received ? sent - received : 0; /* with the last few under way */
}

int main(int argc, char **argv)
{
    struct rusage usage;
    double rate = argc > 4 ? atof(argv[4]) : 0;
    size = argc > 5 ? (size_t)atoi(argv[5]) : size;
    window = argc > 6 ? (size_t)atoi(argv[6]) : window;
    train = argc > 7 ? (size_t)atoi(argv[7]) : train;
    if (argc < 4 || size == 0 || train == 0 || size * train > 65507 || train > 64 || window < train) {
        fprintf(stderr, "usage: udp_load PORT SOCKETS SECONDS [RATE [SIZE [WINDOW [TRAIN]]]]; TRAIN <= 64, WINDOW\n");
        return 2;
    }
    sockets = atoi(argv[2]);
    all = calloc((size_t)sockets, sizeof *all);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    memset(bytes, 'm', sizeof bytes);
    for (int i = 0; i < sockets; i++)
        connect_one(i, atoi(argv[1]));
    printf("connected\n");
    fflush(stdout);
    if (getchar() == EOF) /* whoever measures reads the server's CPU time now */
        return 1;
    int64_t begin = now(), end = begin + (int64_t)(atof(argv[3]) * 1e9);
    if (rate > 0)
        run_open(begin, end, rate);
    else
        run_closed(end);
    double seconds = (double)(now() - begin) / 1e9;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"messages\": %llu, \"seconds\": %.4f, \"cpu\": %.4f, \"lost\": %llu}\n", (unsigned long long)received,
           seconds,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           (unsigned long long)lost);
    fflush(stdout);
    (void)!getchar(); /* until the server's CPU time has been read */
    return 0;
}
