/* sys/stack.c - slabs, guards, free lists and the caches of loops; the design is in stack.h.
 *
 * One lock for the pool, held for some list steps or the making of a slab; guards and trimming are done outside it, by
 * whoever holds the stack. Each class has three lists of free stacks, taken from in this order: `recent` and `old`,
 * which keep their memory, and `cold`, which gave it back. Each second `recent` becomes `old`, once what was left in
 * `old` is trimmed: so what is trimmed was not needed for a whole second, however many stacks come and go meanwhile.
 */
#include "sys/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/ctx.h"
#include "sys/fd.h"

#if CORDI_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_MAKE_MEM_UNDEFINED(low, size) 0
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    CLASSES = 8, /* 64 KiB << 0 .. 7 */
    SLAB_BYTES = 64 << 20,
    CACHE = 64,         /* stacks that a loop's cache holds at most */
    BATCH = CACHE / 2,  /* that it takes from the pool, or gives to it */
    TRIM = 64,          /* stacks trimmed at a time: some 20 us */
    WARM = 256,         /* free stacks that may keep their memory when a loop ends */
    HIGH_WATER = 16384, /* free stacks from which on a busy loop trims too, and not only an idle one */
    MAP_COUNT = 65530   /* the kernel's default of vm.max_map_count */
};
static const int64_t AGE = 1000000000; /* ns, until stacks are old */

struct slab {
    struct slab *older; /* of the class: none is ever given back */
    char *base;
    size_t usable;  /* of each stack */
    uint32_t count; /* stacks in it */
    bool under_valgrind;
    bool can_advise; /* MADV_GUARD_INSTALL works here */
    struct cordi_stack_slot *slots;
};

struct cordi_stack_slot {
    struct cordi_stack_slot *next; /* in a free list: under the lock, or the owner's of the cache */
    struct slab *slab;
    uint32_t index; /* in the slab */
    bool guarded;   /* written by the holder of the stack */
};

struct size_class {
    struct cordi_stack_slot *recent, *old, *cold; /* free stacks; see the top */
    struct slab *slab;                            /* the newest; older ones are used up */
    uint32_t fresh;                               /* the first of its slots that was never used */
};

static struct {
    pthread_mutex_t lock;
    struct size_class classes[CLASSES];
    atomic_long protects; /* guards that mprotect may still make; 0 before it is known, -1 when used up */
    atomic_long spare;    /* stacks in `recent` and `old`; written under the lock */
    int64_t aged;         /* when `recent` last became `old` */
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* True when the kernel faults on reading the guard. Without a descriptor to try it with, it is taken as broken. */
static bool guard_works(const char *guard)
{
    int event = cordi_fd_event();
    if (event < 0)
        return false;
    bool fault = cordi_fd_write(event, guard, sizeof(uint64_t)) == -EFAULT;
    cordi_fd_close(event);
    return fault;
}

static long map_count_max(void)
{
    char text[24] = { 0 };
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return MAP_COUNT;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 ? strtol(text, NULL, 10) : MAP_COUNT;
}

/* One guard by mprotect, while there are mappings to spare for it. */
static bool guard_by_protect(char *guard)
{
    long left = atomic_load(&pool.protects);
    if (left == 0) {
        long known = map_count_max() / 4;
        atomic_compare_exchange_strong(&pool.protects, &left, known > 0 ? known : -1);
    }
    left = atomic_load(&pool.protects);
    while (left > 0)
        if (atomic_compare_exchange_weak(&pool.protects, &left, left > 1 ? left - 1 : -1))
            return mprotect(guard, CORDI_STACK_GUARD, PROT_NONE) == 0;
    return false;
}

static char *map(size_t size)
{
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    madvise(base, size, MADV_NOHUGEPAGE); /* fails where there are no huge pages */
    return base;
}

/* A slab, smaller when address space is short; NULL when not even one stack fits. */
static struct slab *slab_new(size_t usable)
{
    size_t stride = usable + CORDI_STACK_GUARD, count = SLAB_BYTES / stride;
    char *base = map(count * stride);
    while (base == NULL && count > 1) {
        count /= 2;
        base = map(count * stride);
    }
    if (base == NULL)
        return NULL;
    struct slab *slab = calloc(1, sizeof *slab + count * sizeof slab->slots[0]);
    if (slab == NULL) {
        munmap(base, count * stride);
        return NULL;
    }
    slab->base = base;
    slab->usable = usable;
    slab->count = (uint32_t)count;
    slab->slots = (struct cordi_stack_slot *)(slab + 1);
    slab->under_valgrind = RUNNING_ON_VALGRIND != 0;
    slab->can_advise = madvise(base, CORDI_STACK_GUARD, MADV_GUARD_INSTALL) == 0 && guard_works(base);
    slab->slots[0].guarded = slab->can_advise;
    return slab;
}

/* Under the lock, as what follows. */
static struct cordi_stack_slot *take_fresh(struct size_class *class, size_t usable)
{
    if (class->slab == NULL || class->fresh == class->slab->count) {
        struct slab *slab = slab_new(usable);
        if (slab == NULL)
            return NULL;
        slab->older = class->slab;
        class->slab = slab;
        class->fresh = 0;
    }
    struct cordi_stack_slot *slot = &class->slab->slots[class->fresh];
    slot->slab = class->slab;
    slot->index = class->fresh++;
    return slot;
}

static struct cordi_stack_slot *take(struct size_class *class, size_t usable)
{
    struct cordi_stack_slot **list = class->recent != NULL ? &class->recent : class->old != NULL ? &class->old : NULL;
    if (list != NULL)
        atomic_fetch_sub_explicit(&pool.spare, 1, memory_order_relaxed);
    else if (class->cold != NULL)
        list = &class->cold;
    else
        return take_fresh(class, usable);
    struct cordi_stack_slot *slot = *list;
    *list = slot->next;
    return slot;
}

static void fill(struct cordi_stack *ret, char *low, size_t usable, size_t colour)
{
    ret->low = low;
    ret->usable = usable;
    ret->top = low + usable - (colour * 320 & 960);
#if CORDI_ASAN
    __lsan_register_root_region(low, usable); /* it holds pointers to what tasks own */
#endif
}

static int get_mapping(struct cordi_stack *ret, size_t usable)
{
    if (usable > SIZE_MAX / 4)
        return -ENOMEM;
    usable = (usable + CORDI_STACK_GUARD - 1) / CORDI_STACK_GUARD * CORDI_STACK_GUARD; /* whole pages, of any size */
    char *base = map(usable + CORDI_STACK_GUARD);
    if (base == NULL)
        return -ENOMEM;
    fill(ret, base + CORDI_STACK_GUARD, usable, 0);
    ret->guarded = mprotect(base, CORDI_STACK_GUARD, PROT_NONE) == 0;
    ret->slot = NULL;
    return 0;
}

static struct size_class *class_of(size_t usable, size_t *rounded)
{
    for (int i = 0; i < CLASSES; i++) {
        *rounded = (size_t)CORDI_STACK_DEFAULT << i;
        if (usable <= *rounded)
            return &pool.classes[i];
    }
    return NULL;
}

/* Fills an empty cache; false when there is no memory for even one stack. */
static bool refill(struct cordi_stack_cache *cache)
{
    struct cordi_stack_slot **end = &cache->first;
    pthread_mutex_lock(&pool.lock);
    for (; cache->count < BATCH; cache->count++, end = &(*end)->next)
        if ((*end = take(&pool.classes[0], CORDI_STACK_DEFAULT)) == NULL)
            break;
    pthread_mutex_unlock(&pool.lock);
    *end = NULL;
    return cache->count > 0;
}

static char *guard_of(const struct cordi_stack_slot *slot)
{
    return slot->slab->base + slot->index * (slot->slab->usable + CORDI_STACK_GUARD);
}

static void put_guard(struct cordi_stack_slot *slot)
{
    char *guard = guard_of(slot);
    slot->guarded = (slot->slab->can_advise && madvise(guard, CORDI_STACK_GUARD, MADV_GUARD_INSTALL) == 0) ||
                    guard_by_protect(guard);
}

static inline void fill_from(struct cordi_stack *ret, struct cordi_stack_slot *slot, size_t usable)
{
    fill(ret, guard_of(slot) + CORDI_STACK_GUARD, usable, slot->index);
    ret->guarded = slot->guarded;
    ret->slot = slot;
}

/* From the cache, when it is empty or its first stack has no guard yet. */
static __attribute__((noinline)) int get_rarely(struct cordi_stack *ret, struct cordi_stack_cache *cache)
{
    if (cache->first == NULL && !refill(cache))
        return -ENOMEM;
    struct cordi_stack_slot *slot = cache->first;
    cache->first = slot->next;
    cache->count--;
    if (!slot->guarded)
        put_guard(slot);
    fill_from(ret, slot, CORDI_STACK_DEFAULT);
    return 0;
}

static __attribute__((noinline)) int get_from_pool(struct cordi_stack *ret, size_t usable)
{
    size_t rounded;
    struct size_class *class = class_of(usable, &rounded);
    if (class == NULL)
        return get_mapping(ret, usable);
    pthread_mutex_lock(&pool.lock);
    struct cordi_stack_slot *slot = take(class, rounded);
    pthread_mutex_unlock(&pool.lock);
    if (slot == NULL)
        return -ENOMEM;
    if (!slot->guarded)
        put_guard(slot);
    fill_from(ret, slot, rounded);
    return 0;
}

int cordi_stack_get(struct cordi_stack *ret, size_t usable, struct cordi_stack_cache *cache)
{
    if (cache == NULL || usable > CORDI_STACK_DEFAULT)
        return get_from_pool(ret, usable);
    struct cordi_stack_slot *slot = cache->first;
    if (slot == NULL || !slot->guarded)
        return get_rarely(ret, cache);
    cache->first = slot->next;
    cache->count--;
    fill_from(ret, slot, CORDI_STACK_DEFAULT);
    return 0;
}

/* A chain of free stacks of one class, to the pool. */
static void give(struct cordi_stack_slot *first, struct cordi_stack_slot *last, long count, size_t usable)
{
    size_t rounded;
    struct size_class *class = class_of(usable, &rounded);
    pthread_mutex_lock(&pool.lock);
    last->next = class->recent;
    class->recent = first;
    long spare = atomic_fetch_add_explicit(&pool.spare, count, memory_order_relaxed);
    pthread_mutex_unlock(&pool.lock);
    if (spare > HIGH_WATER)
        (void)cordi_stack_idle();
}

/* Gives all but the `keep` stacks that were put last to the pool. */
static __attribute__((noinline)) void spill(struct cordi_stack_cache *cache, uint32_t keep)
{
    struct cordi_stack_slot **cut = &cache->first;
    for (uint32_t i = 0; i < keep; i++)
        cut = &(*cut)->next;
    struct cordi_stack_slot *first = *cut, *last = first;
    if (first == NULL)
        return;
    while (last->next != NULL)
        last = last->next;
    *cut = NULL;
    give(first, last, cache->count - keep, CORDI_STACK_DEFAULT);
    cache->count = keep;
}

/* What lay below its last frame is no stack's any more. */
static __attribute__((noinline)) void tell_valgrind(const struct cordi_stack *stack)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(stack->low, stack->usable);
}

void cordi_stack_put(const struct cordi_stack *own_stack, struct cordi_stack_cache *cache)
{
    struct cordi_stack stack = *own_stack;
#if CORDI_ASAN
    __lsan_unregister_root_region(stack.low, stack.usable);
    __asan_unpoison_memory_region(stack.low, stack.usable); /* of the frames that never returned */
#endif
    if (stack.slot != NULL && stack.slot->slab->under_valgrind)
        tell_valgrind(own_stack);
    if (stack.slot == NULL) {
        munmap(stack.low - CORDI_STACK_GUARD, stack.usable + CORDI_STACK_GUARD);
    } else if (cache != NULL && stack.usable == CORDI_STACK_DEFAULT) {
        stack.slot->next = cache->first;
        cache->first = stack.slot;
        if (++cache->count > CACHE)
            spill(cache, BATCH);
    } else {
        give(stack.slot, stack.slot, 1, stack.usable);
    }
}

/* --- trimming --- */

/* One call for all of them, where the kernel lets a process advise itself in a vector (Linux 6.13). */
static void give_back(struct iovec *ranges, size_t count)
{
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    bool done = self >= 0 && syscall(SYS_process_madvise, self, ranges, count, MADV_DONTNEED, 0) > 0;
    if (self >= 0)
        close(self);
    for (size_t i = 0; i < count && !done; i++)
        madvise(ranges[i].iov_base, ranges[i].iov_len, MADV_DONTNEED);
}

/* Trims some old stacks of a class, under the lock, which is let go meanwhile; false when there are none. */
static bool trim(struct size_class *class, size_t usable)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    struct iovec ranges[TRIM];
    struct cordi_stack_slot *first = class->old, *last = NULL;
    for (struct cordi_stack_slot *slot = first; slot != NULL && count < TRIM; slot = slot->next) {
        char *low = slot->slab->base + slot->index * (usable + CORDI_STACK_GUARD) + CORDI_STACK_GUARD;
        ranges[count++] = (struct iovec){ low, usable - page };
        last = slot;
    }
    if (last == NULL)
        return false;
    class->old = last->next;
    atomic_fetch_sub_explicit(&pool.spare, (long)count, memory_order_relaxed);
    pthread_mutex_unlock(&pool.lock);
    give_back(ranges, count);
    pthread_mutex_lock(&pool.lock);
    last->next = class->cold;
    class->cold = first;
    return true;
}

/* Trims some old stacks of any class; when there are none, recent ones become old, and the answer is false. Under the
 * lock. */
static bool trim_any(void)
{
    for (int i = 0; i < CLASSES; i++)
        if (trim(&pool.classes[i], (size_t)CORDI_STACK_DEFAULT << i))
            return true;
    for (int i = 0; i < CLASSES; i++) {
        pool.classes[i].old = pool.classes[i].recent;
        pool.classes[i].recent = NULL;
    }
    return false;
}

int64_t cordi_stack_idle(void)
{
    if (atomic_load_explicit(&pool.spare, memory_order_relaxed) == 0)
        return -1;
    int64_t now = cordi_clock_now(), next = 0;
    pthread_mutex_lock(&pool.lock);
    if (now - pool.aged >= AGE && !trim_any())
        pool.aged = now;
    if (now - pool.aged < AGE)
        next = pool.aged + AGE - now;
    pthread_mutex_unlock(&pool.lock);
    return next;
}

/* There may be no loop left that will be idle. */
void cordi_stack_cache_close(struct cordi_stack_cache *cache)
{
    spill(cache, 0);
    if (atomic_load_explicit(&pool.spare, memory_order_relaxed) <= WARM)
        return;
    pthread_mutex_lock(&pool.lock);
    for (int generation = 0; generation < 2; generation++)
        while (trim_any()) {
        }
    pthread_mutex_unlock(&pool.lock);
}

void cordi_stack_before_fork(void)
{
    pthread_mutex_lock(&pool.lock);
}

void cordi_stack_after_fork(void)
{
    pthread_mutex_unlock(&pool.lock);
}
