/* rt/local.c - values local to a task: a list hung on its block, which nobody but the task itself touches.
 *
 * A task has few of them, so it looks through the list: the first one costs a load and a comparison. A table by a
 * number given to each key was rejected: every task would pay for the keys of all.
 * While a value's `end` runs the value is still in the list, so that a call from there finds it and not a new one.
 */
#include <cordage/local.h>

#include <stdlib.h>
#include <string.h>

#include "rt/task.h"

struct cordi_local {
    struct cordi_local *next; /* older ones */
    const cord_task_local *key;
    bool ending;
    _Alignas(max_align_t) char value[];
};

void *cord_task_local_get(const cord_task_local *key)
{
    struct cord_task *self = cordi_task_self();
    struct cordi_local *local = self->locals;
    while (local != NULL && local->key != key)
        local = local->next;
    if (local == NULL) {
        if ((local = calloc(1, sizeof *local + key->size)) == NULL)
            return NULL;
        local->key = key;
        local->next = self->locals;
        self->locals = local;
    }
    return local->value;
}

/* The newest first. What an `end` asks for that is there no more is made anew, in front, and ended in its turn. */
static void end_all(struct cord_task *self)
{
    struct cordi_local *local;
    while ((local = self->locals) != NULL)
        if (local->key->end != NULL && !local->ending) {
            local->ending = true;
            (void)local->key->end(local->value);
        } else {
            self->locals = local->next;
            free(local);
        }
}

/* The sentence of the task's own failure stays. */
void cordi_locals_end(struct cord_task *self)
{
    char detail[sizeof self->detail];
    int code = self->detail_code;
    memcpy(detail, self->detail, sizeof detail);
    end_all(self);
    memcpy(self->detail, detail, sizeof detail);
    self->detail_code = code;
}
