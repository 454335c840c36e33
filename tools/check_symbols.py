#!/usr/bin/env python3
"""The laws of the house that can be read off the object files: names, globals, system calls."""
import re

from checking import BUILD, LAYERS, Skip, files, output, run, short

# What only src/sys may call. <stdio.h> and getaddrinfo(3) are the C library's business.
SYSTEM_CALLS = set("""
accept accept4 access bind brk chdir chmod chown clock_gettime clock_nanosleep clone close connect creat dup dup2 dup3
epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd execve execvp execl execv execvpe exit_group fchmod
fcntl fcntl64 flock fork fstat fstat64 fsync ftruncate ftruncate64 getcwd getpeername getpid getppid getrandom getrlimit
getrlimit64 getsockname getsockopt gettid ioctl isatty kill link listen lseek lseek64 lstat madvise memfd_create mkdir
mkstemp mlock mmap mmap64 mprotect mremap msync munmap nanosleep open open64 openat openat64 pause pidfd_open
pidfd_send_signal pipe pipe2 poll ppoll posix_spawn posix_spawnp prctl pread pread64 preadv pselect ptrace pwrite
pwrite64 pwritev raise read readlink readlinkat readv recv recvfrom recvmmsg recvmsg rename rmdir sched_getaffinity
sched_setaffinity sched_yield select send sendfile sendfile64 sendmmsg sendmsg sendto setitimer setpgid setrlimit
setrlimit64 setsid setsockopt shm_open shm_unlink shutdown sigaction sigaltstack signal signalfd sigprocmask sleep
socket socketpair splice stat stat64 statx symlink sysconf syscall tgkill timer_create timerfd_create timerfd_settime
truncate umask uname unlink unlinkat usleep vfork vmsplice wait wait4 waitid waitpid write writev _exit
""".split())
# What a process has once, outside rt.
KEPT = {
    "src/sys/fd.c: old": "epoll_pwait2(2) is unknown here",
    "src/sys/proc.c: end_key": "the destructor of threads, which calls rt",
    "src/sys/proc.c: end_once": "makes that key",
    "src/sys/proc.c: end_call": "what it calls",
    "src/sys/ctx.c: listens": "whether valgrind is there; asked once",
    "src/sys/fault.c: explain": "what the handler of SIGSEGV calls; set once",
    "src/sys/stack.c: pool": "the slabs that stacks are cut from",
    "src/sys/shm.c: cordi_shm_window": "where the family's shared memory is; set once",
    "src/sys/shm.c: made": "whether it is set",
    "src/serve/text.c: lock": "guards the next",
    "src/serve/text.c: input": "the one socket on standard input",
}
DECLARED = re.compile(r"CORD_API\b[^;{]*?\b(cord_\w+)\s*\(", re.DOTALL)


def objects(layer):
    if "-fsanitize" in (BUILD / "CMakeCache.txt").read_text():
        raise Skip("a sanitizer adds names of its own; the release build is checked")
    return sorted((BUILD / f"CMakeFiles/cordage-objects.dir/src/{layer}").glob("*.o"))


def names(*arguments):
    """The last column of nm's lines."""
    return {line.split()[-1].split("@")[0] for line in output("nm", *arguments).splitlines() if len(line.split()) > 1}


def exported_are_those_declared():
    objects("base")
    declared = {name for path in files("include/**/*.h") for name in DECLARED.findall(path.read_text())}
    exported = names("-D", "--defined-only", str(BUILD / "libcordage.so"))
    yield from (f"{name}: exported, but not declared with CORD_API" for name in sorted(exported - declared))
    yield from (f"{name}: declared with CORD_API, but not there" for name in sorted(declared - exported))


def private_begin_with_cordi():
    for layer in LAYERS:
        for path in objects(layer):
            for name in sorted(names("-g", "--defined-only", str(path))):
                if not name.startswith(("cord_", "cordi_")):
                    yield f"src/{layer}/{path.stem}: {name}"


def only_sys_makes_system_calls():
    for layer in LAYERS:
        for path in objects(layer) if layer != "sys" else []:
            for name in sorted(names("-u", str(path))):
                if name in SYSTEM_CALLS or name.startswith("io_uring_"):
                    yield f"src/{layer}/{path.stem}: {name}"


def only_rt_has_mutable_globals():
    for layer in LAYERS:
        for path in objects(layer) if layer != "rt" else []:
            for line in output("objdump", "-t", str(path)).splitlines():
                match = re.search(r" O (\.\S+|\*COM\*)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$", line)
                if not match or not re.match(r"\.t?(data|bss)(?!\.rel\.ro)|\*COM", match[1]):
                    continue
                # A static inside a function is name.7 to gcc, function.name to clang.
                if not any(f"src/{layer}/{path.stem}: {part}" in KEPT for part in match[2].split(".")):
                    yield f"src/{layer}/{path.stem}: {match[2]} in {match[1]}"


run(exported_are_those_declared, private_begin_with_cordi, only_sys_makes_system_calls, only_rt_has_mutable_globals)
