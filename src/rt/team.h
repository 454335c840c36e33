/* rt/team.h - the several loops of one cord_run(), and the tasks that any of them may begin.
 *
 * A coroutine that was started for CORD_LOOP_ANY waits in one queue of its run, under a spin bit, and the loop that
 * takes it resumes it at once: so it is bound to a loop when it first runs and no earlier, and no loop keeps others
 * from a task that it has no time for. A loop with less than its equal share of such tasks takes some in each turn, one
 * by one; one that has its share and nothing to do takes what has waited for a millisecond. That is all the balancing:
 * connections, which live long, end up evenly spread, and behind a loop that computes nothing waits for long. A start
 * wakes at most one loop, the one with the least among those asleep.
 *
 * A queue for each loop with stealing was rejected: it is more to go through when a loop looks for work, and pays where
 * starts are so frequent that one spin bit is too narrow. Counting who is busy was rejected for placing: the loop that
 * accepts connections is always the busy one, and would keep none.
 */
#ifndef CORDI_RT_TEAM_H
#define CORDI_RT_TEAM_H

#include <stdbool.h>
#include <stdint.h>

struct cord_task;
struct cordi_loop;
struct cordi_team;

enum { CORDI_TEAM_MOST = 256 };

/* Opens count - 1 further loops, each on a thread of its own, beside `first`, which is the calling thread's. visit is
 * what cordi_team_visit() asks for. -ENOMEM, -EAGAIN, -EMFILE */
int cordi_team_open(struct cordi_team **ret, struct cordi_loop *first, unsigned count,
                    void (*visit)(struct cordi_loop *loop, void *arg), void *arg);
void cordi_team_close(struct cordi_team *team); /* no coroutine is alive; joins the threads */

/* Each further loop soon calls visit(loop, arg), on its thread between two coroutines. From the first loop's thread. */
void cordi_team_visit(struct cordi_team *team);

/* Loop number i, the first being 0; NULL: there are no more. */
struct cordi_loop *cordi_team_loop(struct cordi_team *team, unsigned i);

/* A coroutine that was not started yet, from a task of the team's. */
void cordi_team_put(struct cordi_team *team, struct cord_task *task);

bool cordi_team_waits(const struct cordi_team *team); /* there are some */

/* Makes one that waits the next that `loop` resumes, if it may take one. */
bool cordi_team_take(struct cordi_loop *loop);

/* One that was taken has ended on the loop. */
void cordi_team_ended(struct cordi_loop *loop);

/* How long the loop may sleep without looking, as it has nothing to do: ns, < 0 for ever. To be asked after the loop
 * has said that it is asleep. */
int64_t cordi_team_patience(const struct cordi_loop *loop);

/* Those that wait, under a spin bit. */
void cordi_team_each(struct cordi_team *team, void (*visit)(struct cord_task *, void *), void *arg);

/* How many were taken by a loop since the beginning. */
uint64_t cordi_team_begun(struct cordi_team *team);

/* How many were put since the beginning; *none: at this moment none waits. For the end of a run. */
uint64_t cordi_team_puts(struct cordi_team *team, bool *none);

#endif
