/* tests/server_service.c - a server as a service: stopped from signal handlers and under load, and started and watched
 * by systemd.
 *
 * What systemd does to a service is done to this program, which then is one itself (main() with arguments of ours). */
#include "serving.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- signal handlers ---- */

static cord_server *_Atomic to_stop;
static cord_span with_grace;
static atomic_int handled;

static void on_signal(int signo)
{
    (void)signo;
    if (cord_server_stop(to_stop, with_grace) == 0)
        atomic_fetch_add(&handled, 1);
}

static void stop_at(int signo, cord_server *server, cord_span grace)
{
    struct sigaction action = { .sa_handler = on_signal };
    to_stop = server;
    with_grace = grace;
    is(sigaction(signo, &action, NULL), 0);
}

static bool has_number(void *task)
{
    return cord_task_thread_id(task) > 0;
}

/* ThreadSanitizer runs a handler at the thread's next call that it knows to wait; a server's need not come. */
#ifdef __SANITIZE_THREAD__
enum { TO_SERVER = 0 };
#else
enum { TO_SERVER = 1 };
#endif

static bool was_handled(void *before)
{
    return atomic_load(&handled) > *(int *)before;
}

/* To the serving thread, or to this one; returns when it was handled. */
static void send_signal(const struct served *served, bool to_server)
{
    int before = atomic_load(&handled);
    eventually(has_number, served->task);
    int thread = to_server ? cord_task_thread_id(served->task) : (int)syscall(SYS_gettid);
    is(syscall(SYS_tgkill, getpid(), thread, SIGUSR2), 0);
    eventually(was_handled, &before);
}

static int begin_and_echo(cord_request *request)
{
    ssize_t n = cord_send_all(request->socket, "begun", 5, CORD_FOREVER);
    return n < 0 ? (int)n : echo(request);
}

KIND_TEST(signal_handler_stops_an_idle_server)
{
    for (int to_server = 0; to_server <= TO_SERVER; to_server++) {
        struct served served = serve("tcp:127.0.0.1:0", echo, NULL);
        stop_at(SIGUSR2, served.server, CORD_HOUR);
        echo_once(served.address);
        send_signal(&served, to_server);
        finish(&served, 0);
        is(handled, to_server + 1);
    }
}

KIND_TEST(signal_handler_stops_a_server_whose_request_finishes_in_its_grace)
{
    for (int to_server = 0; to_server <= TO_SERVER; to_server++) {
        struct served served = serve("tcp:127.0.0.1:0", begin_and_echo, NULL);
        stop_at(SIGUSR2, served.server, CORD_HOUR);
        cord_socket socket = dial(served.address);
        hears(socket, "begun");
        send_signal(&served, to_server);
        for (int i = 0; i < 3; i++) {
            say(socket, "still here");
            hears(socket, "still here");
        }
        hang_up(&socket);
        finish(&served, 0);
        is(handled, to_server + 1);
    }
    ck_assert_msg(log_lines == 0, "%s", log_text);
}

KIND_TEST(signal_handler_without_grace_ends_the_request)
{
    for (int to_server = 0; to_server <= TO_SERVER; to_server++) {
        struct served served = serve("tcp:127.0.0.1:0", begin_and_echo, NULL);
        stop_at(SIGUSR2, served.server, 0);
        cord_socket socket = dial(served.address);
        hears(socket, "begun");
        send_signal(&served, to_server);
        finish(&served, 0);
        hears_end(socket);
        hang_up(&socket);
    }
}

/* Whether it has begun. A connection that comes in the moment when the kernel closes the listener may stay open with
 * nobody at its other side: it is given up when the server has ended. */
static bool has_begun(cord_socket socket, const cord_task *server)
{
    char buf[8];
    bool last = false;
    for (;;) {
        ssize_t n = cord_read_exact(socket, buf, 5, cord_in(100 * CORD_MILLISECOND));
        ck_assert_msg(n == 5 || n == 0 || n == -ECONNRESET || n == -ETIMEDOUT, "read answered %zd", n);
        if (n != -ETIMEDOUT || last)
            return n == 5;
        last = cord_task_status(server, NULL) != CORD_RUNNING;
    }
}

/* A timer hits whichever thread, in whichever state, again and again; its first signal stops the server. */
static void work_until_alarm(int64_t microseconds)
{
    const struct itimerval often = { { 0, 500 }, { 0, microseconds } }, never = { 0 };
    struct served served = serve("tcp:127.0.0.1:0", begin_and_echo, NULL);
    stop_at(SIGALRM, served.server, CORD_HOUR);
    is(setitimer(ITIMER_REAL, &often, NULL), 0);
    cord_socket socket;
    while (cord_connect(&socket, served.address, NULL, soon()) == 0) {
        if (has_begun(socket, served.task)) {
            say(socket, "hello");
            hears(socket, "hello");
        }
        hang_up(&socket);
    }
    join(served.task, 0);
    is(setitimer(ITIMER_REAL, &never, NULL), 0);
    signal(SIGALRM, SIG_IGN);
    cord_server_close(served.server);
}

KIND_TEST(alarms_stop_a_server_that_works)
{
    for (int i = 0; i < 10; i++)
        work_until_alarm(1 + 2000 * i);
    ck_assert_int_ge(handled, 10);
    ck_assert_msg(log_lines == 0, "%s", log_text);
}

/* ---- load ---- */

/* Who was told that his request has begun gets all of his answer. */
enum { LONG_ANSWER = 256 * 1024 };

static int answer_long(cord_request *request)
{
    static char answer[LONG_ANSWER];
    ssize_t n = cord_send_all(request->socket, "begun", 5, CORD_FOREVER);
    if (n > 0)
        n = cord_sleep(5 * CORD_MILLISECOND);
    return n < 0 ? (int)n : (int)cord_send_all(request->socket, answer, sizeof answer, CORD_FOREVER);
}

struct load {
    const char *address;
    atomic_bool over; /* the server has ended */
    atomic_int begun, whole;
};

/* A connection that comes in the moment when the kernel closes the listener may stay open with nobody at its other
 * side. */
static ssize_t read_begun(cord_socket socket, const struct load *load, char *buf)
{
    ssize_t n;
    bool last;
    do {
        last = atomic_load(&load->over);
        n = cord_read_exact(socket, buf, 5, cord_in(100 * CORD_MILLISECOND));
    } while (n == -ETIMEDOUT && !last);
    return n;
}

static int load_on(void *arg)
{
    struct load *load = arg;
    char buf[16384];
    cord_socket socket;
    while (cord_connect(&socket, load->address, NULL, soon()) == 0) {
        ssize_t n = read_begun(socket, load, buf), sum = 0;
        bool begun = n == 5;
        while (n > 0 && (n = cord_recv(socket, buf, sizeof buf, soon())) > 0)
            sum += n;
        atomic_fetch_add(&load->begun, begun);
        atomic_fetch_add(&load->whole, begun && n == 0 && sum == LONG_ANSWER);
        hang_up(&socket);
    }
    return 0;
}

static bool thirty_whole(void *load)
{
    return atomic_load(&((struct load *)load)->whole) >= 30;
}

LOOP_KINDS_TEST(stop_under_load_loses_no_request_that_has_begun)
{
    enum { CLIENTS = 6 };
    struct served served = serve("tcp:127.0.0.1:0", answer_long, &(cord_server_options){ .max_connections = 4 });
    struct load load = { .address = served.address };
    cord_task *tasks[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        ok(cord_task_start(&tasks[i], load_on, &load, 0, &(cord_task_options){ .kind = CORD_THREAD }));
    eventually(thirty_whole, &load);
    is(cord_server_stop(served.server, CORD_HOUR), 0);
    finish(&served, 0);
    atomic_store(&load.over, true);
    for (int i = 0; i < CLIENTS; i++)
        join(tasks[i], 0);
    is(load.begun, load.whole);
    ck_assert_msg(log_lines == 0, "%s", log_text);
}

/* ---- systemd ---- */

static int stop_at_s(cord_request *request)
{
    char byte = 0;
    ssize_t n = cord_recv(request->socket, &byte, 1, CORD_FOREVER);
    if (n == 1 && byte == 's')
        n = cord_server_stop(request->server, CORD_HOUR);
    return n < 0 ? (int)n : (int)cord_sendf(request->socket, CORD_FOREVER, "%s", "served");
}

/* This program as the service: its words on stderr are those of the failure. */
static int be_service(const char *kind_name, const char *address)
{
    cord_server_options how = { .notify = true };
    int rc = cord_kind_parse(&how.kind, kind_name);
    if (rc == 0)
        rc = cord_serve(address, stop_at_s, &how);
    if (rc < 0)
        fprintf(stderr, "%s", cord_error_detail());
    return rc == 0 ? 0 : 3;
}

struct service {
    int pid, words; /* what it says on stderr */
    char addresses[2][CORD_ADDRESS_TEXT];
};

/* In the forked child: `count` listeners become descriptors from 3 on, as the service finds them. */
static _Noreturn void become_service(const char *address, const int *listeners, int count, int words)
{
    char number[20];
    int moved[2];
    dup2(words, 2);
    for (int i = 0; i < count; i++)
        moved[i] = fcntl(listeners[i], F_DUPFD, 100);
    for (int i = 0; i < count; i++)
        dup2(moved[i], 3 + i);
    for (int fd = 3 + count; fd < 256; fd++)
        close(fd);
    snprintf(number, sizeof number, "%d", getpid());
    setenv("LISTEN_PID", number, 1);
    snprintf(number, sizeof number, "%d", count);
    if (count)
        setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", "one:two", 1);
    char *const arguments[] = { "service", "--service", (char *)(uintptr_t)cord_kind_name(kind),
                                (char *)(uintptr_t)address, NULL };
    execv("/proc/self/exe", arguments);
    _exit(4);
}

static struct service start_service(const char *address, int count)
{
    struct service service;
    cord_socket sockets[2] = { { 0 } };
    int listeners[2], pipes[2];
    for (int i = 0; i < count; i++) {
        sockets[i] = listen_anywhere(service.addresses[i], "tcp");
        listeners[i] = cord_fileno(sockets[i]);
    }
    is(pipe2(pipes, O_CLOEXEC), 0);
    service.pid = fork();
    if (service.pid == 0)
        become_service(address, listeners, count, pipes[1]);
    close(pipes[1]);
    service.words = pipes[0];
    for (int i = 0; i < count; i++)
        cord_close(&sockets[i]);
    return service;
}

/* Its end: the exit status, and what it said. */
static void end_service(struct service *service, int status, const char *words)
{
    char text[512] = "";
    size_t used = 0;
    ssize_t n;
    int got;
    while ((n = read(service->words, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)n;
    is(waitpid(service->pid, &got, 0), service->pid);
    ck_assert_msg(WIFEXITED(got) && WEXITSTATUS(got) == status, "status %#x: %s", got, text);
    ck_assert_msg(words ? strstr(text, words) != NULL : !used, "it said: %s", text);
    close(service->words);
}

static void served_at(const char *address, const char *order)
{
    cord_socket socket = dial(address);
    say(socket, order);
    hears(socket, "served");
    hears_end(socket);
    cord_close(&socket);
}

KIND_TEST(all_sockets_of_systemd_are_served)
{
    struct service service = start_service("systemd:", 2);
    for (int i = 0; i < 3; i++) {
        served_at(service.addresses[0], "x");
        served_at(service.addresses[1], "x");
    }
    served_at(service.addresses[1], "s");
    end_service(&service, 0, NULL);
}

KIND_TEST(one_socket_of_systemd_is_served_by_its_name)
{
    struct service service = start_service("systemd:two", 2);
    served_at(service.addresses[1], "x");
    cord_socket other = dial(service.addresses[0]); /* it waits for whoever serves that */
    served_at(service.addresses[1], "s");
    end_service(&service, 0, NULL);
    char byte;
    ck_assert_int_le(cord_recv(other, &byte, 1, soon()), 0);
    cord_close(&other);
}

KIND_TEST(service_without_sockets_of_systemd_says_so)
{
    struct service service = start_service("systemd:", 0);
    end_service(&service, 3, "systemd: no sockets were passed");
    service = start_service("systemd:three", 2);
    end_service(&service, 3, "systemd: no socket is named \"three\", but \"one:two\"");
}

static void told(cord_socket receiver, const char *words)
{
    char buf[64] = "";
    ssize_t n = cord_recv(receiver, buf, sizeof buf - 1, soon());
    ck_assert_msg(n == (ssize_t)strlen(words) && strcmp(buf, words) == 0, "it was told %s", buf);
}

KIND_TEST(systemd_is_told_ready_and_stopping)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket receiver = listen_anywhere(address, "unixgram");
    is(setenv("NOTIFY_SOCKET", address + strlen("unixgram:"), 1), 0);
    struct service service = start_service("systemd:", 2);
    told(receiver, "READY=1");
    served_at(service.addresses[0], "x");
    is(cord_recv(receiver, address, sizeof address, CORD_NOWAIT), -EAGAIN);
    served_at(service.addresses[0], "s");
    told(receiver, "STOPPING=1");
    end_service(&service, 0, NULL);
    is(cord_recv(receiver, address, sizeof address, CORD_NOWAIT), -EAGAIN);
    cord_close(&receiver);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--service") == 0)
        return be_service(argv[2], argv[3]);
    return run_tests("server_service", KINDS(signal_handler_stops_an_idle_server),
                     KINDS(signal_handler_stops_a_server_whose_request_finishes_in_its_grace),
                     KINDS(signal_handler_without_grace_ends_the_request), KINDS(alarms_stop_a_server_that_works),
                     PARALLEL(stop_under_load_loses_no_request_that_has_begun),
                     KINDS(all_sockets_of_systemd_are_served), KINDS(one_socket_of_systemd_is_served_by_its_name),
                     KINDS(service_without_sockets_of_systemd_says_so), KINDS(systemd_is_told_ready_and_stopping), END);
}
