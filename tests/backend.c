/* tests/backend.c - what a loop waits with, under thousands of waits at once: more than its queues hold. */
#include "support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { COROUTINES = 3000, FEW = 40 }; /* an io_uring of ours takes 256 requests in one go */

struct crowd {
    int count;
    cord_socket (*pairs)[2];
    cord_task **tasks;
};

/* One task for each pair; coroutines by the thousand, other kinds in a number that the system has. */
static struct crowd crowd_start(cord_fn *fn)
{
    struct crowd crowd = { .count = mode.kind != CORD_COROUTINE ? FEW : under_valgrind() ? 300 : COROUTINES };
    crowd.pairs = calloc((size_t)crowd.count, sizeof *crowd.pairs);
    crowd.tasks = calloc((size_t)crowd.count, sizeof(cord_task *));
    ck_assert(crowd.pairs != NULL && crowd.tasks != NULL);
    for (int i = 0; i < crowd.count; i++) {
        ok(cord_socket_pair(crowd.pairs[i], CORD_UNIX));
        crowd.tasks[i] = start(fn, &crowd.pairs[i][0], sizeof(cord_socket));
    }
    ok(cord_yield());
    return crowd;
}

static void crowd_end(struct crowd *crowd, int value)
{
    for (int i = 0; i < crowd->count; i++) {
        join(crowd->tasks[i], value);
        cord_close(&crowd->pairs[i][0]);
        cord_close(&crowd->pairs[i][1]);
    }
    free(crowd->pairs);
    free(crowd->tasks);
}

static int recv_one(void *arg)
{
    char byte = 0;
    ssize_t n = cord_recv(*(cord_socket *)arg, &byte, 1, soon());
    return n == 1 ? byte : (int)n;
}

MODE_TEST(all_waiters_get_their_byte)
{
    struct crowd crowd = crowd_start(recv_one);
    for (int i = 0; i < crowd.count; i++)
        is(cord_send(crowd.pairs[i][1], "b", 1, soon()), 1);
    crowd_end(&crowd, 'b');
}

/* The answer to a cancelled wait is -ECANCELED, and the byte that comes later is still there. */
static int recv_cancelled(void *arg)
{
    char byte = 0;
    ssize_t n = cord_recv(*(cord_socket *)arg, &byte, 1, soon());
    return n == -ECANCELED ? 7 : (int)n;
}

MODE_TEST(all_waiters_are_cancelled_and_no_byte_is_lost)
{
    struct crowd crowd = crowd_start(recv_cancelled);
    char byte;
    for (int i = 0; i < crowd.count; i++)
        cord_task_cancel(crowd.tasks[i]);
    for (int i = 0; i < crowd.count; i++) {
        cord_outcome outcome;
        ok(cord_task_join(crowd.tasks[i], soon(), &outcome));
        is(outcome.value, 7);
        is(cord_send(crowd.pairs[i][1], "k", 1, soon()), 1);
        is(cord_recv(crowd.pairs[i][0], &byte, 1, soon()), 1);
        is(byte, 'k');
    }
    crowd_end(&crowd, 7);
}

static int recv_in_vain(void *arg)
{
    char byte;
    ssize_t n = cord_recv(*(cord_socket *)arg, &byte, 1, cord_in(20 * CORD_MILLISECOND));
    return n == -ETIMEDOUT ? 8 : (int)n;
}

MODE_TEST(all_deadlines_pass)
{
    struct crowd crowd = crowd_start(recv_in_vain);
    crowd_end(&crowd, 8);
}

static int recv_until_closed(void *arg)
{
    char byte;
    ssize_t n = cord_recv(*(cord_socket *)arg, &byte, 1, soon());
    return n == -EBADF ? 9 : (int)n;
}

MODE_TEST(all_sockets_are_closed_under_their_waiters)
{
    if (mode.kind == CORD_PROCESS)
        skip("closing does not reach the copy that another process has");
    struct crowd crowd = crowd_start(recv_until_closed);
    for (int i = 0; i < crowd.count; i++)
        cord_close(&crowd.pairs[i][0]);
    crowd_end(&crowd, 9);
}

/* The loop knows a socket once a call has waited. Whoever closes it then, its peer is told before close returns. */
static int close_and_look(void *arg)
{
    cord_socket *pair = arg;
    char byte;
    cord_close(&pair[0]);
    return (int)cord_recv(pair[1], &byte, 1, CORD_NOWAIT);
}

static void close_on(const cord_task_options *options)
{
    cord_socket pair[2];
    cord_task *closer;
    char byte;
    ok(cord_socket_pair(pair, CORD_UNIX));
    is(cord_recv(pair[0], &byte, 1, cord_in(CORD_MILLISECOND)), -ETIMEDOUT);
    ok(cord_task_start(&closer, close_and_look, pair, sizeof pair, options));
    join(closer, 0);
    cord_close(&pair[1]);
}

MODE_TEST(socket_closed_by_any_task_is_gone_on_return)
{
    const cord_task_options thread = { .kind = CORD_THREAD }, coroutine = { .kind = CORD_COROUTINE };
    close_on(&thread);
    close_on(&coroutine);
    for (int i = 0; i < 100; i++) /* the slot again, and the kernel's answers of the last time */
        close_on(&thread);
}

static int accept_in_vain(void *arg)
{
    cord_socket *listener = arg, none;
    ok(cord_listen(listener, "tcp:127.0.0.1:0", NULL));
    is(cord_accept(*listener, &none, NULL, cord_in(CORD_MILLISECOND)), -ETIMEDOUT);
    return 4;
}

static void connect_to_closed(const char *backend)
{
    cord_socket listener, none;
    cord_address address;
    char text[CORD_ADDRESS_TEXT];
    use_backend(backend);
    is(cord_run(accept_in_vain, &listener, NULL), 4);
    ok(cord_local(listener, &address));
    cord_close(&listener);
    is(cord_connect(&none, cord_address_text(&address, text, sizeof text), NULL, soon()), -ECONNREFUSED);
}

PLAIN_TEST(listener_of_an_ended_loop_is_gone_when_closed_epoll)
{
    connect_to_closed("epoll");
}

PLAIN_TEST(listener_of_an_ended_loop_is_gone_when_closed_uring)
{
    connect_to_closed("uring");
}

static int recv_sent_byte(void *arg)
{
    cord_socket pair[2];
    (void)arg;
    ok(cord_socket_pair(pair, CORD_UNIX));
    cord_task *task = start(recv_one, &pair[0], sizeof pair[0]);
    is(cord_send(pair[1], "f", 1, soon()), 1);
    join(task, 'f');
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    return 5;
}

/* The child closes its copy of the parent's loop; what the parent waits for comes all the same. */
static int tell_and_recv_one(void *arg)
{
    return cord_send(*(cord_socket *)arg, "r", 1, soon()) == 1 ? recv_one(arg) : -EPROTO;
}

MODE_TEST(forked_child_waits_with_a_loop_of_its_own)
{
    const cord_task_options process = { .kind = CORD_PROCESS };
    cord_socket pair[2];
    cord_task *child;
    ok(cord_socket_pair(pair, CORD_UNIX));
    cord_task *waiter = start(tell_and_recv_one, &pair[0], sizeof pair[0]);
    char ready;
    is(cord_recv(pair[1], &ready, 1, soon()), 1); /* a thread that is just starting may hold AddressSanitizer's locks */
    for (int i = 0; i < 3; i++) {
        ok(cord_task_start(&child, recv_sent_byte, NULL, 0, &process));
        join(child, 5);
    }
    is(cord_send(pair[1], "p", 1, soon()), 1);
    join(waiter, 'p');
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

MODE_TEST(backend_is_the_one_asked_for)
{
    char why[200];
    const char *name = cord_backend(why, sizeof why);
    if (mode.backend != NULL)
        ck_assert_str_eq(name, mode.backend);
    ck_assert_str_ne(why, "");
}

/* As a container's filter does: from here on the system call fails with that errno. */
static void forbid(unsigned number, unsigned error)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof rules / sizeof *rules, .filter = rules };
    is(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        skip("seccomp filters are not allowed here");
}

static int send_later(void *arg)
{
    ok(cord_sleep(20 * CORD_MILLISECOND));
    return (int)cord_send(*(cord_socket *)arg, "l", 1, soon());
}

static int recv_without_epoll_ctl(void *arg)
{
    cord_socket pair[2];
    cord_task *sender;
    char byte;
    (void)arg;
    ok(cord_socket_pair(pair, CORD_UNIX));
    forbid(SYS_epoll_ctl, ENOSPC);
    is(cord_recv(pair[0], &byte, 1, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    ok(cord_task_start(&sender, send_later, &pair[1], sizeof pair[1], NULL));
    is(cord_recv(pair[0], &byte, 1, soon()), 1);
    join(sender, 1);
    cord_task_cancel(cord_task_self());
    is(cord_recv(pair[0], &byte, 1, soon()), -ECANCELED);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    return 6;
}

/* As at /proc/sys/fs/epoll/max_user_watches. */
PLAIN_TEST(wait_that_the_kernel_has_no_room_for_leaves_the_loop_to_others)
{
    is(setenv("CORD_BACKEND", "epoll", 1), 0);
    is(cord_run(recv_without_epoll_ctl, NULL, NULL), 6);
}

static void falls_back_to_epoll(unsigned number, unsigned error)
{
    char why[200];
    is(setenv("CORD_BACKEND", "uring", 1), 0);
    (void)cord_backend(why, sizeof why);
    if (strstr(why, "built without"))
        skip(why);
    forbid(number, error);
    ck_assert_str_eq(cord_backend(why, sizeof why), "epoll");
    ck_assert_msg(strstr(why, cord_strerror(-(int)error)) != NULL, "\"%s\" does not say why", why);
    is(cord_run(recv_sent_byte, NULL, NULL), 5);
}

PLAIN_TEST(forbidden_set_up_falls_back_to_epoll)
{
    falls_back_to_epoll(SYS_io_uring_setup, EPERM);
}

PLAIN_TEST(set_up_that_works_and_requests_that_do_not_fall_back_to_epoll)
{
    falls_back_to_epoll(SYS_io_uring_enter, ENOSYS);
}

int main(void)
{
    return run_tests(
        "backend", MODE(all_waiters_get_their_byte), MODE(all_waiters_are_cancelled_and_no_byte_is_lost),
        MODE(all_deadlines_pass), MODE(all_sockets_are_closed_under_their_waiters),
        MODE(socket_closed_by_any_task_is_gone_on_return), PLAIN(listener_of_an_ended_loop_is_gone_when_closed_epoll),
        PLAIN(listener_of_an_ended_loop_is_gone_when_closed_uring), MODE(forked_child_waits_with_a_loop_of_its_own),
        MODE(backend_is_the_one_asked_for), PLAIN(forbidden_set_up_falls_back_to_epoll),
        PLAIN(wait_that_the_kernel_has_no_room_for_leaves_the_loop_to_others),
        PLAIN(set_up_that_works_and_requests_that_do_not_fall_back_to_epoll), END);
}
