/* rt/run.c - cord_run(): the calling thread becomes a loop until fn and what it started have ended.
 *
 * fn runs as a coroutine of its own stack size. When it has answered, the same coroutine, shielded, ends the daemons
 * and waits for the others with this run's number: coroutines of its loops, those that its threads started on the
 * background loop, threads and processes. Each loop's coroutines are looked after by one of them there.
 * Signals only set a word and wake the loop; the loop cancels all tasks of the run. A process that has not ended a
 * second later is sent SIGTERM; at once was rejected, it would cut short what a child does when it is cancelled. In a
 * child process, whose function has no loop, SIGINT cancels its task, unless that is sheltered: its starter does.
 */
#include <cordage/run.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "rt/asleep.h"
#include "rt/debug.h"
#include "rt/loop.h"
#include "rt/runtime.h"
#include "rt/stacks.h"
#include "rt/task.h"
#include "rt/team.h"
#include "sys/fd.h"
#include "sys/proc.h"

enum { MAIN_STACK = 256 * 1024 };
static const int64_t GRACE = CORD_SECOND; /* of processes that were cancelled */

struct run {
    cord_fn *fn;
    void *arg;
    const void *started_at; /* cord_run()'s return address */
    struct cordi_loop loop;
    struct cordi_team *team; /* of several loops; NULL: one */
    struct cord_task *main;
    uint64_t root;
    bool signals;           /* ours to look at */
    _Atomic bool cancelled; /* all were, for a signal or for the host task's sake */
    _Atomic bool late;      /* so long ago that processes are sent SIGTERM */
    _Atomic bool leaving;   /* fn has answered */
    bool deadlock;          /* all tasks were asleep for ever */
    int answer;
    char sentence[160];                        /* about the deadlock */
    struct cord_task *enders[CORDI_TEAM_MOST]; /* of its further loops' coroutines, at the end */
};

/* --- signals --- */

static void on_signal(int signo)
{
    int none = 0;
    if (!atomic_compare_exchange_strong(&cordi_runtime.signal, &none, signo))
        cordi_proc_exit_now(128 + SIGINT);
    struct cord_task *task = atomic_load(&cordi_runtime.signal_task);
    int fd = atomic_load(&cordi_runtime.signal_fd);
    if (task != NULL)
        cordi_task_cancel_from_signal(task);
    if (fd >= 0)
        cordi_fd_event_set(fd);
}

int cord_run_signal(void)
{
    return atomic_load(&cordi_runtime.signal);
}

void cordi_run_signals_after_fork(struct cord_task *task)
{
    if (atomic_exchange(&cordi_runtime.signal_fd, -1) < 0 && atomic_load(&cordi_runtime.signal_task) == NULL)
        return;
    atomic_store(&cordi_runtime.signal, 0);
    atomic_store(&cordi_runtime.signal_task, task->sheltered ? NULL : task);
    (void)cordi_proc_signal(SIGTERM, SIG_DFL, NULL); /* cord_task_terminate() ends it */
}

/* --- the end --- */

static void end_one(struct cord_task *task, void *arg)
{
    struct run *run = arg;
    bool now = run->cancelled && (!task->sheltered || run->leaving);
    if (now || (task->daemon && run->leaving))
        cord_task_cancel(task);
}

/* On the loop's own thread. */
static void end_coroutines(struct cordi_loop *loop, void *arg)
{
    struct run *run = arg;
    const struct cord_task *self = cordi_self();
    for (struct cordi_list *at = loop->tasks.next; at != &loop->tasks; at = at->next) {
        struct cord_task *task = CORDI_ITEM(at, struct cord_task, peers);
        if (task != self && task != run->main && task->root == run->root)
            end_one(task, run);
    }
}

static void terminate_one(struct cord_task *task, void *arg)
{
    struct run *run = arg;
    end_one(task, arg);
    if (task->kind == CORD_PROCESS && (task->daemon || run->late))
        (void)cordi_proc_kill(task->pidfd, SIGTERM);
}

static void find_one(struct cord_task *task, void *arg)
{
    struct cord_task **found = arg;
    bool wait = !task->daemon || task->kind == CORD_PROCESS; /* a daemon process was sent SIGTERM */
    if (*found != NULL || !wait)
        return;
    cordi_task_hold(task);
    *found = task;
}

/* Besides the calling coroutine, which looks after its own loop and the run's threads and processes. */
static struct cord_task *somebody_left(const struct run *run)
{
    struct cord_task *self = cordi_self(), *found = NULL;
    struct cordi_list *tasks = &self->loop->tasks;
    cordi_tasks_each(run->root, find_one, &found);
    for (struct cordi_list *at = tasks->next; found == NULL && at != tasks; at = at->next) {
        struct cord_task *task = CORDI_ITEM(at, struct cord_task, peers);
        if (task == self || task->root != run->root)
            continue;
        cordi_task_hold(task);
        found = task;
    }
    return found;
}

/* Ends all others of the caller's loop; 1: there were some. In a shield. */
static int end_here(void *arg)
{
    struct run *run = arg;
    struct cord_task *task;
    int some = 0;
    end_coroutines(cordi_self()->loop, run);
    cordi_tasks_each(run->root, terminate_one, run);
    for (; (task = somebody_left(run)) != NULL; some = 1) {
        if (!atomic_load(&task->cancelled)) /* started only now */
            terminate_one(task, run);
        (void)!cord_task_join(task, CORD_FOREVER, NULL);
        cordi_task_drop(task);
    }
    return some;
}

static int end_shielded(void *arg)
{
    return cord_shield(end_here, arg);
}

/* A coroutine that is none of the run's tasks; NULL: no memory. */
static struct cord_task *helper(cord_fn *fn, struct run *run)
{
    static const cord_task_options options = { .name = "end" };
    struct cord_task *task;
    return cordi_coroutine_new(&task, fn, run, 0, &options) < 0 ? NULL : task;
}

static struct cord_task *ender(struct run *run)
{
    struct cord_task *task;
    while ((task = helper(end_shielded, run)) == NULL)
        (void)cord_sleep(CORD_MILLISECOND); /* those that end give their memory back */
    cordi_task_hold(task);
    return task;
}

/* The same on each loop of the run, and on the background loop, by a coroutine there. */
static bool end_everywhere(struct run *run)
{
    struct cordi_loop *loop;
    unsigned count = 0;
    for (; run->team != NULL && (loop = cordi_team_loop(run->team, count + 1)) != NULL; count++)
        cordi_coroutine_start_on(loop, run->enders[count] = ender(run));
    if (atomic_load(&cordi_runtime.background) != NULL) {
        struct cord_task *task = run->enders[count] = ender(run);
        if (cordi_background_start(task) == 0)
            count++;
        else {
            cord_task_free(task);
            cordi_task_drop(task);
        }
    }
    bool some = end_here(run);
    for (unsigned i = 0; i < count; i++) {
        cord_outcome outcome;
        some |= cord_task_join(run->enders[i], CORD_FOREVER, &outcome) == 0 && outcome.value > 0;
        cord_task_free(run->enders[i]);
    }
    return some;
}

/* One loop after the other found nobody: then there is nobody, if no task waited for a loop meanwhile. */
static int end_others(void *arg)
{
    struct run *run = arg;
    uint64_t puts = 0, puts_then = 0;
    bool none = true, none_then = true, some;
    run->leaving = true;
    do {
        if (run->team != NULL)
            puts = cordi_team_puts(run->team, &none);
        some = end_everywhere(run);
        if (run->team != NULL)
            puts_then = cordi_team_puts(run->team, &none_then);
    } while (some || !none || puts != puts_then);
    return 0;
}

static int run_main(void *arg)
{
    struct run *run = arg;
    run->answer = run->fn(run->arg);
    char detail[sizeof run->main->detail];
    int code = run->main->detail_code;
    memcpy(detail, run->main->detail, sizeof detail);
    (void)cord_shield(end_others, run);
    memcpy(run->main->detail, detail, sizeof detail);
    run->main->detail_code = code;
    return run->answer;
}

static bool asleep_for_ever(struct run *run)
{
    uint64_t ours = run->signals ? (uint64_t)1 << (SIGINT - 1) | (uint64_t)1 << (SIGTERM - 1) : 0;
    return run->loop.quiet == 1 && cordi_asleep_for_ever(&run->loop, ours);
}

/* Says so, and cancels all. Who cannot be woken, now or after the others have ended, is left behind. */
static void break_deadlock(struct run *run)
{
    bool first = !run->deadlock;
    if (first)
        cordi_asleep_report(&run->loop, run->sentence, sizeof run->sentence);
    run->deadlock = true;
    run->cancelled = true;
    for (struct cordi_list *at = run->loop.tasks.next; first && at != &run->loop.tasks; at = at->next)
        cord_task_cancel(CORDI_ITEM(at, struct cord_task, peers));
    if (cordi_asleep_alone(&run->loop))
        cordi_loop_forsake(&run->loop);
}

/* --- cancelling all of it --- */

static void kill_one(struct cord_task *task, void *arg)
{
    (void)arg;
    if (task->kind == CORD_PROCESS && !task->sheltered)
        (void)cordi_proc_kill(task->pidfd, SIGTERM);
}

static int kill_late(void *arg)
{
    struct run *run = arg;
    if (cord_task_join(run->main, cord_in(GRACE), NULL) == 0)
        return 0;
    run->late = true;
    cordi_tasks_each(run->root, kill_one, NULL);
    return 0;
}

static int end_coroutines_here(void *arg)
{
    end_coroutines(cordi_self()->loop, arg);
    return 0;
}

static void cancel_all(struct run *run)
{
    struct cord_task *task;
    run->cancelled = true;
    cord_task_cancel(run->main);
    end_coroutines(&run->loop, run);
    cordi_tasks_each(run->root, end_one, run);
    if (run->team != NULL) {
        cordi_team_visit(run->team);
        cordi_team_each(run->team, end_one, run);
    }
    if (atomic_load(&cordi_runtime.background) != NULL && (task = helper(end_coroutines_here, run)) != NULL &&
        cordi_background_start(task) < 0)
        cordi_task_drop(task);
    if ((task = helper(kill_late, run)) != NULL)
        cordi_coroutine_start_on(&run->loop, task);
}

/* Each turn of the calling thread's loop: has somebody asked us to end? Is there nobody who ever goes on? */
static bool look(void *arg)
{
    struct run *run = arg;
    bool asked = cordi_thread_loop_cancelled(run->loop.host) || (run->signals && cord_run_signal() != 0);
    if (asleep_for_ever(run))
        break_deadlock(run);
    if (asked && !run->cancelled)
        cancel_all(run);
    return false;
}

/* --- cord_run --- */

struct handlers {
    struct sigaction interrupt, terminate;
};

static void handlers_set(struct handlers *old, int wake_fd)
{
    atomic_store(&cordi_runtime.signal, 0);
    atomic_store(&cordi_runtime.signal_fd, wake_fd);
    (void)cordi_proc_signal(SIGINT, on_signal, &old->interrupt);
    (void)cordi_proc_signal(SIGTERM, on_signal, &old->terminate);
}

static void handlers_restore(const struct handlers *old)
{
    cordi_proc_signal_restore(SIGINT, &old->interrupt);
    cordi_proc_signal_restore(SIGTERM, &old->terminate);
    atomic_store(&cordi_runtime.signal_fd, -1);
}

static int start_main(struct run *run, size_t stack_size)
{
    cord_task_options options = { .name = "main", .stack_size = stack_size > 0 ? stack_size : MAIN_STACK };
    int rc = cordi_coroutine_new(&run->main, run_main, run, 0, &options);
    if (rc < 0)
        return rc;
    run->main->root = run->root;
    run->main->started_at = run->started_at;
    cordi_task_hold(run->main);
    cordi_coroutine_start_on(&run->loop, run->main);
    return 0;
}

static void close_loops(struct run *run)
{
    if (run->team != NULL)
        cordi_team_close(run->team);
    cordi_loop_close(&run->loop);
}

static int open_loops(struct run *run, const cord_run_options *options)
{
    int rc = cordi_loop_open(&run->loop);
    if (rc < 0)
        return rc;
    run->loop.spin = run->loop.spin_now = options->spin;
    if (options->loops > 1)
        rc = cordi_team_open(&run->team, &run->loop, options->loops, end_coroutines, run);
    if (rc == 0)
        rc = start_main(run, options->stack_size);
    if (rc < 0) {
        close_loops(run);
        cordi_fail_code(rc, "cord_run");
    }
    return rc;
}

int cord_run(cord_fn *fn, void *arg, const cord_run_options *options)
{
    static const cord_run_options defaults;
    struct run run = { .fn = fn, .arg = arg, .started_at = __builtin_return_address(0) };
    struct cord_task *self = cordi_self();
    struct handlers old;
    int rc;
    if (options == NULL)
        options = &defaults;
    if (self->loop != NULL)
        return cordi_fail(-EDEADLK, "cord_run: the calling task is a coroutine, which runs on a loop already");
    if (options->loops > CORDI_TEAM_MOST)
        return cordi_fail(-EINVAL, "cord_run: %u loops; at most %d, and no more than CPUs help", options->loops,
                          CORDI_TEAM_MOST);
    if (options->spin < 0 || options->spin > CORD_SECOND)
        return cordi_fail(-EINVAL, "cord_run: a spin of %lld ns; 0 to a second, and 50 us are plenty",
                          (long long)options->spin);
    cordi_runtime_start();
    run.root = atomic_fetch_add(&cordi_runtime.roots, 1) + 1;
    run.signals = options->signals == CORD_SIGNALS_DEFAULT;
    rc = open_loops(&run, options);
    if (rc < 0)
        return rc;
    if (run.signals)
        handlers_set(&old, self->wake_fd);
    cordi_thread_loop_begin(self);
    cordi_loop_run(&run.loop, look, &run);
    cordi_thread_loop_end(self);
    if (run.signals)
        handlers_restore(&old);
    self->detail_code = run.main->detail_code;
    memcpy(self->detail, run.main->detail, sizeof self->detail);
    cordi_task_drop(run.main);
    close_loops(&run);
    if (cordi_debug(CORDI_DEBUG_STACKS))
        cordi_stacks_report();
    return run.deadlock ? cordi_fail(-EDEADLK, "%s", run.sentence) : run.answer;
}
