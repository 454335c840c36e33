/* bench/peers/queue_pthread.c - the case "threads" of bench/queue.c as the text book has it: a ring, a mutex and two
 * conditions. */
#include "../pair.h"

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t items, room;
    long first, count, item[PAIR_ROOM];
} ring = { .mutex = PTHREAD_MUTEX_INITIALIZER, .items = PTHREAD_COND_INITIALIZER, .room = PTHREAD_COND_INITIALIZER };

static void put(long count)
{
    for (long i = 0; i < count; i++) {
        pthread_mutex_lock(&ring.mutex);
        while (ring.count == PAIR_ROOM)
            pthread_cond_wait(&ring.room, &ring.mutex);
        ring.item[(ring.first + ring.count++) % PAIR_ROOM] = i;
        pthread_cond_signal(&ring.items);
        pthread_mutex_unlock(&ring.mutex);
    }
}

static void get(long count)
{
    for (long i = 0; i < count; i++) {
        pthread_mutex_lock(&ring.mutex);
        while (ring.count == 0)
            pthread_cond_wait(&ring.items, &ring.mutex);
        long item = ring.item[ring.first];
        ring.first = (ring.first + 1) % PAIR_ROOM;
        ring.count--;
        pthread_cond_signal(&ring.room);
        pthread_mutex_unlock(&ring.mutex);
        pair_expect(&item, i);
    }
}

static void threads(long count)
{
    pair_threads(put, get, count);
}

int main(int argc, char **argv)
{
    static const struct micro_case cases[] = { { "threads", threads }, { NULL, NULL } };
    return micro_main(cases, argc, argv);
}
