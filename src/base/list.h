/* base/list.h - a doubly linked ring with its links inside the items. A list is an item that stands for the ring;
 * an item in no list is linked to itself, so that unlinking twice is harmless. */
#ifndef CORDI_BASE_LIST_H
#define CORDI_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct cordi_list {
    struct cordi_list *next, *prev;
};

#define CORDI_ITEM(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void cordi_list_init(struct cordi_list *list)
{
    list->next = list->prev = list;
}

static inline bool cordi_list_empty(const struct cordi_list *list)
{
    return list->next == list;
}

static inline void cordi_list_append(struct cordi_list *list, struct cordi_list *item)
{
    item->prev = list->prev;
    item->next = list;
    list->prev->next = item;
    list->prev = item;
}

static inline void cordi_list_prepend(struct cordi_list *list, struct cordi_list *item)
{
    cordi_list_append(list->next, item);
}

static inline void cordi_list_remove(struct cordi_list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    cordi_list_init(item);
}

/* The first item, unlinked; NULL of an empty list. */
static inline struct cordi_list *cordi_list_take(struct cordi_list *list)
{
    struct cordi_list *item = list->next;
    if (item == list)
        return NULL;
    list->next = item->next;
    item->next->prev = list;
    cordi_list_init(item);
    return item;
}

/* The same for an item that nobody removes again: its own links stay as they are. */
static inline struct cordi_list *cordi_list_pop(struct cordi_list *list)
{
    struct cordi_list *item = list->next;
    if (item == list)
        return NULL;
    list->next = item->next;
    item->next->prev = list;
    return item;
}

/* Moves all of `from` behind what is in `to`. */
static inline void cordi_list_move(struct cordi_list *to, struct cordi_list *from)
{
    if (cordi_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    cordi_list_init(from);
}

#endif
