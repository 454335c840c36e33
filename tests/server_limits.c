/* tests/server_limits.c - crashes of child processes, and the limit of open files. */
#include "serving.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- kind process: what a child does stays in it ---- */

static int obey(cord_request *request)
{
    char order;
    ssize_t n;
    while ((n = cord_recv(request->socket, &order, 1, CORD_FOREVER)) == 1) {
        switch (order) {
        case 'k':
            kill(getpid(), SIGKILL);
            break;
        case 's':
            signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would exit instead */
            raise(SIGSEGV);
            break;
        case 'x':
            _exit(3);
        case 'p':
            n = cord_sendf(request->socket, CORD_FOREVER, "%d\n", getpid());
            break;
        }
        if (n < 0)
            break;
    }
    return (int)n;
}

static void expect_crash(const char *order, const char *words)
{
    struct served served = serve("tcp:127.0.0.1:0", obey, NULL);
    char line[64];
    cord_socket good = dial(served.address), bad = dial(served.address);
    say(bad, order);
    hears_end(bad);
    hang_up(&bad);
    eventually(log_came, (void *)(uintptr_t)words);
    is((long)counts(&served).failed, 1);
    say(good, "p");
    ok(cord_read_line(good, line, sizeof line, soon()));
    ck_assert_int_ne(atoi(line), getpid());
    hang_up(&good);
    stop(&served);
    is(log_lines, 1);
    is(children(), 0);
}

PROCESS_TEST(killed_child_costs_only_its_connection)
{
    expect_crash("k", "signal 9");
}

PROCESS_TEST(segfault_in_child_costs_only_its_connection)
{
    expect_crash("s", "signal 11");
}

PROCESS_TEST(exit_in_child_costs_only_its_connection)
{
    expect_crash("x", "failed");
}

static bool no_children(void *unused)
{
    (void)unused;
    return children() == 0;
}

PROCESS_TEST(children_are_distinct_and_leave_no_zombies)
{
    struct served served = serve("tcp:127.0.0.1:0", obey, &(cord_server_options){ .per_connection = true });
    enum { CLIENTS = 10 };
    int pids[CLIENTS];
    cord_socket sockets[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        char line[64];
        sockets[i] = dial(served.address);
        say(sockets[i], "p");
        ok(cord_read_line(sockets[i], line, sizeof line, soon()));
        pids[i] = atoi(line);
        for (int j = 0; j < i; j++)
            ck_assert_int_ne(pids[i], pids[j]);
    }
    is(children(), CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        hang_up(&sockets[i]);
    eventually(no_children, NULL); /* while it serves on */
    stop(&served);
}

static int count_memory(cord_request *request)
{
    int *number = request->state;
    return (int)cord_sendf(request->socket, CORD_FOREVER, "%d\n", ++*number);
}

LOOP_KINDS_TEST(memory_is_shared_unless_kind_is_process)
{
    int number = 0;
    struct served served =
        serve("tcp:127.0.0.1:0", count_memory, &(cord_server_options){ .state = &number, .per_connection = true });
    for (int i = 1; i <= 3; i++) {
        char line[64];
        cord_socket socket = dial(served.address);
        ok(cord_read_line(socket, line, sizeof line, soon()));
        is(atoi(line), kind == CORD_PROCESS ? 1 : i);
        hears_end(socket);
        hang_up(&socket);
        eventually(none_active, &served);
    }
    stop(&served);
    is(number, kind == CORD_PROCESS ? 0 : 3);
}

/* A handler that ends neither at the request nor at SIGTERM. */
static int stubborn(cord_request *request)
{
    signal(SIGTERM, SIG_IGN);
    int rc = (int)cord_send_all(request->socket, "begun", 5, CORD_FOREVER);
    for (;;)
        pause();
    return rc;
}

PROCESS_TEST(stubborn_child_is_killed_at_the_end)
{
    struct served served = serve("tcp:127.0.0.1:0", stubborn, NULL);
    cord_socket socket = dial(served.address);
    hears(socket, "begun");
    is(cord_server_stop(served.server, 0), 0);
    finish(&served, 0);
    is(children(), 0);
    hang_up(&socket);
}

/* ---- the limit of open files ---- */

/* In a process of its own: the limit is the process's, and the clients must not share it. */
struct limited {
    cord_event *listening, *measured, *end; /* shared */
    char address[CORD_ADDRESS_TEXT];
    cord_server_counts counts;
    int64_t cpu; /* ns while the server was at the limit */
    cord_kind kind;
};

static int64_t cpu_used(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * CORD_SECOND +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * CORD_MICROSECOND;
}

static int serve_limited(void *arg)
{
    struct limited *limited = arg;
    struct rlimit limit = { 64, 64 };
    setrlimit(RLIMIT_NOFILE, &limit);
    kind = limited->kind;
    struct served served = serve("tcp:127.0.0.1:0", echo, &(cord_server_options){ .max_connections = 1000 });
    snprintf(limited->address, sizeof limited->address, "%s", served.address);
    cord_event_set(limited->listening);
    while (counts(&served).paused == 0)
        usleep(1000);
    int64_t before = cpu_used();
    usleep(400000); /* the window that a server which spins would fill */
    limited->cpu = cpu_used() - before;
    cord_event_set(limited->measured);
    int rc = cord_event_wait(limited->end, soon());
    limited->counts = counts(&served);
    stop(&served);
    return rc < 0 ? rc : log_lines;
}

LOOP_KINDS_TEST(limit_of_open_files_pauses_accepting_and_serves_all)
{
    enum { CLIENTS = 200 };
    void *memory;
    ok(cord_shared_new(&memory, sizeof(struct limited)));
    struct limited *limited = memory;
    limited->kind = kind;
    ok(cord_event_new(&limited->listening, CORD_SHARED));
    ok(cord_event_new(&limited->measured, CORD_SHARED));
    ok(cord_event_new(&limited->end, CORD_SHARED));
    cord_task *task;
    ok(cord_task_start(&task, serve_limited, limited, 0, &(cord_task_options){ .kind = CORD_PROCESS }));
    ok(cord_event_wait(limited->listening, soon()));
    cord_socket sockets[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        sockets[i] = dial(limited->address);
        say(sockets[i], "hello");
    }
    ok(cord_event_wait(limited->measured, soon())); /* until then nobody hangs up: the server stays at its limit */
    for (int i = 0; i < CLIENTS; i++) {
        hears(sockets[i], "hello");
        hang_up(&sockets[i]);
    }
    cord_event_set(limited->end);
    join(task, 0);
    is((long)limited->counts.accepted, CLIENTS);
    is((long)limited->counts.failed, 0);
    ck_assert_uint_gt(limited->counts.paused, 0);
    ck_assert_int_lt(limited->cpu, slow() * CORD_SECOND / 5);
    cord_event_free(limited->listening);
    cord_event_free(limited->measured);
    cord_event_free(limited->end);
    cord_shared_free(memory);
}

/* ---- a flood of connections ---- */

enum { HELD = 1, RELEASED = 2 };

/* "h" keeps the whole loop until it is released; "x" notes how many connections were accepted by then. */
static int hold_or_count(cord_request *request)
{
    struct seen *seen = request->state;
    cord_server_counts now;
    char order;
    ssize_t n;
    while ((n = cord_recv(request->socket, &order, 1, CORD_FOREVER)) == 1) {
        if (order == 'h') {
            atomic_store(&seen->step[0], HELD);
            while (atomic_load(&seen->step[0]) != RELEASED)
                usleep(100);
        } else if (order == 'x') {
            cord_server_stats(request->server, &now);
            atomic_store(&seen->answer, (int)now.accepted);
        }
        n = cord_send(request->socket, &order, 1, CORD_FOREVER);
        if (n < 0)
            break;
    }
    return (int)n;
}

static bool is_held(void *seen)
{
    return atomic_load(&((struct seen *)seen)->step[0]) == HELD;
}

/* The listener is ready first and stays so; who was there before is served after a burst and not after all of them. */
static void flood(cord_kind of, const char *backend)
{
    enum { CLIENTS = 400, BURSTS = 64 };
    choose(of, backend);
    struct seen *seen = new_seen();
    struct served served = serve("tcp:127.0.0.1:0", hold_or_count, &(cord_server_options){ .state = seen });
    cord_socket holder = dial(served.address), old = dial(served.address), sockets[CLIENTS];
    say(old, "?");
    hears(old, "?");
    say(holder, "h");
    eventually(is_held, seen);
    for (int i = 0; i < CLIENTS; i++)
        sockets[i] = dial(served.address); /* they wait in the kernel's queue */
    say(old, "x");
    atomic_store(&seen->step[0], RELEASED);
    hears(old, "x");
    ck_assert_int_le(atomic_load(&seen->answer), 2 + BURSTS);
    for (int i = 0; i < CLIENTS; i++) {
        say(sockets[i], "?");
        hears(sockets[i], "?");
        hang_up(&sockets[i]);
    }
    hang_up(&old);
    hang_up(&holder);
    stop(&served);
    free_seen(seen);
}

PLAIN_TEST(flood_of_connections_does_not_keep_an_old_one_waiting_epoll)
{
    flood(CORD_COROUTINE, "epoll");
}

PLAIN_TEST(flood_of_connections_does_not_keep_an_old_one_waiting_uring)
{
    flood(CORD_COROUTINE, "uring");
}

int main(void)
{
    return run_tests(
        "server_limits", PROCESSES(killed_child_costs_only_its_connection),
        PROCESSES(segfault_in_child_costs_only_its_connection), PROCESSES(exit_in_child_costs_only_its_connection),
        PROCESSES(children_are_distinct_and_leave_no_zombies), PARALLEL(memory_is_shared_unless_kind_is_process),
        PROCESSES(stubborn_child_is_killed_at_the_end), PARALLEL(limit_of_open_files_pauses_accepting_and_serves_all),
        PLAIN(flood_of_connections_does_not_keep_an_old_one_waiting_epoll),
        PLAIN(flood_of_connections_does_not_keep_an_old_one_waiting_uring), END);
}
