"""Runs one competitor of a subject once: {row: {figure: value}}. And all of them, round by round, into medians."""
import contextlib
import functools
import glob
import json
import os
import re
import signal
import statistics
import subprocess
import time

from machine import one_cpu
from subjects import ECHO, PROGRAMS, RAW


def cpu_seconds(pid):
    """Of all its threads, to the nanosecond: the clock that clock_getcpuclockid(3) gives for a process."""
    return time.clock_gettime(~pid << 3 | 2)


def start(competitor, cpu, seconds, **more):
    command = [str(seconds) if word == "SECONDS" else word for word in competitor.command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            preexec_fn=one_cpu(cpu), env={**os.environ, **competitor.environment}, **more)


def end(*processes):
    for process in processes:
        if process:
            process.kill()
            process.communicate()


def family(pid):
    """A process, its children, and theirs."""
    members = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            members += [member for child in file.read().split() for member in family(int(child))]
    return members


@contextlib.contextmanager
def served(competitor, seconds, cpu, load, *arguments, at_rest=None):
    """The server and its load, each on its CPU, the connections made; both are ended. Third is the server's memory when
    it had not begun, or what `at_rest` says of it when it listens."""
    serving, loading = start(competitor, cpu, seconds), None
    try:
        before = memory(serving.pid, "VmRSS")
        port = serving.stdout.readline().split()[1]
        before = at_rest(serving.pid) if at_rest else before
        loading = subprocess.Popen([f"{PROGRAMS}/{load}", port, *map(str, arguments)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, preexec_fn=one_cpu(1))
        if loading.stdout.readline() != "connected\n":
            raise RuntimeError("the load could not connect")
        yield serving, loading, before
    finally:
        children = family(serving.pid)[1:]
        end(loading, serving)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def told(serving, loading):
    """Lets the load begin: what it prints, and the CPU seconds that the server took meanwhile."""
    before = cpu_seconds(serving.pid)
    loading.stdin.write("\n")
    loading.stdin.flush()
    result = json.loads(loading.stdout.readline())
    return result, cpu_seconds(serving.pid) - before


def exchange(load, name, competitor, seconds, connections, rate=0, size=64, depth=1, cpu=0, more=()):
    """An echo server on one CPU (None: on all), the load on another; the CPU time is the server's."""
    arguments = (connections, seconds, rate, size, depth, *more)
    with served(competitor, seconds, cpu, load, *arguments) as (serving, loading, _):
        result, used = told(serving, loading)
        messages = result.pop("messages")
        return {name: {**result, "per_second": messages / result["seconds"], "cpu_us": used / messages * 1e6}}


def tcp(*args, **options):
    return exchange("load", *args, **options)


def udp(*args, **options):
    return exchange("udp_load", *args, **options)


@functools.cache
def ceiling(connections, seconds):
    """Messages a second of the raw loop: asked for once, so that all who follow have the same rate."""
    return statistics.median(exchange("load", "", ECHO[RAW], seconds, connections)[""]["per_second"] for _ in range(3))


def half(name, competitor, seconds, connections, cpu=0, more=()):
    """An echo server at half of the messages that the raw loop can answer."""
    return exchange("load", name, competitor, seconds, connections, ceiling(connections, seconds) / 2, cpu=cpu,
                    more=more)


def calls(competitor, seconds, what, count, rate=0, patience=0, cpu=0):
    """Short connections to a server: what bench/dial.c says of them, and the server's CPU seconds."""
    with served(competitor, seconds, cpu, "dial", what, count, seconds, rate, patience) as (serving, loading, _):
        result, used = told(serving, loading)
    if rate == 0 and result["refused"] * 100 > result["messages"]:
        raise RuntimeError(f"it closed {result['refused']} connections unserved")
    return result, used


def dial(name, competitor, seconds, what, connections, cpu=0):
    """Connections opened and closed, so many under way; the CPU time is that of the server's first process."""
    result, used = calls(competitor, seconds, what, connections, cpu=cpu)
    return {name: {"per_second": result["messages"] / result["seconds"], "cpu_us": used / result["messages"] * 1e6}}


def overload(name, competitor, seconds, connections, patience, cpu=0):
    """Short requests: as many as a closed loop gets through, and then that rate and its double in an open loop. Each
    has a server of its own, so that none begins with what was left by another."""
    result, _ = calls(competitor, seconds, "echo", connections, cpu=cpu)
    capacity = result["messages"] / result["seconds"]
    rows = {f"{name}, closed loop": {"goodput": capacity}}
    for times in 1, 2:
        result, _ = calls(competitor, seconds, "echo", 10000, capacity * times, patience, cpu)
        offered = result["messages"] + result["refused"] + result["late"]
        rows[f"{name}, offered {times} x"] = {"goodput": result["messages"] / result["seconds"],
                                              "refused": result["refused"] / offered, "late": result["late"] / offered}
    return rows


def memory(pid, *kinds):
    """Bytes of its memory: VmRSS, its own, and VmPTE, the page tables."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        fields = dict(line.split(":", 1) for line in file)
    return sum(int(fields[kind].split()[0]) * 1024 for kind in kinds)


def idle(name, competitor, seconds, connections, cpu=0):
    """What a server's memory grows by for each connection that says nothing, once it has accepted all."""
    with served(competitor, seconds, cpu, "load", connections, seconds) as (serving, _, before):
        now, last = memory(serving.pid, "VmRSS"), 0
        while now != last:
            time.sleep(0.2)
            now, last = memory(serving.pid, "VmRSS"), now
        return {name: {"bytes": (now - before) / connections}}


def share(*pids):
    """Bytes of memory of several processes; of what they have in common each has its part (PSS)."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += int(re.search(r"^Pss:\s*(\d+)", file.read(), re.MULTILINE)[1]) * 1024
    return total


def parts(name, competitor, seconds, connections, cpu=0):
    """The same for a server of several processes: from the one that listens to all of them with their connections."""
    with served(competitor, seconds, cpu, "load", connections, seconds, at_rest=share) as (serving, _, before):
        now, last = share(*family(serving.pid)), 0
        while now > last:
            time.sleep(0.2)
            now, last = share(*family(serving.pid)), now
        return {name: {"bytes": (now - before) / connections}}


def switches(pid):
    """How often its threads have gone to sleep."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as file:
            total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", file.read(), re.MULTILINE)[1])
    return total


def wakeups(name, competitor, seconds, connections, cpu=0):
    """How often a second a server wakes up whose connections say nothing."""
    with served(competitor, seconds, cpu, "load", connections, seconds) as (serving, _, _before):
        time.sleep(0.5)
        before, begin = switches(serving.pid), time.monotonic()
        time.sleep(seconds)
        return {name: {"wakeups": (switches(serving.pid) - before) / (time.monotonic() - begin)}}


def parked(name, competitor, seconds, cpu=0):
    """What a program's memory grows by for each task that waits, page tables included."""
    running = start(competitor, cpu, seconds, stdin=subprocess.PIPE)
    try:
        if running.stdout.readline() != "ready\n":
            raise RuntimeError("it did not start")
        before = memory(running.pid, "VmRSS", "VmPTE")
        running.stdin.write("\n")
        running.stdin.flush()
        if running.stdout.readline() != "parked\n":
            raise RuntimeError("its tasks did not start")
        return {name: {"bytes": (memory(running.pid, "VmRSS", "VmPTE") - before) / int(competitor.command[-1])}}
    finally:
        end(running)


def program(name, competitor, seconds, cpu=0):
    """A program that measures itself, on one CPU (None: on all)."""
    running = start(competitor, cpu, seconds)
    try:
        lines = running.communicate(timeout=300)[0].splitlines()
    finally:
        end(running)
    rows = {}
    for line in lines:
        figures = json.loads(line)
        case = figures.pop("case", "")
        rows[", ".join(filter(None, (name, case if len(lines) > 1 or not name else "")))] = figures
    if running.returncode != 0 or not rows:
        raise RuntimeError(f"ended with {running.returncode} and {len(lines)} lines")
    return rows


RUN = {run.__name__: run for run in (tcp, udp, half, dial, overload, idle, parts, wakeups, parked, program)}


def medians(runs, base, ratios):
    """{row: {figure: median}} with "FIGURE/base": the median of the ratios within a round. runs: {row: [figures]}"""
    rows = {}
    for row, figures in runs.items():
        known = [key for key, value in figures[0].items() if isinstance(value, (int, float))]
        rows[row] = {key: statistics.median(f[key] for f in figures) for key in known}
        for key in ratios if base in runs else ():
            if key in known:
                within = [f[key] / b[key] for f, b in zip(figures, runs[base]) if b.get(key)]
                rows[row][f"{key}/base"] = statistics.median(within) if within else None
    return rows


def measure(subject, rounds, seconds, tell):
    """All rounds of a subject: {row: {figure: value}}. Who fails is left out, and tell() is given why."""
    runs, failed = {}, set()
    for _ in range(min(rounds, subject.rounds)):
        for name, competitor in subject.competitors.items():
            if name in failed:
                continue
            try:
                run = RUN[competitor.run or subject.run]
                rows = run(name, competitor, seconds * subject.seconds, **{**subject.options, **competitor.options})
            except (ArithmeticError, LookupError, OSError, RuntimeError, ValueError,
                    subprocess.TimeoutExpired) as error:
                failed.add(name)
                runs = {row: figures for row, figures in runs.items() if not row.startswith(name)}
                tell(f"{subject.name}: {name or 'its program'} failed and is left out: {error!r}")
                continue
            for row, figures in rows.items():
                runs.setdefault(row, []).append(figures)
    return medians(runs, subject.base, subject.ratios)
