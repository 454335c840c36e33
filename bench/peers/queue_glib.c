/* bench/peers/queue_glib.c - the case "threads" of bench/queue.c by a GAsyncQueue. It carries pointers, not NULL, and
 * has no bound: the putter never waits. */
#include "../pair.h"

#include <glib.h>

static GAsyncQueue *queue;

static void put(long count)
{
    for (long i = 0; i < count; i++)
        g_async_queue_push(queue, GSIZE_TO_POINTER(i + 1));
}

static void get(long count)
{
    for (long i = 0; i < count; i++) {
        long item = (long)GPOINTER_TO_SIZE(g_async_queue_pop(queue)) - 1;
        pair_expect(&item, i);
    }
}

static void threads(long count)
{
    queue = g_async_queue_new();
    pair_threads(put, get, count);
    g_async_queue_unref(queue);
}

int main(int argc, char **argv)
{
    static const struct micro_case cases[] = { { "threads", threads }, { NULL, NULL } };
    return micro_main(cases, argc, argv);
}
