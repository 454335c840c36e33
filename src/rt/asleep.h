/* rt/asleep.h - all tasks are asleep and nothing can wake them: is that certain?
 *
 * A false alarm would be worse than none, so the question is asked only of the one loop of a process without any other
 * running task, after a quarter of a second in which nothing came; and everything that is not known to be harmless
 * counts as something that may wake a task: each wait but those for what another task does, each thread that is not
 * an idle helper of ours, each handler of a signal. (A loop that has a timer or waits for a descriptor is not asked.)
 *
 * Why nothing is missed: the other threads are counted first. If there are none, whatever they did before is done, so
 * the waits and the inbox, looked at after that, show it; and then nobody is left who could change them.
 */
#ifndef CORDI_RT_ASLEEP_H
#define CORDI_RT_ASLEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cordi_loop;

/* Only what comes from other tasks or from other threads can wake a task of this loop. Never true of several loops. */
bool cordi_asleep_alone(struct cordi_loop *loop);

/* On the loop's thread. own_handlers: the signals that do not count, bit 0 being signal 1. */
bool cordi_asleep_for_ever(struct cordi_loop *loop, uint64_t own_handlers);

/* Logs the tasks, and writes a sentence that names the first of them. */
void cordi_asleep_report(struct cordi_loop *loop, char *sentence, size_t size);

#endif
