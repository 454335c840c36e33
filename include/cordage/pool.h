/* cordage/pool.h - a pool runs many jobs on a few workers, of the kind you choose.
 *
 * A job is bytes in, bytes out: it keeps nothing and gets no pointer of its caller, so that the same job runs in a
 * thread or in another process. Kind process is for jobs that compute on all CPUs or may crash: a worker that dies
 * fails the map it worked for, not the pool, and is replaced. From Python: concurrent.futures' ThreadPoolExecutor.map,
 * ProcessPoolExecutor.map (where one dead worker breaks the whole pool).
 */
#ifndef CORDAGE_POOL_H
#define CORDAGE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <cordage/task.h>

CORD_BEGIN

typedef struct cord_pool cord_pool;

/* One job: reads in, writes out. 0, or -errno: it failed. Runs on a worker; with CORD_SERIAL in the caller. */
typedef int cord_job(const void *in, void *out);

typedef struct {
    uint32_t size;     /* 0: the layout of this version */
    cord_kind kind;    /* 0: CORD_COROUTINE: for jobs that wait, on all loops of the run; CORD_THREAD and CORD_PROCESS
                          compute side by side */
    uint32_t workers;  /* 0: one for each CPU this process may use */
    size_t stack_size; /* of each worker; 0: the kind's default */
} cord_pool_options;

/* Many jobs with one function: count inputs in a row, and room for as many outputs. */
typedef struct {
    cord_job *job;
    const void *in;
    size_t in_size;
    void *out;
    size_t out_size;
    size_t count;
} cord_batch;

/* CORD_BATCH(job, in, out, count): of two arrays (or pointers to their first elements). */
#ifdef __cplusplus
#define CORD_BATCH(job, in, out, count) (cord_batch{ (job), (in), sizeof *(in), (out), sizeof *(out), (count) })
#else
#define CORD_BATCH(job, in, out, count) ((cord_batch){ (job), (in), sizeof *(in), (out), sizeof *(out), (count) })
#endif

/* Starts the workers; a worker's process is forked when its first job comes. Fails: -ENOMEM, -EAGAIN, -EMFILE, -EINVAL
 * (no such kind). */
CORD_API CORD_MUST_CHECK int cord_pool_new(cord_pool **ret, const cord_pool_options *options);

/* Runs all jobs of the batch and waits: 0, or the code of the first that failed, with its sentence; the others are then
 * not begun any more. A worker process that died at a job: -EOWNERDEAD. Several tasks may map at once; out may hold
 * some results after a failure. When time is up, worker processes at its jobs are ended, and jobs that run in this
 * process are waited for, since they write to out.
 * Fails: -ETIMEDOUT, -ECANCELED, -EPIPE (the pool was shut down), and what a job answered. */
CORD_API CORD_MUST_CHECK int cord_pool_map(cord_pool *pool, cord_batch batch, cord_deadline deadline);

/* No further maps; waits for those under way. Then free it. Fails: -ETIMEDOUT, -ECANCELED, -EAGAIN. */
CORD_API CORD_MUST_CHECK int cord_pool_shutdown(cord_pool *pool, cord_deadline deadline);

/* Cancels what runs, ends the workers and waits for them; nobody may map any more. NULL is allowed. */
CORD_API void cord_pool_free(cord_pool *pool);

CORD_END

#endif
