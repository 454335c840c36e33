/* tests/run_signals.c - cord_run with CORD_SIGNALS_DEFAULT: Ctrl-C and SIGTERM, each in a program of its own, a forked
 * child. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/ctx.h" /* CORDI_TSAN */

static int sleep_until_cancelled(void *arg)
{
    (void)!write(*(int *)arg, "r", 1);
    return cord_sleep(CORD_HOUR);
}

static int sleep_on(void *arg)
{
    while (cord_shield(sleep_until_cancelled, arg) == 0) {
    }
    return 0;
}

static cord_span spin_of_child;
static uint32_t loops_of_child;

/* Runs fn under CORD_SIGNALS_DEFAULT in a child, sends it `count` signals once it is ready; its exit status. */
static int status_after(cord_fn *fn, int signo, int count)
{
    int ready[2], status;
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    int pid = fork();
    if (pid == 0) {
        cord_run_options options = { .signals = CORD_SIGNALS_DEFAULT, .spin = spin_of_child, .loops = loops_of_child };
        close(ready[0]);
        _exit(cord_report("child", cord_run(fn, &ready[1], &options)));
    }
    close(ready[1]);
    ck_assert_int_eq((int)read(ready[0], &byte, 1), 1);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(kill(pid, signo), 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    close(ready[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

PLAIN_TEST(sigint_cancels_and_the_exit_code_is_130)
{
    is(status_after(sleep_until_cancelled, SIGINT, 1), 130);
}

PLAIN_TEST(sigint_while_the_loop_looks_for_work_cancels)
{
    for (int i = 0; i < 2; i++) {
        use_backend(i == 0 ? "epoll" : "uring");
        spin_of_child = CORD_SECOND;
        is(status_after(sleep_until_cancelled, SIGINT, 1), 130);
    }
}

PLAIN_TEST(sigterm_cancels_and_the_exit_code_is_0)
{
    is(status_after(sleep_until_cancelled, SIGTERM, 1), 0);
}

static int ignore_the_first(void *arg)
{
    int out = *(int *)arg;
    (void)!write(out, "r", 1);
    int rc = cord_sleep(CORD_HOUR);
    if (rc == -ECANCELED)
        kill(getpid(), SIGINT); /* the second one, while the first is still being obeyed */
    return sleep_on(arg);
}

PLAIN_TEST(a_second_sigint_ends_at_once_with_130)
{
    is(status_after(ignore_the_first, SIGINT, 1), 130);
}

static int with_other_kinds(void *arg)
{
    for (int kind = CORD_THREAD; kind <= CORD_PROCESS; kind++) {
        cord_task_options options = { .kind = (cord_kind)kind };
        cord_task *task;
        ok(cord_task_start(&task, sleep_until_cancelled, arg, sizeof(int), &options));
        cord_task_free(task);
    }
    return 0;
}

PLAIN_TEST(a_signal_also_ends_the_wait_for_others)
{
    int status = status_after(with_other_kinds, SIGTERM, 1);
    ck_assert_msg(status == 0, "status %d", status);
}

/* --- one signal cancels all --- */

enum { SLEEP, EVENT, SHARED_EVENT, QUEUE, SOCKET, JOIN, WAITS };

static struct {
    _Atomic int begun, cancelled, ended;
    cord_event *event;
} * waits;
static cord_event never = CORD_EVENT_INIT;

static int sleep_an_hour(void *arg)
{
    (void)arg;
    return cord_sleep(CORD_HOUR);
}

static int accept_none(void)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), got;
    return cord_accept(listener, &got, NULL, CORD_FOREVER);
}

static int get_none(void)
{
    cord_queue *queue;
    int item;
    ok(cord_queue_new(&queue, sizeof item, 1, 0));
    return cord_queue_get(queue, &item, CORD_FOREVER);
}

static int join_none(void)
{
    cord_task *task;
    ok(cord_task_start(&task, sleep_an_hour, NULL, 0, NULL));
    return cord_task_join(task, CORD_FOREVER, NULL);
}

static int wait_in(void *arg)
{
    int rc = 0;
    waits->begun++;
    switch (*(int *)arg) {
    case SLEEP:
        rc = cord_sleep(CORD_HOUR);
        break;
    case EVENT:
        rc = cord_event_wait(&never, CORD_FOREVER);
        break;
    case SHARED_EVENT:
        rc = cord_event_wait(waits->event, CORD_FOREVER);
        break;
    case QUEUE:
        rc = get_none();
        break;
    case SOCKET:
        rc = accept_none();
        break;
    case JOIN:
        rc = join_none();
        break;
    }
    waits->cancelled += rc == -ECANCELED;
    rc = cord_sleep(20 * CORD_MILLISECOND); /* no wait any more, and time for what is to be cleaned up */
    waits->ended += rc == -ECANCELED;
    return rc;
}

static int start_one_in_each_wait(void *arg)
{
    for (int wait = SLEEP; wait < WAITS; wait++) {
        cord_task *task;
        ok(cord_task_start(&task, wait_in, &wait, sizeof wait, arg));
        cord_task_free(task);
    }
    return 0;
}

/* A thread's coroutines run on the background loop. */
static int start_coroutines(void *arg)
{
    static cord_task_options coroutine;
    (void)arg;
    return start_one_in_each_wait(&coroutine);
}

static int until_all_have_ended(void *arg)
{
    static cord_task_options how[] = { { .kind = CORD_COROUTINE },
                                       { .loop = CORD_LOOP_ANY },
                                       { .loop = CORD_LOOP_ANY },
                                       { .kind = CORD_THREAD },
                                       { .kind = CORD_PROCESS } };
    enum { HOW = sizeof how / sizeof *how - CORDI_TSAN, ALL = (HOW + 1) * WAITS }; /* TSan's children have no threads */
    cord_task *thread;
    ok(cord_event_new(&waits->event, CORD_SHARED));
    for (int i = 0; i < HOW; i++)
        start_one_in_each_wait(&how[i]);
    ok(cord_task_start(&thread, start_coroutines, NULL, 0, &(cord_task_options){ .kind = CORD_THREAD }));
    cord_task_free(thread);
    while (waits->begun < ALL)
        ok(cord_sleep(CORD_MILLISECOND));
    (void)!write(*(int *)arg, "r", 1);
    while (waits->ended < ALL) /* this one does not cancel them */
        ok(cord_sleep(CORD_MILLISECOND));
    is(waits->cancelled, ALL);
    return -ECANCELED;
}

static int run_shielded(void *arg)
{
    return cord_shield(until_all_have_ended, arg);
}

PLAIN_TEST(sigint_cancels_every_task_of_the_run_in_every_wait)
{
    void *shared;
    skip_without_processes();
    for (uint32_t loops = 1; loops <= 2; loops++) {
        ok(cord_shared_new(&shared, sizeof *waits));
        waits = shared;
        loops_of_child = loops;
        is(status_after(run_shielded, SIGINT, 1), 130);
        cord_shared_free(shared);
    }
}

static int compute_for_ever(void *arg)
{
    (void)!write(*(int *)arg, "r", 1);
    for (;;) {
    }
    return 0;
}

static int leave_a_process_that_computes(void *arg)
{
    cord_task *task;
    ok(cord_task_start(&task, compute_for_ever, arg, sizeof(int), &(cord_task_options){ .kind = CORD_PROCESS }));
    cord_task_free(task);
    return cord_sleep(CORD_HOUR);
}

PLAIN_TEST(process_that_computes_gets_sigterm_a_second_after_the_cancel)
{
    skip_without_processes();
    int64_t begun = cord_now();
    is(status_after(leave_a_process_that_computes, SIGINT, 1), 130);
    ck_assert_int_ge(cord_now() - begun, CORD_SECOND);
}

int main(void)
{
    return run_tests("run_signals", PLAIN(sigint_cancels_and_the_exit_code_is_130),
                     PLAIN(sigint_while_the_loop_looks_for_work_cancels), PLAIN(sigterm_cancels_and_the_exit_code_is_0),
                     PLAIN(a_second_sigint_ends_at_once_with_130), PLAIN(a_signal_also_ends_the_wait_for_others),
                     SLOW(PLAIN(sigint_cancels_every_task_of_the_run_in_every_wait), 60),
                     PLAIN(process_that_computes_gets_sigterm_a_second_after_the_cancel), END);
}
