"""What is measured: a subject is data, and this is where a new one goes.

A subject has competitors, which run in turn, round by round. A competitor is a command; how it is run, and what its
figures are, is the subject's `run` (measure.py):

    tcp      an echo server that prints "listening PORT", under bench/load
    udp      the same under bench/udp_load
    half     as tcp, at half of the rate that the raw loop can answer: latencies
    dial     a server that prints "listening PORT", under bench/dial: connections that are opened and closed
    overload the same, with the rate that it can serve and with twice that
    idle     an echo server; `connections` are opened that say nothing: the growth of its memory for each
    parts    the same for a server of several processes
    wakeups  as idle, how often a second any thread of the server wakes up
    parked   a program that prints "ready" and, when it was given a line, makes as many tasks as its last argument says,
             which wait, and prints "parked": the growth of its memory for each
    program  a program that measures itself. It prints lines of JSON: where there are several, or the competitor has
             no name, "case" names the row; all others are figures

A competitor whose program is not there (not built yet, a library or a language not installed) is left out by name.
Figures have a heading and a format in FIGURES; those named in `ratios` are also given as a ratio to the row `base`,
within each round. "SECONDS" in a command stands for the seconds that a run takes.
"""
import dataclasses
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("CORD_BUILD", os.path.join(os.path.dirname(HERE), "build"))
PROGRAMS = os.path.join(BUILD, "bench")
PEERS = os.path.join(HERE, "peers")
EPOLL, URING = {"CORD_BACKEND": "epoll"}, {"CORD_BACKEND": "uring"}

FIGURES = {  # figure: heading, format
    "per_second": ("messages/s", "{:,.0f}"),
    "cpu_us": ("CPU us each", "{:.2f}"),
    "p50_us": ("p50 us", "{:,.1f}"),
    "p99_us": ("p99 us", "{:,.0f}"),
    "max_us": ("longest us", "{:,.0f}"),
    "wakeups": ("wake-ups a second", "{:,.1f}"),
    "goodput": ("in time, a second", "{:,.0f}"),
    "refused": ("refused", "{:.0%}"),
    "late": ("too late", "{:.0%}"),
    "least": ("least served", "{:.2f}"),
    "ns": ("CPU ns each", "{:,.1f}"),
    "bytes": ("bytes each", "{:,.0f}"),
    "faults": ("page faults each", "{:,.2f}"),
}


@dataclasses.dataclass
class Competitor:
    command: list
    environment: dict = dataclasses.field(default_factory=dict)
    needs: str = ""  # of machine.versions(): what must be installed for it
    run: str = ""  # the subject's, when empty
    options: dict = dataclasses.field(default_factory=dict)  # in place of the subject's


@dataclasses.dataclass
class Subject:
    name: str  # what PATTERN picks and JSON is keyed by
    title: str
    run: str
    competitors: dict
    figures: tuple = ("ns",)  # empty: all that the program prints
    base: str = ""
    ratios: tuple = ()
    options: dict = dataclasses.field(default_factory=dict)  # for run
    rounds: int = 100  # at most so many
    seconds: float = 1  # times --seconds
    long: bool = False  # takes seconds, however short --seconds is
    headings: dict = dataclasses.field(default_factory=dict)  # in place of those of FIGURES


def built(name, *args, **environment):
    return Competitor([f"{PROGRAMS}/{name}", *args], environment)


def on_all_cpus(name, *args, **environment):
    return Competitor([f"{PROGRAMS}/{name}", *args], environment, options={"cpu": None})


def python(name, needs="Python", *args):
    return Competitor([sys.executable, f"{PEERS}/{name}.py", *args], needs=needs)


RAW, RAW_UDP = "raw epoll loop", "raw recvmmsg loop"
ECHO = {
    RAW: built("echo_raw"),
    "cordage, epoll": built("echo_cordage", **EPOLL),
    "cordage, uring": built("echo_cordage", **URING),
    "cordage, threads": built("echo_cordage", "thread"),
    "libuv": Competitor([f"{PROGRAMS}/echo_libuv"], needs="libuv"),
    "libevent": Competitor([f"{PROGRAMS}/echo_libevent"], needs="libevent"),
    "Boost.Asio": Competitor([f"{PROGRAMS}/echo_asio"], needs="Boost"),
    "Go": Competitor([f"{PROGRAMS}/echo_go"], needs="Go"),
    "gevent": python("echo_gevent", "gevent"),
    "Python asyncio": python("echo_asyncio"),
    "Python ThreadingTCPServer": python("echo_socketserver"),
}
THREADS = ("cordage, threads", "Python ThreadingTCPServer")
SLOW = (*THREADS, "gevent", "Python asyncio")
PEERS_ON_TCP = {name: ECHO[name] for name in ECHO if name not in THREADS and not name.startswith("cordage")}


def without(competitors, names):
    return {name: competitor for name, competitor in competitors.items() if name not in names}


def echo(name, left_out=(), more=None, **options):
    """options: connections, rate (messages a second; none: closed loop), size and depth. more: of the subject."""
    return Subject(f"echo {name}", f"TCP echo, {name}", "tcp", without(ECHO, left_out), ("per_second", "cpu_us"), RAW,
                   ("per_second", "cpu_us"), options, **(more or {}))


BARE = "bare switch"  # ours, what each of the next is measured by
TASKS = {
    "cordage": built("tasks"),
    "Boost.Fiber": Competitor([f"{PROGRAMS}/tasks_fiber"], needs="Boost"),
    "Go": Competitor([f"{PROGRAMS}/tasks_go"], needs="Go"),
    "gevent": python("tasks_gevent", "gevent"),
    "Python asyncio": python("tasks_asyncio"),
    "pthreads, one CPU": built("tasks_pthread"),
}


def tasks(name, title, case, left_out=(), more=None, beside=(), seconds=0.2):
    """more: of further competitors; beside: BESIDE for a second thread that sleeps."""
    competitors = {who: dataclasses.replace(how, command=[*how.command, case, "SECONDS", *beside])
                   for who, how in without(TASKS, left_out).items()}
    return Subject(name, title, "program", {BARE: built("switch", "ours", "SECONDS"), **competitors, **(more or {})},
                   base=BARE, ratios=("ns",), seconds=seconds)


BESIDE = ("beside",)  # with a second thread that sleeps: the shortcuts for processes of one thread do not apply
MUTEX, RING = "pthread_mutex", "raw ring"


def go(name, case, processors):
    return Competitor([f"{PROGRAMS}/{name}_go", case, "SECONDS"], {"GOMAXPROCS": str(processors)}, needs="Go")


def measured(name, case, needs=""):
    """A program of micro.h."""
    return Competitor([f"{PROGRAMS}/{name}", case, "SECONDS", *BESIDE], needs=needs)


def many_a_second(name, title, competitors, base, unit, **more):
    """Wall time counts: what is measured sleeps, and its ends have a CPU each."""
    return Subject(name, title, "program", competitors, ("per_second",), base, ("per_second",) if base else (),
                   headings={"per_second": unit}, **{"options": {"cpu": None}, **more})


def contended(count):
    return many_a_second(f"lock contended, {count} threads",
                         f"A lock that {count} threads want all the time, acquires a second", {
        MUTEX: measured("lock_pthread", f"threads-{count}"),
        "cordage": measured("lock", f"threads-{count}"),
        "Go": go("lock", f"threads-{count}", 2),
    }, MUTEX, "a second")


def processes(size):
    case = f"processes-{size}"
    return many_a_second(f"queue processes, {size} bytes", f"Items of {size} bytes from one process to another", {
        RING: measured("queue_raw", case),
        "cordage": measured("queue", case),
        "pipe": measured("queue_kernel", f"pipe-{size}"),
        "POSIX mq": measured("queue_kernel", f"mq-{size}"),
        "Boost.Interprocess": measured("queue_boost", case, "Boost"),
        "ZeroMQ ipc": measured("queue_zmq", case, "ZeroMQ"),
        "Python multiprocessing": python("queue_python", "Python", case, "SECONDS"),
    }, RING, "items/s")


FORKING, SOCKETSERVER = "Python ForkingTCPServer", "Python ThreadingTCPServer"
WARM = {"more": ("warm",)}  # all connections have been answered once before the load begins


def server(kind, handler="echo", *words, address="tcp:127.0.0.1:0"):
    """bench/server_cordage.c"""
    return built("server_cordage", kind, handler, address, *words)


def servers_echo(connections):
    """Coroutines beside who else gives each connection a flow of its own."""
    return Subject(f"servers echo, {connections} connections",
                   f"Servers: echo of 64 bytes, {connections} connections, CPU for a message", "tcp", {
        "cordage": server("coroutine", "echo", "2000"),
        RAW: ECHO[RAW],
        "gevent": ECHO["gevent"],
        "Python asyncio": ECHO["Python asyncio"],
        SOCKETSERVER: ECHO[SOCKETSERVER],
    }, ("cpu_us", "per_second"), "cordage", ("cpu_us",), {"connections": connections, **WARM})


SERVERS = [
    servers_echo(64),
    servers_echo(1000),
    Subject("servers thread, echo", "Servers of kind thread: echo of 64 bytes, 64 connections that stay", "tcp", {
        "pthreads": built("echo_pthread"),
        "pthreads that can be woken": built("echo_pthread", "poll"),
        "cordage": server("thread"),
        SOCKETSERVER: ECHO[SOCKETSERVER],
    }, ("per_second", "cpu_us"), "pthreads", ("per_second", "cpu_us"), {"connections": 64, **WARM}),
    Subject("servers thread, connections", "Servers of kind thread: connections with one message, 16 at one time",
            "dial", {
        "pthreads": built("echo_pthread"),
        "cordage": server("thread"),
        SOCKETSERVER: ECHO[SOCKETSERVER],
    }, ("per_second", "cpu_us"), "pthreads", ("per_second", "cpu_us"), {"what": "echo", "connections": 16},
            headings={"per_second": "connections/s"}),
    Subject("servers process", "Servers of kind process: connections with one message, 16 at one time", "dial", {
        FORKING: python("echo_forking"),
        "cordage, workers": server("process"),
        "cordage, a child each": server("process", "echo", "each"),
    }, ("per_second",), FORKING, ("per_second",), {"what": "echo", "connections": 16},
            headings={"per_second": "connections/s"}),
    Subject("servers udp", "Servers of datagrams of 64 bytes, 16 clients with 4 under way", "udp", {
        "Python ThreadingUDPServer": python("udp_socketserver"),
        "cordage": server("coroutine", address="udp:127.0.0.1:0"),
    }, ("per_second", "cpu_us"), "Python ThreadingUDPServer", ("per_second", "cpu_us"),
            {"connections": 16, "depth": 4}, headings={"per_second": "datagrams/s"}),
    Subject("servers accept", "Servers: connections accepted and closed at once, 64 at one time", "dial", {
        "cordage": server("coroutine", "close"),
        "libuv": Competitor([f"{PROGRAMS}/accept_libuv"], needs="libuv"),
        "libevent": Competitor([f"{PROGRAMS}/accept_libevent"], needs="libevent"),
        "Boost.Asio": Competitor([f"{PROGRAMS}/accept_asio"], needs="Boost"),
        "Go": Competitor([f"{PROGRAMS}/accept_go"], needs="Go"),
    }, ("per_second", "cpu_us"), "cordage", ("per_second", "cpu_us"), {"what": "close", "connections": 64},
            headings={"per_second": "connections/s"}),
    Subject("servers overload", "Servers: requests of 200 us CPU, answered within 200 ms", "overload", {
        "cordage, refusing": server("coroutine", "burn", "16", "refuse"),
        "cordage, all wait": server("coroutine", "burn"),
    }, ("goodput", "refused", "late"), options={"connections": 8, "patience": 200}, seconds=2),
    Subject("servers half load", "Servers: latency of echo of 64 bytes, 64 connections, half of the raw loop's ceiling",
            "half", {
        RAW: ECHO[RAW],
        "cordage": server("coroutine"),
        "cordage, threads": server("thread"),
        **without(PEERS_ON_TCP, (RAW,)),
        SOCKETSERVER: ECHO[SOCKETSERVER],
    }, ("p50_us", "p99_us", "cpu_us", "per_second"), RAW, ("p99_us",), {"connections": 64, **WARM}),
    Subject("servers memory", "Servers: user memory for each of 1000 connections that say nothing (processes: 64)",
            "parts", {
        "cordage, coroutines": server("coroutine", "echo", "2000"),
        "cordage, threads": server("thread", "echo", "2000"),
        "cordage, processes": dataclasses.replace(server("process"), options={"connections": 64}),
    }, ("bytes",), options={"connections": 1000}, rounds=1),
]
SUBJECTS = [
    Subject("switch", "A bare switch between two stacks", "program", {
        "minimal loop": built("switch", "minimal", "SECONDS"),
        "cordage": built("switch", "ours", "SECONDS"),
        "Boost.Context": Competitor([f"{PROGRAMS}/switch_boost", "boost", "SECONDS"], needs="Boost"),
        "swapcontext": built("switch", "swapcontext", "SECONDS"),
    }, base="minimal loop", ratios=("ns",), seconds=0.2),
    tasks("yield", "A yield through the scheduler, two tasks in turn", "yield"),
    tasks("start", "Start, run, end and join of one task", "start"),
    tasks("ping-pong, events", "A hand-over from task to task by events (a round trip is two)", "event"),
    tasks("ping-pong, queues", "A hand-over from task to task by queues of one item (a round trip is two)", "queue",
          ("pthreads, one CPU",)),
    tasks("queue coroutines", "The same hand-over by queues, while a second thread of the process sleeps", "queue",
          ("pthreads, one CPU",), beside=BESIDE),
    tasks("event crowd", "An event that 1000 tasks wait for: set until all have run, for each of them", "crowd",
          ("pthreads, one CPU",), {"Go, sync.Cond": Competitor([f"{PROGRAMS}/tasks_go", "crowd-cond", "SECONDS"],
                                                               needs="Go")}, BESIDE, 0.5),
    Subject("lock free", "Acquire and release of a lock that nobody else wants", "program", {
        MUTEX: measured("lock_pthread", "local"),
        "pthread_mutex, robust and shared": measured("lock_pthread", "robust"),
        "cordage, local": measured("lock", "local"),
        "cordage, shared": measured("lock", "shared"),
        "Go": go("lock", "local", 2),
    }, base=MUTEX, ratios=("ns",), seconds=0.2),
    contended(2),
    contended(4),
    many_a_second("lock contended, 1000 coroutines",
                  "A lock that 1000 coroutines of one loop want, one in 8 yields inside; acquires a second", {
        "cordage": measured("lock", "coroutines"),
        "Boost.Fiber": measured("lock_fiber", "coroutines", "Boost"),
        "Go": go("lock", "coroutines", 1),
        "Go, two at once": dataclasses.replace(go("lock", "coroutines", 2), options={"cpu": None}),
    }, "", "a second", options={}),
    many_a_second("queue threads", "Items of 8 bytes from one thread to another", {
        RING: measured("queue_raw", "threads"),
        "cordage": measured("queue", "threads"),
        "Go channel": go("queue", "threads", 2),
        "mutex and conditions": measured("queue_pthread", "threads"),
        "GAsyncQueue": measured("queue_glib", "threads", "GLib"),
        "Python queue.Queue": python("queue_python", "Python", "queue", "SECONDS"),
        "Python SimpleQueue": python("queue_python", "Python", "simple", "SECONDS"),
    }, RING, "items/s"),
    processes(8),
    processes(256),
    many_a_second("queue messages", "Messages of 1 MiB from one process to another", {
        "raw, two copies": measured("queue_raw", "messages"),
        "raw, two CPUs": measured("queue_raw", "messages-apart"),
        "cordage": measured("queue", "messages"),
    }, "raw, two copies", "MiB/s"),
    Subject("sizes", "What the objects take of memory", "program", {"": built("sizes")}, (), rounds=1,
            headings={"bytes": "bytes"}),
    echo("64 connections", connections=64),
    echo("1000 connections", THREADS, connections=1000),
    echo("10,000 connections", THREADS, {"seconds": 2, "rounds": 4, "long": True}, connections=10000),
    echo("64 connections, 60,000 messages/s", SLOW, connections=64, rate=60000),
    echo("1000 connections, 60,000 messages/s", SLOW, connections=1000, rate=60000),
    echo("64 connections, 16 KiB messages", SLOW, connections=64, size=16384),
    echo("64 connections, 16 messages under way", SLOW, connections=64, depth=16),
    Subject("one connection", "TCP echo of 64 bytes on one connection, a loop that looks for work for 50 us or sleeps",
            "tcp", {
        RAW: built("echo_raw"),
        f"{RAW}, spinning": built("echo_raw", "spin"),
        "cordage, epoll": built("echo_cordage", "coroutine", "1", **EPOLL),
        "cordage, epoll, spinning": built("echo_cordage", "coroutine", "1", "50us", **EPOLL),
        "cordage, uring": built("echo_cordage", "coroutine", "1", **URING),
        "cordage, uring, spinning": built("echo_cordage", "coroutine", "1", "50us", **URING),
        **without(PEERS_ON_TCP, (RAW,)),
    }, ("per_second", "p50_us", "p99_us", "cpu_us"), RAW, ("p50_us",), {"connections": 1}, seconds=0.5),
    Subject("two loops", "TCP echo, 1000 connections, 60,000 messages/s, by one loop and by two on two CPUs", "tcp", {
        "cordage, one loop, epoll": built("echo_cordage", "coroutine", "1", **EPOLL),
        "cordage, two loops, epoll": on_all_cpus("echo_cordage", "coroutine", "2", **EPOLL),
        "cordage, one loop, uring": built("echo_cordage", "coroutine", "1", **URING),
        "cordage, two loops, uring": on_all_cpus("echo_cordage", "coroutine", "2", **URING),
    }, ("per_second", "cpu_us", "p50_us", "least"), "cordage, one loop, epoll", ("cpu_us",),
            {"connections": 1000, "rate": 60000}),
    Subject("wake", "Wake of a task on another loop, nanoseconds until it goes on", "program", {
        "epoll": built("wake", **EPOLL),
        "uring": built("wake", **URING),
    }, options={"cpu": None}, rounds=1, long=True, headings={"ns": "ns"}),
    Subject("latency", "From what a task waits for until it goes on, while two others yield for ever", "program", {
        "cordage, epoll": built("latency", "SECONDS", **EPOLL),
        "cordage, uring": built("latency", "SECONDS", **URING),
    }, ("p50_us", "p99_us", "max_us"), options={"cpu": None}),
    Subject("idle process", "A server with 64 connections that say nothing, wake-ups a second", "wakeups",
            without(ECHO, ("Python ThreadingTCPServer",)), ("wakeups",), options={"connections": 64}, rounds=1),
    Subject("udp plain", "UDP echo of 64 bytes, 16 clients with 4 datagrams each under way", "udp", {
        RAW_UDP: built("udp_raw"),
        "cordage, epoll": built("udp_cordage", "many", **EPOLL),
        "cordage, uring": built("udp_cordage", "many", **URING),
        "cordage, one at a time": built("udp_cordage", "one"),
        "cordage, a handler each": built("udp_cordage", "server"),
        "libuv": Competitor([f"{PROGRAMS}/udp_libuv"], needs="libuv"),
        "Boost.Asio": Competitor([f"{PROGRAMS}/udp_asio"], needs="Boost"),
        "Go": Competitor([f"{PROGRAMS}/udp_go"], needs="Go"),
        "Python recvfrom": python("udp_socket"),
        "Python asyncio": python("udp_asyncio"),
    }, ("per_second", "cpu_us"), RAW_UDP, ("per_second", "cpu_us"), {"connections": 16, "depth": 4}),
    Subject("udp trains", "UDP echo of 64 bytes, one client with 400 under way, in trains of 50", "udp", {
        "cordage, plain": Competitor([f"{PROGRAMS}/udp_cordage", "many"], options={"more": (1,)}),
        "raw, in trains": built("udp_raw", "trains"),
        "cordage, epoll": built("udp_cordage", "trains", **EPOLL),
        "cordage, uring": built("udp_cordage", "trains", **URING),
    }, ("per_second", "cpu_us"), "cordage, plain", ("per_second", "cpu_us"),
            {"connections": 1, "depth": 400, "more": (50,)}),
    *SERVERS,
    Subject("idle connections", "User memory of a server for each of 19,000 connections that say nothing", "idle", {
        "cordage, epoll": built("idle_connections", **EPOLL),
        "cordage, uring": built("idle_connections", **URING),
        **PEERS_ON_TCP,
    }, ("bytes",), options={"connections": 19000}, rounds=1, long=True),
    Subject("memory", "Memory of a task that waits, with page tables (peers: 100,000 that sleep)", "parked", {
        "cordage": Competitor([f"{PROGRAMS}/memory"], run="program", options={"cpu": None}),
        "Boost.Fiber": Competitor([f"{PROGRAMS}/parked_fiber", "100000"], needs="Boost"),
        "Go": Competitor([f"{PROGRAMS}/parked_go", "100000"], needs="Go"),
        "gevent": python("parked_gevent", "gevent", "100000"),
        "Python asyncio": python("parked_asyncio", "Python", "100000"),
    }, ("bytes", "faults"), rounds=1, long=True),
    Subject("timers", "CPU nanoseconds for the deadline of a wait that is met, while so many others are armed",
            "program", {"": built("timers")}, (), rounds=1, long=True),
    Subject("growth", "CPU nanoseconds for each task, at so many of them (a flat row: nothing is quadratic)", "program",
            {"": built("growth")}, (), rounds=1, long=True),
]
