/* rt/loop.c - the scheduler; see loop.h. */
#include "rt/loop.h"

#include <errno.h>
#include <stdlib.h>

#include "rt/asleep.h"
#include "rt/records.h"
#include "rt/runtime.h"
#include "rt/task.h"
#include "rt/team.h"
#include "rt/wait.h"
#include "sys/clock.h"
#include "sys/fault.h"
#include "sys/fd.h"
#include "sys/proc.h"

enum {
    COLD_LINES = 8,
    LOOK = 8,        /* resumes from one look at the inbox to the next */
    STARTS = 16,     /* unstarted tasks that a turn begins at most */
    MOST_LOOKS = 16, /* without one at the clock */
    TURN = 64,       /* resumes that a look at the backend should be shared by */
    WATCHES = 32     /* some 500 ns */
};
static const int64_t SHORT_SPAN = 5 * CORD_MICROSECOND; /* between looks at the clock: the next one is twice as long */
static const int64_t LONG_SPAN = 20 * CORD_MICROSECOND; /* and as short as can be */
static const int64_t SHORT_TURN = 20 * CORD_MICROSECOND, LONG_TURN = 200 * CORD_MICROSECOND; /* see backend_is_due() */
static const int64_t DOZE = 250 * CORD_MILLISECOND;   /* before asking whether all tasks are asleep for ever */
static const int64_t LINGER = 100 * CORD_MILLISECOND; /* of a background loop without coroutines */

int cordi_loop_open(struct cordi_loop *loop)
{
    int rc;
    *loop = (struct cordi_loop){ .id = atomic_fetch_add(&cordi_runtime.loop_ids, 1) + 1 };
    cordi_list_init(&loop->ready);
    cordi_list_init(&loop->tasks);
    cordi_coroutine_keep(loop);
    loop->span = loop->looks = 1;
    cordi_heap_init(&loop->timers, cordi_clock_now());
    loop->thread = cordi_thread();
    loop->thread_id = cordi_proc_thread_id();
    loop->host = cordi_self();
    rc = cordi_thread_wake_fd(loop->host);
    if (rc >= 0)
        rc = cordi_backend_open(loop);
    if (rc < 0)
        return rc;
    cordi_fault_thread_begin(&loop->alternate);
    cordi_ctx_adopt(&loop->ctx);
    cordi_loop_awake(loop);
    cordi_spin_lock(&cordi_runtime.lock, 1);
    cordi_list_append(&cordi_runtime.loops, &loop->link);
    cordi_spin_unlock(&cordi_runtime.lock, 1);
    return 0;
}

void cordi_loop_close(struct cordi_loop *loop)
{
    cordi_spin_lock(&cordi_runtime.lock, 1);
    cordi_list_remove(&loop->link);
    cordi_spin_unlock(&cordi_runtime.lock, 1);
    while (cordi_inbox_in_use(&loop->inbox) || atomic_load(&loop->debug.askers) > 0)
        cordi_proc_yield();
    cordi_io_loop_ends(loop);
    cordi_fd_event_clear(loop->host->wake_fd); /* a write that came late would end the thread's next sleeps at once */
    loop->backend->close(loop, false);
    cordi_coroutine_forget(loop);
    cordi_stack_cache_close(&loop->stacks);
    cordi_fault_thread_end(&loop->alternate);
    cordi_loop_sleeps(loop);
}

/* --- switching --- */

/* The memory of a coroutine that slept among many others is cold: while one runs, the next one's frames are fetched,
 * and the block of the one after it, where the address of its frames is. */
static void expect(const struct cordi_list *item)
{
    const char *sp = CORDI_ITEM(item, struct cord_task, link)->ctx.sp;
#pragma GCC unroll 8
    for (int line = 0; line < COLD_LINES; line++)
        __builtin_prefetch(sp + line * 64, 1);
    __builtin_prefetch(item->next, 1);
}

/* The stack of a task that has ended is free once another one runs. */
static void bury(struct cordi_loop *loop)
{
    struct cord_task *gone = loop->leaving;
    if (gone == NULL)
        return;
    loop->leaving = NULL;
    cordi_task_drop(gone);
}

static void resume(struct cordi_loop *loop, struct cordi_ctx *from, struct cord_task *next)
{
    loop->thread->current = next;
    cordi_ctx_switch(from, &next->ctx);
    bury(loop);
}

/* The backend is a call to the kernel, which costs as much as dozens of resumes: it is looked at when that many have
 * been made, and in any case, as while no coroutine of the loop waits for a descriptor, when a longer time has passed.
 */
static bool backend_is_due(const struct cordi_loop *loop)
{
    int64_t passed = loop->clock - loop->looked;
    return passed >= LONG_TURN || (passed >= SHORT_TURN && loop->outside > 0 && loop->resumed >= TURN);
}

/* Is there something for the scheduler to do? The clock costs as much as three resumes: so the shorter they are, the
 * more of them are made before it is looked at again. */
static __attribute__((noinline)) bool look_at_clock(struct cordi_loop *loop)
{
    int64_t before = loop->clock, now = loop->clock = cordi_clock_now();
    if (loop->looked == 0)
        loop->looked = now;
    if (now - before > LONG_SPAN)
        loop->span = 1;
    else if (now - before < SHORT_SPAN && loop->span < MOST_LOOKS)
        loop->span *= 2;
    loop->looks = loop->span;
    return backend_is_due(loop) || (loop->team != NULL && cordi_team_waits(loop->team)) ||
           (!cordi_heap_empty(&loop->timers) && cordi_heap_next(&loop->timers) <= now) ||
           atomic_load_explicit(&loop->debug.asked, memory_order_relaxed);
}

/* After LOOK resumes: more of them, unless the scheduler has something to do. */
static __attribute__((noinline)) void look(struct cordi_loop *loop)
{
    loop->resumed += LOOK;
    if (!cordi_inbox_empty(&loop->inbox) || (--loop->looks == 0 && look_at_clock(loop)))
        return;
    loop->budget = LOOK;
}

/* The next one of this turn, NULL when the turn is over. */
static inline __attribute__((always_inline)) struct cord_task *next_ready(struct cordi_loop *loop)
{
    struct cordi_list *item = loop->budget > 0 ? cordi_list_pop(&loop->ready) : NULL;
    if (item == NULL)
        return NULL;
    if (--loop->budget == 0)
        look(loop);
    if (loop->ready.next != &loop->ready)
        expect(loop->ready.next);
    return CORDI_ITEM(item, struct cord_task, link);
}

/* Within a section, as everybody who is switched to. */
static inline __attribute__((always_inline)) void suspend(struct cordi_loop *loop, struct cord_task *self)
{
    struct cord_task *next = next_ready(loop);
    self->ready_streak = 0;
    if (next == self)
        return;
    struct cordi_ctx *to = &loop->ctx;
    if (next != NULL) {
        loop->thread->current = next;
        to = &next->ctx;
    }
    cordi_ctx_switch(&self->ctx, to);
    bury(loop);
}

void cordi_loop_suspend(struct cord_task *self)
{
    cordi_section_begin();
    suspend(self->loop, self);
    cordi_section_end();
}

int cordi_loop_park(struct cord_task *self, cord_deadline deadline)
{
    struct cordi_loop *loop = self->loop;
    cordi_section_begin();
    if (deadline.at != 0) {
        self->timer.key = deadline.at;
        cordi_heap_add(&loop->timers, &self->timer);
    }
    suspend(loop, self);
    if (deadline.at != 0)
        cordi_heap_remove(&loop->timers, &self->timer);
    cordi_section_end();
    return __builtin_expect(cordi_wait_was_woken(self), 1) ? 0 : cordi_wait_result(self);
}

int cordi_loop_yield(struct cord_task *self)
{
    cordi_section_begin();
    cordi_list_append(&self->loop->ready, &self->link);
    suspend(self->loop, self);
    cordi_section_end();
    return 0;
}

struct cordi_ctx *cordi_loop_leave(struct cord_task *self)
{
    struct cordi_loop *loop = self->loop;
    cordi_section_begin(); /* that the next one ends */
    cordi_list_remove(&self->peers);
    (void)cordi_word_add(&loop->alive, UINT64_MAX);
    if (self->roamed)
        cordi_team_ended(loop);
    if (cordi_task_end_in_section(self))
        cordi_task_log_failure(self);
    bury(loop); /* who ran for the first time and never waited has come by no switch that did it */
    loop->leaving = self;
    struct cord_task *next = next_ready(loop);
    if (next == NULL)
        return &loop->ctx;
    loop->thread->current = next;
    return &next->ctx;
}

void cordi_loop_send(struct cord_task *task)
{
    struct cordi_loop *loop = task->loop;
    if (cordi_inbox_push(&loop->inbox, &task->link)) /* it may run and end meanwhile */
        cordi_fd_event_set(loop->host->wake_fd);
    cordi_inbox_pushed(&loop->inbox);
}

void cordi_loop_on_host(void (*fn)(void *), void *arg)
{
    struct cord_task *self = cordi_self();
    struct cordi_loop *loop = self->loop;
    if (loop == NULL) {
        fn(arg);
        return;
    }
    loop->on_host = fn;
    loop->on_host_arg = arg;
    loop->caller = self;
    cordi_section_begin();
    cordi_ctx_switch(&self->ctx, &loop->ctx);
    cordi_section_end();
}

/* --- turning --- */

static void take_inbox(struct cordi_loop *loop)
{
    struct cordi_list *next = cordi_inbox_take(&loop->inbox);
    while (next != NULL) {
        struct cord_task *task = CORDI_ITEM(next, struct cord_task, link);
        cordi_word_expect(next);
        next = next->next;
        if (cordi_list_empty(&task->peers)) /* just started, from another thread */
            cordi_list_append(&loop->tasks, &task->peers);
        cordi_list_append(&loop->ready, &task->link);
    }
}

static void fire_timers(struct cordi_loop *loop)
{
    if (cordi_heap_empty(&loop->timers))
        return;
    int64_t now = cordi_clock_now();
    struct cordi_heap_node *node;
    while ((node = cordi_heap_due(&loop->timers, now)) != NULL) {
        struct cord_task *task = CORDI_ITEM(node, struct cord_task, timer);
        cordi_heap_remove(&loop->timers, node);
        if (cordi_wait_end(task, CORDI_TIMED_OUT))
            cordi_list_append(&loop->ready, &task->link);
    }
}

/* Until it, or who went on after it, comes back to the scheduler. */
static void run(struct cordi_loop *loop, struct cord_task *next)
{
    if (cordi_debug(CORDI_DEBUG_DUMP | CORDI_DEBUG_TURNS))
        cordi_debug_turn_begins(loop, next);
    resume(loop, &loop->ctx, next);
    while (loop->on_host != NULL) {
        void (*fn)(void *) = loop->on_host;
        loop->on_host = NULL;
        cordi_section_end();
        fn(loop->on_host_arg); /* still as the caller */
        cordi_section_begin();
        resume(loop, &loop->ctx, loop->caller);
    }
    loop->thread->current = loop->host;
    if (cordi_debug(CORDI_DEBUG_DUMP | CORDI_DEBUG_TURNS))
        cordi_debug_turn_ends(loop);
}

static bool take_unstarted(struct cordi_loop *loop)
{
    return loop->team != NULL && cordi_team_take(loop);
}

/* Each is taken when it is its turn to run, so that those behind it are there for other loops. */
static void run_unstarted(struct cordi_loop *loop)
{
    for (int i = 0; i < STARTS && take_unstarted(loop); i++) {
        loop->budget = 0; /* it comes back here */
        run(loop, CORDI_ITEM(cordi_list_pop(&loop->ready), struct cord_task, link));
    }
}

static void run_ready(struct cordi_loop *loop)
{
    struct cord_task *next;
    loop->budget = LOOK;
    while ((next = next_ready(loop)) != NULL)
        run(loop, next);
}

/* Of two spans, of which those below 0 are for ever. */
static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* For about as long as a look at the backend takes: what another thread sends meanwhile is found at once. */
static bool watch_inbox(struct cordi_loop *loop)
{
    for (int i = 0; i < WATCHES && cordi_inbox_empty(&loop->inbox); i++)
        cordi_pause(1);
    return !cordi_inbox_empty(&loop->inbox);
}

/* Looks for work for a while before it sleeps: to end the sleep of a CPU takes longer than most answers do. Only as
 * long as that pays: a look in vain halves the next one, and a pause shorter than the longest look makes it whole
 * again. */
static bool spin(struct cordi_loop *loop, int64_t begun, int64_t longest)
{
    int64_t span = sooner(loop->spin_now, longest), now = begun, looked = 0;
    bool found;
    loop->called = false;
    do {
        if (loop->outside > 0 || now - looked >= SHORT_TURN) {
            loop->backend->wait(loop, 0);
            looked = now;
        }
        found = loop->called || !cordi_list_empty(&loop->ready) || watch_inbox(loop) || take_unstarted(loop);
        now = cordi_clock_now();
    } while (!found && now - begun < span);
    if (!found)
        loop->spin_now = loop->spin_now > CORD_MICROSECOND ? loop->spin_now / 2 : 0;
    return found;
}

/* Until something may be ready. */
static void sleep_for(struct cordi_loop *loop, int64_t timeout)
{
    int64_t begun = loop->spin > 0 ? cordi_clock_now() : 0;
    if (loop->spin_now > 0 && spin(loop, begun, timeout))
        return;
    timeout = sooner(timeout, cordi_stack_idle());
    if (!cordi_inbox_sleep(&loop->inbox))
        timeout = 0;
    if (timeout != 0 && loop->team != NULL)
        timeout = sooner(timeout, cordi_team_patience(loop));
    loop->backend->wait(loop, timeout);
    cordi_inbox_awake(&loop->inbox);
    if (loop->spin > 0 && cordi_clock_now() - begun < loop->spin)
        loop->spin_now = loop->spin;
}

static void wait_for_work(struct cordi_loop *loop, int64_t longest)
{
    int64_t timeout = longest;
    bool ready = !cordi_list_empty(&loop->ready);
    if (ready || !cordi_heap_empty(&loop->timers))
        loop->clock = cordi_clock_now();
    if (ready)
        timeout = 0;
    else if (!cordi_heap_empty(&loop->timers)) {
        timeout = cordi_heap_next(&loop->timers) - loop->clock;
        if (timeout < 0)
            timeout = 0;
    }
    if (timeout != 0) {
        sleep_for(loop, timeout);
        loop->looked = 0;
    } else {
        if (!backend_is_due(loop))
            return;
        loop->backend->wait(loop, 0);
        loop->looked = loop->clock;
    }
    loop->resumed = 0;
}

static void turn(struct cordi_loop *loop)
{
    take_inbox(loop);
    if (atomic_load_explicit(&loop->debug.asked, memory_order_relaxed))
        cordi_records_answer(loop);
    fire_timers(loop);
    run_unstarted(loop);
    run_ready(loop);
}

void cordi_loop_run(struct cordi_loop *loop, bool (*stay)(void *arg), void *arg)
{
    for (;;) {
        turn(loop);
        if ((!stay(arg) && atomic_load(&loop->alive) == 0) || loop->forsaken)
            return;
        bool alone = cordi_asleep_alone(loop);
        wait_for_work(loop, alone && loop->quiet == 0 ? DOZE : -1);
        loop->quiet = !alone || !cordi_asleep_alone(loop) ? 0 : loop->quiet == 0 ? 1 : 2;
    }
}

/* A loop without a thread: what is sent there stays there. */
static struct cordi_loop nowhere;

void cordi_loop_forsake(struct cordi_loop *loop)
{
    if (nowhere.tasks.next == NULL)
        cordi_list_init(&nowhere.tasks);
    for (struct cordi_list *at = loop->tasks.next; at != &loop->tasks; at = at->next)
        CORDI_ITEM(at, struct cord_task, peers)->loop = &nowhere;
    cordi_list_move(&nowhere.tasks, &loop->tasks);
    loop->forsaken = true;
}

/* --- the background loop --- */

/* With the lock held nobody can be given the loop, so one without coroutines stays without. */
static bool end_background(struct cordi_loop *loop)
{
    cordi_spin_lock(&cordi_runtime.background_lock, 1);
    bool end = atomic_load(&loop->alive) == 0;
    if (end)
        atomic_store(&cordi_runtime.background, NULL);
    cordi_spin_unlock(&cordi_runtime.background_lock, 1);
    return end;
}

/* Ends when it has had nothing to do for a while. */
static void turn_background(struct cordi_loop *loop)
{
    int64_t idle_since = 0;
    for (;;) {
        turn(loop);
        bool idle = atomic_load(&loop->alive) == 0;
        if (!idle)
            idle_since = 0;
        else if (idle_since == 0)
            idle_since = cordi_clock_now();
        else if (cordi_clock_now() - idle_since >= LINGER && end_background(loop))
            return;
        wait_for_work(loop, idle ? LINGER : -1);
    }
}

static int run_background(void *arg)
{
    struct cordi_loop *loop = arg;
    int rc = cordi_loop_open(loop);
    atomic_store(&cordi_runtime.background, rc < 0 ? (struct cordi_loop *)(intptr_t)rc : loop);
    if (rc == 0) {
        turn_background(loop);
        cordi_loop_close(loop);
    }
    free(loop);
    return rc;
}

static bool failed(const struct cordi_loop *loop)
{
    return (intptr_t)loop < 0 && (intptr_t)loop > -4096;
}

static int make_background(void)
{
    struct cordi_loop *loop = calloc(1, sizeof *loop);
    static const cord_task_options options = { .kind = CORD_THREAD, .name = "cord-loop", .daemon = true };
    struct cord_task *task;
    int rc;
    if (loop == NULL)
        return -ENOMEM;
    rc = cord_task_start(&task, run_background, loop, 0, &options);
    if (rc < 0) {
        free(loop);
        return rc;
    }
    cord_task_free(task);
    for (;;) { /* once in a process: the new thread has a few system calls to make */
        struct cordi_loop *made = atomic_load(&cordi_runtime.background);
        if (made != NULL && !failed(made))
            return 0;
        if (made != NULL) {
            atomic_store(&cordi_runtime.background, NULL);
            return (int)(intptr_t)made;
        }
        cordi_proc_yield();
    }
}

int cordi_background_start(struct cord_task *task)
{
    int rc = 0;
    cordi_spin_lock(&cordi_runtime.background_lock, 1);
    if (atomic_load(&cordi_runtime.background) == NULL)
        rc = make_background();
    if (rc == 0)
        cordi_coroutine_start_on(atomic_load(&cordi_runtime.background), task);
    cordi_spin_unlock(&cordi_runtime.background_lock, 1);
    return rc;
}

void cordi_loops_after_fork(void)
{
    struct cordi_list *at = cordi_runtime.loops.next;
    while (at != &cordi_runtime.loops) {
        struct cordi_loop *loop = CORDI_ITEM(at, struct cordi_loop, link);
        at = at->next;
        loop->backend->close(loop, true); /* its copies of descriptors; the parent's stay */
        loop->thread->loop = NULL;
    }
    cordi_list_init(&cordi_runtime.loops);
    atomic_store(&cordi_runtime.background, NULL);
    atomic_store(&cordi_runtime.background_lock, 0);
}
