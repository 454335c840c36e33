/* rt/offload.c - the helper threads of offload.h.
 *
 * Each class has a queue of jobs and at most so many helpers. A helper is started when more jobs wait than helpers are
 * idle, and ends when it was idle for five seconds. A job is {done, given_up} under the spin bit of the pool: the
 * second of the two sides to come frees it. A job without a deadline is not given up, so it lies on its caller's
 * stack. One that was given up before a helper took it is never begun.
 *
 * A thread for each call was rejected: a burst of a thousand look-ups would be a thousand threads.
 */
#include "rt/offload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cordage/run.h>

#include "rt/park.h"
#include "rt/task.h"
#include "sys/clock.h"
#include "sys/futex.h"
#include "sys/proc.h"

#define IDLE (5 * CORD_SECOND)
#define SPIN ((uint64_t)1)

static const struct {
    const char *thread; /* its helpers' name */
    uint32_t bound;
} limits[CORDI_OFFLOAD_CLASSES] = {
    [CORDI_OFFLOAD_CALL] = { "cord-call", 64 },
    [CORDI_OFFLOAD_RESOLVE] = { "cord-resolve", 16 },
};

struct job {
    struct cordi_list link; /* in the queue; self-linked once a helper has it */
    cord_fn *fn;
    void *arg; /* the copy, when there is one */
    void (*drop)(void *copy);
    struct cordi_waiter *waiter; /* the caller, once it waits */
    bool done, given_up;
    int answer;
    char sentence[sizeof((struct cord_task *)0)->detail]; /* that fn left on the helper */
};

/* Two cases of one thing: without a deadline the job is on the stack and there is no copy. */
struct copied_job {
    struct job job;
    max_align_t copy[];
};

struct offload_class {
    struct cordi_list queue;
    uint32_t queued, helpers;
    uint32_t idle;              /* helpers that take a job next: also one that just starts, or is about to look again */
    _Atomic uint32_t submitted; /* counts; the idle ones sleep on it */
};

static struct {
    _Atomic uint64_t bits; /* SPIN: over all but `submitted` */
    bool ready;
    struct offload_class classes[CORDI_OFFLOAD_CLASSES];
} pool;

/* The helper counts as idle before its caller can go on: the caller's next job then needs no further helper. */
static void answer(struct offload_class *class, struct job *job, int rc)
{
    struct cord_task *self = cordi_self(), *caller = NULL;
    if (rc < 0 && self->detail_code == rc)
        memcpy(job->sentence, self->detail, sizeof job->sentence);
    cordi_spin_lock(&pool.bits, SPIN);
    job->answer = rc;
    job->done = true;
    bool given_up = job->given_up;
    if (!given_up)
        class->idle++;
    if (job->waiter != NULL && cordi_waiter_claim(job->waiter))
        caller = job->waiter->task;
    cordi_spin_unlock(&pool.bits, SPIN); /* unless given up, the job may be gone from here on */
    if (caller != NULL)
        cordi_wake(caller);
    if (!given_up)
        return;
    if (job->drop != NULL)
        job->drop(job->arg);
    free(job);
    cordi_spin_lock(&pool.bits, SPIN);
    class->idle++;
    cordi_spin_unlock(&pool.bits, SPIN);
}

/* The next job, or NULL when none has come for a long time; then the helper is counted out. */
static struct job *next_job(struct offload_class *class)
{
    int64_t until = cordi_clock_now() + IDLE;
    struct cordi_list *item;
    cordi_spin_lock(&pool.bits, SPIN);
    while ((item = cordi_list_take(&class->queue)) == NULL && cordi_clock_now() < until) {
        uint32_t seen = atomic_load(&class->submitted);
        cordi_spin_unlock(&pool.bits, SPIN);
        (void)cordi_futex_wait(&class->submitted, seen, until, false);
        cordi_spin_lock(&pool.bits, SPIN);
    }
    class->idle--;
    if (item != NULL)
        class->queued--;
    else
        class->helpers--;
    cordi_spin_unlock(&pool.bits, SPIN);
    return item == NULL ? NULL : CORDI_ITEM(item, struct job, link);
}

static void *help(void *arg)
{
    struct offload_class *class = arg;
    struct job *job;
    cordi_proc_thread_name(limits[class - pool.classes].thread);
    while ((job = next_job(class)) != NULL) {
        cordi_self()->detail_code = 0;
        answer(class, job, job->fn(job->arg));
    }
    return NULL;
}

/* Starting a thread under the spin bit is rare and short, and makes "no helper and none can be had" one state. */
static int submit(struct offload_class *class, struct job *job)
{
    int rc = 0;
    cordi_spin_lock(&pool.bits, SPIN);
    for (int i = 0; !pool.ready && i < CORDI_OFFLOAD_CLASSES; i++)
        cordi_list_init(&pool.classes[i].queue);
    pool.ready = true;
    cordi_list_append(&class->queue, &job->link);
    class->queued++;
    bool idle = class->idle >= class->queued;
    if (!idle && class->helpers < limits[class - pool.classes].bound) {
        rc = cordi_proc_thread(help, class, 0);
        if (rc == 0) {
            class->helpers++;
            class->idle++;
        }
    }
    if (rc < 0 && class->helpers > 0)
        rc = 0; /* it waits for one of those there are */
    if (rc < 0) {
        cordi_list_remove(&job->link);
        class->queued--;
    }
    atomic_fetch_add(&class->submitted, 1);
    cordi_spin_unlock(&pool.bits, SPIN);
    if (idle)
        cordi_futex_wake(&class->submitted, 1, false);
    return rc;
}

/* 0: the job is done. Else it was given up, and is not the caller's any more unless *unused. */
static int await(struct offload_class *class, struct job *job, cord_deadline deadline, bool *unused)
{
    struct cordi_waiter node;
    cordi_wait_begin(&node, deadline.at == 0 ? CORDI_UNCANCELLABLE : CORDI_CANCELLABLE, "a blocking call");
    cordi_spin_lock(&pool.bits, SPIN);
    bool done = job->done;
    if (!done)
        job->waiter = &node;
    cordi_spin_unlock(&pool.bits, SPIN);
    if (done) {
        cordi_wait_abandon();
        return 0;
    }
    int rc = cordi_park(deadline);
    if (rc == 0)
        return 0;
    cordi_spin_lock(&pool.bits, SPIN);
    job->waiter = NULL;
    if (job->done) {
        rc = 0; /* a call that completed wins */
    } else if (!cordi_list_empty(&job->link)) {
        cordi_list_remove(&job->link);
        class->queued--;
        *unused = true;
    } else {
        job->given_up = true;
    }
    cordi_spin_unlock(&pool.bits, SPIN);
    return rc;
}

static int finish(const struct job *job)
{
    return job->answer < 0 && job->sentence[0] != '\0' ? cordi_fail(job->answer, "%s", job->sentence) : job->answer;
}

static int call_for_ever(struct offload_class *class, cord_fn *fn, void *arg)
{
    struct job job = { .fn = fn, .arg = arg };
    int rc = submit(class, &job);
    if (rc < 0)
        return cordi_fail_code(rc, "no helper thread for a blocking call");
    (void)await(class, &job, CORD_FOREVER, &(bool){ false });
    return finish(&job);
}

int cordi_offload(enum cordi_offload_class class_of_job, cord_fn *fn, void *arg, size_t arg_size,
                  void (*drop)(void *copy), cord_deadline deadline)
{
    struct offload_class *class = &pool.classes[class_of_job];
    if (deadline.at == 0)
        return cordi_must_offload() ? call_for_ever(class, fn, arg) : fn(arg);
    if (arg_size == 0)
        return cordi_fail(-EINVAL, "a blocking call with a deadline works on a copy: give arg_size");
    if (deadline.at == CORD_NOWAIT.at)
        return cordi_fail(-EAGAIN, "a blocking call cannot answer at once");
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before a blocking call");
    struct copied_job *copied = malloc(sizeof *copied + arg_size);
    if (copied == NULL)
        return cordi_fail_code(-ENOMEM, "a blocking call");
    copied->job = (struct job){ .fn = fn, .arg = memcpy(copied->copy, arg, arg_size), .drop = drop };
    int rc = submit(class, &copied->job);
    if (rc < 0) {
        free(copied);
        return cordi_fail_code(rc, "no helper thread for a blocking call");
    }
    bool unused = false;
    rc = await(class, &copied->job, deadline, &unused);
    if (rc == 0) {
        memcpy(arg, copied->copy, arg_size);
        rc = finish(&copied->job);
        unused = true;
    }
    if (unused)
        free(copied);
    return rc;
}

bool cordi_must_offload(void)
{
    return cordi_self()->loop != NULL;
}

int cord_call_blocking(cord_fn *fn, void *arg, size_t arg_size, cord_deadline deadline)
{
    return cordi_offload(CORDI_OFFLOAD_CALL, fn, arg, arg_size, NULL, deadline);
}

int cordi_offload_idle(void)
{
    int count = 0;
    cordi_spin_lock(&pool.bits, SPIN);
    for (int i = 0; i < CORDI_OFFLOAD_CLASSES && count >= 0; i++) {
        const struct offload_class *class = &pool.classes[i];
        count = class->queued == 0 && class->idle == class->helpers ? count + (int)class->helpers : -1;
    }
    cordi_spin_unlock(&pool.bits, SPIN);
    return count;
}

void cordi_offload_after_fork(void)
{
    memset(&pool, 0, sizeof pool);
}
