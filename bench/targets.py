"""What is to be reached, and whether it is: data on the results of a run ({subject: {row: {figure: value}}}).

A target has a text, how its figure is taken from the results (None: not measured), a sense and a bound. Those of one
subject of docs/performance.md stand together.
"""
import dataclasses
import typing

BOTH = ("cordage, epoll", "cordage, uring")
ECHO_PEERS = ("libuv", "libevent", "Boost.Asio", "Go", "gevent", "Python asyncio")
TASK_PEERS = ("Boost.Fiber", "Go", "gevent", "Python asyncio", "pthreads, one CPU")


@dataclasses.dataclass
class Target:
    text: str
    figure: typing.Callable
    sense: str  # "<=", ">=", "<" or ">"
    bound: float
    unit: str = "x"
    form: str = "{:,.2f}"

    def seen(self, results):
        try:
            return self.figure(results)
        except (KeyError, TypeError, ValueError, ZeroDivisionError):  # left out, failed or not asked for
            return None

    def met(self, value):
        return {"<=": value <= self.bound, ">=": value >= self.bound, "<": value < self.bound,
                ">": value > self.bound}[self.sense]


def one(subject, row, figure):
    return lambda results: results[subject][row][figure]


def most(subject, figure, *rows):
    """The worst of several rows, for a bound from above."""
    return lambda results: max(results[subject][row][figure] for row in rows)


def quotient(subject, row, other, figure):
    return lambda results: results[subject][row][figure] / results[subject][other][figure]


def ahead_in_speed(subject, row, peers):
    """By how much of the best peer that is there."""
    return lambda results: results[subject][row]["per_second"] / max(
        results[subject][peer]["per_second"] for peer in peers if peer in results[subject])


def ahead_in_cost(subject, row, peers, figure):
    return lambda results: min(results[subject][peer][figure] for peer in peers if peer in results[subject]) / \
        results[subject][row][figure]


def echo(cell, ours):
    return [Target(f"TCP echo 64 B, {cell}: {ours}, of the raw loop", one(f"echo {cell}", ours, "per_second/base"),
                   ">=", 0.97),
            Target(f"... of the best of {', '.join(ECHO_PEERS)}", ahead_in_speed(f"echo {cell}", ours, ECHO_PEERS),
                   ">", 1)]


def tasks(name, text, bound):
    return [Target(f"{text}, of the bare switch", one(name, "cordage", "ns/base"), "<=", bound),
            Target("... ahead of the best of Boost.Fiber, Go, asyncio, gevent, pthreads",
                   ahead_in_cost(name, "cordage", TASK_PEERS, "ns"), ">", 1)]


def wakes(backend):
    return [Target(f"Wake of a task on another loop that is busy: {backend}",
                   one("wake", f"{backend}, task, busy", "ns"), "<=", 500, " ns", "{:,.0f}"),
            Target("... that spins", one("wake", f"{backend}, task, spinning", "ns"), "<=", 500, " ns", "{:,.0f}"),
            Target("... that sleeps, of a bare eventfd wake",
                   quotient("wake", f"{backend}, task, asleep", f"{backend}, eventfd and epoll, asleep", "ns"),
                   "<=", 1.15)]


TARGETS = [
    *(target for cell in ("64 connections", "1000 connections", "10,000 connections") for ours in BOTH
      for target in echo(cell, ours)),
    *(Target(f"CPU for a message at 60,000/s over 64 connections: {ours}, of the raw loop",
             one("echo 64 connections, 60,000 messages/s", ours, "cpu_us/base"), "<=", 1.05) for ours in BOTH),
    *(Target(f"{cell}: {ours}, of the raw loop", one(f"echo {cell}", ours, "per_second/base"), ">=", 0.97)
      for cell in ("64 connections, 16 KiB messages", "64 connections, 16 messages under way") for ours in BOTH),
    *(Target(f"One connection, half of the round trips take: {backend} with spin, of without",
             quotient("one connection", f"cordage, {backend}, spinning", f"cordage, {backend}", "p50_us"), "<=", 0.5)
      for backend in ("epoll", "uring")),
    *(Target(f"UDP echo, plain: {ours}, of a raw recvmmsg loop", one("udp plain", ours, "per_second/base"), ">=", 0.95)
      for ours in BOTH),
    *(Target(f"UDP echo, trains of 50: {ours}, of plain", one("udp trains", ours, "per_second/base"), ">=", 20)
      for ours in BOTH),
    Target("Bare switch, of a minimal loop", one("switch", "cordage", "ns/base"), "<=", 1.1),
    *tasks("yield", "Yield through the scheduler", 4),
    *tasks("start", "Start, run and join on one loop", 10),
    *tasks("ping-pong, events", "Hand-over of two tasks by events", 8),
    *tasks("ping-pong, queues", "Hand-over of two tasks by queues", 8),
    Target("Memory of a coroutine parked in sleep, 1,000,000 alive", one("memory", "cordage, in cord_sleep", "bytes"),
           "<=", 4505, " bytes", "{:,.0f}"),
    *(Target(f"... in recv, for each of 19,000 connections: {backend}",
             one("memory", f"cordage, in cord_recv, {backend}", "bytes"), "<=", 4608, " bytes", "{:,.0f}")
      for backend in ("epoll", "uring")),
    *(Target(f"User memory of a server for each of 19,000 idle connections: {ours}",
             one("idle connections", ours, "bytes"), "<=", 4608, " bytes", "{:,.0f}") for ours in BOTH),
    *(target for backend in ("epoll", "uring") for target in wakes(backend)),
    *(Target(f"Latency of {what} while two tasks yield for ever, 99 of 100: {backend}",
             one("latency", f"cordage, {backend}, {case}", "p99_us"), "<", 1000, " us", "{:,.0f}")
      for what, case in (("data", "data"), ("a timer", "timer")) for backend in ("epoll", "uring")),
    *(Target(f"Idle process: {ours}", one("idle process", ours, "wakeups"), "<=", 0, " wake-ups/s", "{:.1f}")
      for ours in BOTH),
    *(Target(f"A timer armed and cancelled with {int(count):,} armed, the dearer way",
             most("timers", count, "arm, cancel", "replace the oldest"), "<=", 20, " ns", "{:.1f}")
      for count in ("10000", "1000000")),
    *(Target(f"Two loops, CPU for a message: {backend}, of one loop",
             quotient("two loops", f"cordage, two loops, {backend}", f"cordage, one loop, {backend}", "cpu_us"),
             "<=", 1.1)
      for backend in ("epoll", "uring")),
    *(Target(f"... what the least served of 1000 connections got, of the mean: {backend}",
             one("two loops", f"cordage, two loops, {backend}", "least"), ">=", 0.9) for backend in ("epoll", "uring")),
]


def target_rows(results, only_seen=False):
    """[text, to reach, seen, verdict] of each."""
    rows = []
    for target in TARGETS:
        value = target.seen(results)
        if value is None and only_seen:
            continue
        rows.append([target.text, f"{target.sense} {target.bound:,g}{target.unit}",
                     "not measured" if value is None else target.form.format(value) + target.unit,
                     "" if value is None else "met" if target.met(value) else "not met"])
    return rows
