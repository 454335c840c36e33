/* tests/stress/killed.c - processes that share objects are killed at random points, a thousand of them: nobody hangs,
 * what was put comes out once and whole, and a lock's next owner is told.
 *
 * What one who is killed had in hand may be lost: an item that it had just taken, a permit. So it is counted how many
 * were killed, and no more may be missing.
 */
#include "waiting.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 200, ITEMS = 1 << 27, PERMITS = 3, LONGEST = 5000, CAPACITY = 7 };

struct board {
    cord_lock *lock, *change_lock;
    cord_queue *items, *messages, *sorted;
    cord_sem *permits;
    cord_condition *change;
    cord_event *event;
    _Atomic int stop;
    int pair[2]; /* under the lock: equal, unless its owner died */
    int stock;   /* under change_lock */
    _Atomic int next;
    _Atomic int inside; /* permits in use, as far as their holders live */
    _Atomic long done[8];
    _Atomic unsigned char seen[ITEMS];
};

/* Each answers below 0 when it is to end, and above 0 when something is wrong. */
static int stopped(const struct board *board)
{
    return atomic_load(&board->stop) ? -ECANCELED : 0;
}

static int use_lock(struct board *board)
{
    int rc = cord_lock_acquire(board->lock, soon());
    if (rc < 0)
        return 1;
    if (rc == CORD_OWNER_DIED)
        board->pair[1] = board->pair[0];
    if (board->pair[0] != board->pair[1])
        return 2;
    board->pair[0]++;
    board->pair[1]++;
    return cord_lock_release(board->lock) == 0 ? 0 : 3;
}

static int put_items(struct board *board)
{
    int number = atomic_fetch_add(&board->next, 1) % ITEMS;
    int rc = cord_queue_put(board->items, &number, soon());
    return rc == 0 || rc == -EPIPE ? 0 : 4;
}

static int get_items(struct board *board)
{
    int number, rc = cord_queue_get(board->items, &number, soon());
    if (rc == -EPIPE)
        return 0;
    if (rc < 0 || number < 0 || number >= ITEMS)
        return 5;
    return atomic_fetch_add(&board->seen[number], 1) == 0 ? 0 : 6;
}

static int put_messages(struct board *board)
{
    char text[LONGEST];
    size_t size = (size_t)rand() % sizeof text;
    memset(text, (int)(size % 251), size);
    int rc = cord_queue_put_bytes(board->messages, text, size, soon());
    return rc == 0 || rc == -EPIPE ? 0 : 7;
}

static int get_messages(struct board *board)
{
    unsigned char text[LONGEST];
    ssize_t size = cord_queue_get_bytes(board->messages, text, sizeof text, soon());
    if (size == -EPIPE)
        return 0;
    for (ssize_t i = 0; i < size; i++)
        if (text[i] != size % 251)
            return 8;
    return size < 0 ? 9 : 0;
}

static int use_permits(struct board *board)
{
    int rc = cord_sem_acquire(board->permits, cord_in(20 * CORD_MILLISECOND)); /* those lost with the killed are few */
    if (rc == -ETIMEDOUT)
        return 0;
    return rc == 0 && cord_sem_release(board->permits, 1) == 0 ? 0 : 10;
}

/* One of each pair takes from the stock what the other has put there. */
static int produce(struct board *board)
{
    if (cord_lock_acquire(board->change_lock, soon()) < 0)
        return 11;
    board->stock++;
    cord_event_set(board->event);
    int rc = cord_condition_notify(board->change, 1);
    return cord_lock_release(board->change_lock) == 0 && rc >= 0 ? 0 : 12;
}

static int consume(struct board *board)
{
    int rc = cord_event_wait(board->event, soon());
    if (rc < 0 || cord_lock_acquire(board->change_lock, soon()) < 0)
        return 13;
    cord_deadline until = cord_in(50 * CORD_MILLISECOND);
    while (board->stock == 0 && rc >= 0)
        rc = cord_condition_wait(board->change, board->change_lock, until);
    if (board->stock > 0)
        board->stock--;
    cord_event_clear(board->event);
    if (board->stock > 0)
        cord_event_set(board->event);
    return cord_lock_release(board->change_lock) == 0 && (rc >= 0 || rc == -ETIMEDOUT) ? 0 : 14;
}

static int (*const roles[])(struct board *) = { use_lock,     put_items,   get_items, put_messages,
                                                get_messages, use_permits, produce,   consume };
enum { ROLES = sizeof roles / sizeof *roles, WORKERS = 2 * ROLES };

struct work {
    struct board *board;
    int role, seed;
};

static int work(void *arg)
{
    const struct work *work = arg;
    int rc;
    srand((unsigned)work->seed);
    while ((rc = stopped(work->board)) == 0) {
        rc = roles[work->role](work->board);
        if (rc != 0)
            return rc;
        atomic_fetch_add(&work->board->done[work->role], 1);
    }
    return 0;
}

static struct board *setup(void)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_lock_new(&board->lock, CORD_SHARED));
    ok(cord_lock_new(&board->change_lock, CORD_SHARED));
    ok(cord_queue_new(&board->items, sizeof(int), CAPACITY, CORD_SHARED));
    ok(cord_queue_new(&board->messages, 0, (size_t)3 * LONGEST, CORD_SHARED));
    ok(cord_sem_new(&board->permits, PERMITS, PERMITS, CORD_SHARED));
    ok(cord_condition_new(&board->change, CORD_SHARED));
    ok(cord_event_new(&board->event, CORD_SHARED));
    return board;
}

static void teardown(struct board *board)
{
    cord_lock_free(board->lock);
    cord_lock_free(board->change_lock);
    cord_queue_free(board->items);
    cord_queue_free(board->messages);
    cord_sem_free(board->permits);
    cord_condition_free(board->change);
    cord_event_free(board->event);
    cord_shared_free(board);
}

static cord_task *start_work(struct board *board, int role, int seed)
{
    struct work it = { board, role, seed };
    return start_kind(CORD_PROCESS, work, &it, sizeof it);
}

/* A worker that was killed, and did not end by itself: that would be a mistake it had found. */
static void end_by_force(struct board *board, cord_task *task, int role)
{
    cord_outcome out;
    (void)kill(cord_task_pid(task), SIGKILL);
    is(cord_task_join(task, soon(), &out), 0);
    if (out.how != CORD_SIGNALED)
        ck_abort_msg("role %d found mistake %d; %d items were put", role, out.value, atomic_load(&board->next));
    cord_task_free(task);
}

static void check_progress(struct board *board, const long before[ROLES])
{
    for (int role = 0; role < ROLES; role++)
        ck_assert_msg(atomic_load(&board->done[role]) > before[role], "nothing more was done in role %d", role);
}

static void note_progress(struct board *board, long noted[ROLES])
{
    for (int role = 0; role < ROLES; role++)
        noted[role] = atomic_load(&board->done[role]);
}

PLAIN_TEST(killed_at_random_points_nobody_hangs_and_nothing_is_lost)
{
    skip_without_processes();
    const char *given = getenv("CORD_SEED"), *more = getenv("CORD_ROUNDS");
    unsigned seed = given != NULL ? (unsigned)atoi(given) : (unsigned)cord_now();
    printf("seed %u\n", seed);
    srand(seed);
    struct board *board = setup();
    cord_task *tasks[WORKERS];
    int rounds = more != NULL ? atoi(more) : ROUNDS / slow(), killed[ROLES] = { 0 };
    long noted[ROLES];
    for (int i = 0; i < WORKERS; i++)
        tasks[i] = start_work(board, i % ROLES, i);
    note_progress(board, noted);
    for (int round = 0; round < rounds; round++) {
        int victim = rand() % WORKERS;
        for (int64_t until = cord_now() + rand() % 1000 * CORD_MICROSECOND; cord_now() < until;)
            ;
        end_by_force(board, tasks[victim], victim % ROLES);
        killed[victim % ROLES]++;
        tasks[victim] = start_work(board, victim % ROLES, round);
    }
    ok(cord_sleep(300 * CORD_MILLISECOND *
                  slow())); /* for who was started last, and for those whose partner was killed */
    check_progress(board, noted);
    atomic_store(&board->stop, 1);
    cord_queue_shutdown(board->items, false);
    cord_queue_shutdown(board->messages, true);
    cord_event_set(board->event);
    for (int i = 0; i < WORKERS; i++)
        join(tasks[i], 0);
    int put = atomic_load(&board->next), got = 0, number;
    while (cord_queue_get(board->items, &number, CORD_NOWAIT) == 0)
        got++;
    for (int i = 0; i < put && i < ITEMS; i++)
        got += board->seen[i];
    printf("%d items were put\n", put);
    ck_assert_int_lt(put, ITEMS);
    ck_assert_int_ge(got, put - killed[1] - killed[2] - 2); /* two may have found it shut down */
    ck_assert_int_ge((int)cord_sem_value(board->permits), PERMITS - killed[5] < 0 ? 0 : PERMITS - killed[5]);
    teardown(board);
}

int main(void)
{
    return run_tests("stress_killed", SLOW(PLAIN(killed_at_random_points_nobody_hangs_and_nothing_is_lost), 600), END);
}
