/* sys/fault.c - the handler of SIGSEGV, its stacks, and reading /proc/self/maps in it; see fault.h. */
#include "sys/fault.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "sys/ctx.h"

static cordi_fault_fn *explain; /* NULL: not installed */

static const char *stack_pointer(const void *context)
{
    const ucontext_t *at = context;
#if defined __x86_64__
    return (const char *)at->uc_mcontext.gregs[REG_RSP];
#elif defined __aarch64__
    return (const char *)at->uc_mcontext.sp;
#else
    (void)at;
    return NULL;
#endif
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    struct sigaction normal = { .sa_handler = SIG_DFL };
    if (info->si_code > 0) /* by an instruction, and not by kill(2) */
        explain(info->si_addr, stack_pointer(context));
    sigaction(signo, &normal, NULL);
    if (info->si_code <= 0)
        raise(signo);
}

void cordi_fault_install(cordi_fault_fn *fn)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK }, old;
    if (CORDI_ASAN || CORDI_TSAN || sigaction(SIGSEGV, NULL, &old) < 0 || (old.sa_flags & SA_SIGINFO) != 0 ||
        old.sa_handler != SIG_DFL)
        return;
    explain = fn;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
}

/* --- stacks for the handler --- */

void cordi_fault_thread_begin(struct cordi_stack *alternate)
{
    alternate->low = NULL;
    if (explain == NULL || cordi_stack_get(alternate, 0, NULL) < 0)
        return;
    stack_t ours = { .ss_sp = alternate->low, .ss_size = alternate->usable }, old;
    if (sigaltstack(&ours, &old) == 0 && (old.ss_flags & SS_DISABLE) != 0)
        return;
    sigaltstack(&old, NULL); /* the thread has one of its own */
    cordi_stack_put(alternate, NULL);
    alternate->low = NULL;
}

void cordi_fault_thread_end(const struct cordi_stack *alternate)
{
    stack_t none = { .ss_flags = SS_DISABLE };
    if (alternate->low == NULL)
        return;
    sigaltstack(&none, NULL);
    cordi_stack_put(alternate, NULL);
}

/* --- /proc/self/maps --- */

struct mapping {
    uintptr_t start, end;
    char readable; /* 'r' */
    char path[256];
};

struct reader {
    int fd;
    ssize_t filled, at;
    char bytes[1024];
};

static int next(struct reader *reader)
{
    if (reader->at == reader->filled) {
        reader->at = 0;
        reader->filled = read(reader->fd, reader->bytes, sizeof reader->bytes);
        if (reader->filled <= 0)
            return reader->filled = 0, -1;
    }
    return reader->bytes[reader->at++];
}

/* A number in hexadecimal; takes the character behind it too. */
static uintptr_t hexadecimal(struct reader *reader)
{
    uintptr_t number = 0;
    for (int c; (c = next(reader)) >= '0' && c != ' ' && c != '-';)
        number = number << 4 | (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    return number;
}

/* One line: start-end perms offset device inode path. */
static bool next_mapping(struct reader *reader, struct mapping *ret)
{
    int c, field = 0;
    size_t length = 0;
    ret->start = hexadecimal(reader);
    ret->end = hexadecimal(reader);
    ret->readable = (char)next(reader);
    for (bool blank = false; (c = next(reader)) >= 0 && c != '\n'; blank = c == ' ') {
        field += c != ' ' && blank && field < 4; /* past perms: 1 offset, 2 device, 3 inode, 4 path */
        if (field == 4 && length < sizeof ret->path - 1)
            ret->path[length++] = (char)c;
    }
    ret->path[length] = '\0';
    return c == '\n';
}

/* The mapping that holds `within`, and the first one of the same file. */
static bool find(const void *within, struct mapping *found, struct mapping *first)
{
    struct reader reader = { .fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC) };
    bool here = false;
    first->path[0] = '\0';
    if (reader.fd < 0)
        return false;
    while (!here && next_mapping(&reader, found)) {
        if (strcmp(found->path, first->path) != 0)
            *first = *found;
        here = (uintptr_t)within >= found->start && (uintptr_t)within < found->end;
    }
    close(reader.fd);
    return here;
}

bool cordi_fault_mapping(const char **low, const char **high, const void *within)
{
    struct mapping found, first;
    if (!find(within, &found, &first))
        return false;
    *low = (const char *)found.start;
    *high = (const char *)found.end;
    return true;
}

void cordi_fault_place(struct cordi_line *line, const void *return_address)
{
    struct mapping found, first;
    uintptr_t call = (uintptr_t)return_address - 1, base = 0;
    if (find((const void *)call, &found, &first) && found.path[0] != '\0') {
        const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)first.start;
        bool fixed = first.readable == 'r' && head->e_type == ET_EXEC; /* such a program is numbered by address */
        base = fixed ? 0 : first.start;
        cordi_line_add(line, found.path);
        cordi_line_add(line, "+");
    }
    cordi_line_add(line, "0x");
    cordi_line_number(line, call - base, 16);
}
