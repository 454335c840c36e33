#!/usr/bin/env python3
"""Python's answers against ours: the same table of socket calls, made here with Python's socket module and by
tests/programs/probe_errno.c in each kind. Each row is compared: the value, or the name of the errno.

Where Python raises something without an errno, its name here is the code that cordage answers: a TimeoutError is
ETIMEDOUT, a port out of range or a UNIX path too long EADDRESS, a gaierror ERESOLVE, fileno() -1 EBADF.
"""
import errno
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("CORDAGE_BUILD", "build")).resolve()
PROGRAM = BUILD / "tests" / "programs" / "probe_errno"
KINDS = ["coroutine", "thread", "process", "serial"]
LONG = 5
rows = {}


def answer(call):
    try:
        value = call()
    except socket.gaierror:
        return "ERESOLVE"
    except TimeoutError as error:
        return errno.errorcode.get(error.errno, "ETIMEDOUT")
    except OSError as error:
        return "EADDRESS" if error.errno is None else errno.errorcode[error.errno]
    except OverflowError:
        return "EADDRESS"
    except ValueError:
        return "EINVAL"
    if isinstance(value, (bytes, bytearray)):
        return str(len(value))
    if isinstance(value, tuple):  # recvfrom
        return str(len(value[0]))
    return str(int(value or 0))


def row(name, call):
    rows[name] = answer(call)


def sock(kind=socket.SOCK_STREAM, family=socket.AF_INET, timeout=LONG):
    s = socket.socket(family, kind)
    s.settimeout(timeout)
    return s


def bound(kind=socket.SOCK_STREAM, backlog=100):
    s = sock(kind)
    s.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        s.listen(backlog)
    return s


def pair():
    with bound() as listener:
        client = sock()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        server.settimeout(LONG)
    return client, server


def within(s, timeout, call):
    """The call with another time-out: 0 is non-blocking, and with None it is the system that answers."""
    def made():
        s.settimeout(timeout)
        try:
            return call()
        finally:
            s.settimeout(LONG)
    return made


def listen_at(address, family=socket.AF_INET):
    with sock(family=family) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(address)
        s.listen(100)


def connect_to(address, family=socket.AF_INET):
    with sock(family=family) as s:
        s.connect(address)


def addresses(directory):
    row("30.connect_port_65536", lambda: connect_to(("127.0.0.1", 65536)))
    row("30.connect_unknown_name", lambda: connect_to(("no-such-host.invalid", 80)))
    row("32.unix_path_of_108_bytes", lambda: listen_at("/" + "0" * 107, socket.AF_UNIX))
    path = f"{directory}/s"
    row("32.unix_connect_no_file", lambda: connect_to(path, socket.AF_UNIX))
    with sock(family=socket.AF_UNIX) as live:
        live.bind(path)
        live.listen(100)
        row("32.unix_bind_twice", lambda: listen_at(path, socket.AF_UNIX))
        row("32.unix_connect", lambda: connect_to(path, socket.AF_UNIX))
    with bound() as live:
        address = live.getsockname()
        row("35.bind_twice", lambda: listen_at(address))
        row("35.bind_foreign_address", lambda: listen_at(("192.0.2.1", 0)))
        row("35.bind_port_0_is_some_port", lambda: address[1] != 0)
    row("38.connect_nobody_listens", lambda: connect_to(address))
    with sock() as s:
        row("39.connect_ex_nobody_listens", lambda: s.connect_ex(address))
    row("31.ipv6_listen", lambda: listen_at(("::1", 0), socket.AF_INET6))


def closed_sockets():
    client, server = pair()
    row("49.fileno_is_positive", lambda: client.fileno() > 2)
    client.close()
    client.close()
    rows["34.fileno_after_close"] = "EBADF" if client.fileno() == -1 else "?"
    row("34.recv_after_close", lambda: client.recv(1))
    row("34.send_after_close", lambda: client.send(b"x"))
    row("34.accept_after_close", lambda: client.accept())
    row("34.getsockname_after_close", lambda: client.getsockname())
    row("34.shutdown_after_close", lambda: client.shutdown(socket.SHUT_RDWR))
    server.close()


def listening():
    listener = bound()
    client, server = pair()
    row("37.accept_on_no_listener", within(client, None, client.accept))
    row("40.recv_on_listener", within(listener, None, lambda: listener.recv(1)))
    row("42.send_on_listener", within(listener, None, lambda: listener.send(b"x")))
    row("47.getpeername_of_listener", lambda: listener.getpeername())
    row("45.accept_nothing_there", within(listener, 0, listener.accept))
    row("46.accept_timeout", within(listener, 0.02, listener.accept))
    row("46.negative_timeout", lambda: listener.settimeout(-1))
    for s in (listener, client, server):
        s.close()


def full_queue():
    listener = bound(backlog=1)
    clients, last = [], "0"
    while len(clients) < 8 and last == "0":
        clients.append(sock(timeout=0.2))
        last = answer(lambda: clients[-1].connect(listener.getsockname()))
    rows["36.connections_a_backlog_of_1_holds"] = str(len(clients) - 1)
    rows["46.connect_timeout"] = last
    for s in [listener] + clients:
        s.close()


def streams():
    a, b = pair()
    block = bytes(1 << 16)
    row("45.recv_nothing_there", within(a, 0, lambda: a.recv(1)))
    row("46.recv_timeout", within(a, 0.02, lambda: a.recv(1)))
    row("40.recv_of_0_bytes", lambda: a.recv(0))
    row("42.send_of_0_bytes", lambda: a.send(b""))
    row("42.send", lambda: a.send(b"hello"))
    row("40.recv_peek", lambda: b.recv(3, socket.MSG_PEEK))
    row("40.recv_part", lambda: b.recv(3))
    row("40.recv_rest", lambda: b.recv(100))

    def send_until_full():  # buffers grow and drain on their own: the answer is the one that ends it
        while True:
            within(a, 0, lambda: a.send(block))()

    failures = 0
    while failures < 3:  # full is when no more goes on to the peer
        failures += 1
        row("45.send_when_full", send_until_full)
        time.sleep(0.03)
    row("46.send_timeout", within(a, 0.02, lambda: a.send(b"x")))
    row("46.sendall_timeout", within(a, 0.02, lambda: a.sendall(block)))
    a.close()
    b.close()


def endings():
    a, b = pair()
    row("40.shutdown_write", lambda: b.shutdown(socket.SHUT_WR))
    row("42.send_after_own_shutdown", lambda: b.send(b"x"))
    row("40.recv_after_peers_shutdown", lambda: a.recv(1))
    row("40.recv_end_again", lambda: a.recv(1))
    row("42.send_to_half_closed", lambda: a.send(b"x"))
    a.close()
    b.close()
    a, b = pair()
    b.close()
    row("40.recv_peer_closed", lambda: a.recv(1))
    row("42.first_send_after_close", lambda: a.send(b"x"))
    time.sleep(0.05)
    row("42.second_send_after_close", lambda: a.send(b"x"))
    a.close()
    a, b = pair()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    b.close()
    row("40.recv_peer_reset", lambda: a.recv(1))
    row("40.recv_after_reset", lambda: a.recv(1))
    row("43.sendall_after_reset", lambda: a.sendall(b"x"))
    row("47.getpeername_after_reset", lambda: a.getpeername())
    row("40.shutdown_after_reset", lambda: a.shutdown(socket.SHUT_RDWR))
    a.close()


def datagrams():
    server, loose = bound(socket.SOCK_DGRAM), sock(socket.SOCK_DGRAM)
    to, block = server.getsockname(), bytes(65508)
    row("44.sendto_empty", lambda: loose.sendto(b"", to))
    row("41.recvfrom_empty", lambda: server.recvfrom(100))
    row("44.sendto_65507", lambda: loose.sendto(block[:65507], to))
    row("41.recvfrom_65507", lambda: server.recvfrom(65508))
    row("44.sendto_65508", lambda: loose.sendto(block, to))
    row("44.sendto_port_0", lambda: loose.sendto(b"x", ("127.0.0.1", 0)))
    row("44.sendto_broadcast_not_allowed", lambda: loose.sendto(b"x", ("<broadcast>", 9)))
    row("48.getsockname_port_after_sendto", lambda: loose.getsockname()[1] != 0)
    row("44.sendto_10_bytes", lambda: loose.sendto(b"0123456789", to))
    row("41.recvfrom_cut_to_4", lambda: server.recvfrom(4))
    row("41.recvfrom_rest_is_gone", within(server, 0, lambda: server.recvfrom(4)))
    row("44.send_without_peer", lambda: loose.send(b"x"))
    row("47.getpeername_without_peer", lambda: loose.getpeername())
    row("40.shutdown_without_peer", lambda: loose.shutdown(socket.SHUT_RDWR))
    client = sock(socket.SOCK_DGRAM)
    client.connect(to)
    server.close()
    row("38.udp_send_nobody_there", lambda: client.send(b"x"))
    row("38.udp_recv_refused", lambda: client.recv(1))
    row("38.udp_recv_again", within(client, 0, lambda: client.recv(1)))
    client.close()
    loose.close()


def options():
    a, b = pair()
    for name, level, option, value in (("keepalive", socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                                       ("rcvbuf", socket.SOL_SOCKET, socket.SO_RCVBUF, 10000),
                                       ("user_timeout", socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)):
        row(f"46.{name}_set", lambda: a.setsockopt(level, option, value))
        row(f"46.{name}" + ("_is_doubled" if name == "rcvbuf" else ""), lambda: a.getsockopt(level, option))
    row("46.error", lambda: a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    row("46.acceptconn", lambda: a.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    a.close()
    b.close()
    a, b = socket.socketpair()
    row("33.socketpair_send", lambda: a.send(b"abc"))
    row("33.socketpair_recv", lambda: b.recv(8))
    a.close()
    row("33.socketpair_recv_end", lambda: b.recv(8))
    row("33.socketpair_send_to_closed", lambda: b.send(b"x"))
    b.close()
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    row("33.dgrampair_send", lambda: a.send(b"abc"))
    row("33.dgrampair_recv_cut", lambda: b.recv(2))
    b.close()
    row("33.dgrampair_send_to_closed", lambda: a.send(b"x"))
    a.close()


def ours(kind):
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([PROGRAM, kind, directory], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"not ok probe_errno.program[{kind}]: exit {done.returncode}: {done.stderr.strip()}")
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def main():
    with tempfile.TemporaryDirectory() as directory:
        addresses(directory)
    for part in (closed_sockets, listening, full_queue, streams, endings, datagrams, options):
        part()
    failed = False
    for kind in KINDS:
        answers = ours(kind)
        for name in sorted(rows.keys() | answers.keys()):
            python, cordage = rows.get(name, "nothing"), answers.get(name, "nothing")
            failed |= python != cordage
            line = f"probe_errno.row_{name}[{kind}]"
            print(f"ok {line}" if python == cordage else f"not ok {line}: Python says {python}, cordage {cordage}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
