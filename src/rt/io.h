/* rt/io.h - waiting for descriptors: what net sees of the loops.
 *
 * A cordi_io is a slot of one table: a descriptor, a generation, who waits. A socket handle is {slot, generation}, so
 * that a handle of a closed socket finds nothing. Calls under way are counted in the slot's word (handle.h); closing
 * wakes the waiters and waits for the last one to leave before the descriptor is closed.
 *
 * Each direction has a turn: the calls of several tasks are served first come, first served, and one call's pieces
 * are never mixed with another's. Each verb tries at once without blocking, and waits for readiness when it must: a
 * coroutine in its loop's backend, a thread in poll(2) together with the descriptor it is woken by.
 * All answers as socket.h says; what net adds is the sentence.
 */
#ifndef CORDI_RT_IO_H
#define CORDI_RT_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cordage/time.h>

struct cordi_io;
struct cordi_waiter;

enum cordi_direction { CORDI_READ = 0, CORDI_WRITE = 1 };

/* Takes a slot for own_fd (closed on failure) and gives its handle. Fails: -ENOMEM, -EBADF. */
int cordi_io_open(uint64_t *ret, int own_fd);

/* One more user of the slot, or NULL when the handle is stale; put before the call returns to its caller. */
struct cordi_io *cordi_io_get(uint64_t handle);
void cordi_io_put(struct cordi_io *io);

/* Closes: waiters answer -EBADF, waits for the last user, uncancellably. The caller then owns the descriptor (answer
 * >= 0) and what was hung on the slot (*data). -EBADF for a stale handle. */
int cordi_io_close(uint64_t handle, void **data);

int cordi_io_fd(const struct cordi_io *io);
bool cordi_io_is_socket(const struct cordi_io *io); /* else a pipe, terminal or file: read(2) and write(2) */

/* What net hangs on the slot; set it before the handle is given out. */
void *cordi_io_data(const struct cordi_io *io);
void cordi_io_data_set(struct cordi_io *io, void *data);

/* Waits for the calling task's turn in one direction, and gives it on. The verbs below are made within a turn.
 * Fails: -EAGAIN, -ETIMEDOUT, -ECANCELED, -EBADF. */
int cordi_io_turn(struct cordi_io *io, enum cordi_direction direction, cord_deadline deadline);
void cordi_io_turn_end(struct cordi_io *io, enum cordi_direction direction);

/* One recvmsg(2), sendmsg(2), accept4(2) that waits; flags as theirs (MSG_DONTWAIT, MSG_NOSIGNAL are added). The
 * same for several datagrams: waits for one, then takes or sends as many as it can; how many. recvmmsg: 0 when reading
 * was shut down. */
ssize_t cordi_io_recvmsg(struct cordi_io *io, struct msghdr *message, int flags, cord_deadline deadline);
ssize_t cordi_io_sendmsg(struct cordi_io *io, const struct msghdr *message, int flags, cord_deadline deadline);
int cordi_io_recvmmsg(struct cordi_io *io, struct mmsghdr *list, unsigned count, cord_deadline deadline);
int cordi_io_sendmmsg(struct cordi_io *io, struct mmsghdr *list, unsigned count, cord_deadline deadline);
int cordi_io_accept(struct cordi_io *io, struct sockaddr *peer, socklen_t *length, cord_deadline deadline);

/* connect(2) begun: 0 when done, -EINPROGRESS when under way (then wait for CORDI_WRITE and look at SO_ERROR). */
int cordi_io_connect(struct cordi_io *io, const struct sockaddr *to, socklen_t length);

/* Waits until the descriptor is ready; a hint: another task may be faster. */
int cordi_io_wait(struct cordi_io *io, enum cordi_direction direction, cord_deadline deadline);

enum { CORDI_IO_ANY = 8 };

/* Waits until one of several (at most CORDI_IO_ANY) is; its index. All turns must be the caller's. */
int cordi_io_wait_any(struct cordi_io *const *ios, int count, enum cordi_direction direction, cord_deadline deadline);

/* For select, a wait at several things that was begun elsewhere (park.h). None of them waits, leaves a sentence or
 * claims the wait: the caller does (cordi_wait_claim()) when he is answered something else than -EAGAIN.
 *
 * turn_list: 0: the turn is the caller's at once. -EAGAIN: the node is listed; when it is claimed the turn is the
 * caller's, or, if node->item is set then, the socket is being closed. look, within the turn: 0: ready. list, after a
 * look that found nothing: 0: look again. -EAGAIN: the node is listed, and claimed when it is worth to look again.
 * Fail: -EBADF (closed), list also -ENOSPC: the kernel has no room for it at present. unlist: harmless for a node that
 * is not listed. */
int cordi_io_turn_list(struct cordi_io *io, enum cordi_direction direction, struct cordi_waiter *node);
void cordi_io_turn_unlist(struct cordi_io *io, struct cordi_waiter *node);
int cordi_io_look(struct cordi_io *io, enum cordi_direction direction);
int cordi_io_list(struct cordi_io *io, enum cordi_direction direction, struct cordi_waiter *node);
void cordi_io_unlist(struct cordi_io *io, enum cordi_direction direction, struct cordi_waiter *node);

struct cordi_io_watch {
    struct cordi_io *io;
    enum cordi_direction direction;
};

enum { CORDI_IO_WATCHES = 16 };

/* As cordi_park(), when nodes of the wait are listed at descriptors (count > 0); 1: one of these is ready, and nobody
 * has claimed the wait. */
int cordi_io_park(const struct cordi_io_watch *watches, unsigned count, cord_deadline deadline);

/* For the loops: one ends, and its registrations with it; a process was forked, and has no waiters but its own. */
struct cordi_loop;
void cordi_io_loop_ends(const struct cordi_loop *loop);
void cordi_io_before_fork(void);
void cordi_io_after_fork(bool child);

#endif
