/* tests/stress/sync.c - locks, queues and events under tasks that are started, cancelled and timed out at random.
 *
 * What must hold in the end: the two counters under each lock are equal to each other and to the number of times it
 * was had, every item that was put was got once, and no waiter left a trace. CORD_SEED=N repeats a run's choices (not
 * its timing); CORD_STRESS_SECONDS makes it longer. */
#include "waiting.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 32, OBJECTS = 3, OPERATIONS = 100 };

struct board {
    cord_lock *locks[OBJECTS];
    cord_queue *queues[OBJECTS];
    cord_event *event;
    long first[OBJECTS], second[OBJECTS]; /* under the locks */
    _Atomic long had[OBJECTS], died, torn;
    _Atomic long put, put_sum, got, got_sum;
    _Atomic long waited, cancelled, timed_out;
};

struct job {
    struct board *board;
    uint64_t seed;
};

static uint32_t pick(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % below;
}

static cord_deadline some_deadline(uint64_t *seed)
{
    switch (pick(seed, 4)) {
    case 0:
        return CORD_NOWAIT;
    case 1:
        return CORD_FOREVER;
    default:
        return cord_in((cord_span)pick(seed, 400) * CORD_MICROSECOND);
    }
}

static int use_lock(struct board *board, uint64_t *seed)
{
    uint32_t at = pick(seed, OBJECTS);
    int rc = cord_lock_acquire(board->locks[at], some_deadline(seed));
    if (rc < 0)
        return rc;
    if (rc == CORD_OWNER_DIED)
        atomic_fetch_add(&board->died, 1);
    long count = ++board->first[at];
    if (pick(seed, 8) == 0)
        (void)cord_yield();
    if (board->first[at] != count || ++board->second[at] != count) /* Check's own lock is not for forked children */
        atomic_fetch_add(&board->torn, 1);
    atomic_fetch_add(&board->had[at], 1);
    return cord_lock_release(board->locks[at]);
}

static int use_queue(struct board *board, uint64_t *seed)
{
    cord_queue *queue = board->queues[pick(seed, OBJECTS)];
    long item = (long)pick(seed, 1000);
    bool put = pick(seed, 2);
    cord_deadline deadline = some_deadline(seed);
    int rc = put ? cord_queue_put(queue, &item, deadline) : cord_queue_get(queue, &item, deadline);
    if (rc == 0) {
        atomic_fetch_add(put ? &board->put : &board->got, 1);
        atomic_fetch_add(put ? &board->put_sum : &board->got_sum, item);
    }
    return rc;
}

static int use_event(struct board *board, uint64_t *seed)
{
    if (pick(seed, 2) == 0)
        return cord_event_wait(board->event, some_deadline(seed));
    cord_event_set(board->event);
    cord_event_clear(board->event);
    return 0;
}

static int work(void *arg)
{
    struct job *job = arg;
    int rc = 0;
    for (int i = 0; i < OPERATIONS && rc != -ECANCELED; i++) {
        switch (pick(&job->seed, 6)) {
        case 0:
            rc = use_event(job->board, &job->seed);
            break;
        case 1:
        case 2:
            rc = use_lock(job->board, &job->seed);
            break;
        default:
            rc = use_queue(job->board, &job->seed);
        }
        if (rc == -ETIMEDOUT)
            atomic_fetch_add(&job->board->timed_out, 1);
        else if (rc != 0 && rc != -EAGAIN && rc != -ECANCELED)
            return rc;
    }
    if (rc == -ECANCELED)
        atomic_fetch_add(&job->board->cancelled, 1);
    return 0;
}

static struct board *setup(int flag)
{
    struct board *board = board_new(sizeof *board);
    for (int i = 0; i < OBJECTS; i++) {
        ok(cord_lock_new(&board->locks[i], flag));
        ok(cord_queue_new(&board->queues[i], sizeof(long), (size_t)(1 + i * i), flag));
    }
    ok(cord_event_new(&board->event, flag));
    return board;
}

static void check(struct board *board, bool local)
{
    for (int i = 0; i < OBJECTS; i++) {
        long item;
        is(board->first[i], board->had[i]);
        is(board->second[i], board->had[i]);
        is(cord_lock_held(board->locks[i]), false);
        if (local)
            ck_assert_uint_eq(board->locks[i]->word, 0);
        while (cord_queue_get(board->queues[i], &item, CORD_NOWAIT) == 0) {
            board->got++;
            board->got_sum += item;
        }
        cord_lock_free(board->locks[i]);
        cord_queue_free(board->queues[i]);
    }
    is(board->got, board->put);
    is(board->got_sum, board->put_sum);
    is(board->died, 0);
    is(board->torn, 0);
    if (local)
        ck_assert_uint_eq(board->event->word & ~(uint64_t)1, 0);
    cord_event_free(board->event);
}

static int number(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static void end(cord_task **task, struct board *board)
{
    cord_task_cancel(*task);
    while (cord_task_join(*task, cord_in(5 * CORD_MILLISECOND), NULL) == -ETIMEDOUT)
        cord_task_cancel(*task);
    cord_outcome out;
    is(cord_task_join(*task, soon(), &out), 0);
    is(out.value, 0);
    cord_task_free(*task);
    *task = NULL;
    atomic_fetch_add(&board->waited, 1);
}

static void stress(int flag)
{
    uint64_t seed = (uint64_t)number("CORD_SEED", (int)(cord_now() / 1000 % 1000000));
    printf("seed %lu\n", (unsigned long)seed);
    struct board *board = setup(flag);
    cord_task *tasks[TASKS] = { NULL };
    int64_t stop = cord_now() + number("CORD_STRESS_SECONDS", 2) * CORD_SECOND;
    while (cord_now() < stop) {
        cord_task **task = &tasks[pick(&seed, TASKS)];
        cord_kind kind = (cord_kind)pick(&seed, 2);
        if (flag && pick(&seed, 16) == 0)
            kind = CORD_PROCESS;
        if (*task == NULL)
            *task = start_kind(kind, work, &(struct job){ board, seed }, sizeof(struct job));
        else if (pick(&seed, 4) == 0)
            end(task, board);
        else
            ok(cord_sleep((cord_span)pick(&seed, 100) * CORD_MICROSECOND));
    }
    for (int i = 0; i < TASKS; i++)
        if (tasks[i] != NULL)
            end(&tasks[i], board);
    printf("%ld tasks, %ld cancelled, %ld time-outs, %ld items\n", board->waited, board->cancelled, board->timed_out,
           board->put);
    check(board, flag == 0);
    cord_shared_free(board);
}

PLAIN_TEST(stress_local_objects_keep_their_promises)
{
    stress(0);
}

PLAIN_TEST(stress_shared_objects_keep_their_promises)
{
    stress(CORD_SHARED);
}

/* Uses a lock so that a death within shows: the counters then differ until the next holder mends them. */
static int mend_or_count(struct board *board, uint32_t at, cord_deadline deadline, bool pause)
{
    int rc = cord_lock_acquire(board->locks[at], deadline);
    if (rc < 0)
        return rc;
    if (rc == CORD_OWNER_DIED) {
        atomic_fetch_add(&board->died, 1);
        board->second[at] = board->first[at];
    } else if (board->first[at] != board->second[at])
        atomic_fetch_add(&board->torn, 1);
    board->first[at]++;
    if (pause)
        (void)cord_yield();
    board->second[at]++;
    return cord_lock_release(board->locks[at]);
}

static int be_killed(void *arg)
{
    struct job *job = arg;
    for (int rc = 0; rc != -ECANCELED;) {
        (void)mend_or_count(job->board, pick(&job->seed, OBJECTS), some_deadline(&job->seed), pick(&job->seed, 4) == 0);
        rc = use_queue(job->board, &job->seed);
    }
    return 0;
}

static void kill_one(cord_task **task)
{
    cord_outcome out;
    cord_task_terminate(*task, 0);
    is(cord_task_join(*task, soon(), &out), 0);
    is(out.how, CORD_SIGNALED);
    cord_task_free(*task);
    *task = NULL;
}

PLAIN_TEST(stress_killed_processes_leave_locks_and_queues_usable)
{
    enum { VICTIMS = 6 };
    uint64_t seed = (uint64_t)number("CORD_SEED", (int)(cord_now() / 1000 % 1000000));
    printf("seed %lu\n", (unsigned long)seed);
    struct board *board = setup(CORD_SHARED);
    cord_task *tasks[VICTIMS] = { NULL };
    int64_t stop = cord_now() + number("CORD_STRESS_SECONDS", 2) * CORD_SECOND;
    while (cord_now() < stop) {
        cord_task **task = &tasks[pick(&seed, VICTIMS)];
        if (*task == NULL)
            *task = start_kind(CORD_PROCESS, be_killed, &(struct job){ board, seed }, sizeof(struct job));
        else if (pick(&seed, 2))
            kill_one(task);
        is(mend_or_count(board, pick(&seed, OBJECTS), soon(), false), 0);
    }
    for (int i = 0; i < VICTIMS; i++)
        if (tasks[i] != NULL)
            kill_one(&tasks[i]);
    printf("%ld holders died\n", atomic_load(&board->died));
    for (uint32_t i = 0; i < OBJECTS; i++) {
        long item = 0;
        is(mend_or_count(board, i, soon(), false), 0);
        is(board->first[i], board->second[i]);
        while (cord_queue_get(board->queues[i], &item, CORD_NOWAIT) == 0)
            ck_assert(item >= 0 && item < 1000);
        is(cord_queue_put(board->queues[i], &item, soon()), 0);
        is(cord_queue_get(board->queues[i], &item, soon()), 0);
        cord_lock_free(board->locks[i]);
        cord_queue_free(board->queues[i]);
    }
    is(board->torn, 0);
    cord_event_free(board->event);
    cord_shared_free(board);
}

int main(void)
{
    return run_tests("stress", SLOW(PLAIN(stress_local_objects_keep_their_promises), 60),
                     SLOW(PLAIN(stress_shared_objects_keep_their_promises), 60),
                     SLOW(PLAIN(stress_killed_processes_leave_locks_and_queues_usable), 60), END);
}
