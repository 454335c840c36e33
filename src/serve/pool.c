/* serve/pool.c - pools: a queue of pieces of batches, and a task for each worker that takes them.
 *
 * A batch is cut into pieces of several jobs, four for each worker, so that the queue costs little and the load still
 * evens out. The queue is bounded, so that mapping a long batch keeps only a window of it in flight. A worker task of
 * kind coroutine or thread runs the jobs itself. In kind process the worker task is a coroutine with a child of its
 * own: it sends a piece's inputs over a pair of sockets, with their length in front, and reads the outputs. A child
 * that dies fails the piece it was at, and so that map; the next piece gets a new child.
 * Handing jobs to children through a shared queue was rejected: nobody would know which piece a dead child had taken.
 */
#include <cordage/pool.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cordage/group.h>
#include <cordage/event.h>
#include <cordage/lock.h>
#include <cordage/queue.h>
#include <cordage/stream.h>

#include "rt/park.h"
#include "sys/proc.h"

enum { PIECES_PER_WORKER = 4 };

/* A worker's own process. */
struct child {
    cord_task *task; /* NULL: not started yet, or it ended */
    cord_socket socket;
    struct run *run; /* whose job it is at; under the pool's lock */
    bool hung_up;    /* its mapper gave up, perhaps when the last answer was here already */
};

struct cord_pool {
    cord_pool_options how;
    cord_group *workers;
    struct child *children; /* one for each worker */
    cord_queue *pieces;     /* struct piece */
    cord_lock lock;         /* over maps, closed and the children's runs */
    uint32_t maps;          /* under way */
    bool closed;
    cord_event idle; /* maps is 0 */
};

/* A map under way; on the stack of the task that maps. */
struct run {
    cord_batch batch;
    cord_lock lock; /* over what follows */
    size_t left;    /* pieces not finished, and one for the mapper while he puts */
    int failure;    /* of the first job that failed; then no more are begun */
    char sentence[128];
    cord_event done; /* left is 0 */
};

struct piece {
    struct run *run;
    size_t first, count;
};

static void hold(cord_lock *lock)
{
    (void)!cord_lock_acquire(lock, CORD_FOREVER);
}

static bool go_on(struct run *run)
{
    hold(&run->lock);
    bool more = run->failure == 0;
    cord_lock_release(&run->lock);
    return more;
}

/* --- one job --- */

struct request {
    cord_job *job; /* the child was forked from us: functions are where they are here */
    size_t in_size, out_size, count;
};

/* Reads a request's inputs, all of them before the first answer goes out, and answers job by job until one fails. */
static ssize_t answer_request(cord_socket socket, const struct request *request)
{
    char *in = malloc(request->in_size * request->count + 1), *out = calloc(1, request->out_size + 1);
    ssize_t n = in && out ? cord_recv_frame(socket, in, request->in_size * request->count, CORD_FOREVER) : -ENOMEM;
    int rc = 0;
    for (size_t i = 0; i < request->count && n >= 0 && rc >= 0; i++) {
        rc = request->job(in + i * request->in_size, out);
        n = cord_write(socket, &rc, sizeof rc, CORD_FOREVER);
        if (n >= 0 && rc >= 0)
            n = cord_write(socket, out, request->out_size, CORD_FOREVER);
    }
    if (n >= 0)
        n = cord_flush(socket, CORD_FOREVER);
    free(in);
    free(out);
    return n;
}

static int answer_requests(void *arg)
{
    cord_socket *ends = arg, socket = ends[1];
    struct request request;
    ssize_t n;
    cord_close(&ends[0]); /* or the end of our parent would not be seen */
    while ((n = cord_recv_frame(socket, &request, sizeof request, CORD_FOREVER)) > 0)
        if ((n = answer_request(socket, &request)) < 0)
            break;
    return n == CORD_EENDED ? 0 : (int)n; /* the pool lets us go */
}

static int child_start(cord_pool *pool, struct child *child)
{
    cord_task_options options = { .kind = CORD_PROCESS, .name = "pool-worker", .stack_size = pool->how.stack_size };
    cord_socket ends[2];
    int rc = cord_socket_pair(ends, CORD_UNIX);
    if (rc < 0)
        return rc;
    rc = cord_task_start(&child->task, answer_requests, ends, sizeof ends, &options);
    cord_close(&ends[1]);
    if (rc < 0)
        cord_close(&ends[0]);
    child->socket = ends[0];
    child->hung_up = false;
    return rc;
}

/* Ends it, if it has not ended by itself; its outcome. */
static int child_end(void *arg)
{
    struct child *child = arg;
    cord_outcome out = { .how = CORD_RETURNED };
    if (child->task == NULL)
        return 0;
    cord_close(&child->socket);
    cord_task_terminate(child->task, 0);
    int rc = cord_task_join(child->task, CORD_FOREVER, &out);
    cord_task_free(child->task);
    child->task = NULL;
    return rc < 0 ? rc : cordi_fail(-EOWNERDEAD, "the worker died at a job: %s", out.error);
}

/* Reads one job's answer into its place. */
static int read_answer(struct child *child, void *out, size_t size)
{
    int answer = 0;
    ssize_t n = cord_read_exact(child->socket, &answer, sizeof answer, CORD_FOREVER);
    if (n > 0 && answer < 0)
        return cordi_fail_code(answer, "a job in a worker process");
    if (n > 0)
        n = cord_read_exact(child->socket, out, size, CORD_FOREVER);
    return n < 0 ? (int)n : n == 0 ? CORD_EENDED : 0;
}

static int exchange(struct child *child, const cord_batch *batch, size_t first, size_t count)
{
    struct request request = { batch->job, batch->in_size, batch->out_size, count };
    const char *in = (const char *)batch->in + first * batch->in_size;
    char *out = (char *)batch->out + first * batch->out_size;
    ssize_t n = cord_send_frame(child->socket, &request, sizeof request, CORD_FOREVER);
    if (n >= 0)
        n = cord_send_frame(child->socket, in, batch->in_size * count, CORD_FOREVER);
    int rc = n < 0 ? (int)n : 0;
    for (size_t i = 0; i < count && rc >= 0; i++)
        rc = read_answer(child, out + i * batch->out_size, batch->out_size);
    return rc;
}

static void set_run(cord_pool *pool, struct child *child, struct run *run)
{
    hold(&pool->lock);
    child->run = run;
    cord_lock_release(&pool->lock);
}

/* The mapper gave up: children that are at its jobs are hung up on, and then replaced. */
static void hang_up(cord_pool *pool, const struct run *run)
{
    hold(&pool->lock);
    for (uint32_t i = 0; i < pool->how.workers; i++)
        if (pool->children[i].run == run) {
            pool->children[i].hung_up = true;
            (void)!cord_shutdown(pool->children[i].socket, SHUT_RDWR);
        }
    cord_lock_release(&pool->lock);
}

/* The job's own failure leaves the child alive; any other end of the talk is the child's, and it is replaced. */
static int run_in_child(cord_pool *pool, struct child *child, const struct piece *piece)
{
    int rc = child->task != NULL ? 0 : child_start(pool, child);
    if (rc < 0)
        return rc;
    set_run(pool, child, piece->run);
    if (go_on(piece->run)) /* who gave up while the child started did not hang up on it; from here on he does */
        rc = exchange(child, &piece->run->batch, piece->first, piece->count);
    set_run(pool, child, NULL);
    if (child->hung_up || rc == CORD_EENDED || rc == -EPIPE || rc == -ECONNRESET)
        return cord_shield(child_end, child);
    if (rc == -ECANCELED)
        (void)cord_shield(child_end, child);
    return rc;
}

/* --- workers --- */

static void finish_piece(struct run *run, int rc)
{
    hold(&run->lock);
    if (rc < 0 && run->failure == 0) {
        run->failure = rc;
        snprintf(run->sentence, sizeof run->sentence, "%.*s", (int)sizeof run->sentence - 1, cordi_detail(rc));
    }
    bool last = --run->left == 0;
    if (last)
        cord_event_set(&run->done); /* under the lock: the mapper takes it once more before he goes */
    cord_lock_release(&run->lock);
}

static int run_here(const struct piece *piece)
{
    const cord_batch *batch = &piece->run->batch;
    int rc = 0;
    for (size_t i = piece->first; i < piece->first + piece->count && rc >= 0 && go_on(piece->run); i++)
        rc = batch->job((const char *)batch->in + i * batch->in_size, (char *)batch->out + i * batch->out_size);
    return rc;
}

static void run_piece(cord_pool *pool, const struct piece *piece, struct child *child)
{
    int rc = 0;
    if (go_on(piece->run))
        rc = child != NULL ? run_in_child(pool, child, piece) : run_here(piece);
    finish_piece(piece->run, rc);
}

struct worker {
    cord_pool *pool;
    struct child *child; /* NULL: it runs the jobs itself */
};

static int work(void *arg)
{
    const struct worker *me = arg;
    struct piece piece;
    int rc;
    while ((rc = cord_queue_get(me->pool->pieces, &piece, CORD_FOREVER)) == 0)
        run_piece(me->pool, &piece, me->child);
    if (me->child != NULL)
        (void)cord_shield(child_end, me->child);
    return rc;
}

static int start_workers(cord_pool *pool)
{
    bool children = pool->how.kind == CORD_PROCESS;
    cord_group_options how = { .task = { .name = "pool-worker" }, .keep_going = true };
    if (!children) { /* else on this loop: a child forked by another thread would keep this one's ends open */
        how.task.kind = pool->how.kind;
        how.task.loop = CORD_LOOP_ANY;
        how.task.stack_size = pool->how.stack_size;
    }
    int rc = cord_group_new(&pool->workers, &how);
    for (uint32_t i = 0; i < pool->how.workers && rc == 0; i++) {
        struct worker worker = { pool, children ? &pool->children[i] : NULL };
        rc = cord_group_start(pool->workers, work, &worker, sizeof worker);
    }
    return rc;
}

/* --- the pool --- */

int cord_pool_new(cord_pool **ret, const cord_pool_options *options)
{
    cord_pool *pool = calloc(1, sizeof *pool);
    int rc = 0;
    if (pool == NULL)
        return cordi_fail_code(-ENOMEM, "a pool");
    if (options != NULL)
        pool->how = *options;
    if ((unsigned)pool->how.kind > CORD_SERIAL)
        rc = cordi_fail(-EINVAL, "pool: no kind has number %d", (int)pool->how.kind);
    if (pool->how.workers == 0)
        pool->how.workers = (uint32_t)cordi_proc_cpus();
    cord_event_set(&pool->idle);
    pool->children = calloc(pool->how.workers, sizeof *pool->children);
    if (pool->children == NULL)
        rc = cordi_fail_code(-ENOMEM, "a pool");
    if (rc == 0 && pool->how.kind != CORD_SERIAL)
        rc = cord_queue_new(&pool->pieces, sizeof(struct piece), (size_t)pool->how.workers * PIECES_PER_WORKER, 0);
    if (rc == 0 && pool->how.kind != CORD_SERIAL)
        rc = start_workers(pool);
    if (rc < 0)
        cord_pool_free(pool);
    else
        *ret = pool;
    return rc;
}

static int enter(cord_pool *pool)
{
    hold(&pool->lock);
    bool closed = pool->closed;
    if (!closed && pool->maps++ == 0)
        cord_event_clear(&pool->idle);
    cord_lock_release(&pool->lock);
    return closed ? cordi_fail(-EPIPE, "the pool was shut down") : 0;
}

static void leave(cord_pool *pool)
{
    hold(&pool->lock);
    if (--pool->maps == 0)
        cord_event_set(&pool->idle);
    cord_lock_release(&pool->lock);
}

/* Time is up or the mapper was cancelled; not when all is done already. */
static void give_up(cord_pool *pool, struct run *run, int rc)
{
    hold(&run->lock);
    bool late = run->left > 0;
    run->left += late;
    cord_lock_release(&run->lock);
    if (!late)
        return;
    finish_piece(run, rc);
    hang_up(pool, run);
}

static int await_done(void *arg)
{
    struct run *run = arg;
    (void)!cord_event_wait(&run->done, CORD_FOREVER);
    hold(&run->lock); /* whoever set it has left */
    cord_lock_release(&run->lock);
    return 0;
}

static int put_pieces(cord_pool *pool, struct run *run, cord_deadline deadline)
{
    size_t size = run->batch.count / ((size_t)pool->how.workers * PIECES_PER_WORKER) + 1;
    int rc = 0;
    for (size_t first = 0; first < run->batch.count && rc == 0 && go_on(run); first += size) {
        struct piece piece = { run, first, run->batch.count - first < size ? run->batch.count - first : size };
        hold(&run->lock);
        run->left++;
        cord_lock_release(&run->lock);
        rc = cord_queue_put(pool->pieces, &piece, deadline);
        if (rc < 0)
            finish_piece(run, rc);
    }
    return rc;
}

static int map(cord_pool *pool, struct run *run, cord_deadline deadline)
{
    struct piece all = { run, 0, run->batch.count };
    run->left = 1;
    if (pool->how.kind == CORD_SERIAL) {
        run_piece(pool, &all, NULL);
    } else {
        (void)put_pieces(pool, run, deadline);
        finish_piece(run, 0);
        int rc = cord_event_wait(&run->done, deadline);
        if (rc < 0)
            give_up(pool, run, rc);
        (void)cord_shield(await_done, run);
    }
    return run->failure < 0 ? cordi_fail(run->failure, "%s", run->sentence) : 0;
}

int cord_pool_map(cord_pool *pool, cord_batch batch, cord_deadline deadline)
{
    struct run run = { .batch = batch };
    int rc = enter(pool);
    if (rc < 0)
        return rc;
    rc = map(pool, &run, deadline);
    leave(pool);
    return rc;
}

int cord_pool_shutdown(cord_pool *pool, cord_deadline deadline)
{
    hold(&pool->lock);
    pool->closed = true;
    cord_lock_release(&pool->lock);
    return cord_event_wait(&pool->idle, deadline);
}

void cord_pool_free(cord_pool *pool)
{
    if (pool == NULL)
        return;
    cord_group_free(pool->workers);
    cord_queue_free(pool->pieces);
    free(pool->children);
    free(pool);
}
