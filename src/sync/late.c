/* sync/late.c - the list of what signal handlers have asked for in the middle of a section of their thread.
 *
 * The objects hang on the thread's list by a word of their own: what comes next, or 0: in no list. A handler may come
 * in the middle of another one of the same thread, and other threads have handlers too: so an object enters a list by
 * exchanging that word, and who finds it entered leaves it there, since the end of that section does for both. (Of
 * permits the count was added before.) It has left the list before it is set: who asks then enters it anew.
 *
 * To set it from a helper thread was rejected: there would have to be one from the start.
 */
#include "sync/late.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "rt/park.h"

#define IS_SEM ((uint64_t)1) /* in a link: what it leads to */
#define LAST ((uint64_t)2)   /* the end of a list */

/* A link leads to the word of the next object. */
static _Atomic uint64_t *word_at(uint64_t link)
{
    return (_Atomic uint64_t *)(uintptr_t)(link & ~(IS_SEM | LAST));
}

/* At the end of a section; its own sections are over, or begin and end anew. */
static void finish(uint64_t link)
{
    while (link != LAST) {
        _Atomic uint64_t *word = word_at(link);
        bool is_sem = (link & IS_SEM) != 0;
        link = atomic_exchange(word, 0);
        if (is_sem) {
            cord_sem *sem = (cord_sem *)(void *)((char *)word - offsetof(cord_sem, late));
            uint64_t count = atomic_exchange((_Atomic uint64_t *)&sem->late_count, 0);
            if (count > 0 && cord_sem_release(sem, (uint32_t)count) < 0)
                cordi_log("%s", cordi_detail(-EOVERFLOW));
        } else
            cord_event_set((cord_event *)(void *)((char *)word - offsetof(cord_event, changes)));
    }
}

static void postpone(_Atomic uint64_t *word, uint64_t sort)
{
    uint64_t outside = 0, next = atomic_load(&cordi_section.late);
    if (!atomic_compare_exchange_strong(word, &outside, LAST))
        return;
    cordi_section.finish = finish;
    do
        atomic_store(word, next != 0 ? next : LAST);
    while (!atomic_compare_exchange_weak(&cordi_section.late, &next, (uint64_t)(uintptr_t)word | sort));
}

void cordi_late_set(cord_event *event)
{
    postpone((_Atomic uint64_t *)&event->changes, 0);
}

void cordi_late_release(cord_sem *sem, uint32_t count)
{
    atomic_fetch_add((_Atomic uint64_t *)&sem->late_count, count);
    postpone((_Atomic uint64_t *)&sem->late, IS_SEM);
}
