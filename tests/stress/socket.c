/* Sockets under random deadlines, cancels and closes. What a run does follows from its seed, which is printed when it
 * fails; CORD_TEST_SEED=N repeats it as far as the scheduling allows. */
#include "netkit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 8000, PAIRS = 3, MILLISECONDS = 700, ROUNDS = 40, WAITERS = 6 };

static unsigned seed;

static void choose_seed(void)
{
    const char *text = getenv("CORD_TEST_SEED");
    seed = text != NULL ? (unsigned)atoi(text) : (unsigned)(cord_now() ^ getpid());
}

/* ck_assert that tells the seed, and costs nothing while it holds. */
#define seeded(condition, format, ...)                                                                                 \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg(format " (CORD_TEST_SEED=%u)", __VA_ARGS__, seed);                                            \
    } while (0)

/* ---- no byte is lost or doubled, whatever stops a call ---- */

/* One direction of a pair. Byte number i of it is i % 251. The side's task may be cancelled at any call; the next task
 * goes on from `position`. */
struct side {
    cord_socket socket;
    uint64_t position; /* bytes sent, or received; the running task's */
    unsigned seed;
    bool is_writer;
    atomic_bool stop;
};

static cord_deadline moment(unsigned *state)
{
    unsigned choice = (unsigned)rand_r(state) % 8;
    return choice == 0 ? CORD_NOWAIT : cord_in((cord_span)choice * 100 * CORD_MICROSECOND);
}

static bool is_interruption(ssize_t rc)
{
    return rc == -EAGAIN || rc == -ETIMEDOUT || rc == -ECANCELED;
}

static ssize_t send_some(struct side *this)
{
    char bytes[PIECE];
    size_t size = (size_t)rand_r(&this->seed) % PIECE + 1, half = size / 2;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)((this->position + i) % 251);
    cord_deadline deadline = moment(&this->seed);
    ssize_t rc;
    switch (rand_r(&this->seed) % 4) {
    case 0:
        rc = cord_send(this->socket, bytes, size, deadline);
        this->position += rc > 0 ? (uint64_t)rc : 0;
        return rc;
    case 1:
        rc = cord_send_all(this->socket, bytes, size, deadline);
        break;
    case 2:
        rc = cord_send_vector(this->socket, (struct iovec[]){ { bytes, half }, { bytes + half, size - half } }, 2,
                              deadline);
        break;
    default:
        rc = cord_write(this->socket, bytes, size, deadline);
    }
    this->position += cord_socket_sent(); /* also when it was stopped in the middle */
    return rc;
}

/* The bytes are those that stand there in the sequence; answers count. */
static ssize_t check(const char *bytes, ssize_t count, uint64_t position)
{
    for (ssize_t i = 0; i < count; i++)
        seeded(bytes[i] == (char)((position + (uint64_t)i) % 251), "byte %llu is not the one that was sent",
               (unsigned long long)position + (unsigned long long)i);
    return count;
}

static ssize_t recv_some(struct side *this)
{
    char bytes[PIECE];
    int flags = 0;
    size_t size = (size_t)rand_r(&this->seed) % PIECE + 1;
    cord_deadline deadline = moment(&this->seed);
    ssize_t rc;
    bool peeked = false;
    switch (rand_r(&this->seed) % 5) {
    case 0:
        rc = cord_recv(this->socket, bytes, size, deadline);
        break;
    case 1:
        rc = cord_recv_from(this->socket, bytes, size, NULL, &flags, deadline);
        break;
    case 2:
        rc = cord_peek(this->socket, bytes, size, deadline);
        peeked = true;
        break;
    case 3:
        rc = cord_read_until(this->socket, bytes, sizeof bytes, "\020", deadline);
        break;
    default:
        rc = cord_read_exact(this->socket, bytes, size, deadline);
    }
    (void)check(bytes, rc, this->position);
    if (!peeked && rc > 0)
        this->position += (uint64_t)rc;
    return rc;
}

static int run_side(void *arg)
{
    struct side *this = *(struct side **)arg;
    while (!atomic_load(&this->stop)) {
        ssize_t rc = this->is_writer ? send_some(this) : recv_some(this);
        if (rc == -ECANCELED)
            return -ECANCELED;
        seeded(rc > 0 || is_interruption(rc), "a call answered %zd", rc);
        if (this->seed % 16 == 0 && cord_yield() < 0)
            return -ECANCELED;
    }
    return 0;
}

static void end_side(cord_task *task, bool cancel)
{
    cord_outcome out;
    if (cancel)
        cord_task_cancel(task);
    ok(cord_task_join(task, cord_in(10 * CORD_SECOND), &out));
    seeded(out.value == 0 || out.value == -ECANCELED, "a task answered %d", out.value);
    cord_task_free(task);
}

static int flush_and_end(void *arg)
{
    struct side *from = *(struct side **)arg;
    int rc = cord_flush(from->socket, soon());
    return rc < 0 ? rc : cord_shutdown(from->socket, SHUT_WR);
}

/* What is under way arrives, and then the end. */
static void drain(struct side *from, struct side *to)
{
    char bytes[PIECE];
    ssize_t rc;
    cord_task *flusher = start_beside(flush_and_end, &from, sizeof from);
    while ((rc = cord_recv(to->socket, bytes, sizeof bytes, soon())) > 0)
        to->position += (uint64_t)check(bytes, rc, to->position);
    ok(rc);
    join(flusher, 0);
    seeded(to->position == from->position, "%llu bytes sent, %llu received", (unsigned long long)from->position,
           (unsigned long long)to->position);
    cord_close(&from->socket);
    cord_close(&to->socket);
}

MODE_TEST(bytes_survive_deadlines_and_cancels)
{
    struct side sides[2 * PAIRS];
    cord_task *tasks[2 * PAIRS];
    choose_seed();
    unsigned own = seed;
    for (int i = 0; i < 2 * PAIRS; i += 2) {
        cord_socket pair[2];
        pair_over(i % 4 == 0 ? "tcp" : "unix", pair);
        sides[i] = (struct side){ .socket = pair[0], .seed = own + (unsigned)i, .is_writer = true };
        sides[i + 1] = (struct side){ .socket = pair[1], .seed = own + (unsigned)i + 1 };
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        tasks[i] = start_beside(run_side, &(struct side *){ &sides[i] }, sizeof(struct side *));
    int64_t end = cord_now() + MILLISECONDS * CORD_MILLISECOND;
    while (cord_now() < end) {
        int i = rand_r(&own) % (2 * PAIRS);
        ok(cord_sleep(rand_r(&own) % 2000 * CORD_MICROSECOND));
        end_side(tasks[i], true);
        tasks[i] = start_beside(run_side, &(struct side *){ &sides[i] }, sizeof(struct side *));
    }
    for (int i = 0; i < 2 * PAIRS; i++) {
        atomic_store(&sides[i].stop, true);
        end_side(tasks[i], false);
    }
    for (int i = 0; i < 2 * PAIRS; i += 2)
        drain(&sides[i], &sides[i + 1]);
}

/* ---- a socket closed under many users ---- */

struct crowd {
    cord_socket socket;
    unsigned seed;
    bool reads;
};

static int use_until_closed(void *arg)
{
    struct crowd *this = arg;
    char buf[512] = "";
    ssize_t rc;
    do {
        rc = this->reads ? cord_recv(this->socket, buf, sizeof buf, moment(&this->seed))
                         : cord_send_all(this->socket, buf, sizeof buf, moment(&this->seed));
    } while (rc > 0 || rc == -EAGAIN || rc == -ETIMEDOUT);
    return (int)rc;
}

MODE_TEST(close_under_many_users_answers_all)
{
    choose_seed();
    unsigned own = seed;
    for (int round = 0; round < ROUNDS; round++) {
        cord_socket pair[2];
        cord_task *tasks[WAITERS];
        pair_over(round % 2 == 0 ? "tcp" : "unix", pair);
        for (int i = 0; i < WAITERS; i++) {
            struct crowd one = { pair[0], own + (unsigned)i, i % 2 == 0 };
            tasks[i] = start_beside(use_until_closed, &one, sizeof one);
        }
        ok(cord_sleep(rand_r(&own) % 1500 * CORD_MICROSECOND));
        int cancelled = rand_r(&own) % WAITERS;
        cord_task_cancel(tasks[cancelled]);
        cord_close(&pair[0]);
        for (int i = 0; i < WAITERS; i++) {
            cord_outcome out;
            ok(cord_task_join(tasks[i], cord_in(10 * CORD_SECOND), &out));
            seeded(out.value == -EBADF || (i == cancelled && out.value == -ECANCELED), "user %d got %d", i, out.value);
            cord_task_free(tasks[i]);
        }
        cord_close(&pair[1]);
    }
}

int main(void)
{
    return run_tests("stress_socket", SLOW(MODE(bytes_survive_deadlines_and_cancels), 30),
                     SLOW(MODE(close_under_many_users_answers_all), 30), END);
}
