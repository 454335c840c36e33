/* bench/peers/lock_pthread.c - the cases of bench/lock.c by mutexes of the C library; "robust": one for several
 * processes, which survives the death of its holder. */
#include "../guarded.h"

static void alone(pthread_mutex_t *mutex, long count)
{
    struct guarded guarded = { .left = count };
    for (long i = 0; i < count; i++) {
        pthread_mutex_lock(mutex);
        guarded.done++;
        guarded.left--;
        pthread_mutex_unlock(mutex);
    }
    guarded_check(&guarded, count);
}

static void local(long count)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    alone(&mutex, count);
}

static void robust(long count)
{
    pthread_mutex_t mutex;
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &how);
    alone(&mutex, count);
    pthread_mutex_destroy(&mutex);
}

struct contended {
    _Alignas(64) pthread_mutex_t mutex;
    struct guarded guarded;
};

struct party {
    struct contended *of;
    int number;
};

static void *contend(void *arg)
{
    const struct party *party = arg;
    struct contended *of = party->of;
    int more = 1;
    micro_pin(party->number);
    for (long mine = 0; more; mine++) {
        pthread_mutex_lock(&of->mutex);
        more = guarded_work(&of->guarded, mine);
        pthread_mutex_unlock(&of->mutex);
    }
    return NULL;
}

static void many(int parties, long count)
{
    struct contended of = { .mutex = PTHREAD_MUTEX_INITIALIZER, .guarded.left = count };
    struct party party[4];
    pthread_t threads[4];
    for (int i = 0; i < parties; i++) {
        party[i] = (struct party){ &of, i };
        micro_check(pthread_create(&threads[i], NULL, contend, &party[i]) == 0, "no thread");
    }
    for (int i = 0; i < parties; i++)
        pthread_join(threads[i], NULL);
    guarded_check(&of.guarded, count);
}

static void threads_2(long count)
{
    many(2, count);
}

static void threads_4(long count)
{
    many(4, count);
}

int main(int argc, char **argv)
{
    static const struct micro_case cases[] = {
        { "local", local }, { "robust", robust }, { "threads-2", threads_2 }, { "threads-4", threads_4 }, { NULL, NULL }
    };
    return micro_main(cases, argc, argv);
}
