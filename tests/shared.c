/* tests/shared.c - shared memory, and what shared objects do when processes die. */
#include "waiting.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "sync/shared.h"

struct board {
    cord_lock *lock;
    cord_event *event;
    cord_queue *queue;
    _Atomic int holds; /* how many have had the lock */
    _Atomic int puts;  /* the number of the last put that began */
    int text[4];
};

static struct board *setup(size_t capacity)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_lock_new(&board->lock, CORD_SHARED));
    ok(cord_event_new(&board->event, CORD_SHARED));
    ok(cord_queue_new(&board->queue, sizeof(int), capacity, CORD_SHARED));
    return board;
}

static void teardown(struct board *board)
{
    cord_lock_free(board->lock);
    cord_event_free(board->event);
    cord_queue_free(board->queue);
    cord_shared_free(board);
}

static cord_task *start_process(cord_fn *fn, struct board *board)
{
    return start_kind(CORD_PROCESS, fn, &board, sizeof board);
}

static void die(cord_task *task)
{
    cord_outcome out;
    ck_assert_int_eq(kill(cord_task_pid(task), SIGKILL), 0);
    is(cord_task_join(task, soon(), &out), 0);
    is(out.how, CORD_SIGNALED);
    cord_task_free(task);
}

static int write_text(void *arg)
{
    struct board *board = arg;
    for (int i = 0; i < 4; i++)
        board->text[i] = i + 1;
    return 0;
}

MODE_TEST(shared_memory_is_written_by_a_task_of_any_kind)
{
    struct board *board = board_new(sizeof *board);
    join(start(write_text, board, 0), 0); /* the pointer itself */
    for (int i = 0; i < 4; i++)
        is(board->text[i], i + 1);
    cord_shared_free(board);
}

PLAIN_TEST(shared_new_of_nothing_fails)
{
    void *memory = NULL;
    is(cord_shared_new(&memory, 0), -EINVAL);
    if (!under_valgrind()) /* its mmap(2) answers EINVAL */
        is(cord_shared_new(&memory, SIZE_MAX / 2), -ENOMEM);
    ck_assert_ptr_null(memory);
    cord_shared_free(NULL);
}

struct late {
    cord_queue *to_child, *to_parent;
};

/* Uses what it is given: objects that were not there when it was started. */
static int use_what_comes(void *arg)
{
    const struct late *late = arg;
    struct board *board;
    int rc = cord_queue_get(late->to_child, &board, soon());
    if (rc < 0)
        return rc;
    rc = cord_lock_acquire(board->lock, soon());
    if (rc != 0)
        return rc < 0 ? rc : -EINVAL;
    cord_lock *made = NULL;
    rc = cord_lock_new(&made, CORD_SHARED);
    if (rc == 0)
        rc = cord_lock_acquire(made, CORD_NOWAIT);
    if (rc == 0)
        rc = cord_queue_put(late->to_parent, &made, soon());
    if (rc == 0)
        rc = cord_event_wait(board->event, soon());
    if (rc == 0)
        rc = cord_lock_release(made);
    return rc == 0 ? cord_lock_release(board->lock) : rc;
}

MODE_TEST(shared_objects_made_after_a_process_are_there_for_both)
{
    struct late late;
    cord_lock *made;
    ok(cord_queue_new(&late.to_child, sizeof(void *), 1, CORD_SHARED));
    ok(cord_queue_new(&late.to_parent, sizeof(void *), 1, CORD_SHARED));
    cord_task *child = start_kind(CORD_PROCESS, use_what_comes, &late, sizeof late);
    struct board *board = setup(1);
    is(cord_queue_put(late.to_child, &board, soon()), 0);
    is(cord_queue_get(late.to_parent, &made, soon()), 0);
    is(cord_lock_acquire(board->lock, CORD_NOWAIT), -EAGAIN);
    is(cord_lock_acquire(made, CORD_NOWAIT), -EAGAIN);
    cord_event_set(board->event);
    is(cord_lock_acquire(made, soon()), 0);
    is(cord_lock_acquire(board->lock, soon()), 0);
    join(child, 0);
    cord_lock_free(made); /* that the child has made */
    teardown(board);
    cord_queue_free(late.to_child);
    cord_queue_free(late.to_parent);
}

MODE_TEST(shared_memory_is_zeros_also_when_used_again)
{
    static const size_t sizes[] = { 1, 192, 193, 5000, 300000, 5000000 };
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int again = 0; again < 3; again++) {
            unsigned char *memory = board_new(sizes[i]);
            ck_assert_uint_eq((uintptr_t)memory % 64, 0);
            for (size_t at = 0; at < sizes[i]; at++)
                ck_assert_uint_eq(memory[at], 0);
            memset(memory, 255, sizes[i]);
            cord_shared_free(memory);
        }
    }
}

static int take_and_give_back(void *arg)
{
    uint64_t mine = (uint64_t) * (int *)arg, seed = mine;
    uint64_t *held[8] = { NULL };
    for (int i = 0; i < 2000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t **at = &held[(seed >> 40) % 8];
        size_t size = (size_t)1 << (seed >> 50) % 14;
        if (*at != NULL && **at != mine)
            return -EINVAL; /* somebody else has it, too */
        cord_shared_free(*at);
        int rc = cord_shared_new((void **)at, size + 8);
        if (rc < 0)
            return rc;
        **at = mine;
    }
    for (int i = 0; i < 8; i++)
        cord_shared_free(held[i]);
    return 0;
}

MODE_TEST(shared_memory_is_given_to_one_at_a_time)
{
    cord_task *tasks[6];
    for (int i = 0; i < 6; i++)
        tasks[i] = start_kind(i % 2 ? CORD_PROCESS : CORD_THREAD, take_and_give_back, &i, sizeof i);
    for (int i = 0; i < 6; i++)
        join(tasks[i], 0);
}

static int hold_for_ever(void *arg)
{
    struct board *board = *(struct board **)arg;
    int rc = cord_lock_acquire(board->lock, CORD_FOREVER);
    if (rc < 0)
        return rc;
    atomic_fetch_add(&board->holds, 1);
    return cord_sleep(CORD_HOUR);
}

static int take_and_release(void *arg)
{
    struct board *board = *(struct board **)arg;
    int rc = cord_lock_acquire(board->lock, CORD_FOREVER);
    if (rc < 0)
        return rc;
    int released = cord_lock_release(board->lock);
    return released < 0 ? released : rc;
}

static bool has_sleepers(void *arg)
{
    return (atomic_load(&((struct cordi_shared_lock *)((struct board *)arg)->lock)->state) & (1u << 31)) != 0;
}

static void await_holds(struct board *board, int count)
{
    while (atomic_load(&board->holds) < count)
        ok(cord_sleep(CORD_MILLISECOND));
}

MODE_TEST(shared_lock_holder_killed_waiter_has_it_with_owner_died)
{
    struct board *board = setup(1);
    cord_task *holder = start_process(hold_for_ever, board);
    await_holds(board, 1);
    cord_task *waiter = start(take_and_release, &board, sizeof board);
    eventually(has_sleepers, board);
    ok(cord_sleep(5 * CORD_MILLISECOND)); /* past the nap, as a rule: either way the answer is the same */
    die(holder);
    join(waiter, CORD_OWNER_DIED);
    is(cord_lock_acquire(board->lock, CORD_FOREVER), 0); /* said once */
    is(cord_lock_release(board->lock), 0);
    teardown(board);
}

MODE_TEST(shared_lock_holder_killed_before_answers_owner_died_at_once)
{
    struct board *board = setup(1);
    const cord_deadline deadlines[] = { CORD_NOWAIT, CORD_FOREVER, cord_in(0), soon() };
    for (int i = 0; i < 4; i++) {
        cord_task *holder = start_process(hold_for_ever, board);
        await_holds(board, i + 1);
        is(cord_lock_acquire(board->lock, CORD_NOWAIT), -EAGAIN);
        die(holder);
        is(cord_lock_acquire(board->lock, deadlines[i]), CORD_OWNER_DIED);
        is(cord_lock_release(board->lock), 0);
    }
    teardown(board);
}

static int hold_and_leave(void *arg)
{
    return cord_lock_acquire((*(struct board **)arg)->lock, CORD_FOREVER);
}

MODE_TEST(shared_lock_holder_that_returns_without_release_counts_as_died)
{
    struct board *board = setup(1);
    join(start_process(hold_and_leave, board), 0);
    is(cord_lock_acquire(board->lock, soon()), CORD_OWNER_DIED);
    is(cord_lock_release(board->lock), 0);
    teardown(board);
}

/* Several wait, the lock changes hands among them, and whoever holds it is killed each time. */
MODE_TEST(shared_lock_each_next_holder_killed_passes_on)
{
    enum { HOLDERS = 6 };
    struct board *board = setup(1);
    cord_task *tasks[HOLDERS];
    for (int i = 0; i < HOLDERS; i++)
        tasks[i] = start_process(hold_for_ever, board);
    for (int killed = 0; killed < HOLDERS; killed++) {
        await_holds(board, killed + 1);
        uint64_t state = atomic_load(&((struct cordi_shared_lock *)board->lock)->state);
        int pid = (int)(state & ((1u << 30) - 1)), victim = 0;
        while (tasks[victim] == NULL || cord_task_pid(tasks[victim]) != pid)
            ck_assert_int_lt(++victim, HOLDERS);
        die(tasks[victim]);
        tasks[victim] = NULL;
    }
    is(cord_lock_acquire(board->lock, soon()), CORD_OWNER_DIED);
    is(cord_lock_release(board->lock), 0);
    teardown(board);
}

MODE_TEST(shared_lock_waiter_killed_leaves_the_others_waiting)
{
    struct board *board = setup(1);
    ok(cord_lock_acquire(board->lock, CORD_FOREVER));
    cord_task *victim = start_process(take_and_release, board);
    eventually(has_sleepers, board);
    cord_task *other = start_process(take_and_release, board);
    die(victim);
    is(cord_lock_release(board->lock), 0);
    join(other, 0);
    teardown(board);
}

static struct cordi_shared_lock *inside(struct board *board)
{
    return (struct cordi_shared_lock *)board->lock;
}

/* A live process of that pid that started at another time is not the holder. */
PLAIN_TEST(shared_lock_pid_used_again_counts_as_died)
{
    skip_without_processes();
    struct board *board = setup(1);
    const cord_deadline deadlines[] = { CORD_NOWAIT, CORD_FOREVER, cord_in(0), soon() };
    for (int i = 0; i < 4; i++) {
        atomic_store(&inside(board)->state, (uint64_t)12345678 << 32 | (uint64_t)getpid());
        is(cord_lock_acquire(board->lock, deadlines[i]), CORD_OWNER_DIED);
        is(cord_lock_release(board->lock), 0);
    }
    teardown(board);
}

/* As if the holder had been killed in release, after the word was free and before it woke anybody. */
MODE_TEST(shared_lock_holder_killed_within_release_wakes_the_waiter)
{
    struct board *board = setup(1);
    cord_task *holder = start_process(hold_for_ever, board);
    await_holds(board, 1);
    cord_task *waiter = start(take_and_release, &board, sizeof board);
    eventually(has_sleepers, board);
    ok(cord_sleep(5 * CORD_MILLISECOND)); /* past the nap, as a rule: either way the answer is the same */
    atomic_store(&inside(board)->state, 0);
    die(holder);
    join(waiter, 0);
    teardown(board);
}

/* As if a release had handed the lock to a process that was killed before it saw that. */
MODE_TEST(shared_lock_heir_killed_has_not_held_it)
{
    struct board *board = setup(1);
    cord_task *heir = start_process(hold_for_ever, board);
    await_holds(board, 1);
    atomic_fetch_or(&inside(board)->state, 1u << 29);
    cord_task *waiter = start(take_and_release, &board, sizeof board);
    eventually(has_sleepers, board);
    die(heir);
    join(waiter, 0);
    teardown(board);
}

static int wait_for_event(void *arg)
{
    return cord_event_wait((*(struct board **)arg)->event, CORD_FOREVER);
}

MODE_TEST(shared_event_waiter_killed_leaves_the_others_waiting)
{
    struct board *board = setup(1);
    cord_task *victim = start_process(wait_for_event, board), *other = start_process(wait_for_event, board);
    eventually(waits, victim);
    eventually(waits, other);
    die(victim);
    cord_event_set(board->event);
    join(other, 0);
    teardown(board);
}

static int put_for_ever(void *arg)
{
    struct board *board = *(struct board **)arg;
    for (int rc = 0; rc == 0;) {
        int number = atomic_fetch_add(&board->puts, 1);
        rc = cord_queue_put(board->queue, &number, CORD_FOREVER);
    }
    return -EINVAL;
}

static int get_for_ever(void *arg)
{
    struct board *board = *(struct board **)arg;
    for (int rc = 0, number; rc == 0;)
        rc = cord_queue_get(board->queue, &number, CORD_FOREVER);
    return -EINVAL;
}

/* One writer at a time, killed in its loop: numbers come out in order, and none but the one it was at is missing. */
MODE_TEST(shared_queue_writer_killed_leaves_whole_items)
{
    struct board *board = setup(3);
    int next = 0, number;
    for (int round = 0; round < 20; round++) {
        cord_task *writer = start_process(put_for_ever, board);
        for (int i = 0; i < 50 + round; i++) {
            is(cord_queue_get(board->queue, &number, soon()), 0);
            ck_assert_int_ge(number, next);
            ck_assert_int_le(number, next + (i == 0)); /* the last writer's last one may be lost */
            next = number + 1;
        }
        die(writer);
        while (cord_queue_get(board->queue, &number, CORD_NOWAIT) == 0) {
            is(number, next);
            next++;
        }
        is(cord_queue_size(board->queue), 0);
    }
    teardown(board);
}

MODE_TEST(shared_queue_reader_killed_leaves_order_and_room)
{
    struct board *board = setup(3);
    int number = 0;
    for (int round = 0; round < 20; round++) {
        cord_task *reader = start_process(get_for_ever, board);
        for (int i = 0; i < 50 + round; i++, number++)
            is(cord_queue_put(board->queue, &number, soon()), 0);
        die(reader);
        for (int got, last = -1; cord_queue_get(board->queue, &got, CORD_NOWAIT) == 0; last = got)
            ck_assert(last < 0 || got == last + 1);
    }
    teardown(board);
}

static int release_lock(void *arg)
{
    return cord_lock_release((*(struct board **)arg)->lock);
}

MODE_TEST(shared_lock_released_by_another_process_is_free)
{
    struct board *board = setup(1);
    ok(cord_lock_acquire(board->lock, CORD_FOREVER));
    cord_task *other = start_process(release_lock, board);
    is(cord_lock_acquire(board->lock, soon()), 0);
    join(other, 0);
    is(cord_lock_release(board->lock), 0);
    is(cord_lock_release(board->lock), -EPERM);
    teardown(board);
}

int main(void)
{
    return run_tests(
        "shared", MODE(shared_memory_is_written_by_a_task_of_any_kind), PLAIN(shared_new_of_nothing_fails),
        MODE(shared_objects_made_after_a_process_are_there_for_both), MODE(shared_memory_is_zeros_also_when_used_again),
        MODE(shared_memory_is_given_to_one_at_a_time), MODE(shared_lock_holder_killed_waiter_has_it_with_owner_died),
        MODE(shared_lock_holder_killed_before_answers_owner_died_at_once),
        MODE(shared_lock_holder_that_returns_without_release_counts_as_died),
        MODE(shared_lock_each_next_holder_killed_passes_on), PLAIN(shared_lock_pid_used_again_counts_as_died),
        MODE(shared_lock_holder_killed_within_release_wakes_the_waiter), MODE(shared_lock_heir_killed_has_not_held_it),
        MODE(shared_lock_waiter_killed_leaves_the_others_waiting),
        MODE(shared_event_waiter_killed_leaves_the_others_waiting), MODE(shared_queue_writer_killed_leaves_whole_items),
        MODE(shared_queue_reader_killed_leaves_order_and_room), MODE(shared_lock_released_by_another_process_is_free),
        END);
}
