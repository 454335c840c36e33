/* tests/server_workers.c - kind process: workers that are kept, that die, are replaced, and end with their server. */
#include "serving.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int answer_seven(void *unused)
{
    (void)unused;
    return 7;
}

/* A child process of the handler's own. */
static int ask_a_child(void)
{
    cord_task *task;
    cord_outcome outcome = { 0 };
    int rc = cord_task_start(&task, answer_seven, NULL, 0, &(cord_task_options){ .kind = CORD_PROCESS });
    if (rc < 0)
        return rc;
    rc = cord_task_join(task, soon(), &outcome);
    cord_task_free(task);
    return rc < 0 ? rc : outcome.value;
}

/* A child process that stays, with copies of all that its parent has. */
static int leave_a_child(void)
{
    int pid = fork();
    while (pid == 0)
        pause();
    return pid;
}

/* One letter each; what is a number is answered in a line. */
static int obey(cord_request *request)
{
    static int number;
    char order;
    ssize_t n;
    while ((n = cord_recv(request->socket, &order, 1, CORD_FOREVER)) == 1) {
        int answer = 0;
        switch (order) {
        case 'k':
            kill(getpid(), SIGKILL);
            break;
        case 'e':
#ifdef __SANITIZE_ADDRESS__
            _exit(0); /* no search for leaks */
#else
            exit(0);
#endif
        case 'n':
            answer = ++number;
            break;
        case 'p':
            answer = getpid();
            break;
        case 'c':
            answer = ask_a_child();
            break;
        case 'f':
            answer = leave_a_child();
            break;
        }
        n = cord_sendf(request->socket, CORD_FOREVER, "%d\n", answer);
        if (n < 0)
            break;
    }
    return (int)n;
}

static int ask(cord_socket socket, const char *order)
{
    char line[64];
    say(socket, order);
    ok(cord_read_line(socket, line, sizeof line, soon()));
    return atoi(line);
}

/* In a connection of its own. */
static int ask_once(const char *address, const char *order)
{
    cord_socket socket = dial(address);
    int answer = ask(socket, order);
    ok(cord_shutdown(socket, SHUT_WR));
    hears_end(socket);
    cord_close(&socket);
    return answer;
}

static bool one_replaced(void *served)
{
    return counts(served).replaced == 1;
}

static bool one_failed(void *served)
{
    return counts(served).failed == 1;
}

/* The peer of a handler that died. */
static void expect_end(cord_socket *socket)
{
    char byte;
    ssize_t n = cord_recv(*socket, &byte, 1, soon());
    ck_assert_msg(n == 0 || n == -ECONNRESET, "recv answered %zd", n);
    hang_up(socket);
}

/* ---- deaths ---- */

PROCESS_TEST(killed_idle_worker_is_noticed_and_replaced)
{
    struct served served = serve("tcp:127.0.0.1:0", obey, &(cord_server_options){ .max_connections = 1 });
    int first = ask_once(served.address, "p");
    eventually(none_active, &served);
    ck_assert_int_ne(first, getpid());
    is(kill(first, SIGKILL), 0);
    eventually(one_replaced, &served);
    ck_assert_int_ne(ask_once(served.address, "p"), first);
    is((long)counts(&served).failed, 0);
    stop(&served);
    ck_assert_msg(log_has("without a request died"), "%s", log_text);
    is(log_lines, 1);
    is(children(), 0);
}

PROCESS_TEST(killed_busy_worker_costs_only_its_connection)
{
    enum { CLIENTS = 4, BAD = 1 };
    struct served served = serve("tcp:127.0.0.1:0", obey, NULL);
    cord_socket sockets[CLIENTS];
    int pids[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        sockets[i] = dial(served.address);
        pids[i] = ask(sockets[i], "p");
    }
    is(kill(pids[BAD], SIGKILL), 0);
    expect_end(&sockets[BAD]);
    eventually(one_replaced, &served);
    for (int i = 0; i < CLIENTS; i++)
        if (i != BAD) {
            is(ask(sockets[i], "p"), pids[i]);
            hang_up(&sockets[i]);
        }
    is((long)counts(&served).failed, 1);
    stop(&served);
    ck_assert_msg(log_has("signal 9"), "%s", log_text);
    is(log_lines, 1);
}

PROCESS_TEST(exit_in_the_middle_fails_the_request)
{
    struct served served = serve("tcp:127.0.0.1:0", obey, &(cord_server_options){ .max_connections = 1 });
    cord_socket socket = dial(served.address);
    say(socket, "e");
    expect_end(&socket);
    eventually(one_failed, &served);
    ck_assert_int_gt(ask_once(served.address, "p"), 0);
    stop(&served);
    ck_assert_msg(log_has("request from tcp:127.0.0.1:"), "%s", log_text);
    is(log_lines, 1);
}

/* A client whose every request is its handler's end. */
struct breaker {
    const char *address;
    atomic_bool end;
    atomic_int broken;
};

static int break_on(void *arg)
{
    struct breaker *breaker = arg;
    while (!atomic_load(&breaker->end)) {
        cord_socket socket = dial(breaker->address);
        say(socket, "k");
        expect_end(&socket);
        atomic_fetch_add(&breaker->broken, 1);
    }
    return 0;
}

PROCESS_TEST(crash_at_each_request_neither_forks_wildly_nor_keeps_others_out)
{
    enum { WORKERS = 4, GOOD = 4, EARLY_DEATHS = 12 }; /* 1, 2, 4 ... ms: so many make the first second */
    struct served served =
        serve("tcp:127.0.0.1:0", obey, &(cord_server_options){ .max_connections = WORKERS, .quiet = true });
    struct breaker breaker = { .address = served.address };
    cord_task *task;
    int64_t begin = cord_now();
    ok(cord_task_start(&task, break_on, &breaker, 0, &(cord_task_options){ .kind = CORD_THREAD }));
    for (int i = 0; i < GOOD; i++) {
        int64_t before = cord_now();
        cord_socket socket = dial(served.address);
        ck_assert_int_gt(ask(socket, "p"), 0);
        hang_up(&socket);
        ck_assert_int_lt(cord_now() - before, 5 * slow() * CORD_SECOND);
        ok(cord_sleep(200 * CORD_MILLISECOND)); /* crashes go on meanwhile */
    }
    atomic_store(&breaker.end, true);
    join(task, 0);
    int64_t seconds = (cord_now() - begin) / CORD_SECOND + 1;
    ck_assert_int_gt(breaker.broken, 0);
    ck_assert_int_le((int64_t)counts(&served).replaced, WORKERS * (EARLY_DEATHS + 2 * seconds));
    ck_assert_int_gt(ask_once(served.address, "p"), 0);
    eventually(none_active, &served);
    is((long)counts(&served).failed, breaker.broken);
    stop(&served);
    is(children(), 0);
}

PROCESS_TEST(handler_has_child_processes_of_its_own)
{
    struct served served = serve("tcp:127.0.0.1:0", obey, &(cord_server_options){ .max_connections = 2 });
    for (int i = 0; i < 5; i++)
        is(ask_once(served.address, "c"), 7);
    stop(&served);
    is(log_lines, 0);
}

/* What the child inherited hides the end of the worker's own descriptors. */
PROCESS_TEST(death_of_a_worker_that_leaves_a_child_is_noticed)
{
    struct served served = serve("tcp:127.0.0.1:0", obey, &(cord_server_options){ .max_connections = 1 });
    cord_socket socket = dial(served.address);
    int left = ask(socket, "f"), worker = ask(socket, "p");
    is(kill(worker, SIGKILL), 0);
    eventually(one_failed, &served);
    ck_assert_int_ne(ask_once(served.address, "p"), worker);
    is(kill(left, SIGKILL), 0);
    hang_up(&socket);
    is((long)counts(&served).replaced, 1);
    stop(&served);
}

/* ---- what is kept ---- */

static void expect_numbers(bool per_connection, const int *want)
{
    cord_server_options how = { .max_connections = 1, .per_connection = per_connection };
    struct served served = serve("tcp:127.0.0.1:0", obey, &how);
    for (int i = 0; i < 3; i++)
        is(ask_once(served.address, "n"), want[i]);
    stop(&served);
}

PROCESS_TEST(worker_keeps_memory_and_a_child_per_connection_does_not)
{
    expect_numbers(false, (int[]){ 1, 2, 3 });
    expect_numbers(true, (int[]){ 1, 1, 1 });
}

PROCESS_TEST(workers_are_never_more_than_max_connections)
{
    enum { CLIENTS = 12, MOST = 3 };
    struct served served = serve("tcp:127.0.0.1:0", obey, &(cord_server_options){ .max_connections = MOST });
    cord_socket sockets[CLIENTS];
    int pids[MOST] = { 0 };
    for (int i = 0; i < CLIENTS; i++) {
        sockets[i] = dial(served.address);
        say(sockets[i], "p");
    }
    for (int i = 0; i < CLIENTS; i++) {
        char line[64];
        int at = 0;
        ok(cord_read_line(sockets[i], line, sizeof line, soon()));
        ck_assert_int_le(children(), MOST);
        while (at < MOST && pids[at] && pids[at] != atoi(line))
            at++;
        ck_assert_int_lt(at, MOST);
        pids[at] = atoi(line);
        hang_up(&sockets[i]);
    }
    ck_assert_int_ne(pids[MOST - 1], 0); /* and all of them worked */
    is((long)counts(&served).accepted, CLIENTS);
    is((long)counts(&served).replaced, 0);
    stop(&served);
}

static int descriptors_of(int pid)
{
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

struct descriptors {
    int pid, most;
};

static bool has_no_more(void *arg)
{
    const struct descriptors *descriptors = arg;
    return descriptors_of(descriptors->pid) <= descriptors->most;
}

static void expect_no_leak(bool per_connection, int connections)
{
    cord_server_options how = { .max_connections = 1, .per_connection = per_connection };
    struct served served = serve("tcp:127.0.0.1:0", obey, &how);
    int worker = ask_once(served.address, "p");
    ask_once(served.address, "p");
    eventually(none_active, &served);
    struct descriptors ours = { getpid(), descriptors_of(getpid()) }, its = { worker, 0 };
    if (!per_connection)
        its.most = descriptors_of(worker);
    for (int i = 0; i < connections; i++)
        if (!per_connection)
            is(ask_once(served.address, "p"), worker);
        else
            ck_assert_int_ne(ask_once(served.address, "p"), worker);
    eventually(none_active, &served);
    eventually(has_no_more, &ours);
    if (!per_connection)
        eventually(has_no_more, &its);
    is((long)counts(&served).accepted, connections + 2);
    stop(&served);
}

PROCESS_TEST(two_thousand_connections_leak_no_descriptor)
{
    expect_no_leak(false, 2000);
    expect_no_leak(true, 50);
}

static int give_back(cord_request *request)
{
    return (int)cord_reply(request, request->data, request->size);
}

PROCESS_TEST(datagrams_of_all_sizes_go_through_workers_unchanged)
{
    static unsigned char out[65507], in[65536];
    static const size_t sizes[] = { 0, 1, 159, 4096, 32768, 65506, 65507 };
    struct served served = serve("udp:127.0.0.1:0", give_back, NULL);
    cord_socket socket = dial(served.address);
    for (int round = 0; round < 5; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            for (size_t at = 0; at < sizes[i]; at++)
                out[at] = (unsigned char)(at * 31 + at / 256 + (size_t)round);
            is(cord_send(socket, out, sizes[i], soon()), (long)sizes[i]);
            is(cord_recv(socket, in, sizeof in, soon()), (long)sizes[i]);
            is(memcmp(in, out, sizes[i]), 0);
        }
    cord_close(&socket);
    stop(&served);
    is(log_lines, 0);
}

/* ---- the end ---- */

PROCESS_TEST(stop_ends_busy_and_idle_workers)
{
    enum { CLIENTS = 5 };
    struct served served = serve("tcp:127.0.0.1:0", obey, NULL);
    cord_socket sockets[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        sockets[i] = dial(served.address);
        ck_assert_int_gt(ask(sockets[i], "p"), 0);
    }
    for (int i = 0; i < 2; i++)
        hang_up(&sockets[i]);
    ck_assert_int_ge(children(), CLIENTS - 2);
    is(cord_server_stop(served.server, 0), 0);
    finish(&served, 0);
    is(children(), 0); /* nor zombies */
    for (int i = 2; i < CLIENTS; i++)
        expect_end(&sockets[i]);
    ck_assert_msg(log_lines == 0, "%s", log_text);
}

PROCESS_TEST(stop_while_workers_start_ends_them)
{
    for (int i = 0; i < 20; i++) {
        struct served served = serve("tcp:127.0.0.1:0", obey, &(cord_server_options){ .quiet = i % 4 == 3 });
        cord_socket socket = { 0 };
        if (i % 2)
            socket = dial(served.address);
        if (i % 4 == 3) /* and one dies meanwhile */
            say(socket, "k");
        is(cord_server_stop(served.server, 0), 0);
        finish(&served, 0);
        is(children(), 0);
        cord_close(&socket);
    }
    ck_assert_msg(log_lines == 0, "%s", log_text);
}

/* A server in a process of its own. */
struct apart {
    cord_event *listening; /* shared */
    int hold;              /* at which connection it leaves a child behind; 0: at none */
    int holder;            /* which is that */
    cord_kind kind;
    char address[CORD_ADDRESS_TEXT];
};

static struct apart *new_apart(void)
{
    void *memory;
    ok(cord_shared_new(&memory, sizeof(struct apart)));
    struct apart *apart = memory;
    apart->kind = kind;
    ok(cord_event_new(&apart->listening, CORD_SHARED));
    return apart;
}

static void free_apart(struct apart *apart)
{
    cord_event_free(apart->listening);
    cord_shared_free(apart);
}

static int leave_a_holder(cord_request *request)
{
    struct apart *apart = request->state;
    if (apart->hold && --apart->hold == 0)
        apart->holder = leave_a_child();
    return apart->holder;
}

static int serve_apart(void *arg)
{
    struct apart *apart = arg;
    cord_server *server;
    cord_address local;
    cord_server_options how = { .kind = apart->kind, .state = apart, .verify = leave_a_holder, .grace = CORD_HOUR };
    int rc = cord_server_open(&server, "tcp:127.0.0.1:0", obey, &how);
    if (rc < 0)
        return rc;
    ok(cord_server_address(server, 0, &local));
    cord_address_text(&local, apart->address, sizeof apart->address);
    cord_event_set(apart->listening);
    rc = cord_server_run(server);
    cord_server_close(server);
    return rc;
}

/* Its parent has ended, and this process is the next that is told of its end. */
static bool has_ended(void *pid)
{
    return waitpid(*(int *)pid, NULL, WNOHANG) == *(int *)pid;
}

static void expect_end_of_all(int hold)
{
    enum { CLIENTS = 3, IDLE = 0 };
    struct apart *apart = new_apart();
    cord_task *task;
    cord_outcome outcome;
    cord_socket sockets[CLIENTS];
    int pids[CLIENTS];
    apart->hold = hold;
    is(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    ok(cord_task_start(&task, serve_apart, apart, 0, &(cord_task_options){ .kind = CORD_PROCESS }));
    ok(cord_event_wait(apart->listening, soon()));
    for (int i = 0; i < CLIENTS; i++) {
        sockets[i] = dial(apart->address);
        pids[i] = ask(sockets[i], "p");
    }
    hang_up(&sockets[IDLE]);
    cord_task_terminate(task, 0);
    ok(cord_task_join(task, soon(), &outcome));
    is(outcome.how, CORD_SIGNALED);
    eventually(has_ended, &pids[IDLE]);
    for (int i = IDLE + 1; i < CLIENTS; i++) { /* who has a request ends after it */
        is(ask(sockets[i], "p"), pids[i]);
        hang_up(&sockets[i]);
        eventually(has_ended, &pids[i]);
    }
    if (hold) {
        is(kill(apart->holder, SIGKILL), 0);
        eventually(has_ended, &apart->holder);
    }
    cord_task_free(task);
    free_apart(apart);
}

PROCESS_TEST(workers_of_a_killed_server_end_too)
{
    expect_end_of_all(0);
}

/* Which has a copy of the server's side of their lines. */
PROCESS_TEST(workers_of_a_killed_server_that_leaves_a_child_end_too)
{
    expect_end_of_all(2); /* the first one has its worker by then */
}

/* Ctrl-C goes to the whole group: the server lets requests finish, so a worker must not end by it. */
PROCESS_TEST(sigint_does_not_end_the_request_of_a_worker)
{
    struct apart *apart = new_apart();
    int status, pid = fork();
    if (pid == 0) {
        cord_run_options how = { .signals = CORD_SIGNALS_DEFAULT };
        _exit(cord_run(serve_apart, apart, &how) == -ECANCELED ? 0 : 1);
    }
    ok(cord_event_wait(apart->listening, soon()));
    cord_socket socket = dial(apart->address);
    int worker = ask(socket, "p");
    is(kill(worker, SIGINT), 0);
    is(ask(socket, "p"), worker);
    is(kill(pid, SIGINT), 0);
    is(ask(socket, "p"), worker);
    hang_up(&socket);
    is(waitpid(pid, &status, 0), pid);
    is(status, 0);
    free_apart(apart);
}

int main(void)
{
    return run_tests(
        "server_workers", PROCESSES(killed_idle_worker_is_noticed_and_replaced),
        PROCESSES(killed_busy_worker_costs_only_its_connection), PROCESSES(exit_in_the_middle_fails_the_request),
        PROCESSES(crash_at_each_request_neither_forks_wildly_nor_keeps_others_out),
        PROCESSES(handler_has_child_processes_of_its_own), PROCESSES(death_of_a_worker_that_leaves_a_child_is_noticed),
        PROCESSES(worker_keeps_memory_and_a_child_per_connection_does_not),
        PROCESSES(workers_are_never_more_than_max_connections), PROCESSES(two_thousand_connections_leak_no_descriptor),
        PROCESSES(datagrams_of_all_sizes_go_through_workers_unchanged), PROCESSES(stop_ends_busy_and_idle_workers),
        PROCESSES(stop_while_workers_start_ends_them), PROCESSES(workers_of_a_killed_server_end_too),
        PROCESSES(workers_of_a_killed_server_that_leaves_a_child_end_too),
        PROCESSES(sigint_does_not_end_the_request_of_a_worker), END);
}
