"""What is to be reached, and whether it is: data on the results of a run ({subject: {row: {figure: value}}}).

A target has a text, how its figure is taken from the results (None: not measured), a sense and a bound. With `both` it
is for each backend, and "{backend}" in a row's name stands for it.
"""
import dataclasses
import typing

BACKENDS = ("epoll", "uring")
OURS = "cordage, {backend}"
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
    both: bool = False

    def seen(self, results):
        """A figure for each backend, or one; None for what was left out, failed or not asked for."""
        for backend in BACKENDS if self.both else ("",):
            try:
                yield self.figure(results, backend)
            except (KeyError, TypeError, ValueError, ZeroDivisionError):
                yield None

    def verdict(self, value):
        if value is None:
            return ""
        return "met" if {"<=": value <= self.bound, ">=": value >= self.bound, "<": value < self.bound,
                         ">": value > self.bound}[self.sense] else "not met"

    def tell(self, value):
        return "not measured" if value is None else self.form.format(value) + self.unit


def one(subject, row, figure):
    return lambda results, backend: results[subject][row.format(backend=backend)][figure]


def most(subject, figure, *rows):
    """The worst of several rows, for a bound from above."""
    return lambda results, _: max(results[subject][row][figure] for row in rows)


def quotient(subject, row, other, figure):
    above, below = one(subject, row, figure), one(subject, other, figure)
    return lambda results, backend: above(results, backend) / below(results, backend)


def ahead(subject, row, peers, figure, more_is_better):
    """By how much of the best peer that is there."""
    def factor(results, backend):
        figures = [results[subject][peer][figure] for peer in peers if peer in results[subject]]
        mine = one(subject, row, figure)(results, backend)
        return mine / max(figures) if more_is_better else min(figures) / mine
    return factor


def echo(cell):
    subject = f"echo {cell}"
    return [Target(f"TCP echo 64 B, {cell}, of the raw loop", one(subject, OURS, "per_second/base"), ">=", 0.97,
                   both=True),
            Target(f"... of the best of {', '.join(ECHO_PEERS)}", ahead(subject, OURS, ECHO_PEERS, "per_second", True),
                   ">", 1, both=True)]


def tasks(name, text, bound):
    return [Target(f"{text}, of the bare switch", one(name, "cordage", "ns/base"), "<=", bound),
            Target("... ahead of the best of Boost.Fiber, Go, asyncio, gevent, pthreads",
                   ahead(name, "cordage", TASK_PEERS, "ns", False), ">", 1)]


def contended(count):
    subject = f"lock contended, {count} threads"
    return [Target(f"Lock that {count} threads want, acquires a second, of pthread_mutex",
                   one(subject, "cordage", "per_second/base"), ">=", 1),
            Target("... of Go's", quotient(subject, "cordage", "Go", "per_second"), ">=", 1)]


def processes(size):
    subject = f"queue processes, {size} bytes"
    return [Target(f"Queue between processes, {size} bytes, items a second, of the raw ring",
                   one(subject, "cordage", "per_second/base"), ">=", 0.5),
            Target("... ahead of the best of pipe, POSIX mq, Boost.Interprocess, ZeroMQ",
                   ahead(subject, "cordage", ("pipe", "POSIX mq", "Boost.Interprocess", "ZeroMQ ipc"), "per_second",
                         True), ">", 1),
            Target("... of Python's multiprocessing.Queue",
                   quotient(subject, "cordage", "Python multiprocessing", "per_second"), ">=", 20)]


def servers_echo(connections):
    subject = f"servers echo, {connections} connections"
    return [Target(f"Servers, echo at {connections} connections, CPU for a message: {peer}, of cordage",
                   one(subject, peer, "cpu_us/base"), ">=", bound)
            for peer, bound in ((SOCKETSERVER, 4), ("gevent", 2.3), ("Python asyncio", 4))]


def at_double(who):
    """Goodput with twice the load, of the better of the capacity and of what is reached with as much as that."""
    def part(results, _):
        rows = results["servers overload"]
        best = max(rows[f"{who}, {load}"]["goodput"] for load in ("closed loop", "offered 1 x"))
        return rows[f"{who}, offered 2 x"]["goodput"] / best
    return part


ACCEPTING = ("libuv", "libevent", "Boost.Asio", "Go")
SOCKETSERVER = "Python ThreadingTCPServer"
THREAD_QUEUES = ("Go channel", "mutex and conditions", "GAsyncQueue", "Python queue.Queue", "Python SimpleQueue")
TARGETS = [
    *(target for cell in ("64 connections", "1000 connections", "10,000 connections") for target in echo(cell)),
    Target("CPU for a message at 60,000/s over 64 connections, of the raw loop",
           one("echo 64 connections, 60,000 messages/s", OURS, "cpu_us/base"), "<=", 1.05, both=True),
    *(Target(f"{cell}, of the raw loop", one(f"echo {cell}", OURS, "per_second/base"), ">=", 0.97, both=True)
      for cell in ("64 connections, 16 KiB messages", "64 connections, 16 messages under way")),
    Target("One connection, half of the round trips take: with spin, of without",
           quotient("one connection", f"{OURS}, spinning", OURS, "p50_us"), "<=", 0.5, both=True),
    Target("UDP echo, plain, of a raw recvmmsg loop", one("udp plain", OURS, "per_second/base"), ">=", 0.95, both=True),
    Target("UDP echo, trains of 50, of plain", one("udp trains", OURS, "per_second/base"), ">=", 20, both=True),
    Target("Bare switch, of a minimal loop", one("switch", "cordage", "ns/base"), "<=", 1.1),
    *tasks("yield", "Yield through the scheduler", 4),
    *tasks("start", "Start, run and join on one loop", 10),
    *tasks("ping-pong, events", "Hand-over of two tasks by events", 8),
    *tasks("ping-pong, queues", "Hand-over of two tasks by queues", 8),
    Target("Hand-over by queues beside a second thread, of the bare switch",
           one("queue coroutines", "cordage", "ns/base"), "<=", 12),
    Target("... ahead of the best of Boost.Fiber and Go",
           ahead("queue coroutines", "cordage", ("Boost.Fiber", "Go"), "ns", False), ">", 1),
    Target("Event set for 1000 tasks, ahead of the best of Boost.Fiber, Go, asyncio, gevent",
           ahead("event crowd", "cordage", ("Boost.Fiber", "Go", "Go, sync.Cond", "Python asyncio", "gevent"), "ns",
                 False), ">", 1),
    Target("Lock that nobody else wants, of pthread_mutex", one("lock free", "cordage, local", "ns/base"), "<=", 1.2),
    Target("... shared, of local", quotient("lock free", "cordage, shared", "cordage, local", "ns"), "<=", 1.5),
    *contended(2),
    *contended(4),
    Target("Lock that 1000 coroutines want, acquires a second, of the best of Boost.Fiber and Go",
           ahead("lock contended, 1000 coroutines", "cordage", ("Boost.Fiber", "Go", "Go, two at once"), "per_second",
                 True), ">=", 1),
    Target("Queue between threads, items a second, of the raw ring", one("queue threads", "cordage", "per_second/base"),
           ">=", 0.8),
    Target("... ahead of the best of Go, mutex and conditions, GLib, Python",
           ahead("queue threads", "cordage", THREAD_QUEUES, "per_second", True), ">", 1),
    *processes(8),
    *processes(256),
    Target("Messages of 1 MiB between processes, bytes a second, of two copies",
           one("queue messages", "cordage", "per_second/base"), ">=", 0.8),
    Target("Size of a lock", one("sizes", "cord_lock", "bytes"), "<=", 16, " bytes", "{:,.0f}"),
    Target("Size of an event", one("sizes", "cord_event", "bytes"), "<=", 32, " bytes", "{:,.0f}"),
    Target("Memory of a coroutine parked in sleep, 1,000,000 alive", one("memory", "cordage, in cord_sleep", "bytes"),
           "<=", 4505, " bytes", "{:,.0f}"),
    Target("... in recv, for each of 19,000 connections", one("memory", "cordage, in cord_recv, {backend}", "bytes"),
           "<=", 4608, " bytes", "{:,.0f}", True),
    Target("User memory of a server for each of 19,000 idle connections", one("idle connections", OURS, "bytes"),
           "<=", 4608, " bytes", "{:,.0f}", True),
    Target("Wake of a task on another loop that is busy", one("wake", "{backend}, task, busy", "ns"), "<=", 500, " ns",
           "{:,.0f}", True),
    Target("... that spins", one("wake", "{backend}, task, spinning", "ns"), "<=", 500, " ns", "{:,.0f}", True),
    Target("... that sleeps, of a bare eventfd wake",
           quotient("wake", "{backend}, task, asleep", "{backend}, eventfd and epoll, asleep", "ns"), "<=", 1.15,
           both=True),
    *(Target(f"Latency of {what} while two tasks yield for ever, 99 of 100",
             one("latency", f"{OURS}, {case}", "p99_us"), "<", 1000, " us", "{:,.0f}", True)
      for what, case in (("data", "data"), ("a timer", "timer"))),
    Target("Idle process", one("idle process", OURS, "wakeups"), "<=", 0, " wake-ups/s", "{:.1f}", True),
    *(Target(f"A timer armed and cancelled with {int(count):,} armed, the dearer way",
             most("timers", count, "arm, cancel", "replace the oldest"), "<=", 20, " ns", "{:.1f}")
      for count in ("10000", "1000000")),
    Target("Two loops, CPU for a message, of one loop",
           quotient("two loops", "cordage, two loops, {backend}", "cordage, one loop, {backend}", "cpu_us"), "<=", 1.1,
           both=True),
    Target("... what the least served of 1000 connections got, of the mean",
           one("two loops", "cordage, two loops, {backend}", "least"), ">=", 0.9, both=True),
    *servers_echo(64),
    *servers_echo(1000),
    Target("Servers of kind thread, steady echo, of a C thread for each connection",
           one("servers thread, echo", "cordage", "per_second/base"), ">=", 0.95),
    Target("... connections a second", one("servers thread, connections", "cordage", "per_second/base"), ">=", 1.2),
    Target("Servers of kind process, connections a second, of ForkingTCPServer",
           one("servers process", "cordage, workers", "per_second/base"), ">=", 5),
    Target("Servers of datagrams, of ThreadingUDPServer", one("servers udp", "cordage", "per_second/base"), ">=", 20),
    Target(f"Servers, accept and close, of the best of {', '.join(ACCEPTING)}",
           ahead("servers accept", "cordage", ACCEPTING, "per_second", True), ">", 1),
    Target("Servers at twice their capacity, refusing: answers in time, of the peak", at_double("cordage, refusing"),
           ">=", 0.8),
    Target("Servers at half load, 99 of 100 answers, ahead of the best of " + ", ".join(ECHO_PEERS),
           ahead("servers half load", "cordage", ECHO_PEERS, "p99_us", False), ">", 1),
    Target("Servers, memory for each of 1000 connections, coroutines",
           one("servers memory", "cordage, coroutines", "bytes"), "<=", 4608, " bytes", "{:,.0f}"),
]
COLUMNS = ["epoll / io_uring where there are two", "to reach", "seen", ""]


def target_rows(results, only_seen=False):
    """[text, to reach, seen, verdict] of each."""
    rows = []
    for target in TARGETS:
        values = list(target.seen(results))
        if only_seen and not any(value is not None for value in values):
            continue
        told = [target.tell(value) for value in values]
        rows.append([target.text, f"{target.sense} {target.bound:,g}{target.unit}",
                     " / ".join(dict.fromkeys(told) if None in values else told),
                     " / ".join(dict.fromkeys(filter(None, map(target.verdict, values))))])
    return rows
