/* bench/queue_raw.c - the yardsticks of bench/queue.c: `queue_raw CASE [SECONDS]`.
 *
 *   threads, processes-8, processes-256  a ring for any number of putters and getters: each cell has a turn, which says
 *                                        for whom it is ready. One compare-and-swap and one line of the cache an item
 *   messages                             1 MiB copied in and out, by one thread: the least that a queue does
 *   messages-apart                       the same by two processes, the second of which reads what the other CPU wrote
 *
 * Who finds a ring full or empty looks again for a moment and then sleeps on a futex, the bell, whose bit 0 says that
 * somebody sleeps there. No deadline, no cancelling, no end, and whoever dies takes the ring with him.
 */
#include "pair.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define INLINE static inline __attribute__((always_inline)) /* so that the size of an item is a constant */

enum { LOOKS = 100 }; /* a few microseconds; a wake-up takes more */

struct ring {
    _Alignas(64) _Atomic uint64_t put;
    _Alignas(64) _Atomic uint64_t taken;
    _Alignas(64) _Atomic uint32_t items; /* bells */
    _Atomic uint32_t room;
    _Alignas(64) char cells[];
};

static struct ring *ring;

INLINE _Atomic uint64_t *turn_of(uint64_t at, size_t size)
{
    return (_Atomic uint64_t *)(void *)(ring->cells + at % PAIR_ROOM * (sizeof(uint64_t) + size));
}

/* Makes a place of this counter the caller's, once its cell has the turn at + late. */
INLINE _Atomic uint64_t *claim(_Atomic uint64_t *counter, uint64_t late, size_t size, uint64_t *place)
{
    uint64_t at = atomic_load_explicit(counter, memory_order_relaxed);
    for (;;) {
        _Atomic uint64_t *turn = turn_of(at, size);
        int64_t ahead = (int64_t)(atomic_load_explicit(turn, memory_order_acquire) - at - late);
        if (ahead < 0)
            return NULL;
        if (ahead > 0)
            at = atomic_load_explicit(counter, memory_order_relaxed);
        else if (atomic_compare_exchange_weak_explicit(counter, &at, at + 1, memory_order_relaxed,
                                                       memory_order_relaxed)) {
            *place = at;
            return turn;
        }
    }
}

INLINE bool try_put(const void *item, size_t size)
{
    uint64_t at;
    _Atomic uint64_t *turn = claim(&ring->put, 0, size, &at);
    if (turn == NULL)
        return false;
    memcpy((void *)(turn + 1), item, size);
    atomic_store_explicit(turn, at + 1, memory_order_release);
    return true;
}

INLINE bool try_get(void *item, size_t size)
{
    uint64_t at;
    _Atomic uint64_t *turn = claim(&ring->taken, 1, size, &at);
    if (turn == NULL)
        return false;
    memcpy(item, (const void *)(turn + 1), size);
    atomic_store_explicit(turn, at + PAIR_ROOM, memory_order_release);
    return true;
}

/* ---- the ends sleep ---- */

static void rest(void)
{
#if defined __x86_64__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

INLINE void transfer(void *item, size_t size, bool put)
{
    _Atomic uint32_t *mine = put ? &ring->room : &ring->items, *other = put ? &ring->items : &ring->room;
    for (int looks = 0; !(put ? try_put(item, size) : try_get(item, size)); looks++) {
        if (looks < LOOKS) {
            rest();
            continue;
        }
        uint32_t heard = atomic_fetch_or(mine, 1) | 1;
        if (put ? try_put(item, size) : try_get(item, size))
            break;
        syscall(SYS_futex, mine, FUTEX_WAIT, heard, NULL, NULL, 0);
    }
    atomic_thread_fence(memory_order_seq_cst); /* the item before the look whether somebody sleeps */
    if (atomic_load_explicit(other, memory_order_relaxed) & 1) {
        atomic_fetch_add(other, 1);
        syscall(SYS_futex, other, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
}

INLINE void put_all(long count, size_t size)
{
    char item[PAIR_LARGE] = { 0 };
    for (long i = 0; i < count; i++) {
        pair_number(item, i);
        transfer(item, size, true);
    }
}

INLINE void get_all(long count, size_t size)
{
    char item[PAIR_LARGE];
    for (long i = 0; i < count; i++) {
        transfer(item, size, false);
        pair_expect(item, i);
    }
}

static void put_8(long count)
{
    put_all(count, PAIR_SMALL);
}

static void get_8(long count)
{
    get_all(count, PAIR_SMALL);
}

static void put_256(long count)
{
    put_all(count, PAIR_LARGE);
}

static void get_256(long count)
{
    get_all(count, PAIR_LARGE);
}

/* ---- the cases ---- */

static void *room(size_t size)
{
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    micro_check(made != MAP_FAILED, "no memory");
    return made;
}

typedef void ends(pair_fn *put, pair_fn *get, long count);

static void run(ends *two, pair_fn *put, pair_fn *get, size_t size, long count)
{
    size_t bytes = sizeof *ring + PAIR_ROOM * (sizeof(uint64_t) + size);
    ring = room(bytes);
    for (uint64_t i = 0; i < PAIR_ROOM; i++)
        *turn_of(i, size) = i;
    two(put, get, count);
    munmap(ring, bytes);
}

static void threads(long count)
{
    run(pair_threads, put_8, get_8, PAIR_SMALL, count);
}

static void processes_8(long count)
{
    run(pair_processes, put_8, get_8, PAIR_SMALL, count);
}

static void processes_256(long count)
{
    run(pair_processes, put_256, get_256, PAIR_LARGE, count);
}

enum { MESSAGE = 1 << 20, MESSAGES = 4 }; /* as many as the queue has room for, so that each is as cold as there */

static void number_ends(char *message, long i)
{
    pair_number(message, i);
    pair_number(message + MESSAGE - PAIR_SMALL, i);
}

static void expect_ends(const char *message, long i)
{
    pair_expect(message, i);
    pair_expect(message + MESSAGE - PAIR_SMALL, i);
}

static char *own_message(void)
{
    char *message = calloc(1, MESSAGE);
    micro_check(message != NULL, "no memory");
    return message;
}

static void messages(long count)
{
    char *in = own_message(), *out = own_message(), *between = room(MESSAGES * MESSAGE);
    for (long i = 0; i < count; i++) {
        char *slot = between + i % MESSAGES * MESSAGE;
        number_ends(in, i);
        memcpy(slot, in, MESSAGE);
        memcpy(out, slot, MESSAGE);
        expect_ends(out, i);
    }
    munmap(between, MESSAGES * MESSAGE);
    free(in);
    free(out);
}

/* ring->put and ring->taken count; both ends look all the time. */
static void put_messages(long count)
{
    char *in = own_message();
    for (long i = 0; i < count; i++) {
        number_ends(in, i);
        while (atomic_load_explicit(&ring->taken, memory_order_acquire) + MESSAGES == (uint64_t)i)
            rest();
        memcpy(ring->cells + i % MESSAGES * MESSAGE, in, MESSAGE);
        atomic_store_explicit(&ring->put, (uint64_t)i + 1, memory_order_release);
    }
    free(in);
}

static void get_messages(long count)
{
    char *out = own_message();
    for (long i = 0; i < count; i++) {
        while (atomic_load_explicit(&ring->put, memory_order_acquire) == (uint64_t)i)
            rest();
        memcpy(out, ring->cells + i % MESSAGES * MESSAGE, MESSAGE);
        atomic_store_explicit(&ring->taken, (uint64_t)i + 1, memory_order_release);
        expect_ends(out, i);
    }
    free(out);
}

static void messages_apart(long count)
{
    ring = room(sizeof *ring + MESSAGES * MESSAGE);
    pair_processes(put_messages, get_messages, count);
    munmap(ring, sizeof *ring + MESSAGES * MESSAGE);
}

int main(int argc, char **argv)
{
    static const struct micro_case cases[] = {
        { "threads", threads },   { "processes-8", processes_8 },       { "processes-256", processes_256 },
        { "messages", messages }, { "messages-apart", messages_apart }, { NULL, NULL }
    };
    return micro_main(cases, argc, argv);
}
