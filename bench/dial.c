/* bench/dial.c - a load of short connections: `dial PORT echo|close COUNT SECONDS [RATE [PATIENCE]]`.
 *
 * echo: connects, sends 64 bytes, waits for as many, closes. close: connects and waits for the server to close.
 * Without a rate (or 0) COUNT connections are under way: when the oldest is done a new one takes its place (closed
 * loop). It is waited for in the order in which they were made, without epoll: what a connection costs the load bounds
 * what it can tell of the server. With a rate that many are begun a second, whatever becomes of them (open loop), COUNT
 * at one time at most; an answer counts that comes within PATIENCE milliseconds (200) from when its connection was due,
 * and then the client gives up and closes.
 *
 * No port stays behind in TIME_WAIT, or they would run out. Who closes first is left with it; so for "close" the answer
 * to the server's end is a reset, and for "echo" an end of ours is forgotten once the kernel at the other side has it
 * (TCP_LINGER2), which the server does not see: it reads the end as usual.
 *
 * Prints one line of JSON: messages (connections that were served, in time); seconds (in which connections were begun);
 * refused (closed without an answer) and late (given up, or there was no place for them). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, SIZE = 64, MOST = 16000, LOOK = 2000000 /* ns between looks for those that take too long */ };

struct call {
    int fd; /* -1: free */
    bool sent;
    size_t came;
    int64_t due; /* when it was to begin */
};

static const char message[SIZE] = "What is asked for here is told below, in sixty-four bytes.";
static struct sockaddr_in to;
static struct call *all;
static int count, epoll_fd;
static bool echo;
static int64_t patience = 200 * 1000000;
static uint64_t served, refused, late;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "dial: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Whether it went; a connection that is not there yet is tried again. */
static bool send_request(int fd)
{
    ssize_t n = send(fd, message, SIZE, MSG_NOSIGNAL);
    return n == SIZE || (n < 0 && errno != EAGAIN); /* a failure is told again by what is received */
}

static void open_call(struct call *call, int flags)
{
    static const struct linger at_once = { .l_onoff = 1 };
    int forget = -1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || (echo ? setsockopt(fd, IPPROTO_TCP, TCP_LINGER2, &forget, sizeof forget)
                        : setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once)) < 0)
        fail("socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        fail("connect");
    *call = (struct call){ .fd = fd, .sent = !echo || send_request(fd) };
}

static void close_call(struct call *call)
{
    close(call->fd);
    call->fd = -1;
}

/* What has come: > 0 it is done, 0 not yet, < 0 the server closed without an answer. */
static int take(struct call *call)
{
    char reply[SIZE];
    ssize_t n = recv(call->fd, reply, sizeof reply, 0);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (!echo)
        return n == 0 ? 1 : -1;
    call->came += n > 0 ? (size_t)n : 0;
    return n <= 0 ? -1 : call->came >= SIZE;
}

static void run_closed(int64_t end)
{
    for (int i = 0; i < count; i++)
        open_call(&all[i], 0);
    for (int i = 0; now() < end; i = (i + 1) % count) {
        int answer;
        while ((answer = take(&all[i])) == 0)
            ;
        *(answer > 0 ? &served : &refused) += 1;
        close_call(&all[i]);
        open_call(&all[i], 0);
    }
}

static void begin(int64_t due)
{
    static int place; /* the next free one is near the one found last */
    for (int looked = 0; all[place].fd >= 0; place = (place + 1) % count)
        if (looked++ == count) {
            late++;
            return;
        }
    struct call *call = &all[place];
    open_call(call, SOCK_NONBLOCK);
    call->due = due;
    struct epoll_event event = { .events = EPOLLIN | (call->sent ? 0 : EPOLLOUT), .data.ptr = call };
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, call->fd, &event) < 0)
        fail("epoll");
}

static void look_after(struct call *call)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = call };
    if (!call->sent && (call->sent = send_request(call->fd)))
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, call->fd, &event);
    int answer = take(call);
    if (answer == 0)
        return;
    *(answer < 0 ? &refused : now() - call->due <= patience ? &served : &late) += 1;
    close_call(call);
}

/* How many still wait. */
static int give_up(int64_t t)
{
    int waiting = 0;
    for (int i = 0; i < count; i++) {
        if (all[i].fd < 0)
            continue;
        waiting++;
        if (t - all[i].due > patience) {
            late++;
            close_call(&all[i]);
        }
    }
    return waiting;
}

static void run_open(int64_t start, int64_t end, double rate)
{
    struct epoll_event events[EVENTS];
    int64_t t, looked_at = start;
    uint64_t begun = 0;
    for (int waiting = 1; (t = now()) < end || waiting > 0;) {
        for (int64_t due; t < end && (due = start + (int64_t)((double)begun * 1e9 / rate)) <= t; begun++)
            begin(due);
        int ready = epoll_wait(epoll_fd, events, EVENTS, 0);
        for (int i = 0; i < ready; i++)
            look_after(events[i].data.ptr);
        if (t - looked_at >= LOOK) {
            waiting = give_up(t);
            looked_at = t;
        }
    }
}

int main(int argc, char **argv)
{
    double rate = argc > 5 ? atof(argv[5]) : 0;
    count = argc > 4 ? atoi(argv[3]) : 0;
    if (count < 1 || count > MOST || (strcmp(argv[2], "echo") != 0 && strcmp(argv[2], "close") != 0)) {
        fprintf(stderr, "usage: dial PORT echo|close COUNT SECONDS [RATE [PATIENCE]]; COUNT <= %d\n", MOST);
        return 2;
    }
    to = (struct sockaddr_in){ .sin_family = AF_INET,
                               .sin_port = htons((uint16_t)atoi(argv[1])),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    echo = strcmp(argv[2], "echo") == 0;
    patience = argc > 6 ? (int64_t)(atof(argv[6]) * 1e6) : patience;
    all = calloc((size_t)count, sizeof *all);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < count; i++)
        all[i].fd = -1;
    printf("connected\n"); /* ready, as bench/load.c says it; nothing is connected before the first round */
    fflush(stdout);
    if (getchar() == EOF) /* whoever measures reads the server's CPU time now */
        return 1;
    alarm((unsigned)atof(argv[4]) + 60); /* a server that does not answer is not waited for */
    int64_t start = now(), end = start + (int64_t)(atof(argv[4]) * 1e9);
    if (rate > 0)
        run_open(start, end, rate);
    else
        run_closed(end);
    printf("{\"messages\": %llu, \"seconds\": %.4f, \"refused\": %llu, \"late\": %llu}\n", (unsigned long long)served,
           (double)((rate > 0 ? end : now()) - start) / 1e9, (unsigned long long)refused, (unsigned long long)late);
    fflush(stdout);
    (void)!getchar(); /* until the server's CPU time has been read */
    return 0;
}
