#!/usr/bin/env python3
"""The `cordage` command with clients that nobody here wrote: nc (OpenBSD's and the old one), ncat, socat and curl.

    tests/interop/clients.py [PATTERN]    CORDAGE_BUILD or CORD_BUILD: the build directory (default: build)

A client talks line by line over each transport that it knows, and those that end their direction at the end of their
input are sent some hundred kilobytes through. (seeds_serve.py has the notes' own clients.)
"""
import os
import shutil
import subprocess
import sys

from pairs import (BUILD, NO_LANGUAGE, PATIENCE, Program, Skip, case, check, command, in_kinds, run_cases, same, serve,
                   stops, until)

ADDRESSES = {"tcp": "tcp:127.0.0.1:0", "tcp6": "tcp:[::1]:0", "udp": "udp:127.0.0.1:0", "unix": "unix:stream.sock",
             "unixgram": "unixgram:datagram.sock"}
CLIENTS = {  # the arguments for each transport; in braces the port or the path
    "nc": {"tcp": "-N 127.0.0.1 {tcp}", "tcp6": "-N ::1 {tcp6}", "udp": "-u 127.0.0.1 {udp}", "unix": "-N -U {unix}"},
    "nc.traditional": {"tcp": "127.0.0.1 {tcp}", "udp": "-u 127.0.0.1 {udp}"},
    "ncat": {"tcp": "127.0.0.1 {tcp}", "tcp6": "::1 {tcp6}", "udp": "-u 127.0.0.1 {udp}", "unix": "-U {unix}"},
    "socat": {"tcp": "-t 60 - TCP:127.0.0.1:{tcp}", "tcp6": "-t 60 - TCP:[::1]:{tcp6}", "udp": "- UDP:127.0.0.1:{udp}",
              "unix": "-t 60 - UNIX-CONNECT:{unix}", "unixgram": "- UNIX-SENDTO:{unixgram},bind=socat.sock"},
    "curl": {"tcp": "-sN telnet://127.0.0.1:{tcp}", "tcp6": "-sN telnet://[::1]:{tcp6}",
             "unix": "-sN --unix-socket {unix} telnet://localhost"},
}
HALF_CLOSE = ("nc", "ncat", "socat")  # at the end of input; the other two go on as if nothing was
TYPED_BEFORE = ("curl",)  # whenever a reply takes 100 ms it waits for its input and does not look at the connection
STREAMS, DATAGRAMS = ("tcp", "tcp6", "unix"), ("udp", "unixgram")


def found(tool):
    """The client's path; nc is OpenBSD's, whatever the machine has by that name."""
    path = (tool == "nc" and shutil.which("nc.openbsd")) or shutil.which(tool)
    if path is None or (tool == "nc" and os.path.realpath(path).endswith("traditional")):
        raise Skip(f"no {tool}")
    return path


def serve_all(handler, kind, *words):
    """A server at every sort of address, and where that is, by the names of ADDRESSES."""
    server = serve(handler, "-k", kind, *words, addresses=ADDRESSES.values())
    server.at = {name: at if isinstance(at, str) else at[1] for name, at in zip(ADDRESSES, server.at)}
    return server


def words_for(tool, transport, at):
    return [found(tool), *CLIENTS[tool][transport].format(**at).split()]


def talk(client, lines, change):
    for line in lines:
        client.type(line)
        client.wait_for(change(line) + "\n")


# Each client by itself


def line_by_line(tool, kind):
    found(tool)
    server = serve_all("upper", kind)
    for transport in CLIENTS[tool]:
        client = Program(words_for(tool, transport, server.at))
        lines = ["hello", "你好 x", "y" * 900]
        if tool in TYPED_BEFORE:
            for line in lines:
                client.type(line)
            client.end_input()
            client.wait_for("".join(line.upper() + "\n" for line in lines))
        else:
            talk(client, lines, str.upper)
        client.kill()
    stops(server)


def whole(tool, kind):
    """What comes back after the end of what was sent, of a size that fills every buffer on the way."""
    found(tool)
    server = serve_all("echo", kind)
    for transport in STREAMS:
        for data in b"", b"\0", os.urandom(600000):
            done = subprocess.run(words_for(tool, transport, server.at), input=data, capture_output=True,
                                  timeout=PATIENCE, check=False)
            same([done.returncode, done.stderr], [0, b""], f"{tool} over {transport}")
            check(done.stdout == data, f"{tool} over {transport}: {len(done.stdout)} of {len(data)} bytes are the same")
    stops(server)


for tool_ in CLIENTS:
    in_kinds(f"clients.{tool_}_line_by_line")(lambda kind, tool=tool_: line_by_line(tool, kind))
for tool_ in HALF_CLOSE:
    in_kinds(f"clients.{tool_}_half_closes_and_gets_all")(lambda kind, tool=tool_: whole(tool, kind))


# All of them at one time


@in_kinds("clients.all_at_one_time", "serial")
def _(kind):
    server = serve_all("echo", kind)
    clients = {}
    for tool, ways in CLIENTS.items():
        for transport in ways:
            if shutil.which(tool):
                clients[f"{tool}-{transport}"] = Program(words_for(tool, transport, server.at))
    if len(clients) < 2:
        raise Skip("fewer than two of these clients are here")
    for number in range(10):
        for name, client in clients.items():
            client.type(f"{name} {number}")
    for name, client in clients.items():
        if name.split("-", maxsplit=1)[0] in TYPED_BEFORE:
            client.end_input()
        lines = [f"{name} {number}" for number in range(10)]
        until(lambda c=client, most=len(lines): c.out.count("\n") >= most, f"{name} gets all lines")
        got = client.out.splitlines()  # datagrams that came at one time are handled at one time
        same(sorted(got) if name.endswith(DATAGRAMS) else got, lines, f"what {name} got")
    for name, client in clients.items():
        if name.split("-", maxsplit=1)[0] in HALF_CLOSE and not name.endswith(DATAGRAMS):
            client.end_input()
            same([client.end(), client.err], [0, ""], f"the end of {name}")
    stops(server)


# A program for each connection


def serve_program(kind, address, *program):
    server = command("serve", "exec", address, "-k", kind, "--", *program, **NO_LANGUAGE)
    server.wait_for("listening ", 1, "err")
    until(lambda: server.err.count("\n") >= 1, "a whole line")
    server.at = server.err.strip().rpartition(":")[2]
    return server


@in_kinds("clients.program_cat_gives_all_back_to_socat_and_nc")
def _(kind):
    server = serve_program(kind, "tcp:127.0.0.1:0", "cat")
    for tool in "socat", "nc", "ncat":
        data = os.urandom(600000)
        done = subprocess.run(words_for(tool, "tcp", {"tcp": server.at}), input=data, capture_output=True,
                              timeout=PATIENCE, check=True)
        check(done.stdout == data, f"{tool}: {len(done.stdout)} of {len(data)} bytes are the same")
    stops(server)


@in_kinds("clients.program_sees_the_address_that_the_client_chose")
def _(kind):
    """The client says by what address and port it comes; the program says what it sees."""
    socat, server = found("socat"), serve_program(kind, "tcp:*:0", "sh", "-c", "cat > /dev/null; "
                                                  'echo "$PROTO $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT"')
    for host, local in ("127.0.0.2", "127.0.0.3"), ("192.168.1.103", "127.0.0.1"):
        done = subprocess.run([socat, "-t", "60", "-", f"TCP:{host}:{server.at},bind={local}:5000,reuseaddr"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True)
        same(done.stdout.decode(), f"TCP {local} 5000 {host} {server.at}\n", f"{local} calls {host}")
    stops(server)


@in_kinds("clients.program_answers_curl_by_http")
def _(kind):
    """A web server of one line, which is what inetd and tcpserver are used for."""
    curl, server = found("curl"), serve_program(kind, "tcp:127.0.0.1:0", "sh", "-c", "read -r method path rest; "
                                                r"while read -r line && test ${#line} -gt 1; do :; done; "
                                                r'printf "HTTP/1.0 200 OK\r\n\r\n%s %s" "$method" "$path"')
    done = subprocess.run([curl, "-sS", *(f"http://127.0.0.1:{server.at}/{name}" for name in "abc")],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True)
    same(done.stdout.decode(), "GET /aGET /bGET /c", "what curl got")
    stops(server)


def programs_of(server):
    """The names of the processes of the server that are not the server's or its workers'."""
    names = []
    for pid in server.group():
        try:
            path = os.readlink(f"/proc/{pid}/exe")
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                names += [file.read().strip()] if path != str(BUILD / "cordage") else []
        except OSError:  # it has just ended
            pass
    return sorted(names)


@in_kinds("clients.program_and_all_it_started_end_with_a_killed_client")
def _(kind):
    """A pipeline that writes for ever, and one beside it that does not even write."""
    nc = found("nc")
    server = serve_program(kind, "tcp:127.0.0.1:0", "sh", "-c", "sleep 1000 & sh -c 'exec yes' | cat")
    for _ in range(2):
        client = Program([nc, "127.0.0.1", server.at])
        client.wait_for("y\n", 1000)
        until(lambda: programs_of(server) == ["cat", "sh", "sleep", "yes"], "the shell and what it started run")
        client.kill()
        until(lambda: not programs_of(server), "all of them have ended")
    stops(server)


@case("clients.programs_of_other_connections_go_on_when_one_ends")
def _():
    nc = found("nc")
    server = serve_program("process", "tcp:127.0.0.1:0", "cat")
    clients = [Program([nc, "-N", "127.0.0.1", server.at]) for _ in range(8)]
    for number, client in enumerate(clients):
        talk(client, [f"first {number}"], str)
    for client in clients[::2]:
        client.kill()
    for number, client in enumerate(clients[1::2]):
        talk(client, [f"second {number}"], str)
        client.end_input()
        same(client.end(), 0, "the end of a client that ends its input")
    stops(server)


if __name__ == "__main__":
    sys.exit(run_cases())
