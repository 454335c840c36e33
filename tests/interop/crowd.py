#!/usr/bin/env python3
"""`cordage serve` with many clients, in every kind: every reply is checked, whatever happens to the server meanwhile.

    tests/interop/crowd.py [PATTERN]    CORDAGE_BUILD or CORD_BUILD: the build directory (default: build)

Two hundred clients talk at one time; workers are killed, the server is stopped, others are slow, come in floods, or are
more than there are descriptors. CORD_SOAK=100000 opens and closes that many connections instead of 3,000 in the cases
"soak", and prints what the server had before and after (`make soak`).
"""
import os
import random
import resource
import select
import selectors
import signal
import socket
import sys
import threading
import time

from pairs import (PATIENCE, SLOW, Failure, check, in_kinds, join, receive, reset, run_cases, same, serve, stops, tcp,
                   until)

CLIENTS, MESSAGES = 200, 100
SOAK = int(os.environ.get("CORD_SOAK", "0"))


class Client:
    """Says one message after the other, each when it has the reply to the one before, which must be the same."""

    def __init__(self, at, number, messages=MESSAGES, family=socket.AF_INET, sort=socket.SOCK_STREAM):
        self.sk = socket.socket(family, sort)
        self.sk.settimeout(PATIENCE)
        self.sk.connect(at)
        self.sk.setblocking(False)
        self.port = self.sk.getsockname()[1] if family == socket.AF_INET else 0
        self.number, self.messages, self.stream = number, messages, sort == socket.SOCK_STREAM
        self.replies, self.got = 0, b""
        self.lost = None  # how it ended before it had all replies

    def message(self):
        head = f"{self.number}.{self.replies} ".encode()
        return head + b"x" * ((self.number * 37 + self.replies * 101) % 1500)

    def say(self):
        try:
            self.sk.send(self.message())  # what went before has been read: there is room
        except (ConnectionResetError, BrokenPipeError) as why:
            self.lost = type(why).__name__

    def hear(self):
        """Takes what came; whether that was the rest of a reply."""
        try:
            piece = self.sk.recv(65536)
        except ConnectionResetError as why:
            self.lost = type(why).__name__
            return False
        if self.stream and not piece:
            self.lost = "end"
            return False
        self.got += piece
        wanted = self.message()
        if len(self.got) < len(wanted) and self.stream:
            return False
        check(self.got == wanted, f"client {self.number}, reply {self.replies}: {self.got[:50]!r} for {wanted[:50]!r}")
        self.got = b""
        self.replies += 1
        return True

    def done(self):
        return self.lost is not None or self.replies == self.messages


def drive(clients, watch=lambda: None, speak=True):
    """Lets the clients talk until each has all its replies or is lost, and calls watch() between any two looks. They
    are closed then. speak=False: each has said its first message already."""
    selector = selectors.DefaultSelector()
    open_, progress = 0, time.monotonic()
    for client in clients:
        if speak:
            client.say()
        if client.done():
            client.sk.close()
        else:
            selector.register(client.sk, selectors.EVENT_READ, client)
            open_ += 1
    while open_:
        events = selector.select(1)
        for key, _ in events:
            client = key.data
            if client.hear() and not client.done():
                client.say()
            if client.done():
                selector.unregister(client.sk)
                client.sk.close()
                open_ -= 1
        progress = time.monotonic() if events else progress
        if time.monotonic() - progress > PATIENCE:
            raise Failure(f"{open_} clients hear nothing for {PATIENCE} s")
        watch()
    selector.close()


def all_served(clients):
    lost = [(client.number, client.replies, client.lost) for client in clients if client.lost]
    same(lost, [], "clients that did not get all replies (number, replies, why)")


def is_served(server, what):
    client = Client(server.at[0], 0, 3)
    drive([client])
    check(client.lost is None, f"{what}: the next client is served")


def workers(server):
    return [pid for pid in server.group() if pid != server.pid]


# All at one time


@in_kinds("crowd.two_hundred_clients_get_every_reply")
def _(kind):
    server = serve("echo", "-k", kind, addresses=["tcp:127.0.0.1:0", "udp:127.0.0.1:0", "unix:crowd.sock"])
    clients = [Client(server.at[0], number) for number in range(CLIENTS)]
    clients += [Client(server.at[1], number, MESSAGES // 4, sort=socket.SOCK_DGRAM) for number in range(CLIENTS // 4)]
    clients += [Client("crowd.sock", number, MESSAGES // 4, socket.AF_UNIX) for number in range(CLIENTS // 4)]
    drive(clients)
    all_served(clients)
    stops(server)


# What happens to a server under load


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def peers_of(pid):
    """The ports of the TCP peers to which a process of this network has a connection."""
    inodes, ports = set(), set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
        if target.startswith("socket:["):
            inodes.add(target[len("socket:["):-1])
    with open("/proc/self/net/tcp", encoding="utf-8") as file:
        for line in file.readlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                ports.add(int(fields[2].rsplit(":", 1)[1], 16))
    return ports


class Killer:
    """Kills a worker after each `every` replies. It is stopped first, so that it cannot let go of what it is seen to
    have; one that has nothing may yet die with an order, and the connection, on its way to it."""

    def __init__(self, server, clients, every, most):
        self.server, self.clients, self.every, self.most = server, clients, every, most
        self.ports, self.kills, self.unknown = set(), 0, 0

    def __call__(self):
        if self.kills < self.most and sum(c.replies for c in self.clients) >= (self.kills + 1) * self.every:
            pid = random.choice(workers(self.server))
            os.kill(pid, signal.SIGSTOP)
            until(lambda: state(pid) == "T", "it stops")
            held = peers_of(pid)
            os.kill(pid, signal.SIGKILL)
            self.ports |= held
            self.unknown += not held
            self.kills += 1


@in_kinds("crowd.killed_workers_lose_only_what_they_held", "coroutine", "thread", "serial")
def _(kind):
    server = serve("echo", "-k", kind)
    clients = [Client(server.at[0], number) for number in range(CLIENTS)]
    killer = Killer(server, clients, 600, 25)
    drive(clients, killer)
    same(killer.kills, 25, "killed workers")
    lost = [client for client in clients if client.lost]
    others = [client.number for client in lost if client.port not in killer.ports]
    check(len(others) <= killer.unknown, f"clients {others} are lost, and no killed worker had them")
    check(len(lost) >= killer.kills // 2, f"only {len(lost)} of {killer.kills} killed workers had a client")
    is_served(server, "after that")
    stops(server)


@in_kinds("crowd.stop_under_load_loses_no_accepted_request", "serial")
def _(kind):
    """Who has one reply gets them all; who has none was still in the kernel's queue, which ends with the listener."""
    server = serve("echo", "-k", kind, "--grace", "60")
    clients = [Client(server.at[0], number) for number in range(CLIENTS)]
    begun = []

    def stop():
        counts = [client.replies for client in clients]
        if not begun and sum(counts) >= CLIENTS * MESSAGES // 4 and (kind == "process" or all(counts)):
            begun.append(sum(counts))
            os.kill(server.pid, signal.SIGTERM)

    drive(clients, stop)
    same(server.end(), 0, f"exit code: {server.tail()}")
    cut = [(client.number, client.replies) for client in clients if client.lost and client.replies]
    same(cut, [], "clients that were cut off after a reply")
    got = sum(client.replies for client in clients)
    check(got > begun[0], "it was stopped in the middle")
    if kind != "process":  # which takes 64 at one time, and had not taken the others yet
        same(got, CLIENTS * MESSAGES, "replies")
    until(lambda: not server.group(), "no process is left behind")


def serve_again(*args, **options):
    """At the addresses of a server that was killed. Of one on io_uring the kernel lets go some milliseconds later."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return serve(*args, **options)
        except Failure as why:
            if "address already in use" not in str(why) or time.monotonic() > end:
                raise


def has_ended(sk):
    try:
        return sk.recv(1) == b""
    except ConnectionResetError:
        return True


@in_kinds("crowd.restart_at_once_on_the_same_port")
def _(kind):
    """Connections of the first server are open meanwhile; workers serve theirs to the end."""
    addresses = ["tcp:127.0.0.1:0", "udp:127.0.0.1:0", "unix:again.sock"]
    server = serve("echo", "-k", kind, addresses=addresses)
    addresses[:2] = [f"tcp:127.0.0.1:{server.at[0][1]}", f"udp:127.0.0.1:{server.at[1][1]}"]
    for number in signal.SIGKILL, signal.SIGTERM, signal.SIGKILL:
        held = [join(server.at[0]) for _ in range(1 if kind == "serial" else 10)]
        for sk in held:
            sk.sendall(b"x")
            same(receive(sk, 1), b"x", "a reply")
        os.kill(server.pid, number)
        server.process.wait(PATIENCE)  # not for the end of its output: workers have it too
        again = (serve_again if number == signal.SIGKILL else serve)("echo", "-k", kind, addresses=addresses)
        is_served(again, f"after signal {number}")
        for sk in held:
            if kind == "process" and number == signal.SIGKILL:
                sk.sendall(b"y")
                same(receive(sk, 1), b"y", "a reply of a worker that nobody gives more to do")
            else:
                check(has_ended(sk), "an old connection has ended")
            sk.close()
        until(lambda s=server: not s.group(), "no process of the first is left")
        server = again
    stops(server)


# Clients that take their time, and those that come in crowds


class Slow(threading.Thread):
    """A third of them says one byte a second, a third sends and never reads, a third says nothing."""

    def __init__(self, at, count):
        super().__init__(daemon=True)
        self.drips, self.rounds, self.stop = [], 0, threading.Event()
        self.others = []
        for number in range(count):
            sk = socket.socket()
            sk.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sk.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            sk.settimeout(PATIENCE)
            sk.connect(at)
            sk.setblocking(False)
            (self.others if number % 3 else self.drips).append(sk)
            if number % 3 == 1:
                self.fill(sk)
        self.start()

    @staticmethod
    def fill(sk):
        try:
            for _ in range(300):
                sk.send(b"f" * 4096)
        except (BlockingIOError, ConnectionError):
            pass

    def run(self):
        while not self.stop.wait(1):
            for sk in self.drips:
                try:
                    sk.send(b"s")
                except (BlockingIOError, ConnectionError):
                    pass
            self.rounds += 1

    def close(self):
        self.stop.set()
        self.join()
        for sk in self.drips + self.others:
            sk.close()


@in_kinds("crowd.good_clients_are_served_beside_300_slow_ones", "serial")
def _(kind):
    server = serve("echo", "-k", kind, "--max-connections", "400")
    slow = Slow(server.at[0], 300)
    while slow.rounds < 2:
        clients = [Client(server.at[0], number, 20) for number in range(10)]
        drive(clients)
        all_served(clients)
    stops(server)  # whatever they do
    slow.close()


@in_kinds("crowd.idle_time_ends_slow_clients_and_all_get_their_turn")
def _(kind):
    """The slow ones hold every place there is."""
    places, count = (1, 12) if kind == "serial" else (32, 300)
    server = serve("echo", "-k", kind, "--max-connections", str(places), "--idle", "200ms")
    slow = Slow(server.at[0], count)
    clients = [Client(server.at[0], number, 20) for number in range(10)]
    drive(clients)
    all_served(clients)
    slow.close()
    stops(server)


def flood(at, count, failures):
    """Connections that come and go as quickly as they can; some say something, some end by a reset."""
    for number in range(count):
        try:
            sk = socket.create_connection(at, PATIENCE)
        except OSError as why:
            failures.append(why)
            return
        if number % 2:
            sk.sendall(b"flood")
        if number % 3:
            reset(sk)
        else:
            sk.close()


@in_kinds("crowd.good_clients_are_served_in_a_flood")
def _(kind):
    server, failures = serve("echo", "-k", kind), []
    floods = [threading.Thread(target=flood, args=(server.at[0], 1000, failures), daemon=True) for _ in range(3)]
    for thread in floods:
        thread.start()
    rounds = 0
    while rounds < 5 or any(thread.is_alive() for thread in floods):
        client = Client(server.at[0], rounds, 20)
        drive([client])
        all_served([client])
        rounds += 1
    same(failures, [], "connections of the flood that failed")
    stops(server)


# The limit of open files


def processor_time(pids):
    """Seconds that processes, and children that they have waited for, have used."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            ticks += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def busy(server, seconds):
    """The part of one processor that the server uses for so long."""
    begin, before = time.monotonic(), processor_time(server.group())
    time.sleep(seconds)
    return (processor_time(server.group()) - before) / (time.monotonic() - begin)


@in_kinds("crowd.ulimit_of_64_files_serves_all_and_does_not_spin")
def _(kind):
    limit = ("/bin/sh", "-c", 'ulimit -n 64; exec "$@"', "sh")
    server = serve("echo", "-k", kind, "--max-connections", "1000", under=limit)
    same(resource.prlimit(server.pid, resource.RLIMIT_NOFILE), (64, 64), "the server's limit")
    clients = [Client(server.at[0], number, 1) for number in range(CLIENTS)]
    for client in clients:
        client.say()
    # Nobody hangs up: it takes what it can, and then a server that waits uses next to nothing in every such time.
    until(lambda: busy(server, 0.5) < 0.2, "the server is quiet at its limit")
    answered, _, _ = select.select([client.sk for client in clients], [], [], 0)
    check(0 < len(answered) < CLIENTS - 100, f"{len(answered)} of {CLIENTS} are served at the limit")
    check(busy(server, 0.5) < 0.2, "it stays quiet")
    drive(clients, speak=False)
    all_served(clients)
    is_served(server, "after that")
    stops(server)


# Growth


def footprint(server):
    """Processes, descriptors and kB of memory of the server and its workers."""
    pids, descriptors, memory = server.group(), 0, 0
    for pid in pids:
        descriptors += len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/statm", encoding="utf-8") as file:
            memory += int(file.read().split()[1]) * resource.getpagesize() // 1024
    return len(pids), descriptors, memory


def come_and_go(at, count):
    """One after the other: some say something, some half-close, some reset. By several addresses, so that the ports
    of those in TIME_WAIT do not run out."""
    for number in range(count):
        with socket.create_connection(at, PATIENCE, (f"127.0.{number // 10000 % 200}.2", 0)) as sk:
            if number % 4:
                sk.sendall(b"come and go")
                same(receive(sk, 11), b"come and go", f"reply {number}")
            if number % 4 == 2:
                sk.shutdown(socket.SHUT_WR)
                same(sk.recv(1), b"", f"the end of {number}")
            elif number % 4 == 3:
                reset(sk)


def soak(kind):
    count = SOAK or 3000
    server = serve("echo", "-k", kind, "--max-connections", "2")  # no more workers, which come and go as well
    come_and_go(server.at[0], count // 6)
    before = footprint(server)
    begin = time.monotonic()
    come_and_go(server.at[0], count)
    took = time.monotonic() - begin
    until(lambda: all(now <= then for now, then in zip(footprint(server)[:2], before)),
          f"no more processes and descriptors than {before}; {footprint(server)}")
    after = footprint(server)
    if SOAK:
        print(f"{kind}: {count} connections in {took:.1f} s; processes, descriptors, kB: {before}, then {after}")
    if SLOW == 1:  # a sanitizer keeps what was freed
        check(after[2] - before[2] < 1024, f"memory grows from {before[2]} to {after[2]} kB")
    with tcp(server.at[0][1]) as sk:
        sk.sendall(b"x")
        same(receive(sk, 1), b"x", "it serves on")
    stops(server)


in_kinds("crowd.soak_leaves_memory_and_descriptors_as_they_were", seconds=max(60, SOAK // 100))(soak)


if __name__ == "__main__":
    sys.exit(run_cases())
