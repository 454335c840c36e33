#!/usr/bin/env python3
"""The notes' thread and process programs (rows 17-29, 71-80, 114): what examples/ prints, how long it takes, what
is left over.

    tests/interop/seeds_tasks.py [PATTERN]    CORDAGE_BUILD or CORD_BUILD: the build directory (default: build)

What is expected is written here and compared with the notes' recorded output where that is at hand. Process ids are
replaced by PID; where the order of lines is free they are sorted.
"""
import collections
import json
import os
import pathlib
import re
import signal
import sys
import threading
import time

from pairs import BUILD, SLOW, Skip, case, check, example, golden, in_kinds, run_cases, same, until

DATABASE = pathlib.Path("ticket_db.py")


def normal(text, in_order=True):
    lines = re.sub(r"\d{2,}", "PID", text).split("\n")[:-1]
    return lines if in_order else sorted(lines)


def like_golden(title, expected, in_order=True):
    record = golden("proc.txt", title)
    if record:
        recorded = record["p"].split("\nwall ")[0].rstrip("\n") + "\n"
        same(normal(expected, in_order), normal(recorded, in_order), "the expectation and the record")


def finished(name, *args, code=0):
    """Runs an example to its end; (the program, seconds)."""
    began = time.monotonic()
    program = example(name, *args)
    same([program.end(), program.err], [code, ""], f"{name}: exit code, stderr")
    took = time.monotonic() - began
    same(program.group(), [], "processes left behind")
    return program, took


def printed(name, expected, title=None, args=(), in_order=True):
    if title:
        like_golden(title, expected, in_order)
    program, took = finished(name, *args)
    same(normal(program.out, in_order), normal(expected, in_order), "stdout")
    return program, took


# Rows 17, 18, 29, 71-80, 114: threads


@in_kinds("seeds_tasks.thread_class", "serial")
def _(kind):
    program = example("17_thread_class", kind)
    program.wait_for("runnnnnn\n", 3)
    program.wait_for("这是主线程\n", 3)
    counts = [program.out.count("runnnnnn\n"), program.out.count("这是主线程\n")]
    check(max(counts) - min(counts) <= 1, f"both print every second: {counts}")
    began = time.monotonic()
    os.kill(program.pid, signal.SIGINT)  # to the parent only: its tasks of every kind are cancelled with it
    same([program.end(), program.err], [130, ""], "exit code after Ctrl-C, stderr")
    check(time.monotonic() - began < 0.9 * SLOW, "one Ctrl-C ends both, and sooner than SIGTERM comes")
    same(program.group(), [], "processes left behind")


@in_kinds("seeds_tasks.lock_counter", "process")  # a process has its own copy of the number
def _(kind):
    printed("18_lock_counter", "运算结果是2000000\n", args=("locked", kind))


@case("seeds_tasks.lock_counter_unlocked_loses_additions")
def _():
    for kind in "thread", "coroutine":
        program = example("18_lock_counter", "unlocked", kind)
        code, race = program.end(), "ThreadSanitizer: data race" in program.err
        same([code, program.err], [66, program.err] if race else [0, ""], "exit code, stderr")  # or it is shown to us
        check(kind == "thread" or not race, "two coroutines of one loop do not race")
        total = int(program.out.removeprefix("运算结果是"))
        check(1000 <= total < 2000000, f"{kind}: the total is {total}")


def built_with_tsan():
    return b"__tsan_init" in (BUILD / "examples" / "18_lock_counter").read_bytes()


@case("seeds_tasks.lock_counter_unlocked_is_reported_by_tsan")
def _():
    if not built_with_tsan():
        raise Skip("the examples were built without ThreadSanitizer")
    program = example("18_lock_counter", "unlocked")
    same(program.end(), 66, "exit code")
    check("ThreadSanitizer: data race" in program.err and "careless" in program.err, program.tail())


@case("seeds_tasks.timer_says_hello_once_in_time")
def _():
    program, took = printed("29_timer", "hello, world\n", args=("300ms",))
    check(0.3 <= took < 5 * SLOW, f"after {took} s")


@case("seeds_tasks.timer_cancelled_never_says_it_and_ends_at_once")
def _():
    _, took = printed("29_timer", "cancelled in time: it will not run\nit ran 0 times\n", args=("30s", "cancel"))
    check(took < 5 * SLOW, f"after {took} s")
    program = example("29_timer")  # thirty seconds, unless it is ended
    time.sleep(0.3)
    os.kill(program.pid, signal.SIGINT)
    same([program.end(), program.out], [0, ""], "exit code after Ctrl-C, stdout")


@in_kinds("seeds_tasks.threads", "serial")
def _(kind):
    program, _ = finished("71_threads", kind)
    names = [f"worker {i}" for i in (1, 2, 3)]
    said = dict(re.findall(r"^I am (worker \d), number (\d+)$", program.out, re.M))
    listed = dict(re.findall(r"^  (worker \d) \(\w+, number (\d+)\) waits for a sleep$", program.out, re.M))
    same([sorted(said), said], [names, listed], "who runs, with the number each has said")
    check(f"  main (thread, number {program.pid}) waits for its loop\n" in program.out, program.out)
    check(re.search(r"^  main \(coroutine, number \d+\) runs$", program.out, re.M), program.out)
    check("5 tasks are alive:\n" in program.out and program.out.endswith("2 are left\n"), program.out)


@case("seeds_tasks.deadlock_is_reported_and_cured")
def _():
    if built_with_tsan():
        raise Skip("ThreadSanitizer has a thread of its own, which might wake somebody")
    program = example("79_deadlock", "100ms")
    same(program.end(), 0, "exit code")
    sentence = ('all 3 tasks are asleep and nothing can wake them: "alice" waits for a lock of "bob", '
                '"bob" waits for a lock of "alice", "main" waits for a task to end')
    if "opposite order:\nalice has both" in program.out:
        raise Skip("something here may wake tasks")
    same(program.out.split("\n"), ["opposite order:", sentence, "the same order:", "alice has both", "bob has both",
                                   "opposite order, with a deadline:", "alice has given her lock back and tries again",
                                   "bob has both", "alice has both", ""], "stdout")
    for name, other in ("alice", "bob"), ("bob", "alice"):
        check(f'"{name}" (coroutine) waits for a lock that "{other}" holds; started at ' in program.err, program.err)
    program = example("79_deadlock", "100ms", CORD_DEBUG="dump")
    same(program.end(), 0, "exit code")
    check(re.search(r'"alice" .* for a lock that "bob" holds \(taken at .*79_deadlock', program.err), program.err)


@case("seeds_tasks.two_threads_use_two_cpus")
def _():
    factors = []
    while len(factors) < 5 and (not factors or max(factors) < 1.3):
        program, _ = finished("80_two_threads", "1000000")
        lines = re.findall(r"^(\d) at a time: 78498 primes below 1000000 in [\d.]+ s$", program.out, re.M)
        same(lines, ["1", "2"], "stdout")
        factors.append(float(re.search(r"^factor ([\d.]+)$", program.out, re.M)[1]))
    if max(factors) < 1.3:
        raise Skip(f"two CPUs are not to be had here: factors {factors}")


@case("seeds_tasks.generator_takes_turns")
def _():
    turns = "".join(f"producing {n}\nconsuming {n}\nanswered 200\n" for n in range(1, 6))
    same(finished("114_generator")[0].out, turns, "stdout")


# Rows 19-25: processes


@case("seeds_tasks.process_basic")
def _():
    _, took = printed("19_process_basic", "hello bob\n我是子进程\n执行主进程的内容了\n", "s3_process_basic.py")
    check(1 <= took < 10, f"the parent sleeps a second: {took}")


@case("seeds_tasks.process_five")
def _():
    _, took = printed("20_process_five", 5 * "hello bob\n" + "父进程在执行\n", in_order=False)
    check(1 <= took < 10, f"they are waited for: {took}")


@case("seeds_tasks.process_class")
def _():
    lines = "1234\nwupeiqi 正在和女主播聊天\n1234\nyuanhao 正在和女主播聊天\n1234\nnezha 正在和女主播聊天\n主线程\n"
    program, _ = printed("21_process_class", lines, in_order=False)
    check(program.out.endswith("主线程\n"), "the parent's line is last")
    pids = set(re.findall(r"\d{2,}", program.out))
    check(len(pids) == 3 and str(program.pid) not in pids, f"three processes: {pids}")
    program, _ = printed("21_process_class", lines, args=("direct",), in_order=False)
    check(f"{program.pid}\n" in program.out, "run called directly runs in the parent")


@case("seeds_tasks.daemon_two")
def _():
    lines = "func2 before 1234\nin func before 1234\n主进程 1234\nfunc2 after 1234\n"
    like_golden("s3_daemon_two.py", lines)
    program, took = finished("22_daemon_two")
    got = normal(program.out)
    same([sorted(got[:2]), got[2:]], [normal(lines)[:2], normal(lines)[2:]], "stdout")
    check(5 <= took < 6 + 5, f"the ordinary one is waited for: {took}")
    main = int(re.search(r"主进程 (\d+)", program.out)[1])
    same(main, program.pid, "the main process's id")


@case("seeds_tasks.join_five")
def _():
    printed("23_join_five", 5 * "hello bob\n" + "父进程在执行\n", "s3_join_five.py")


@case("seeds_tasks.class_join")
def _():
    printed("24_class_join", "houbinglei\n主程序\n", "s3_class_join.py")


@case("seeds_tasks.daemon_five")
def _():
    program, took = finished("25_daemon_five")
    lines = program.out.split("\n")[:-1]
    same([lines.count("父进程在执行"), set(lines) <= {"父进程在执行", "hello bob"}, len(lines) <= 6], [1, True, True],
         f"stdout {lines}")
    check(took < 1.5, f"nobody waits for the daemons: {took}")


for name_, lines_ in [("19_process_basic", ["hello bob", "我是子进程", "执行主进程的内容了"]),
                      ("20_process_five", 5 * ["hello bob"] + ["父进程在执行"]),
                      ("23_join_five", 5 * ["hello bob"] + ["父进程在执行"]),
                      ("24_class_join", ["houbinglei", "主程序"])]:

    @case(f"seeds_tasks.{name_[3:]}_in_the_other_kinds")
    def _(name=name_, lines=tuple(lines_)):
        for kind in "coroutine", "thread", "serial":
            program, _ = finished(name, kind)
            same(sorted(program.out.split("\n")[:-1]), sorted(lines), f"{name} {kind}")


# Row 26: tickets


def sold(program, count, buyers):
    """The three kinds of lines, and the file, after all have bought."""
    queries = re.findall(r"^(\d+)查询余票 :  (\d+)$", program.out, re.M)
    bought = re.findall(r"^(\d+)购票成功$", program.out, re.M)
    refused = program.out.count("购票失败\n")
    number = min(count, buyers)
    same(sorted(int(number) for number, _ in queries), list(range(buyers)), "who asked")
    check(all(int(left) <= count for _, left in queries), f"what they saw: {queries}")
    same([len(bought), len(set(bought)), refused], [number, number, buyers - number], "bought, by whom, refused")
    same(program.out.count("\n"), 2 * buyers, "lines")
    same(json.loads(DATABASE.read_text()), {"count": count - number}, "what is left")


def always_valid(stop, bad):
    """Reads the file over and over: it is always whole."""
    while not stop.is_set():
        try:
            json.loads(DATABASE.read_text())
        except (ValueError, OSError) as why:
            bad.append(repr(why))
        time.sleep(0.001)


def tickets(count, buyers, kind="process"):
    DATABASE.write_text(json.dumps({"count": count}))
    stop, bad = threading.Event(), []
    reader = threading.Thread(target=always_valid, args=(stop, bad))
    reader.start()
    try:
        program, _ = finished("tickets", kind, str(buyers))
    finally:
        stop.set()
        reader.join()
    same(bad, [], "times the file was not whole")
    sold(program, count, buyers)


for count_, buyers_ in [(3, 20), (0, 20), (1, 20), (100, 20), (3, 50)]:
    case(f"seeds_tasks.tickets_{count_}_for_{buyers_}")(lambda c=count_, b=buyers_: tickets(c, b))
in_kinds("seeds_tasks.tickets_3_for_5")(lambda kind: tickets(3, 5, kind))


@case("seeds_tasks.tickets_like_the_record")
def _():
    record = golden("proc.txt", "ticket 3")
    DATABASE.write_text('{"count": 3}')
    program, _ = finished("tickets")
    sold(program, 3, 20)
    if record:
        # How many were left when somebody looked depends on how soon all of them had started.
        shape = [sorted(re.sub(r"\d+", "N", line) for line in text.split("\n") if "票" in line)
                 for text in (program.out, record["p"])]
        same(shape[0], shape[1], "the lines, without who and how many")


def lock_holder(program):
    """The child that does not wait for the lock, when all others do: what a waiter's system call is given is alike."""
    try:
        calls = {pid: pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[:2]
                 for pid in program.group() if pid != program.pid}
    except FileNotFoundError:
        return None  # one has ended meanwhile
    except PermissionError:
        raise Skip("the kernel does not tell which system call a process is in") from None
    waiting = collections.Counter(map(tuple, calls.values())).most_common(1)
    others = [pid for pid, call in calls.items() if tuple(call) != waiting[0][0]]
    return others[0] if len(calls) > 3 and len(others) == 1 else None


@case("seeds_tasks.tickets_holder_killed_does_not_keep_the_lock")
def _():
    DATABASE.write_text('{"count": 100}')
    program = example("tickets", "process", "20")
    program.wait_for("购票成功\n", 2)
    holder = []
    until(lambda: holder.append(lock_holder(program)) or holder[-1], "the holder is alone in not waiting", 3)
    os.kill(holder[-1], signal.SIGKILL)
    same(program.end(), 1, "exit code: a buyer was killed")
    check("tickets: " in program.err, "it says so")
    bought = re.findall(r"^(\d+)购票成功$", program.out, re.M)
    left = json.loads(DATABASE.read_text())["count"]
    same([len(bought), 100 - left - 19 in (0, 1)], [19, True], f"all others have bought; {left} left")
    same(program.group(), [], "processes left behind")


@case("seeds_tasks.tickets_without_the_file")
def _():
    program = example("tickets")
    same(program.end(), 1, "exit code")
    check("tickets: " in program.err, program.tail())


if __name__ == "__main__":
    sys.exit(run_cases())
