/* bench/sizes.c - what the objects take of the memory of whoever has many of them: `sizes` prints a line of JSON each.
 */
#include <cordage.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

int main(void)
{
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = { { "cord_lock", sizeof(cord_lock) },
                  { "pthread_mutex_t", sizeof(pthread_mutex_t) },
                  { "cord_event", sizeof(cord_event) },
                  { "cord_condition", sizeof(cord_condition) },
                  { "pthread_cond_t", sizeof(pthread_cond_t) },
                  { "cord_sem", sizeof(cord_sem) },
                  { "sem_t", sizeof(sem_t) } };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        printf("{\"case\": \"%s\", \"bytes\": %zu}\n", types[i].name, types[i].bytes);
    return 0;
}
