/* Programs that stand still in one way or another, for tests/debug.c: argv[1] names the scenario. One that is to be
 * looked at says "ready" and ends when its input ends. */
#include <cordage.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { A_WHILE = 600 * 1000 }; /* microseconds: longer than a loop dozes before it asks whether all are asleep */

/* --- tools --- */

static cord_event event = CORD_EVENT_INIT;

static void say(const char *line)
{
    printf("%s\n", line);
    fflush(stdout);
}

/* All that were begun, to be freed at the end. */
static cord_task *started[8];
static int starts;

static cord_task *begin(cord_fn *fn, void *arg, const char *name, cord_kind kind)
{
    cord_task *task = NULL;
    int rc = cord_task_start(&task, fn, arg, 0, &(cord_task_options){ .name = name, .kind = kind });
    if (rc < 0)
        exit(cord_report(name, rc) + 1);
    return started[starts++] = task;
}

static int wait_for_event(void *arg)
{
    (void)arg;
    return cord_event_wait(&event, CORD_FOREVER);
}

static int sleep_long(void *arg)
{
    (void)arg;
    return cord_sleep(CORD_HOUR);
}

static int read_one(void *arg)
{
    char byte;
    return (int)cord_recv(*(cord_socket *)arg, &byte, 1, CORD_FOREVER);
}

static int wait_for_end_of_input(void)
{
    cord_socket input;
    int rc = cord_adopt(&input, dup(0));
    return rc < 0 ? rc : read_one(&input);
}

static int yield_on(void *arg)
{
    (void)arg;
    while (cord_yield() == 0) {
    }
    return 0;
}

static void spin(cord_span span)
{
    for (int64_t end = cord_now() + span; cord_now() < end;) {
    }
}

/* --- to be looked at --- */

static cord_socket ends[2];

static int kinds(void *arg)
{
    (void)arg;
    if (cord_socket_pair(ends, CORD_UNIX) < 0)
        return 1;
    cord_task *tasks[] = {
        begin(read_one, &ends[0], "reader", CORD_COROUTINE), begin(wait_for_event, NULL, "waiter", CORD_COROUTINE),
        begin(yield_on, NULL, "yielder", CORD_COROUTINE),    begin(sleep_long, NULL, "sleeper", CORD_THREAD),
        begin(sleep_long, NULL, "child", CORD_PROCESS),
    };
    say("ready");
    int rc = wait_for_end_of_input();
    for (int i = 0; i < 5; i++)
        cord_task_cancel(tasks[i]);
    return rc;
}

static int run_kinds(void)
{
    return cord_run(kinds, NULL, NULL);
}

static int spin_until_input_ends(void *arg)
{
    (void)arg;
    say("ready");
    while (poll(&(struct pollfd){ .fd = 0, .events = POLLIN }, 1, 0) <= 0) { /* a signal may interrupt it */
    }
    return 0;
}

static int stuck(void *arg)
{
    (void)arg;
    return cord_task_join(begin(spin_until_input_ends, NULL, "spinner", CORD_COROUTINE), CORD_FOREVER, NULL);
}

static int run_stuck(void)
{
    return cord_run(stuck, NULL, NULL);
}

static int run_plain(void)
{
    if (cord_socket_pair(ends, CORD_UNIX) < 0)
        return 1;
    cord_task *reader = begin(read_one, &ends[0], "reader", CORD_COROUTINE);
    say("ready");
    int rc = wait_for_end_of_input();
    cord_task_cancel(reader);
    return rc;
}

static int crunch(void *arg)
{
    (void)arg;
    spin(150 * CORD_MILLISECOND);
    return 0;
}

static int take_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        spin(10 * CORD_MILLISECOND);
        cord_yield();
    }
    return 0;
}

static int turns(void *arg)
{
    int rc = cord_task_join(begin(crunch, NULL, "cruncher", CORD_COROUTINE), CORD_FOREVER, NULL);
    return rc < 0 ? rc : take_turns(arg);
}

static int run_turns(void)
{
    return cord_run(turns, NULL, NULL);
}

/* --- all asleep --- */

static cord_lock first = CORD_LOCK_INIT, second = CORD_LOCK_INIT;

static int take_first_then_second(void *arg)
{
    (void)arg;
    int rc = cord_lock_acquire(&first, CORD_FOREVER);
    cord_yield();
    return rc < 0 ? rc : cord_lock_acquire(&second, CORD_FOREVER);
}

static int take_second_then_first(void *arg)
{
    (void)arg;
    int rc = cord_lock_acquire(&second, CORD_FOREVER);
    cord_yield();
    return rc < 0 ? rc : cord_lock_acquire(&first, CORD_FOREVER);
}

static int wait_and_say(void *arg)
{
    say(wait_for_event(arg) == -ECANCELED ? "unwound" : "not cancelled");
    return 0;
}

static int locks(void *arg)
{
    (void)arg;
    begin(wait_and_say, NULL, "third", CORD_COROUTINE);
    begin(take_first_then_second, NULL, "alice", CORD_COROUTINE);
    return cord_task_join(begin(take_second_then_first, NULL, "bob", CORD_COROUTINE), CORD_FOREVER, NULL);
}

/* The coroutines left behind do no harm: the locks can be given back, and the next run works. */
static int run_locks(void)
{
    int rc = cord_run(locks, NULL, NULL);
    (void)cord_report("locks", rc);
    if (rc != -EDEADLK || cord_lock_release(&first) < 0 || cord_lock_release(&second) < 0)
        return 1;
    cord_event_set(&event);
    return cord_run(wait_for_event, NULL, NULL);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* What is over does not count any more: a call on a helper thread that is idle now, a thread, a process, a timer. */
static int used_all(void *arg)
{
    int rc = cord_call_blocking(nothing, NULL, 0, CORD_FOREVER);
    for (int kind = CORD_COROUTINE; rc == 0 && kind <= CORD_PROCESS; kind++)
        rc = cord_task_join(begin(nothing, NULL, NULL, (cord_kind)kind), CORD_FOREVER, NULL);
    if (rc == 0)
        rc = cord_sleep(CORD_MILLISECOND);
    return rc < 0 ? rc : wait_for_event(arg);
}

static int run_used_all(void)
{
    int rc = cord_run(used_all, NULL, &(cord_run_options){ .signals = CORD_SIGNALS_DEFAULT });
    (void)cord_report("used all", rc);
    return rc == -EDEADLK ? 0 : 1;
}

/* --- not asleep for ever --- */

static int set_after_a_while(void *arg)
{
    (void)arg;
    usleep(A_WHILE);
    cord_event_set(&event);
    return 0;
}

static void *be_foreign(void *arg)
{
    int hand[2] = { ((int *)arg)[0], ((int *)arg)[1] };
    char byte;
    if (read(hand[0], &byte, 1) == 1)
        set_after_a_while(NULL);
    return NULL;
}

static int foreign_thread(void *arg)
{
    int hand[2];
    pthread_t thread;
    if (pipe(hand) < 0 || pthread_create(&thread, NULL, be_foreign, hand) != 0 || write(hand[1], "x", 1) != 1)
        return 1;
    pthread_detach(thread);
    return wait_for_event(arg);
}

static int own_thread(void *arg)
{
    begin(set_after_a_while, NULL, "setter", CORD_THREAD);
    return wait_for_event(arg);
}

static int own_process(void *arg)
{
    (void)arg;
    return cord_task_join(begin(set_after_a_while, NULL, "child", CORD_PROCESS), CORD_FOREVER, NULL);
}

static int blocking_call(void *arg)
{
    return cord_call_blocking(set_after_a_while, arg, 0, CORD_FOREVER);
}

static _Atomic int begun;

static int note_and_set_after_a_while(void *arg)
{
    begun = 1;
    return set_after_a_while(arg);
}

/* The call runs on unseen, and sets the event. (One that is given up before a helper took it never begins.) */
static int given_up_call(void *arg)
{
    char none = 0;
    while (!begun)
        if (cord_call_blocking(note_and_set_after_a_while, &none, 1, cord_in(CORD_MILLISECOND)) != -ETIMEDOUT)
            return 1;
    return wait_for_event(arg);
}

static int input(void *arg)
{
    (void)arg;
    return wait_for_end_of_input();
}

static int sleep_and_set(void *arg)
{
    (void)arg;
    int rc = cord_sleep(A_WHILE * CORD_MICROSECOND);
    cord_event_set(&event);
    return rc;
}

static int timer(void *arg)
{
    begin(sleep_and_set, NULL, "timer", CORD_COROUTINE);
    return wait_for_event(arg);
}

static int shared_event(void *arg)
{
    cord_event *shared;
    (void)arg;
    if (cord_event_new(&shared, CORD_SHARED) < 0)
        return 1;
    int pid = fork();
    if (pid == 0) {
        usleep(A_WHILE);
        cord_event_set(shared);
        _exit(0);
    }
    int rc = cord_event_wait(shared, CORD_FOREVER);
    waitpid(pid, NULL, 0);
    cord_event_free(shared);
    return rc;
}

static int told[2];

static void tell(int signo)
{
    (void)signo;
    (void)!write(told[1], "x", 1);
}

static int signal_through_a_pipe(void *arg)
{
    cord_socket pipe_end;
    (void)arg;
    if (pipe(told) < 0 || cord_adopt(&pipe_end, told[0]) < 0)
        return 1;
    signal(SIGUSR1, tell);
    if (fork() == 0) {
        usleep(A_WHILE);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    return read_one(&pipe_end) == 1 ? 0 : 1;
}

/* Not what a handler may do in general: here it interrupts a loop that sleeps. */
static void set_from_handler(int signo)
{
    (void)signo;
    cord_event_set(&event);
}

static int signal_alone(void *arg)
{
    signal(SIGALRM, set_from_handler);
    ualarm(A_WHILE, 0);
    return wait_for_event(arg);
}

static int woken(cord_fn *fn)
{
    int rc = cord_run(fn, NULL, NULL);
    if (rc < 0)
        return cord_report("woken", rc);
    say("woken");
    return rc;
}

/* Begun by the plain thread, on the background loop. */
static int run_other_loop(void)
{
    begin(sleep_and_set, NULL, "other", CORD_COROUTINE);
    return woken(wait_for_event);
}

static int run_several_loops(void)
{
    int rc = cord_run(timer, NULL, &(cord_run_options){ .loops = 2 });
    say(rc == 0 ? "woken" : "failed");
    return rc;
}

static int run_nothing(void)
{
    return cord_run(nothing, NULL, NULL);
}

static const struct {
    const char *name;
    int (*run)(void); /* its exit code, */
    cord_fn *fn;      /* or what is to be woken after a while */
} scenarios[] = {
    { "kinds", run_kinds, NULL },
    { "stuck", run_stuck, NULL },
    { "plain", run_plain, NULL },
    { "turns", run_turns, NULL },
    { "locks", run_locks, NULL },
    { "used all", run_used_all, NULL },
    { "nothing", run_nothing, NULL },
    { "other loop", run_other_loop, NULL },
    { "several loops", run_several_loops, NULL },
    { "foreign thread", NULL, foreign_thread },
    { "own thread", NULL, own_thread },
    { "own process", NULL, own_process },
    { "blocking call", NULL, blocking_call },
    { "given up call", NULL, given_up_call },
    { "input", NULL, input },
    { "timer", NULL, timer },
    { "shared event", NULL, shared_event },
    { "signal through a pipe", NULL, signal_through_a_pipe },
    { "signal alone", NULL, signal_alone },
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

int main(int argc, char **argv)
{
    int code = 2;
    for (int i = 0; argc == 2 && i < SCENARIOS; i++)
        if (strcmp(scenarios[i].name, argv[1]) == 0)
            code = scenarios[i].run != NULL ? scenarios[i].run() : woken(scenarios[i].fn);
    while (starts > 0)
        cord_task_free(started[--starts]);
    return code;
}
