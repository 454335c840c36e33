/* rt/debug.c - CORD_DEBUG; see debug.h. */
#include "rt/debug.h"

#include <stdlib.h>
#include <string.h>

#include "rt/dump.h"
#include "rt/loop.h"
#include "rt/task.h"
#include "sys/clock.h"
#include "sys/place.h"

static const int64_t LONG_TURN = 100 * CORD_MILLISECOND;

static const char *const choices[] = { "dump", "turns", "stacks" }; /* in the order of the bits */
enum { CHOICES = sizeof choices / sizeof *choices };

enum { TAKES = 1024 };

/* By the lock's address; a lock that falls on another one's place takes it. So nothing grows, and a lock may go without
 * a word. */
struct cordi_takes {
    _Atomic uint64_t lock; /* spin bit over the rest */
    struct take {
        const uint64_t *owner;
        const void *at;
        char name[32];
    } last[TAKES];
};

static uint32_t parse(const char *text)
{
    uint32_t asked = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        int choice = 0;
        while (choice < CHOICES && (strlen(choices[choice]) != length || memcmp(text, choices[choice], length) != 0))
            choice++;
        if (choice < CHOICES)
            asked |= (uint32_t)1 << choice;
        else if (length > 0)
            cordi_log("CORD_DEBUG: \"%.*s\" is unknown; choose dump, turns or stacks, with commas between",
                      length < 40 ? (int)length : 40, text);
        text += length + (text[length] == ',');
    }
    return asked;
}

void cordi_debug_start(void)
{
    const char *text = getenv("CORD_DEBUG");
    if (text != NULL)
        atomic_store_explicit(&cordi_runtime.debug, parse(text), memory_order_relaxed);
    if (cordi_debug(CORDI_DEBUG_DUMP)) {
        cordi_runtime.takes = calloc(1, sizeof *cordi_runtime.takes);
        cordi_dump_start();
    }
}

/* --- waits --- */

/* The note comes before the wait itself: who sees the wait sees its note. */
void cordi_debug_wait_begins(struct cord_task *self)
{
    atomic_store(&self->note.since, cordi_clock_now());
    atomic_store(&self->note.fd, -1);
    atomic_store(&self->note.lock, NULL);
}

void cordi_debug_wait_fd(struct cord_task *self, int fd)
{
    atomic_store(&self->note.fd, fd);
}

/* --- who took a lock --- */

static struct take *place_of(struct cordi_takes *takes, const uint64_t *owner)
{
    return &takes->last[((uintptr_t)owner >> 4) % TAKES];
}

void cordi_debug_lock_taken(const uint64_t *owner, const void *taken_at)
{
    struct cordi_takes *takes = cordi_runtime.takes;
    const char *name = cord_task_name(cordi_self());
    if (takes == NULL)
        return;
    struct take *take = place_of(takes, owner);
    cordi_spin_lock(&takes->lock, 1);
    take->owner = owner;
    take->at = taken_at;
    memcpy(take->name, name, sizeof take->name);
    cordi_spin_unlock(&takes->lock, 1);
}

void cordi_debug_holder(const uint64_t *owner, char name[32], const void **taken_at)
{
    struct cordi_takes *takes = cordi_runtime.takes;
    if (takes == NULL)
        return;
    const struct take *take = place_of(takes, owner);
    cordi_spin_lock(&takes->lock, 1);
    if (take->owner == owner) {
        memcpy(name, take->name, sizeof take->name);
        *taken_at = take->at;
    }
    cordi_spin_unlock(&takes->lock, 1);
}

void cordi_debug_after_fork(void)
{
    if (cordi_runtime.takes != NULL)
        atomic_store(&cordi_runtime.takes->lock, 0); /* a thread that is not here may have held it */
}

/* --- turns --- */

void cordi_debug_turn_begins(struct cordi_loop *loop, const struct cord_task *task)
{
    struct cordi_loop_debug *debug = &loop->debug;
    debug->budget = loop->budget;
    loop->budget = 0;
    cordi_spin_lock(&debug->lock, 1);
    memcpy(debug->name, cord_task_name(task), sizeof debug->name);
    debug->started_at = task->started_at;
    debug->begun = cordi_clock_now();
    cordi_spin_unlock(&debug->lock, 1);
}

static void report_turn(const struct cordi_loop *loop, int64_t length)
{
    char place[256];
    cordi_place_text(place, sizeof place, loop->debug.started_at);
    cordi_log("task \"%s\" ran for %lld ms without waiting, and the other coroutines of loop %u stood still; it was "
              "started at %s. Computing and calls that block belong in a thread (CORD_THREAD, cord_call_blocking)",
              loop->debug.name, (long long)(length / CORD_MILLISECOND), loop->id, place);
}

void cordi_debug_turn_ends(struct cordi_loop *loop)
{
    struct cordi_loop_debug *debug = &loop->debug;
    int64_t length = cordi_clock_now() - debug->begun;
    loop->budget = debug->budget;
    cordi_spin_lock(&debug->lock, 1);
    debug->begun = 0;
    cordi_spin_unlock(&debug->lock, 1);
    if (length >= LONG_TURN && cordi_debug(CORDI_DEBUG_TURNS))
        report_turn(loop, length);
}
