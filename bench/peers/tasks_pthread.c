/* bench/peers/tasks_pthread.c - the cases of bench/tasks.c by threads; all on one CPU, when it is bound to one. */
#include "../micro.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

static void beside(void *(*fn)(void *), void *(*mine)(void *), long count)
{
    pthread_t other;
    if (pthread_create(&other, NULL, fn, &count) != 0)
        exit(1);
    mine(&count);
    pthread_join(other, NULL);
}

static void *yield_many(void *count)
{
    for (long i = *(long *)count; i > 0; i--)
        sched_yield();
    return NULL;
}

static void yield(long count)
{
    beside(yield_many, yield_many, count / 2);
}

static void *nothing(void *arg)
{
    return arg;
}

static void start(long count)
{
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) != 0)
            exit(1);
        pthread_join(thread, NULL);
    }
}

static sem_t ping, pong;

static void *give(void *count)
{
    for (long i = *(long *)count; i > 0; i--) {
        sem_post(&ping);
        sem_wait(&pong);
    }
    return NULL;
}

static void *answer(void *count)
{
    for (long i = *(long *)count; i > 0; i--) {
        sem_wait(&ping);
        sem_post(&pong);
    }
    return NULL;
}

static void event(long count)
{
    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    beside(answer, give, count / 2);
}

int main(int argc, char **argv)
{
    static const struct micro_case cases[] = {
        { "yield", yield }, { "start", start }, { "event", event }, { NULL, NULL }
    };
    return micro_main(cases, argc, argv);
}
