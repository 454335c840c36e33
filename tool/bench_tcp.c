/* tool/bench_tcp.c - the subject tcp of `cordage bench`.
 *
 * Ours are this command's own `serve echo`, started anew, since a process has one backend; the other is a bare epoll
 * loop in a child. All serve on one CPU and the load, which is a bare loop too and the same for all, runs on another.
 * A closed loop: a connection sends again when its answer has come. The servers end with the subject, and with this
 * process, however that ends.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE = 64, EVENTS = 256, LINE = 256, RAW = 3 };

struct tcp_server {
    cord_task *task; /* NULL: it does not work here */
    cord_socket output;
    int fds[CONNECTIONS]; /* of the load; 0: not yet there */
    int received[CONNECTIONS];
    int epoll;
};

/* ---- the servers, in child processes ---- */

struct start {
    const char *backend, *kind; /* kind NULL: prints the version and ends */
    bool raw;
    pid_t parent;
    int output[2];
};

static void move_to(bool last)
{
    cpu_set_t all, one;
    size_t cpu = CPU_SETSIZE;
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        return;
    for (size_t i = 0; i < CPU_SETSIZE && (last || cpu == CPU_SETSIZE); i++)
        if (CPU_ISSET(i, &all))
            cpu = i;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static void watch(int epoll, int fd, uint32_t events, uint32_t number)
{
    struct epoll_event event = { .events = events, .data.u32 = number };
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void raw_accept(int epoll, int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(epoll, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, (uint32_t)fd);
    }
}

static void raw_echo(int fd)
{
    char buffer[16384];
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n > 0)
            n = send(fd, buffer, (size_t)n, MSG_NOSIGNAL);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            close(fd);
        if (n <= 0)
            return;
    }
}

static int raw_server(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event events[EVENTS];
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || epoll < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 ||
        listen(listener, CONNECTIONS) < 0 || getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        return -errno;
    fprintf(stderr, "listening tcp:127.0.0.1:%d\n", ntohs(address.sin_port));
    watch(epoll, listener, EPOLLIN | EPOLLET, (uint32_t)listener);
    while (cord_run_signal() == 0) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.u32 == (uint32_t)listener)
                raw_accept(epoll, listener);
            else
                raw_echo((int)events[i].data.u32);
    }
    return 0;
}

static int become_server(void *arg)
{
    const struct start *start = arg;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != start->parent) /* it was killed before that */
        return -ESRCH;
    move_to(true);
    if (dup2(start->output[1], STDOUT_FILENO) < 0 || dup2(start->output[1], STDERR_FILENO) < 0)
        return -errno;
    if (start->raw)
        return raw_server();
    setenv("CORD_BACKEND", start->backend, 1);
    if (start->kind)
        execl("/proc/self/exe", "cordage", "serve", "echo", "tcp:127.0.0.1:0", "-k", start->kind, (char *)NULL);
    else
        execl("/proc/self/exe", "cordage", "--version", (char *)NULL);
    return -errno;
}

static int start_program(struct tcp_server *server, struct start start)
{
    if (pipe2(start.output, O_CLOEXEC) < 0)
        return -errno;
    start.parent = getpid();
    int rc = cord_task_start(&server->task, become_server, &start, sizeof start,
                             &(cord_task_options){ .kind = CORD_PROCESS, .name = "bench tcp" });
    close(start.output[1]);
    if (rc == 0)
        return cord_adopt(&server->output, start.output[0]);
    close(start.output[0]);
    return rc;
}

static int join_server(void *task)
{
    cord_task_terminate(task, 0);
    return cord_task_join(task, CORD_FOREVER, NULL);
}

static void end_program(struct tcp_server *server)
{
    if (server->task)
        (void)cord_shield(join_server, server->task);
    cord_task_free(server->task);
    cord_close(&server->output);
    server->task = NULL;
}

/* Whether a process that asks for the backend gets it. */
static int backend_works(const char *backend)
{
    struct tcp_server version = { 0 };
    char line[LINE], wanted[LINE];
    int works = 0, rc = start_program(&version, (struct start){ .backend = backend });
    ssize_t n = 1;
    snprintf(wanted, sizeof wanted, "backend: %s ", backend);
    while (rc == 0 && (n = cord_read_line(version.output, line, sizeof line, cord_in(10 * CORD_SECOND))) > 0)
        works |= strncmp(line, wanted, strlen(wanted)) == 0;
    end_program(&version);
    return rc < 0 ? rc : n < 0 ? (int)n : works;
}

/* ---- the load ---- */

static int connect_all(struct tcp_server *server)
{
    char line[LINE];
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ssize_t n = cord_read_line(server->output, line, sizeof line, cord_in(10 * CORD_SECOND));
    const char *port = n > 0 ? strrchr(line, ':') : NULL;
    if (!port)
        return n < 0 ? (int)n : -EPROTO;
    to.sin_port = htons((uint16_t)atoi(port + 1));
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < CONNECTIONS; i++) {
        int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        server->fds[i] = fd;
        if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
            return -errno;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(server->epoll, fd, EPOLLIN, (uint32_t)i);
    }
    return 0;
}

static int send_one(const struct tcp_server *server, int i)
{
    static const char message[MESSAGE];
    return send(server->fds[i], message, MESSAGE, MSG_NOSIGNAL) == MESSAGE ? 0 : -EIO;
}

/* What has come on connection i: 1 when a message is whole, 0, or a failure. */
static int take(struct tcp_server *server, int i)
{
    char reply[MESSAGE];
    ssize_t n = recv(server->fds[i], reply, (size_t)(MESSAGE - server->received[i]), MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -EIO;
    server->received[i] = (server->received[i] + (int)n) % MESSAGE;
    return server->received[i] == 0;
}

static int exchange(struct tcp_server *server, uint64_t count)
{
    struct epoll_event events[EVENTS];
    uint64_t sent = 0, done = 0;
    int rc = 0;
    for (int i = 0; i < CONNECTIONS && sent < count && rc == 0; i++, sent++)
        rc = send_one(server, i);
    while (rc == 0 && done < count) {
        int ready = epoll_wait(server->epoll, events, EVENTS, 10000);
        if (cord_run_signal() != 0)
            return -ECANCELED;
        if (ready == 0)
            return -ETIMEDOUT;
        for (int i = 0; i < ready && rc >= 0; i++) {
            int from = (int)events[i].data.u32;
            rc = take(server, from);
            done += rc == 1;
            if (rc == 1 && sent < count) {
                rc = send_one(server, from);
                sent++;
            }
        }
        rc = rc < 0 ? rc : 0;
    }
    return rc;
}

static int64_t cpu_of(const cord_task *task)
{
    struct timespec used = { 0 };
    clockid_t clock;
    if (clock_getcpuclockid(cord_task_pid(task), &clock) == 0)
        clock_gettime(clock, &used);
    return used.tv_sec * CORD_SECOND + used.tv_nsec;
}

int bench_tcp_run(struct bench *b, int which, uint64_t count)
{
    struct tcp_server *server = &b->servers[which];
    cpu_set_t all;
    if (!server->task)
        return -ENOSYS;
    bool moved = sched_getaffinity(0, sizeof all, &all) == 0;
    move_to(false);
    int64_t before = cpu_of(server->task);
    int rc = exchange(server, count);
    b->cpu = cpu_of(server->task) - before;
    if (moved)
        sched_setaffinity(0, sizeof all, &all);
    return rc;
}

int bench_tcp_open(struct bench *b)
{
    static const struct start starts[TCP_ROWS] = { { .backend = "epoll", .kind = "coroutine" },
                                                   { .backend = "uring", .kind = "coroutine" },
                                                   { .backend = "epoll", .kind = "thread" },
                                                   [RAW] = { .raw = true } };
    int rc = 0;
    b->servers = calloc(TCP_ROWS, sizeof *b->servers);
    if (!b->servers)
        return -ENOMEM;
    for (int i = 0; i < TCP_ROWS && rc >= 0; i++) {
        rc = starts[i].raw ? 1 : backend_works(starts[i].backend);
        if (rc == 1)
            rc = start_program(&b->servers[i], starts[i]);
        if (rc == 0 && b->servers[i].task)
            rc = connect_all(&b->servers[i]);
    }
    return rc < 0 ? rc : 0;
}

void bench_tcp_close(struct bench *b)
{
    for (int i = 0; b->servers && i < TCP_ROWS; i++) {
        struct tcp_server *server = &b->servers[i];
        end_program(server);
        for (int j = 0; j < CONNECTIONS; j++)
            if (server->fds[j])
                close(server->fds[j]);
        if (server->epoll)
            close(server->epoll);
    }
    free(b->servers);
    b->servers = NULL;
}
