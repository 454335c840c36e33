/* rt/stacks.c - the deepest use of stacks, by place of start; see stacks.h. */
#include "rt/stacks.h"

#include <stdio.h>
#include <string.h>

#include "rt/park.h"
#include "rt/task.h"
#include "sys/place.h"

enum { PLACES = 128 }; /* further ones are counted as the last */

struct place {
    const void *started_at;
    char name[32]; /* of the first task from there */
    unsigned long tasks;
    size_t deepest, size; /* bytes: used by one task, of its stack */
};

static struct {
    _Atomic uint64_t lock; /* spin bit over all of it */
    unsigned count;
    struct place places[PLACES];
} seen;

/* The lowest word in use. Not instrumented: below the running frame there may be marks of a sanitizer. */
__attribute__((no_sanitize("address", "thread"))) static char *lowest(char *low, const char *end)
{
    while (low < end && *(volatile const uint64_t *)(void *)low == 0)
        low += sizeof(uint64_t);
    return low;
}

__attribute__((no_sanitize("address", "thread"))) void cordi_stacks_clear(char *low, char *first)
{
    for (char *at = lowest(low, first); at < first; at += sizeof(uint64_t))
        *(volatile uint64_t *)(void *)at = 0;
}

static struct place *place_of(const struct cord_task *task)
{
    struct place *place = seen.places;
    while (place < seen.places + seen.count && place->started_at != task->started_at)
        place++;
    if (place == seen.places + PLACES)
        return place - 1;
    if (place == seen.places + seen.count) {
        seen.count++;
        *place = (struct place){ .started_at = task->started_at };
        memcpy(place->name, cord_task_name(task), sizeof place->name);
    }
    return place;
}

void cordi_stacks_note(const struct cord_task *task)
{
    char *end = task->stack.low + task->stack.usable;
    size_t used = (size_t)(end - lowest(task->stack.low, end));
    cordi_spin_lock(&seen.lock, 1);
    struct place *place = place_of(task);
    place->tasks++;
    if (used > place->deepest) {
        place->deepest = used;
        place->size = task->stack.usable;
    }
    cordi_spin_unlock(&seen.lock, 1);
}

/* "65,536" */
static const char *grouped(char text[32], size_t number)
{
    char *at = text + 31;
    *at = '\0';
    for (int digits = 0; digits == 0 || number > 0; number /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + number % 10);
        digits++;
    }
    return at;
}

void cordi_stacks_report(void)
{
    for (unsigned i = 0;; i++) {
        char where[256], tasks[32], deepest[32], size[32];
        cordi_spin_lock(&seen.lock, 1);
        struct place place = seen.places[i % PLACES];
        bool last = i >= seen.count;
        if (last)
            seen.count = 0;
        cordi_spin_unlock(&seen.lock, 1);
        if (last)
            return;
        cordi_place_text(where, sizeof where, place.started_at);
        cordi_log("stacks: %s (started at %s): %s task%s, deepest %s of %s bytes", place.name, where,
                  grouped(tasks, place.tasks), place.tasks == 1 ? "" : "s", grouped(deepest, place.deepest),
                  grouped(size, place.size));
    }
}

void cordi_stacks_after_fork(void)
{
    atomic_store(&seen.lock, 0);
    seen.count = 0;
}
