/* tests/serving.h - a server under test, and a client's few words.
 *
 * The server runs in a thread of its own, where kinds coroutine and process make themselves a loop; the test is the
 * client. Handlers report through memory that processes share, since a handler may be in one. */
#ifndef TESTS_SERVING_H
#define TESTS_SERVING_H

#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static cord_kind kind; /* of the server under test */

static inline void choose(cord_kind of, const char *backend)
{
    kind = of;
    if (kind == CORD_PROCESS)
        skip_without_processes();
    if (backend)
        use_backend(backend);
}

/* A body that runs with a server of each kind. */
#define VARIANT(name, suffix, of, backend)                                                                             \
    static void name##_##suffix(void)                                                                                  \
    {                                                                                                                  \
        choose(of, backend);                                                                                           \
        name();                                                                                                        \
    }
#define LOOP_KINDS_TEST(name)                                                                                          \
    static void name(void);                                                                                            \
    VARIANT(name, coroutine_epoll, CORD_COROUTINE, "epoll")                                                            \
    VARIANT(name, coroutine_uring, CORD_COROUTINE, "uring")                                                            \
    VARIANT(name, process_epoll, CORD_PROCESS, "epoll")                                                                \
    VARIANT(name, process_uring, CORD_PROCESS, "uring")                                                                \
    VARIANT(name, thread, CORD_THREAD, NULL)                                                                           \
    static void name(void)
#define KIND_TEST(name)                                                                                                \
    static void name(void);                                                                                            \
    VARIANT(name, serial, CORD_SERIAL, NULL)                                                                           \
    LOOP_KINDS_TEST(name)
/* All kinds that handle several requests at a time; and serial too. */
#define PARALLEL(name)                                                                                                 \
    PLAIN(name##_coroutine_epoll), PLAIN(name##_coroutine_uring), PLAIN(name##_process_epoll),                         \
        PLAIN(name##_process_uring), PLAIN(name##_thread)
#define KINDS(name) PARALLEL(name), PLAIN(name##_serial)
#define PROCESS_TEST(name)                                                                                             \
    static void name(void);                                                                                            \
    VARIANT(name, process_epoll, CORD_PROCESS, "epoll")                                                                \
    VARIANT(name, process_uring, CORD_PROCESS, "uring")                                                                \
    static void name(void)
#define PROCESSES(name) PLAIN(name##_process_epoll), PLAIN(name##_process_uring)

/* What handlers tell the test; in shared memory. */
struct seen {
    atomic_int count, now, most, answer, fail;
    atomic_int step[8];
    cord_event *go; /* shared */
    char text[256];
};

static inline struct seen *new_seen(void)
{
    void *memory;
    ok(cord_shared_new(&memory, sizeof(struct seen)));
    struct seen *seen = memory;
    ok(cord_event_new(&seen->go, CORD_SHARED));
    return seen;
}

static inline void free_seen(struct seen *seen)
{
    cord_event_free(seen->go);
    cord_shared_free(seen);
}

static inline void note(struct seen *seen, int what)
{
    seen->step[atomic_fetch_add(&seen->count, 1) % 8] = what;
}

/* The lines of the log. */
static cord_lock log_lock;
static char log_text[4096];
static atomic_int log_lines;

static inline void collect(const char *line)
{
    ok(cord_lock_acquire(&log_lock, CORD_FOREVER));
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof log_text - used, "%s\n", line);
    atomic_fetch_add(&log_lines, 1);
    cord_lock_release(&log_lock);
}

static inline bool log_has(const char *words)
{
    ok(cord_lock_acquire(&log_lock, CORD_FOREVER));
    bool found = strstr(log_text, words);
    cord_lock_release(&log_lock);
    return found;
}

static inline bool log_came(void *words)
{
    return log_has(words);
}

/* The server under test. */
struct served {
    cord_server *server;
    cord_task *task;
    char address[CORD_ADDRESS_TEXT];
};

static inline int run_server(void *arg)
{
    return cord_server_run(arg);
}

static inline struct served serve(const char *address, cord_handle *handle, const cord_server_options *options)
{
    struct served served = { 0 };
    cord_server_options how = options ? *options : (cord_server_options){ 0 };
    cord_address local;
    how.kind = kind;
    cord_log_set(collect);
    ok(cord_server_open(&served.server, address, handle, &how));
    ok(cord_server_address(served.server, 0, &local));
    cord_address_text(&local, served.address, sizeof served.address);
    ok(cord_task_start(&served.task, run_server, served.server, 0,
                       &(cord_task_options){ .kind = CORD_THREAD, .name = "server" }));
    return served;
}

static inline void finish(struct served *served, int value)
{
    join(served->task, value);
    cord_server_close(served->server);
}

static inline void stop(struct served *served)
{
    is(cord_server_stop(served->server, 5 * CORD_SECOND), 0);
    finish(served, 0);
}

static inline cord_server_counts counts(const struct served *served)
{
    cord_server_counts now;
    cord_server_stats(served->server, &now);
    return now;
}

static inline bool none_active(void *served)
{
    return counts(served).active == 0;
}

/* A client. */
static inline cord_socket dial(const char *address)
{
    cord_socket socket = { 0 };
    ok(cord_connect(&socket, address, NULL, soon()));
    return socket;
}

static inline bool is_refused(void *address)
{
    cord_socket socket;
    int rc = cord_connect(&socket, address, NULL, soon());
    if (rc == 0)
        cord_close(&socket);
    return rc == -ECONNREFUSED;
}

static inline void say(cord_socket socket, const char *text)
{
    is(cord_send_all(socket, text, strlen(text), soon()), (long)strlen(text));
}

static inline void hears(cord_socket socket, const char *text)
{
    char buf[256];
    is(cord_read_exact(socket, buf, strlen(text), soon()), (long)strlen(text));
    ck_assert_mem_eq(buf, text, strlen(text));
}

/* Where the server forks, its children have copies of this process's descriptors, so that closing alone would not end
 * the stream. */
static inline void hang_up(cord_socket *socket)
{
    int rc = cord_shutdown(*socket, SHUT_WR);
    ck_assert(rc == 0 || rc == -ENOTCONN);
    cord_close(socket);
}

static inline void hears_end(cord_socket socket)
{
    char byte;
    is(cord_recv(socket, &byte, 1, soon()), 0);
}

static inline int echo(cord_request *request)
{
    char buf[4096];
    ssize_t n;
    while ((n = cord_recv(request->socket, buf, sizeof buf, CORD_FOREVER)) > 0)
        if ((n = cord_send_all(request->socket, buf, (size_t)n, CORD_FOREVER)) < 0)
            break;
    return (int)n;
}

/* Connects, exchanges two texts, ends. */
static inline void echo_once(const char *address)
{
    cord_socket socket = dial(address);
    say(socket, "hello");
    hears(socket, "hello");
    say(socket, "again");
    hears(socket, "again");
    ok(cord_shutdown(socket, SHUT_WR));
    hears_end(socket);
    cord_close(&socket);
}

#endif
