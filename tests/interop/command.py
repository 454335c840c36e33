#!/usr/bin/env python3
"""The `cordage` command: its messages and exit codes, signals, odd standard files, each handler in every kind.

    tests/interop/command.py [PATTERN]    CORD_BUILD: the build directory (default: build)

Servers listen on port 0 and are found by the line that they print. (seeds_serve.py has the notes' own clients.)
"""
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time

from pairs import (BUILD, NO_LANGUAGE, PATIENCE, Program, case, check, command, in_kinds, join, receive, reset,
                   run_cases, same, serve, stops, udp, until)

COMMAND = str(BUILD / "cordage")


def run(*args, stdin=b"", **env):
    """One run to its end: (exit code, stdout, stderr)."""
    done = subprocess.run([COMMAND, *args], input=stdin, capture_output=True, timeout=PATIENCE,
                          env=dict(os.environ, **NO_LANGUAGE, **env))
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


# Messages and exit codes

USAGE = [
    ([], "Usage:"),
    (["sevre"], 'cordage: unknown command "sevre"; did you mean "serve"? (serve chat connect send doctor bench)'),
    (["xyzzy"], 'cordage: unknown command "xyzzy" (serve chat connect send doctor bench)'),
    (["--verison"], 'cordage: unknown option --verison; did you mean "--version"?'),
    (["--completions", "tcsh"], "cordage: --completions tcsh: choose bash, zsh or fish"),
    (["--completions"], "cordage: --completions needs a value: bash zsh fish"),
    (["help", "sevre"], 'cordage: unknown command "sevre"; did you mean "serve"?'),
    (["serve"], "cordage: serve: no handler; choose one (echo upper hello discard chat exec)"),
    (["serve", "ecko", "tcp:1"],
     'cordage: serve: unknown handler "ecko"; did you mean "echo"? (echo upper hello discard chat exec)'),
    (["serve", "echo"], "cordage: serve: no address; write one such as tcp:127.0.0.1:9000"),
    (["serve", "echo", ":1", "--kind", "fork"],
     "cordage: serve: --kind fork: choose coroutine, thread, process or serial"),
    (["serve", "echo", ":1", "-k"], "cordage: serve: --kind needs a value: coroutine thread process serial"),
    (["serve", "echo", ":1", "--max-per-peer", "0"],
     "cordage: serve: --max-per-peer 0: write a whole number, 1 or more"),
    (["serve", "echo", ":1", "--idle", "5x"], "cordage: serve: --idle 5x: write a time such as 500ms, 1.5 or 2m"),
    (["serve", "echo", ":1", "--idel=5"], 'cordage: serve: unknown option --idel; did you mean "--idle"?'),
    (["serve", "echo", ":1", "--max-connections=0"],
     "cordage: serve: --max-connections 0: write a whole number, 1 or more"),
    (["serve", "echo", ":1", "--loops", "1000"],
     "cordage: serve: --loops 1000: write a whole number from 1 to 256; one for each CPU is plenty"),
    (["serve", "echo", ":1", "--spin", "2s"],
     "cordage: serve: --spin 2s: write a time of at most a second, such as 50us"),
    (["serve", "echo", ":1", "--quiet=yes"], "cordage: serve: --quiet takes no value"),
    (["serve", "upper", ":1", "--encoding", "klingon"],
     'cordage: serve: --encoding: unknown encoding "klingon": choose'),
    (["serve", "exec", "tcp:127.0.0.1:0"], "cordage: serve: exec: no program;"),
    (["serve", "exec", "udp:127.0.0.1:0", "--", "cat"], "cordage: serve: exec: udp:127.0.0.1:0: a program needs"),
    (["serve", "echo", ":0", "--", "cat"], "cordage: serve: echo: runs no program; that is cordage serve exec ADDRESS"),
    (["serve", "echo", "tcp:127.0.0.1"], 'cordage: serve: "tcp:127.0.0.1": no port; write tcp:127.0.0.1:PORT'),
    (["serve", "chat", "tcp::9090"], 'cordage: serve: "tcp::9090": empty host; write tcp:127.0.0.1:9090, or tcp'),
    (["chat", "udp:1", "udp:2"], "cordage: chat: one address, not 2: udp:2"),
    (["connect", "tcp:1", "tcp:2"], "cordage: connect: one address, not 2: tcp:2"),
    (["connect", "localhost"], 'cordage: connect: "localhost": no port; write tcp:localhost:PORT'),
    (["chat", "tcp:127.0.0.1:99999"], 'cordage: chat: "tcp:127.0.0.1:99999": port 99999 is over 65535'),
    (["chat", "--name="], "cordage: chat: --name: write a name of 1 to 63 bytes"),
    (["connect"], "cordage: connect: no address;"),
    (["send"], "cordage: send: no address;"),
    (["doctor", "me"], "cordage: doctor: it takes no operand: me"),
    (["bench", "lock", "tsaks"], 'cordage: bench: unknown subject "tsaks"; did you mean "tasks"? '
                                 "(tasks switch lock queue tcp timers)"),
    (["bench", "--seconds", "0"], "cordage: bench: --seconds 0: write more than 0 and at most 60"),
    (["send", "tcp:1", "--kind", "thread"], "cordage: send: unknown option --kind"),
]


@case("command.wrong_usage_names_it_and_exits_2")
def _():
    for args, sentence in USAGE:
        code, out, err = run(*args)
        same(code, 2, f"exit code of {args}")
        check(sentence in err, f"{args} says {err!r}, not {sentence!r}")
        same(out, "", f"stdout of {args}")


FAILURES = [
    (["connect", "tcp:127.0.0.1:9"], "cordage: connect: tcp:127.0.0.1:9: connection refused; nothing listens there"),
    (["connect", "unix:/nowhere/s"], "cordage: connect: unix:/nowhere/s: "),
    (["send", "tcp:127.0.0.1:9", "x"], "cordage: send: tcp:127.0.0.1:9: connection refused; nothing listens there"),
    (["send", "--encoding", "gbk", "udp:127.0.0.1:9", "a\U0001f600"],
     "cordage: send: 'gbk' codec can't encode character '\\U0001f600' in position 1: illegal multibyte sequence"),
    (["send", "--reply", "udp:127.0.0.1:9", "x"], "cordage: send: udp:127.0.0.1:9: connection refused"),
    (["serve", "echo", "tcp:nowhere.invalid:80"], "cordage: serve: tcp:nowhere.invalid:80: "),
    (["serve", "chat", "udp:nowhere.invalid:80"], "cordage: serve: udp:nowhere.invalid:80: "),
    (["serve", "echo", "unix:/nowhere/s"],
     "cordage: serve: unix:/nowhere/s: no such file or directory; the folder of a socket has to be there"),
    (["serve", "echo", "fd:0"], "cordage: serve: fd:0: not a socket"),
    (["serve", "echo", "tcp:8.8.8.8:80"], "cordage: serve: tcp:8.8.8.8:80: cannot assign requested address"),
]


@case("command.failure_names_the_thing_and_exits_1")
def _():
    for args, sentence in FAILURES:
        code, out, err = run(*args)
        same(code, 1, f"exit code of {args} ({err!r})")
        check(err.lower().startswith(sentence.lower()), f"{args} says {err!r}, not {sentence!r}")
        same([out, err.count("\n")], ["", 1], f"stdout and lines of stderr of {args}")


@case("command.port_in_use_says_what_to_do")
def _():
    for handler in "echo", "chat":
        for scheme in "tcp", "udp":
            first = serve(handler, addresses=[f"{scheme}:127.0.0.1:0"])
            address = f"{scheme}:127.0.0.1:{first.at[0][1]}"
            code, _, err = run("serve", handler, address)
            same([code, err], [1, f"cordage: serve: {address}: address already in use; port 0 picks a free one\n"],
                 f"{handler} at a port in use")


@case("command.help_and_version_on_stdout")
def _():
    for args in (["-h"], ["--help"], ["serve", "-h"], ["chat", "--help"], ["connect", "-h"], ["send", "-h"],
                 ["doctor", "-h"], ["bench", "-h"], ["help"], ["-V"], ["--version"]):
        code, out, err = run(*args)
        same([code, err], [0, ""], f"{args}")
        check(len(out) > 50, f"{args} prints {out!r}")
    same(run("help", "serve"), run("serve", "--help"), "help of a command")
    check(re.match(r"cordage \d+\.\d+\.\d+\nbackend: (epoll|uring) ", run("-V")[1]), "the version's first lines")
    for option in ("--kind", "--max-connections", "--loops", "--spin", "--idle", "--grace", "--encoding", "--quiet",
                   "--verbose", "--fork", "--max-per-peer", "--refuse", "--first-byte", "--stalled", "--whole"):
        check(option in run("serve", "-h")[1], f"serve's help has {option}")


@case("command.completions_offer_what_help_lists")
def _():
    script = run("--completions", "bash")[1]
    for words, wanted in ((["cordage", "se"], ["serve", "send"]), (["cordage", "serve", "e"], ["echo", "exec"]),
                          (["cordage", "serve", "-k", "th"], ["thread"]),
                          (["cordage", "send", "--e"], ["--encoding"]), (["cordage", "doctor", "--j"], ["--json"]),
                          (["cordage", "be"], ["bench"]), (["cordage", "bench", "ti"], ["timers"]),
                          (["cordage", "bench", "--s"], ["--seconds"])):
        line = " ".join(words)
        ask = f'COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _cordage\nprintf "%s " "${{COMPREPLY[@]}}"'
        done = subprocess.run(["bash", "-c", script + "\n" + ask], capture_output=True, timeout=PATIENCE, check=True)
        same(done.stdout.decode().split(), wanted, f"bash completes {line!r}")
    for shell in "zsh", "fish":
        text = run("--completions", shell)[1]
        check(all(word in text for word in ("serve", "discard", "kind", "gb18030", "reply")), f"{shell} has all words")


@case("command.doctor_ends_with_a_verdict")
def _():
    code, out, err = run("doctor")
    same([code, err], [0, ""], "doctor")
    check(out.splitlines()[-1].startswith("verdict:"), f"the last line is {out.splitlines()[-1]!r}")
    facts = json.loads(run("doctor", "--json")[1])
    for name in "kernel", "backend", "backend_reason", "open_files", "max_map_count", "stack_guard", "verdict":
        check(name in facts, f"doctor --json has {name}")
    for backend in "epoll", "uring":
        facts = json.loads(run("doctor", "--json", CORD_BACKEND=backend)[1])
        check(facts["backend"] == backend or facts["backend_reason"], f"{backend} is chosen or the reason is told")


# Bench


BENCH = {"tasks": 6, "switch": 2, "lock": 4, "queue": 5, "tcp": 4, "timers": 3}  # subjects and their rows


@case("command.bench_json_has_every_subject_with_its_ratios", 120)
def _():
    code, out, err = run("bench", "--json", "--seconds", "0.1")
    same([code, err], [0, ""], "bench --json")
    report = json.loads(out)
    same({s["subject"]: len(s["rows"]) for s in report["subjects"]}, BENCH, "subjects and rows")
    for subject in report["subjects"]:
        rows = {row["name"]: row for row in subject["rows"]}
        check(any("beside" in row for row in rows.values()), f"{subject['subject']} stands beside something")
        for name, row in rows.items():
            check(not row["here"] or (row["ns"] > 0 and row["operations"] > 1), f"{name}: {row}")
            if "beside" in row:
                check(rows[row["beside"]]["here"] and row["time_ratio"] > 0 and row["cpu_ratio"] > 0, f"{name}: {row}")


@case("command.bench_prints_one_aligned_table_for_each_subject")
def _():
    code, out, err = run("bench", "timers", "lock", "--seconds", "0.05")
    same([code, err], [0, ""], "bench")
    tables = [table.splitlines() for table in out.split("\n\n")[1:]]
    same([table[0].split(":")[0] for table in tables], ["lock", "timers"], "the tables")
    for table in tables:
        same(len(table) - 2, BENCH[table[0].split(":")[0]], f"rows of {table}")
        end = table[1].index("CPU each") + len("CPU each")
        check(all(row[end - 3] == " " and row[end - 2:end] in ("ns", "us", "ms") for row in table[2:]), f"{table}")
    same([re.search(r"\x1b", out), "no such" in out], [None, False], "plain text")


@case("command.bench_interrupted_leaves_nothing", 120)
def _():
    for subject in BENCH:
        program = command("bench", subject, "--seconds", "20", **NO_LANGUAGE)
        program.wait_for("less is better.\n")
        if subject == "tcp":
            until(lambda p=program: len(p.group()) > 3, "its servers")
        os.kill(program.pid, signal.SIGINT)
        same(program.end(), 130, f"exit code of {subject}: {program.tail()}")
        same(program.err, "cordage: bench: interrupted after 0 subjects\n", f"stderr of {subject}")
        until(lambda p=program: not p.group(), "no process is left behind")
    program = command("bench", "tcp", "--seconds", "20", **NO_LANGUAGE)
    until(lambda: len(program.group()) > 3, "its servers")
    program.kill()
    until(lambda: not program.group(), "no server outlives a killed bench")


# Handlers in every kind


@in_kinds("command.serve_echo")
def _(kind):
    server = serve("echo", "-k", kind, addresses=["tcp:127.0.0.1:0", "udp:127.0.0.1:0", "unix:echo.sock"])
    for at, family in ((server.at[0], socket.AF_INET), ("echo.sock", socket.AF_UNIX)):
        with join(at, family) as sk:
            sk.sendall(b"one\0\xff" * 1000)
            same(receive(sk, 5000), b"one\0\xff" * 1000, "echo of a stream")
            sk.shutdown(socket.SHUT_WR)
            same(sk.recv(1), b"", "the end after our end")
    with udp() as sk:
        for data in b"x", b"", b"y" * 1025, b"z" * 9000, b"w" * 65507:
            sk.sendto(data, server.at[1])
            same(sk.recvfrom(70000), (data, server.at[1]), f"echo of {len(data)} bytes")
    stops(server)
    check(not os.path.exists("echo.sock"), "the socket's file is removed")


@in_kinds("command.serve_upper")
def _(kind):
    server = serve("upper", "-k", kind, "--encoding", "gbk", addresses=["tcp:127.0.0.1:0", "udp:127.0.0.1:0"])
    with join(server.at[0]) as sk:
        sk.sendall(b"a\xc4")
        same(receive(sk, 2), b"A\xc4", "the first half")
        server.wait_for(">> a\n")
        sk.sendall(b"\xe3z")
        same(receive(sk, 2), b"\xe3Z", "the second half")
        server.wait_for(">> 你z\n")
    server.wait_for("client disconnected\n")
    with udp() as sk:
        sk.sendto("好b".encode("gbk"), server.at[1])
        same(sk.recv(100), "好B".encode("gbk"), "upper of a datagram")
        server.wait_for(">>>> 好b\n")
    with join(server.at[0]) as sk:
        sk.sendall(b"q")
        receive(sk, 1)
        reset(sk)
    stops(server)
    same(server.out.count("disconnected"), 1, "a reset is silent")


@in_kinds("command.serve_hello")
def _(kind):
    server = serve("hello", "-k", kind)
    with join(server.at[0]) as sk:
        same(receive(sk, 5), b"hello", "the server speaks first")
        sk.sendall(b"it's\n\xff")
        same(receive(sk, 5), b"hello", "and again")
        server.wait_for(f"b\"it's\\n\\xff\" {sk.getsockname()[1]}\n")
    stops(server)


@in_kinds("command.serve_discard")
def _(kind):
    server = serve("discard", "-k", kind, addresses=["tcp:127.0.0.1:0", "udp:127.0.0.1:0"])
    with join(server.at[0]) as sk:
        sk.sendall(b"x" * 1000000)
        sk.shutdown(socket.SHUT_WR)
        same(sk.recv(1), b"", "nothing comes back")
    with udp() as sk:
        sk.sendto(b"x", server.at[1])
    stops(server)


@in_kinds("command.serve_program")
def _(kind):
    server = command("serve", "exec", "tcp:127.0.0.1:0", "-k", kind, "--", "sh", "-c",
                     'read x; echo "$PROTO $TCPREMOTEPORT $x"; exec sleep "${x:-0}"', **NO_LANGUAGE)
    server.wait_for("listening ", 1, "err")
    until(lambda: server.err.count("\n") >= 1, "a whole line")
    at = ("127.0.0.1", int(server.err.strip().rpartition(":")[2]))
    with join(at) as sk:
        sk.sendall(b"0\n")
        text = f"TCP {sk.getsockname()[1]} 0\n".encode()
        same(receive(sk, 1000), text, "what the program says, and its end")
    with join(at) as sk:
        sk.sendall(b"1000\n")
        check(sk.recv(100).endswith(b" 1000\n"), "a program that stays")
        stops(server)


def serve_program(kind, address, *program, **env):
    """A server that runs the program for each connection, and where it listens. It inherits a file as number 9."""
    server = Program(["/bin/sh", "-c", 'exec "$@" 9</etc/passwd', "sh", COMMAND, "serve", "exec", address, "-k", kind,
                      "--", *program], **dict(NO_LANGUAGE, **env))
    server.wait_for("listening ", 1, "err")
    until(lambda: server.err.count("\n") >= 1, "a whole line")
    return server, ("127.0.0.1", int(server.err.strip().rpartition(":")[2]))


def everything(sk):
    data = b""
    while piece := sk.recv(65536):
        data += piece
    return data.decode()


@in_kinds("command.serve_program_environment_is_tcpservers")
def _(kind):
    stale = {name: "stale" for name in ("TCPREMOTEHOST", "TCPLOCALHOST", "TCPREMOTEINFO", "UNIXLOCALPATH", "PROTO")}
    for address in "tcp:*:0", "tcp:[::]:0":  # the connection's own end, not the listener's
        server, at = serve_program(kind, address, "env", **stale)
        with join(at) as sk:
            lines = dict(line.split("=", 1) for line in everything(sk).splitlines() if "=" in line)
            names = {name: value for name, value in lines.items() if name.startswith(("TCP", "UNIX", "PROTO"))}
            same(names, {"PROTO": "TCP", "TCPLOCALIP": "127.0.0.1", "TCPLOCALPORT": str(at[1]),
                         "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": str(sk.getsockname()[1])}, f"names at {address}")
        stops(server)
    server = command("serve", "exec", "unix:exec.sock", "--", "env", **dict(NO_LANGUAGE, TCPREMOTEIP="stale", **stale))
    server.wait_for("listening unix:exec.sock\n", 1, "err")
    with join("exec.sock", socket.AF_UNIX) as sk:
        names = {line for line in everything(sk).splitlines() if line.startswith(("TCP", "UNIX", "PROTO"))}
        same(names, {"PROTO=UNIX", "UNIXLOCALPATH=exec.sock"}, "names of a unix connection")
    stops(server)


@in_kinds("command.serve_program_has_three_descriptors_and_no_shell")
def _(kind):
    listing = "import os, sys; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1], sys.argv[1:])"
    words = ["$HOME", "a b", ";", "`id`", "*"]
    server, at = serve_program(kind, "tcp:127.0.0.1:0", sys.executable, "-c", listing, *words)
    with join(at) as first, join(at) as second:
        first.shutdown(socket.SHUT_WR)
        same(everything(first), f"[0, 1, 2] {words}\n", "descriptors and words")
        same(everything(second), f"[0, 1, 2] {words}\n", "descriptors and words beside another connection")
    stops(server)


@in_kinds("command.serve_program_ends_with_all_it_started")
def _(kind):
    server, at = serve_program(kind, "tcp:127.0.0.1:0", "sh", "-c",
                               "sleep 1000 & echo $! $$; read x; test $x || exec sleep 1000")
    with join(at) as sk:  # the program ends of itself
        child, _ = map(int, sk.makefile().readline().split())
        check(os.path.exists(f"/proc/{child}"), "the program's own child")
        sk.sendall(b"x\n")
        until(lambda: child not in server.group(), "what the program left behind has ended")
    with join(at) as sk:  # the server ends
        pids = set(map(int, sk.makefile().readline().split()))
        check(pids <= set(server.group()), "the program and its child run")
        stops(server)


@in_kinds("command.serve_program_ends_when_who_waits_for_it_is_killed", "serial")
def _(kind):
    server, at = serve_program(kind, "tcp:127.0.0.1:0", "sh", "-c", "echo $$ $PPID; exec sleep 1000")
    with join(at) as sk:
        program, waiting = map(int, sk.makefile().readline().split())
        same(waiting == server.pid, kind != "process", "the server itself waits, or the connection's process")
        os.kill(waiting, signal.SIGKILL)
        until(lambda: program not in server.group(), "the program has ended")


@in_kinds("command.verbose_logs_open_and_close_with_bytes")
def _(kind):
    server = serve("echo", "-v", "-k", kind)
    with join(server.at[0]) as sk:
        port = sk.getsockname()[1]
        server.wait_for(f"cordage: tcp:127.0.0.1:{port}: open\n", 1, "err")
        sk.sendall(b"12345")
        receive(sk, 5)
    server.wait_for(f"cordage: tcp:127.0.0.1:{port}: closed, 5 bytes in, 5 bytes out, ", 1, "err")
    stops(server)


@case("command.idle_connection_is_ended")
def _():
    server = serve("echo", "--idle", "50ms")
    with join(server.at[0]) as sk:
        same(sk.recv(1), b"", "the end of an idle connection")


@case("command.max_connections_makes_further_ones_wait")
def _():
    server = serve("echo", "--max-connections", "1")
    first, second = join(server.at[0]), join(server.at[0])
    second.sendall(b"2")
    first.sendall(b"1")
    same(first.recv(1), b"1", "the first is served")
    second.settimeout(0.1)
    try:
        check(second.recv(1) and False, "the second is served beside the first")
    except TimeoutError:
        pass
    first.close()
    second.settimeout(PATIENCE)
    same(second.recv(1), b"2", "the second's turn")


@case("command.loops_share_the_connections")
def _():
    server = serve("echo", "--loops", "2")
    names = [open(f"/proc/{server.pid}/task/{task}/comm").read().strip()
             for task in os.listdir(f"/proc/{server.pid}/task")]
    check("cord-loop-2" in names, f"threads: {names}")
    clients = [join(server.at[0]) for _ in range(50)]
    for number, client in enumerate(clients):
        client.sendall(b"%d" % number)
    for number, client in enumerate(clients):
        same(receive(client, len(b"%d" % number)), b"%d" % number, f"client {number}")
        client.close()


@case("command.a_server_that_spins_answers")
def _():
    server = serve("echo", "--spin", "50us")
    with join(server.at[0]) as client:
        for number in range(20):
            client.sendall(b"%02d" % number)
            same(receive(client, 2), b"%02d" % number, f"message {number}")


# Signals


@in_kinds("command.sigint_is_a_clean_end_with_130_and_one_line")
def _(kind):
    server = serve("echo", "-v", "-k", kind)
    with join(server.at[0]) as sk:
        sk.sendall(b"abc")
        receive(sk, 3)
    server.wait_for("closed", 1, "err")
    before = server.err
    same(server.interrupt(), 130, f"exit code in kind {kind}: {server.tail()}")
    same(server.err[len(before):], "cordage: serve: interrupted after 1 connection, 0 datagrams; 3 bytes in, "
         "3 bytes out\n", "the last line")


@in_kinds("command.sigint_with_open_connections_is_a_clean_end")
def _(kind):
    for handler in "chat", "hello":
        server = serve(handler, "-k", kind)
        members = [join(server.at[0]) for _ in range(1 if kind == "serial" else 3)]
        for sk in members:
            sk.sendall(b"hi\n")
        server.wait_for("hi", len(members))
        before = server.err
        same(server.interrupt(), 130, f"exit code: {server.tail()}")
        check(re.fullmatch(r"cordage: serve: interrupted after .* bytes out\n", server.err[len(before):]), server.err)
        until(lambda: not server.group(), "no process is left behind")


@in_kinds("command.sigusr1_prints_the_counts", "serial")
def _(kind):
    server = serve("echo", "--max-per-peer", "1", "--refuse", "one is enough\n", "-k", kind)
    with join(server.at[0]) as sk:
        sk.sendall(b"x")
        receive(sk, 1)
        with join(server.at[0]) as second:
            same(receive(second, 14) + second.recv(1), b"one is enough\n", "what the second of a peer is told")
        os.kill(server.pid, signal.SIGUSR1)
        server.wait_for("cordage: serve: 1 accepted, 1 active, 0 failed, 1 refused, 0 pauses, 0 workers replaced\n", 1,
                        "err")
        sk.sendall(b"y")
        same(receive(sk, 1), b"y", "the answer after it")
    stops(server)


@in_kinds("command.limits_end_slow_connections")
def _(kind):
    server = serve("echo", "--first-byte", "50ms", "--whole", "1", "-k", kind)
    with join(server.at[0]) as sk:
        same(sk.recv(1), b"", "a client that says nothing")
    server.wait_for("timed out", 1, "err")
    with join(server.at[0]) as sk:
        said = 0
        try:
            while sk.send(b"x") and sk.recv(1):
                said += 1
        except ConnectionError:
            pass
        check(said > 0, "one that says something may go on for a while")
    server.wait_for("timed out", 2, "err")
    stops(server)


@case("command.fork_makes_a_child_for_each_connection")
def _():
    server = serve("echo", "-k", "process", "--fork")
    same(server.group(), [server.pid], "the processes before a connection")
    with join(server.at[0]) as sk:
        sk.sendall(b"x")
        receive(sk, 1)
        same(len(server.group()), 2, "processes with one")
    until(lambda: server.group() == [server.pid], "its child has ended")
    stops(server)


@case("command.sigint_twice_ends_at_once")
def _():
    server = serve("echo", "--grace", "60")
    with join(server.at[0]) as sk:
        sk.sendall(b"x")
        receive(sk, 1)
        os.kill(server.pid, signal.SIGINT)
        until(lambda: refused(server.at[0]), "it takes no more connections")
        check(server.alive(), "it lets the connection finish")
        os.kill(server.pid, signal.SIGINT)
        same(server.end(5), 130, "exit code of the second Ctrl-C")


def refused(at):
    try:
        join(at).close()
        return False
    except ConnectionResetError:  # the kernel had taken it when the listener closed
        return False
    except ConnectionRefusedError:
        return True


@in_kinds("command.sigterm_lets_requests_finish_and_exits_0", "serial")
def _(kind):  # a serial request runs in the task that the signal cancels
    server = serve("echo", "--grace", "60", "-k", kind)
    with join(server.at[0]) as sk:
        sk.sendall(b"a")
        receive(sk, 1)
        os.kill(server.pid, signal.SIGTERM)
        sk.sendall(b"b")
        same(sk.recv(1), b"b", f"a connection under way in kind {kind}")
    same(server.end(), 0, f"exit code in kind {kind}: {server.tail()}")


@case("command.sigint_ends_clients_with_130")
def _():
    server = serve("echo", addresses=["tcp:127.0.0.1:0", "udp:127.0.0.1:0"])
    tcp_at, udp_at = f"tcp:127.0.0.1:{server.at[0][1]}", f"udp:127.0.0.1:{server.at[1][1]}"
    for args in (["connect", tcp_at], ["connect", udp_at], ["chat", tcp_at], ["chat", udp_at]):
        client = command(*args, **NO_LANGUAGE)
        client.type("x")
        client.wait_for("x")
        same(client.interrupt(), 130, f"{args}: {client.tail()}")
        check(re.fullmatch(r"cordage: (connect|chat): interrupted after \d+ \w+ sent, \d+ received\n", client.err),
              f"{args} says {client.err!r}")


# Odd standard files


@in_kinds("command.serve_closed_stdout_ends_it_quietly")
def _(kind):
    for handler, say in ("upper", b"x"), ("hello", b"x"), ("chat", b"x\n"):
        ends = os.pipe()
        server = subprocess.Popen([COMMAND, "serve", handler, "tcp:127.0.0.1:0", "-k", kind], stdout=ends[1],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.close(ends[0])
        os.close(ends[1])
        line = server.stderr.readline().decode()
        with join(("127.0.0.1", int(line.rpartition(":")[2]))) as sk:
            sk.sendall(say)
            code = server.wait(PATIENCE)
        same([code, server.stderr.read()], [0, b""], handler)


@case("command.report_into_a_closed_pipe_is_quiet")
def _():
    for args in (["--version"], ["doctor"], ["serve", "-h"]):
        ends = os.pipe()
        os.close(ends[0])
        done = subprocess.run([COMMAND, *args], stdout=ends[1], stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        os.close(ends[1])
        same([done.returncode in (0, -signal.SIGPIPE), done.stderr], [True, b""], f"{args} into a closed pipe")


@case("command.full_stdout_is_told_and_exits_1")
def _():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        for args in (["--version"], ["--help"], ["serve", "-h"], ["--completions", "bash"], ["doctor"],
                     ["connect", at], ["send", "--reply", at, "x"], ["chat", at]):
            with open("/dev/full", "wb") as full:
                client = subprocess.Popen([COMMAND, *args], stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE,
                                          env=dict(os.environ, **NO_LANGUAGE))
            if at in args:
                sk = listener.accept()[0]
                sk.sendall(b"hello\n")
            code, err = client.wait(PATIENCE), client.stderr.read().decode()
            same([code, "o space left on device" in err, err.count("\n")], [1, True, 1], f"{args}: {err}")
            client.stdin.close()
            client.stderr.close()
            if at in args:
                sk.close()


@in_kinds("command.serve_with_a_full_stdout_logs_it_and_serves_on")
def _(kind):
    for handler in "upper", "hello", "chat":
        with open("/dev/full", "wb") as full:
            server = subprocess.Popen([COMMAND, "serve", handler, "tcp:127.0.0.1:0", "-k", kind], stdout=full,
                                      stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                      env=dict(os.environ, **NO_LANGUAGE))
        port = int(server.stderr.readline().decode().rpartition(":")[2])
        for _ in range(2):
            with join(("127.0.0.1", port)) as sk:
                sk.sendall(b"x\n")
                line = server.stderr.readline().decode()
                check("failed: stdout: No space left on device" in line, f"{handler}: {line}")
        server.terminate()
        same(server.wait(PATIENCE), 0, f"{handler}: exit code")
        server.stderr.close()


@case("command.connect_with_closed_stdout_ends_quietly")
def _():
    server = serve("hello")
    ends = os.pipe()
    os.close(ends[0])
    client = subprocess.Popen([COMMAND, "connect", f"tcp:127.0.0.1:{server.at[0][1]}"], stdin=subprocess.PIPE,
                              stdout=ends[1], stderr=subprocess.PIPE)
    os.close(ends[1])
    same([client.wait(PATIENCE), client.stderr.read()], [0, b""], "connect")


@in_kinds("command.server_without_stdin_serves_on")
def _(kind):
    for handler in "echo", "chat":
        for stdin, close in ((subprocess.DEVNULL, None), (None, lambda: os.close(0))):
            server = subprocess.Popen([COMMAND, "serve", handler, "tcp:127.0.0.1:0", "-k", kind], stdin=stdin,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=close,
                                      env=dict(os.environ, **NO_LANGUAGE))
            port = int(server.stderr.readline().decode().rpartition(":")[2])
            with join(("127.0.0.1", port)) as sk:
                sk.sendall(b"hello\n")
                check(sk.recv(100), f"{handler} answers")
            server.terminate()
            same(server.wait(PATIENCE), 0, f"{handler}: exit code")
            server.stderr.close()


@case("command.chat_server_in_the_background_of_a_terminal_serves_on")
def _():
    """A shell's job: the terminal's foreground belongs to another process group, and something is typed there."""
    script = f'set -m; {COMMAND} serve chat tcp:127.0.0.1:0 & echo "job $!"; read a; read b; read c; read d'
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "-c", script], dict(os.environ, **NO_LANGUAGE))
    seen, job = b"", None
    try:
        while not (job and (listening := re.search(rb"listening tcp:127.0.0.1:(\d+)\r\n", seen))):
            seen += os.read(terminal, 1000)
            job = job or re.search(rb"job (\d+)\r\n", seen)
        for _ in range(3):
            os.write(terminal, b"typed to the shell\n")
            with join(("127.0.0.1", int(listening[1]))) as sk:
                sk.sendall(b"hello\n")
                check(b"alone" in sk.recv(100), "the room answers")
    finally:  # the job has a process group of its own, which nobody else ends
        if job:
            os.kill(int(job[1]), signal.SIGTERM)
            until(lambda: not os.path.exists(f"/proc/{int(job[1])}/exe"), "the job has ended")
        os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(pid, 0)


# connect and send


@in_kinds("command.connect_half_closes_and_gets_all")
def _(kind):
    server = serve("echo", "-k", kind)
    data = os.urandom(2000000)
    done = subprocess.run([COMMAND, "connect", f"tcp:127.0.0.1:{server.at[0][1]}"], input=data,
                          capture_output=True, timeout=PATIENCE, check=True)
    check(done.stdout == data, f"2 MB through {kind}: {len(done.stdout)} bytes came back")
    stops(server)


@case("command.connect_datagrams_are_lines")
def _():
    server = serve("upper", addresses=["udp:127.0.0.1:0"])
    code, out, err = run("connect", f"udp:127.0.0.1:{server.at[0][1]}", "--wait", "300ms", stdin=b"one\n\ntwo")
    same([code, sorted(out.split("\n")), err], [0, sorted(["ONE", "", "TWO", ""]), ""], "three datagrams")


@case("command.connect_encoding_converts_both_ways")
def _():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = command("connect", f"tcp:127.0.0.1:{listener.getsockname()[1]}", "--encoding", "gbk")
        sk = listener.accept()[0]
        sk.settimeout(PATIENCE)
        client.type("你好")
        same(receive(sk, 5), "你好\n".encode("gbk"), "on the wire")
        for byte in "再见\n".encode("gbk"):
            sk.sendall(bytes([byte]))
        client.wait_for("再见\n")
        sk.close()
        same(client.end(), 0, "the peer's end is the end")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = command("connect", f"tcp:127.0.0.1:{listener.getsockname()[1]}", "--encoding", "gbk")
        sk = listener.accept()[0]
        client.type("\U0001f600")
        same(client.end(), 1, "exit code for what gbk does not have")
        check("'gbk' codec can't encode character '\\U0001f600' in position 0" in client.err, client.err)
        sk.close()


@case("command.send_text_stdin_or_a_line")
def _():
    with udp(0) as sk:
        at = f"udp:127.0.0.1:{sk.getsockname()[1]}"
        for args, stdin, wire in ((["two", "words"], b"", b"two words"), (["-"], b"a\0b\n", b"a\0b\n"),
                                  ([], b"line\n", b"line"), (["--", "-x"], b"", b"-x"), ([""], b"", b"")):
            same(run("send", at, *args, stdin=stdin), (0, "", ""), f"send {args}")
            same(sk.recv(100), wire, f"send {args}")


@case("command.send_of_all_stdin_is_whole_or_refused")
def _():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        at = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        for size in 0, 1, 1000000:
            same(run("send", at, "-", stdin=b"a" * size), (0, "", ""), f"{size} bytes")
            with listener.accept()[0] as sk:
                sk.settimeout(PATIENCE)
                same(len(receive(sk, size) + sk.recv(1)), size, "what arrived")
        code, out, err = run("send", at, "-", stdin=b"a" * 2000000)
        same([code, out], [1, ""], "too large")
        check(err.startswith("cordage: send: a message is shorter than 1048576 bytes; "), err)
        listener.settimeout(0.1)
        try:
            listener.accept()
            check(False, "nothing is sent")
        except TimeoutError:
            pass
    with udp(0) as sk:
        at = f"udp:127.0.0.1:{sk.getsockname()[1]}"
        same(run("send", at, "-", stdin=b""), (0, "", ""), "an empty datagram")
        same(sk.recv(10), b"", "an empty datagram")
        same(run("send", at, "-", stdin=b"a" * 65507), (0, "", ""), "the largest datagram")
        same(len(sk.recv(70000)), 65507, "the largest datagram")
        code, out, err = run("send", at, "-", stdin=b"a" * 65508)
        same([code, err], [1, f"cordage: send: {at}: message too long; a datagram has at most 65507 bytes\n"], "larger")


@case("command.send_reply_waits_at_most_timeout")
def _():
    with udp(0) as sk:
        at = f"udp:127.0.0.1:{sk.getsockname()[1]}"
        code, out, err = run("send", at, "--reply", "--timeout", "50ms", "x")
        same([code, out], [1, ""], "no reply")
        check("timed out" in err, err)
    server = serve("upper", addresses=["udp:127.0.0.1:0"])
    at = f"udp:127.0.0.1:{server.at[0][1]}"
    same(run("send", at, "--reply", "abc"), (0, "ABC\n", ""), "a reply")
    same(run("send", at, "--reply", "-", stdin=b"a\0b"), (0, "A\0B\n", ""), "a reply with a NUL in it")
    same(run("send", at, "--reply", "-", stdin=b"a" * 65507), (0, "A" * 65507 + "\n", ""), "the largest reply")


# The chat room


class Member:
    """A UDP member that keeps what it hears."""

    def __init__(self, room, name):
        self.sk, self.at, self.name = udp(), room, name

    def say(self, text):
        self.raw(json.dumps({"msg": text, "username": self.name}).encode())

    def raw(self, data):
        self.sk.sendto(data, self.at)

    def hears(self, name, text):
        """The next datagram is this one, byte for byte, and from the room's own address."""
        wanted = json.dumps({"msg": text, "username": name}).encode()
        same(self.sk.recvfrom(4096), (wanted, self.at), f"{self.name} hears")

    def hears_nothing(self):
        self.sk.settimeout(0.1)
        try:
            data = self.sk.recv(4096)
        except TimeoutError:
            data = b""
        self.sk.settimeout(PATIENCE)
        same(data, b"", f"{self.name} hears")


def room(kind="coroutine", *more):
    server = serve("chat", "-k", kind, *more, addresses=["udp:127.0.0.1:0", "tcp:127.0.0.1:0"])
    return server, server.at[0], server.at[1]


def lines_of(sk):
    return sk.makefile("r", encoding="utf-8", newline="\n")


@in_kinds("command.chat_all_hear_each_other")
def _(kind):
    """UDP, plain and JSON over TCP, `cordage chat` and the console hear each other, and nobody hears himself."""
    server, udp_at, tcp_at = room(kind)
    bob = Member(udp_at, "bob")
    bob.say("first")
    server.wait_for("message from bob : first\n")
    bob.hears("server", "you are alone in the room")
    if kind == "serial":  # a connection would keep the room to itself
        ann = Member(udp_at, "ann")
        ann.say('再见 "q" \U0001f600')
        bob.hears("ann", '再见 "q" \U0001f600')
        ann.hears_nothing()
        stops(server)
        return
    plain = join(tcp_at)
    lines = lines_of(plain)
    plain.sendall("你好\n/name carl\n".encode())
    bob.hears(f"tcp:127.0.0.1:{plain.getsockname()[1]}", "你好")
    same(lines.readline(), "server : you are now carl\n", "the answer to /name")
    coder = join(tcp_at)
    coded = lines_of(coder)
    coder.sendall('{"username": "json", "msg": "raw é", "more": [1]}\n'.encode())
    bob.hears("json", "raw é")
    same(lines.readline(), "json : raw é\n", "a plain member hears")
    client = command("chat", f"udp:127.0.0.1:{udp_at[1]}", "--name", "dora", **NO_LANGUAGE)
    client.type("from dora")
    bob.hears("dora", "from dora")
    same(coded.readline(), '{"msg": "from dora", "username": "dora"}\n', "a JSON member hears")
    same(lines.readline(), "dora : from dora\n", "a plain member hears")
    plain.sendall(b"from carl\n")
    client.wait_for("message from carl : from carl\n")
    bob.hears("carl", "from carl")
    server.type("from the console")
    client.wait_for("message from server : from the console\n")
    bob.hears("server", "from the console")
    same(lines.readline(), "server : from the console\n", "a plain member hears")
    check("console" not in server.out, "the console does not hear itself")
    server.end_input()
    bob.say("still there?")
    server.wait_for("message from bob : still there?\n")
    client.wait_for("message from bob : still there?\n")
    stops(server)


@in_kinds("command.chat_member_that_left_is_no_member", "serial")
def _(kind):
    server, udp_at, tcp_at = room(kind, "-v")
    with join(tcp_at) as sk:
        sk.sendall(b"hi\n")
        check(b"alone" in sk.recv(100), "alone")
    server.wait_for("closed, 3 bytes in, ", 1, "err")
    bob = Member(udp_at, "bob")
    bob.say("x")
    bob.hears("server", "you are alone in the room")
    stops(server)


@case("command.chat_child_killed_is_no_member")
def _():
    server, udp_at, tcp_at = room("process")
    with join(tcp_at) as sk:
        sk.sendall(b"hi\n")
        sk.recv(100)
        for pid in server.group():  # the workers, one of which has the connection
            if pid != server.pid:
                os.kill(pid, signal.SIGKILL)
        same(sk.recv(1), b"", "the connection of the killed child")
    server.wait_for("was killed by signal 9", 1, "err")
    bob = Member(udp_at, "bob")
    bob.sk.settimeout(0.1)

    def alone():  # the kernel may keep the mailbox a moment longer than the process
        bob.say("anybody?")
        try:
            return json.loads(bob.sk.recv(2000)) == {"msg": "you are alone in the room", "username": "server"}
        except TimeoutError:
            return False

    until(alone, "it is told that nobody is there")
    stops(server)


BAD = [  # what is sent, what the log says of it
    (b"hi there", 'not JSON at character 0: "hi there"; ignored'),
    (b"", 'not JSON at character 0: ""; ignored'),
    (b'{"msg": "a", bad}', "not JSON at character 13: "),
    ('{"msg": "你好", "username": x}'.encode(), "not JSON at character 26: "),
    (b'{"msg": "a"}', 'no text under "username": "{\\"msg\\": \\"a\\"}"; ignored'),
    (b'{"username": "a"}', 'no text under "msg": '),
    (b'{"msg": 5, "username": "a"}', 'no text under "msg": '),
    (b'[1, 2]', 'no text under "msg": '),
    (b'{"msg": "\xff", "username": "a"}', "not JSON at character 9: "),
    (b'{"msg": "cut', "not JSON at character "),
    (b'{"msg": ' + b"[" * 60000, "JSON nested deeper than 64: "),
    (b'{"a":' * 13000, "JSON nested deeper than 64: "),
    (b"[" * 65 + b"]" * 65, "JSON nested deeper than 64: "),
    (b"\x1b[2J", 'not JSON at character 0: "\\u001b[2J"; ignored'),
]


@in_kinds("command.chat_bad_json_is_logged_with_the_peer_and_the_room_serves_on")
def _(kind):
    server, udp_at, tcp_at = room(kind)
    bob, log = Member(udp_at, "bob"), 2
    for data, sentence in BAD:
        bob.raw(data)
        peer = f"cordage: udp:127.0.0.1:{bob.sk.getsockname()[1]}: {sentence}"
        server.wait_for(peer, 1, "err")
        until(lambda n=log + 1: server.err.count("\n") >= n, "its line")
        log += 1
    if kind != "serial":
        with join(tcp_at) as sk:
            sk.sendall(b'{"msg": "cut\n')
            server.wait_for(f"cordage: tcp:127.0.0.1:{sk.getsockname()[1]}: not JSON at character ", 1, "err")
        for depth, sentence in (2000, "JSON nested deeper than 64: "), (100000, "longer than the buffer\n"):
            before = server.err.count(sentence)
            with join(tcp_at) as sk:
                sk.sendall(b'{"msg": ' + b"[" * depth + b"\n")
                server.wait_for(sentence, before + 1, "err")
                log += 1
    bob.say("good")
    server.wait_for("message from bob : good\n")
    same([server.err.count("\n"), "\x1b" in server.err], [log + (kind != "serial"), False], "log lines")
    stops(server)


@case("command.chat_message_over_1024_bytes_is_not_sent_to_udp_and_its_sender_told")
def _():
    server, udp_at, tcp_at = room()
    bob, ann = Member(udp_at, "bob"), Member(udp_at, "ann")
    sk = join(tcp_at)
    lines = lines_of(sk)
    sk.sendall(b"one\n")
    same(lines.readline(), "server : you are alone in the room\n", "the first member hears")
    bob.say("two")
    same(lines.readline(), "bob : two\n", "the first member hears")
    ann.say("three")
    bob.hears("ann", "three")
    same(lines.readline(), "ann : three\n", "the first member hears")
    fits = "m" * (1024 - len(json.dumps({"msg": "", "username": "ann"})))
    ann.say(fits)
    bob.hears("ann", fits)
    ann.say(fits + "m")
    ann.hears("server", "that message is longer than 1024 bytes: UDP members did not get it")
    bob.hears_nothing()
    server.wait_for(f"ann : {fits}m\n")
    same([lines.readline(), lines.readline()], [f"ann : {fits}\n", f"ann : {fits}m\n"], "the first member hears")
    sk.sendall(b"t" * 2000 + b"\n")
    same(lines.readline(), "server : that message is longer than 1024 bytes: UDP members did not get it\n", "told")
    bob.hears_nothing()
    sk.sendall(b"t" * 5000 + b"\n")
    same(lines.readline(), "server : that message is longer than 4095 bytes: nobody got it\n", "told")
    sk.sendall(b"u" * 100000 + b"\n")
    try:
        while sk.recv(1000):
            pass
    except ConnectionResetError:
        pass
    bob.say("the room goes on")
    ann.hears("bob", "the room goes on")
    stops(server)


@case("command.chat_more_than_20_messages_a_second_are_dropped")
def _():
    server, udp_at, _ = room()
    bob, ann = Member(udp_at, "bob"), Member(udp_at, "ann")
    ann.say("here")
    ann.hears("server", "you are alone in the room")
    begin = time.monotonic()
    for i in range(60):
        bob.say(f"number {i}")
    heard = []
    while len(heard) < 20:
        heard.append(json.loads(ann.sk.recv(2000))["msg"])
    if time.monotonic() - begin < 0.9:  # else a second second has begun
        same(heard, [f"number {i}" for i in range(20)], "the first 20")
        ann.hears_nothing()
        bob.hears("server", "at most 20 messages a second: the others were dropped")
        bob.hears_nothing()
    stops(server)


@in_kinds("command.chat_member_that_does_not_read_stops_nobody", "serial")
def _(kind):
    server, udp_at, tcp_at = room(kind)
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect(tcp_at)
    stuck.sendall(b"I will not listen\n")
    server.wait_for("I will not listen\n")
    ann = Member(udp_at, "ann")
    ann.say("here")
    server.wait_for("message from ann : here\n")
    with join(tcp_at) as sk:
        for i in range(20):
            sk.sendall(f"{i} {'x' * 900}\n".encode())
            ann.hears(f"tcp:127.0.0.1:{sk.getsockname()[1]}", f"{i} {'x' * 900}")
    stops(server)


@case("command.chat_alone_is_told_once", 30)
def _():
    server, udp_at, _ = room()
    bob = Member(udp_at, "bob")
    for text in "a", "b":
        bob.say(text)
        server.wait_for(f"message from bob : {text}\n")
    bob.hears("server", "you are alone in the room")
    bob.hears_nothing()
    stops(server)


@case("command.chat_invalid_utf8_of_a_plain_member_is_replaced")
def _():
    server, udp_at, tcp_at = room()
    bob = Member(udp_at, "bob")
    bob.say("x")
    bob.hears("server", "you are alone in the room")
    with join(tcp_at) as sk:
        sk.sendall(b"a\xffb\r\n")
        bob.hears(f"tcp:127.0.0.1:{sk.getsockname()[1]}", "a\ufffdb")
    stops(server)


@case("command.chat_the_1001st_member_is_refused", 120)
def _():
    server, udp_at, tcp_at = room()
    members = []
    for i in range(1000):
        sk = udp()
        sk.sendto(json.dumps({"msg": "", "username": f"m{i}"}).encode(), udp_at)
        members.append(sk)
        server.wait_for(f"message from m{i} : \n")
    with udp() as sk:
        sk.sendto(b'{"msg": "x", "username": "late"}', udp_at)
        same(json.loads(sk.recv(2000))["msg"], "the room is full: at most 1000 members", "the 1001st")
    with join(tcp_at) as sk:
        same(receive(sk, 1000), b"the room is full: at most 1000 members\n", "the 1001st by TCP, and its end")
    stops(server)


@case("command.chat_beyond_loopback_warns")
def _():
    server = serve("chat", addresses=["udp:*:0"])
    server.wait_for("strangers can join", 1, "err")
    server = serve("chat", addresses=["udp:127.0.0.1:0"])
    stops(server)
    check("strangers" not in server.err, "no warning on loopback")


@case("command.chat_speaks_chinese_where_the_user_does")
def _():
    for env in ({"LC_ALL": "zh_CN.UTF-8"}, {"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "en_US"},
                {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh"}):
        server = serve("chat", addresses=["udp:127.0.0.1:0"], **env)
        bob = Member(server.at[0], "小王")
        bob.say("你好")
        server.wait_for("消息来自小王 : 你好\n")
        bob.hears("server", "聊天室里只有你一个人")
        stops(server)


@case("command.chat_over_tcp_ends_with_the_room")
def _():
    server, _, tcp_at = room()
    client = command("chat", f"tcp:127.0.0.1:{tcp_at[1]}", "--name", "eve", **NO_LANGUAGE)
    client.type("hi")
    client.wait_for("message from server : you are alone in the room\n")
    stops(server)
    same(client.end(), 0, f"the client's exit code: {client.tail()}")
    code, _, err = run("chat", f"udp:127.0.0.1:{tcp_at[1]}", stdin=b"")
    same([code, err], [0, ""], "no input, no talk")


if __name__ == "__main__":
    sys.exit(run_cases())
