/* sys/stack.c - slabs, guards and free lists; the design is in stack.h.
 *
 * One lock for everything, held for a few list steps or the making of a slab; guards and trimming are done outside it,
 * by whoever holds the stack. Each class keeps two lists: warm stacks, taken first, and trimmed ones.
 */
#include "sys/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/ctx.h"
#include "sys/fd.h"

#if CORDI_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    CLASSES = 8, /* 64 KiB << 0 .. 7 */
    SLAB_BYTES = 64 << 20,
    WARM_BYTES = 16 << 20, /* of free stacks in a class that keep their memory */
    MAP_COUNT = 65530      /* the kernel's default of vm.max_map_count */
};

struct slab {
    struct slab *older; /* of the class: none is ever given back */
    char *base;
    size_t usable;   /* of each stack */
    uint32_t count;  /* stacks in it */
    bool can_advise; /* MADV_GUARD_INSTALL works here */
    struct cordi_stack_slot *slots;
};

struct cordi_stack_slot {
    struct cordi_stack_slot *next; /* in a free list, under the lock */
    struct slab *slab;
    bool guarded; /* written by the holder of the stack */
};

struct size_class {
    struct cordi_stack_slot *warm, *cold; /* free stacks */
    size_t warm_bytes;
    struct slab *slab; /* the newest; older ones are used up */
    uint32_t fresh;    /* the first of its slots that was never used */
};

static struct {
    pthread_mutex_t lock;
    struct size_class classes[CLASSES];
    atomic_long protects; /* guards that mprotect may still make; 0 before it is known, -1 when used up */
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
    slab->can_advise = madvise(base, CORDI_STACK_GUARD, MADV_GUARD_INSTALL) == 0 && guard_works(base);
    slab->slots[0].guarded = slab->can_advise;
    return slab;
}

/* Under the lock. */
static struct cordi_stack_slot *take(struct size_class *class, size_t usable)
{
    struct cordi_stack_slot *slot = class->warm;
    if (slot != NULL) {
        class->warm = slot->next;
        class->warm_bytes -= usable;
        return slot;
    }
    slot = class->cold;
    if (slot != NULL) {
        class->cold = slot->next;
        return slot;
    }
    if (class->slab == NULL || class->fresh == class->slab->count) {
        struct slab *slab = slab_new(usable);
        if (slab == NULL)
            return NULL;
        slab->older = class->slab;
        class->slab = slab;
        class->fresh = 0;
    }
    slot = &class->slab->slots[class->fresh++];
    slot->slab = class->slab;
    return slot;
}

static void fill(struct cordi_stack *ret, char *low, size_t usable, size_t colour)
{
    ret->low = low;
    ret->usable = usable;
    ret->top = low + usable - (colour * 320 & 1984);
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

int cordi_stack_get(struct cordi_stack *ret, size_t usable)
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
    struct slab *slab = slot->slab;
    size_t index = (size_t)(slot - slab->slots);
    char *guard = slab->base + index * (rounded + CORDI_STACK_GUARD);
    if (!slot->guarded)
        slot->guarded =
            (slab->can_advise && madvise(guard, CORDI_STACK_GUARD, MADV_GUARD_INSTALL) == 0) || guard_by_protect(guard);
    fill(ret, guard + CORDI_STACK_GUARD, rounded, index);
    ret->guarded = slot->guarded;
    ret->slot = slot;
    return 0;
}

void cordi_stack_put(const struct cordi_stack *own_stack)
{
    struct cordi_stack stack = *own_stack;
#if CORDI_ASAN
    __lsan_unregister_root_region(stack.low, stack.usable);
    __asan_unpoison_memory_region(stack.low, stack.usable); /* of the frames that never returned */
#endif
    if (stack.slot == NULL) {
        munmap(stack.low - CORDI_STACK_GUARD, stack.usable + CORDI_STACK_GUARD);
        return;
    }
    size_t rounded;
    struct size_class *class = class_of(stack.usable, &rounded);
    pthread_mutex_lock(&pool.lock);
    bool trim = class->warm_bytes + stack.usable > WARM_BYTES;
    if (trim) {
        pthread_mutex_unlock(&pool.lock);
        madvise(stack.low, stack.usable - (size_t)sysconf(_SC_PAGESIZE), MADV_DONTNEED);
        pthread_mutex_lock(&pool.lock);
    } else {
        class->warm_bytes += stack.usable;
    }
    struct cordi_stack_slot **list = trim ? &class->cold : &class->warm;
    stack.slot->next = *list;
    *list = stack.slot;
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
