#!/usr/bin/env python3
"""The notes' programs in pairs: Python client and C server, C client and Python server, C and C.

    tests/interop/seeds.py [PATTERN]       CORDAGE_BUILD or CORD_BUILD: the build directory (default: build)

Each pair runs in a private network (pairs.py). The C programs are those of examples/; the Python ones are the notes'
own, unchanged, and lie beside the project; where they are absent the pairs with Python are skipped and C against C
remains. What is expected is written here; where the notes' recorded output is at hand it is compared with that too.
CORD_SEEDS_ORACLE=1 also runs Python against Python, which shows that the expectations are the notes'.
"""
import errno
import json
import os
import signal
import socket
import sys
import time

from pairs import (PATIENCE, Failure, bound, case, check, drop_alias, example, golden, in_kinds, receive, reset,
                   run_cases, same, seed, tcp, udp, until)

C = {  # role: the example and the note's program
    "client2": ("01_chat_client2", "s0_udp_client.py"),
    "chat0": ("02_chat_server", "s0_udp_server.py"),
    "egon": ("03_chat_egon", "s3_udp_client.py"),
    "chat3": ("02_chat_server", "s3_udp_server.py"),
    "hello0": ("05_hello_server", "s0_ss_server.py"),
    "bye0": ("06_hello_client", "s0_ss_client.py"),
    "hello3": ("05_hello_server", "s3_ss_server.py"),
    "bye3": ("06_hello_client", "s3_ss_client.py"),
    "udp_upper": ("07_udp_upper_server", "s1_udp_upper_server.py"),
    "udp_client": ("08_udp_upper_client", "s1_udp_upper_client.py"),
    "tcp_upper": ("09_tcp_upper_server", "s1_ss_tcp_server.py"),
    "tcp_client": ("10_tcp_upper_client", "s1_tcp_client.py"),
    "datagrams": ("11_datagram_server", "s1_ss_udp_server.py"),
    "datagram_client": ("12_datagram_client", "s1_ss_udp_client.py"),
    "send_once": ("13_send_once", "s2_udp_send_once.py"),
    "gbk_receiver": ("14_gbk_receiver", "s2_udp_bind_gbk.py"),
    "gbk_client": ("15_gbk_client", "s2_tcp_client_gbk.py"),
    "gbk_server": ("16_gbk_server", "s2_tcp_server_gbk.py"),
}
PORTS = {"chat0": ("udp", 9090), "chat3": ("udp", 9090), "hello0": ("tcp", 9090), "hello3": ("tcp", 9090),
         "udp_upper": ("udp", 8080), "tcp_upper": ("tcp", 8082), "datagrams": ("udp", 8082),
         "gbk_receiver": ("udp", 7788), "gbk_server": ("tcp", 7788)}
ORACLE = [("py", "py")] if os.environ.get("CORD_SEEDS_ORACLE") else []
PAIRS = [("py", "c"), ("c", "py"), ("c", "c")] + ORACLE
SIDES = ["c"] + [side for side, _ in ORACLE]


def run(side, role, *args):
    """Starts a program in C or Python; a server is awaited until it listens."""
    program = example(C[role][0], *args) if side == "c" else seed(C[role][1])
    if role in PORTS:
        until(lambda: bound(*PORTS[role]) or not program.alive(), f"{program.name} listens")
        if not program.alive():
            program.end()
            raise Failure(f"{program.name} ended at once: {program.tail()}")
    return program


def paired(name, pairs=None, seconds=60):
    """Makes one case of each pair of sides: the function gets (client side, server side)."""

    def add(function):
        for client, server in PAIRS if pairs is None else pairs:
            case(f"seeds.{name}[{client}-{server}]", seconds)(lambda c=client, s=server: function(c, s))
        return function

    return add


def sided(name, seconds=60):
    """Makes a case of the C program, and with the oracle of Python's, whose other side the case plays."""

    def add(function):
        for side in SIDES:
            case(f"seeds.{name}[{side}]", seconds)(lambda s=side: function(s))
        return function

    return add


def like_golden(title, file="net.txt", **parts):
    """What the case expects is what the notes' programs printed, where that record is at hand."""
    record = golden(file, title)
    for who, expected in parts.items() if record else ():
        same(expected, record[who].rstrip("\n") + "\n" * (len(expected) - len(expected.rstrip("\n"))),
             f"the expectation for {who} and the record")


def ended(side, program, what):
    """An end of input ends the C program in good order; Python's with EOFError."""
    same(program.end(), 0 if side == "c" else 1, f"{what}: exit code")


# Rows 1-4: the lock-step chat


def chat(client_side, server_side, user, server_role, client_lines):
    server = run(server_side, server_role)
    client = run(client_side, user)
    client.wait_for(">>>")
    for i, (said, answer) in enumerate([("hello 你好", 'hi "q" 再见'), ("", "x"), ("emoji 😀\ttab", "\\ 好😀")]):
        client.type(said)
        server.wait_for(">>>", i + 1)
        server.type(answer)
        client.wait_for(">>>", i + 2)
    client.end_input()
    ended(client_side, client, "client")
    same(client.out, client_lines, "client")
    same(server.out, f"消息来自{user} : hello 你好\n>>>消息来自{user} : \n>>>消息来自{user} : emoji 😀\ttab\n>>>", "server")
    check(server.alive(), "the server serves on")


@paired("chat_client2")
def _(client, server):
    like_golden("s0_udp_client.py / s0_udp_server.py", client='>>>消息来自server: hi "q" 再见\n>>>消息来自server: x\n>>>',
                server="消息来自client2 : hello 你好\n>>>消息来自client2 : \n>>>")
    chat(client, server, "client2", "chat0",
         '>>>消息来自server: hi "q" 再见\n>>>消息来自server: x\n>>>消息来自server: \\ 好😀\n>>>')


@paired("chat_egon")
def _(client, server):
    like_golden("s3_udp_client.py / s3_udp_server.py",
                client='>>>消息来自server : hi "q" 再见\n>>>消息来自server : x\n>>>')
    chat(client, server, "egon", "chat3",
         '>>>消息来自server : hi "q" 再见\n>>>消息来自server : x\n>>>消息来自server : \\ 好😀\n>>>')


@sided("chat_wire_is_json_dumps")
def _(side):
    with udp(9090) as server:
        client = run(side, "client2")
        client.type('再见 "q" \\ \x7f \x01 😀')
        wire, peer = server.recvfrom(2048)
        same(wire, json.dumps({"msg": '再见 "q" \\ \x7f \x01 😀', "username": "client2"}).encode(), "client's wire")
        server.sendto('{"username":"raw","msg":"直接 UTF-8"}'.encode(), peer)
        client.wait_for("消息来自raw: 直接 UTF-8\n")
    server = run(side, "chat0")
    with udp() as client:
        client.sendto(b'{"msg": "x", "username": "u"}', ("127.0.0.1", 9090))
        server.wait_for(">>>")
        server.type("再见")
        same(client.recv(2048), b'{"msg": "\\u518d\\u89c1", "username": "server"}', "server's wire")


@sided("chat_client_speaks_on_to_whoever_answered")
def _(side):
    with udp(9090) as first, udp() as second:
        client = run(side, "client2")
        client.type("one")
        _, peer = first.recvfrom(2048)
        second.sendto(b'{"msg": "I am second", "username": "s"}', peer)
        client.wait_for("消息来自s: I am second\n")
        client.type("two")
        same(json.loads(second.recv(2048))["msg"], "two", "the second message, at the second server")


@sided("chat_client_without_server_waits_for_ctrl_c")
def _(side):
    client = run(side, "client2")
    client.wait_for(">>>")
    client.type("anybody?")
    try:
        client.end(0.5)
    except Failure:
        check(client.interrupt() in (-signal.SIGINT, 130), "Ctrl-C ends it")
        return
    raise Failure(f"it did not wait: {client.tail()}")


@case("seeds.chat_server_bad_datagrams_are_reported_and_survived")
def _():
    server = run("c", "chat0")
    with udp() as sk:
        sk.connect(("127.0.0.1", 9090))
        bad = [b"not json", b'{"msg": "' + 2000 * b"x" + b'", "username": "u"}', b'{"username": "u"}', b"[1]", b"",
               b'{"msg": 1, "username": "u"}', b"\xff\xfe", 1000 * b"["]
        for i, datagram in enumerate(bad):
            sk.send(datagram)
            server.wait_for(f"127.0.0.1:{sk.getsockname()[1]}: not a chat message: ", i + 1, "err")
        sk.send(b'{"msg": "still there?", "username": "u"}')
        server.wait_for(">>>")
        server.type("yes")
        same(sk.recv(2048), b'{"msg": "yes", "username": "server"}', "the answer")
    same(server.out, "消息来自u : still there?\n>>>", "server")


@sided("chat_server_two_clients_are_answered_in_turn")
def _(side):
    server = run(side, "chat0")
    with udp() as a, udp() as b:
        for sk, text in (a, "from a"), (b, "from b"), (a, "a again"):
            sk.sendto(json.dumps({"msg": text, "username": "u"}).encode(), ("127.0.0.1", 9090))
        for i, (sk, answer) in enumerate([(a, "1"), (b, "2"), (a, "3")]):
            server.wait_for(">>>", i + 1)
            server.type(answer)
            same(json.loads(sk.recv(2048))["msg"], answer, "the answer")
    same(server.out, "消息来自u : from a\n>>>消息来自u : from b\n>>>消息来自u : a again\n>>>", "server")


@case("seeds.chat_too_long_for_the_peer_is_not_sent")
def _():
    server, client = run("c", "chat0"), run("c", "client2")
    client.type("好" * 200)
    client.wait_for("not sent", stream="err")
    client.type("short")
    server.wait_for("消息来自client2 : short")


@case("seeds.chat_server_first_has_no_peer_yet")
def _():
    program = example("04_no_peer_yet")
    program.wait_for("no peer yet: ")
    with udp() as sk:
        sk.sendto(b"hi", ("127.0.0.1", 9090))
        same(sk.recv(100), b"now I know you\n", "answer")
    same(program.end(), 0, "exit code")
    check(program.out.endswith("answered\n"), program.tail())


@case("seeds.chat_full_duplex_hears_while_it_waits_for_input")
def _():
    with udp(9090) as server:
        client = example("chat")
        client.wait_for(">>>")
        client.type("first")
        _, peer = server.recvfrom(2048)
        for i in range(3):
            server.sendto(json.dumps({"msg": f"你好 {i}", "username": "egon"}).encode(), peer)
            client.wait_for(f"消息来自egon : 你好 {i}\n")
        for bad in b"not json", b"", b"[]", b"[" * 1024, b"\xff":
            server.sendto(bad, peer)
        client.type("second")
        same(json.loads(server.recv(2048)), {"msg": "second", "username": "client2"}, "the second message")
        client.end_input()
        same(client.end(), 0, "exit code")


# Rows 5, 6: hello and bye


def hello(client_side, server_side, number, *server_args):
    server = run(server_side, f"hello{number}", *server_args)
    first, second = run(client_side, f"bye{number}"), run(client_side, f"bye{number}")
    first.wait_for("b'hello'\n", 100)
    second.wait_for("b'hello'\n", 100)
    first.kill()
    second.wait_for("b'hello'\n", second.out.count("\n") + 500)
    third = run(client_side, f"bye{number}")
    third.wait_for("b'hello'\n", 100)
    check(server.alive(), "the server lives on")
    for client in second, third:
        same(set(client.out.split("\n")[:-1]), {"b'hello'"}, "a client's lines")
    if server_side == "c":  # Python's lines of several threads tear
        def ports():
            return {line.removeprefix("b'bye' ") for line in server.out.split("\n")[:-1]}

        until(lambda: len(ports()) >= 3, "the server prints a third port")
        same([len(ports()), all(port.isdigit() for port in ports())], [3, True], f"the server's lines, ports {ports()}")
    if client_side == "c":
        server.kill()  # Python's is not ended by Ctrl-C: its threads are waited for
        same([second.end() in (0, 1), third.end() in (0, 1)], [True, True], "clients end with the server")


for note in 0, 3:
    paired(f"hello_bye_s{note}")(lambda client, server, n=note: hello(client, server, n))
in_kinds("seeds.hello_bye_py-c", "serial")(lambda kind: hello("py", "c", 0, kind))


@case("seeds.hello_killed_client_is_logged_with_its_address")
def _():
    server = run("c", "hello0")
    with tcp(9090) as sk:
        receive(sk, 5)
        sk.sendall(b"bye")
        server.wait_for(f"b'bye' {sk.getsockname()[1]}\n")
        peer = f"127.0.0.1:{sk.getsockname()[1]}"
        reset(sk)
    server.wait_for(peer, stream="err")


@paired("hello_bye_10000_rounds", [("c", "c"), ("c", "py")])
def _(client_side, server_side):
    run(server_side, "hello0")
    client = run(client_side, "bye0", "tcp:127.0.0.1:9090", "10000")
    same([client.end(), client.out], [0, "b'hello'\n" * 10000], "client")


# Rows 7, 8, 11, 12: datagrams in upper case


@paired("udp_upper")
def _(client_side, server_side):
    lines = {"client": ">>>>>>b'ABC'\n>>>b'\\xc3\\x9f \\xc3\\xa9 \\xe4\\xbd\\xa0\\xe5\\xa5\\xbd'\n>>>",
             "server": ">>>> abc\n>>>> ß é 你好\n"}
    like_golden("udp upper 8080", **lines)
    server, client = run(server_side, "udp_upper"), run(client_side, "udp_client")
    for line in "   ", "abc", "\u3000 ß é 你好 \t":
        client.type(line)
    client.end_input()
    ended(client_side, client, "client")
    same(client.out, lines["client"], "client")
    server.wait_for(lines["server"])
    same(server.out, lines["server"], "server")


@sided("udp_upper_payloads")
def _(side):
    server = run(side, "udp_upper")
    with udp() as sk:
        sk.connect(("127.0.0.1", 8080))
        for payload in [b"abc", "ß 你好".encode(), b"", 1024 * b"a", 1025 * b"b", b"a\0b"] + [b"\xffa"] * (side == "c"):
            sk.send(payload)
            same(sk.recv(2048), payload[:1024].upper(), f"the answer to {payload[:10]}")
    if side == "c":
        server.wait_for(">>>> \ufffda\n")
        server.wait_for("cut", stream="err")


@paired("datagram_server")
def _(client_side, server_side):
    expected = ">>>b'ABC'\n>>>b'\\xe4\\xbd\\xa0Z'\n>>>"
    like_golden("ss udp 8082", client=expected, server="")
    server, client = run(server_side, "datagrams"), run(client_side, "datagram_client")
    client.type("abc")
    client.type("你z")
    client.end_input()
    ended(client_side, client, "client")
    same([client.out, server.out], [expected, ""], "client, server")


def datagram_payloads(side, *args):
    server = run(side, "datagrams", *args)
    with udp() as sk:
        sk.connect(("127.0.0.1", 8082))
        for size in 0, 1, 8192, 9000, 65507:
            sk.send(size * b"a")
            same(sk.recv(65535), min(size, 8192) * b"A", f"the answer to {size} bytes")
        try:
            sk.send(65508 * b"a")
        except OSError as why:
            same(why.errno, errno.EMSGSIZE, "65508 bytes")
    if side == "c":
        server.wait_for("cut", 2, "err")


sided("datagram_server_payloads")(datagram_payloads)
in_kinds("seeds.datagram_server_payloads")(lambda kind: datagram_payloads("c", kind))


# Rows 9, 10: streams in upper case


@paired("tcp_upper")
def _(client_side, server_side):
    lines = [">>>ONE\n>>>中 ß é X\n>>>", ">>>TWO\n>>>", ">> one\n>> two\n>> 中 ß é x\n客户端断开。。。\n客户端断开。。。\n"]
    like_golden("ss tcp upper 8082 (2 clients, RST, bad utf8)", c1=lines[0], c2=lines[1], server=lines[2])
    server = run(server_side, "tcp_upper")
    first, second = run(client_side, "tcp_client"), run(client_side, "tcp_client")
    first.type("one")
    first.wait_for("ONE\n")
    second.type(" two ")
    second.wait_for("TWO\n")
    first.type("中 ß é x")
    for i, client in enumerate((first, second)):
        client.end_input()
        ended(client_side, client, "client")
        server.wait_for("客户端断开。。。\n", i + 1)
    same([first.out, second.out, server.out], lines, "two clients, server")


@case("seeds.tcp_upper_split_character")
def _():
    server = run("c", "tcp_upper")
    with tcp(8082) as sk:
        for piece in "a你".encode()[:2], "你".encode()[1:] + b"b":
            sk.sendall(piece)
            same(receive(sk, len(piece)), piece.upper(), "answer")
    server.wait_for("客户端断开。。。\n")
    same(server.out, ">> a\n>> 你b\n客户端断开。。。\n", "server")


def endings(side, *args):
    server = run(side, "tcp_upper", *args)
    sk = tcp(8082)
    sk.sendall(b"x")
    receive(sk, 1)
    reset(sk)
    with tcp(8082) as sk:
        sk.sendall(b"\xff\xfe")
        same(sk.recv(10), b"", "the client that sends no UTF-8 sees")
    server.wait_for("'utf-8' codec can't decode byte 0xff in position 0: invalid start byte", stream="err")
    with tcp(8082) as sk:
        sk.sendall(b"y")
        same(receive(sk, 1), b"Y", "the next client's answer")
    server.wait_for("客户端断开。。。\n")
    same(server.out, ">> x\n>> y\n客户端断开。。。\n", "server")


sided("tcp_upper_three_endings")(endings)
in_kinds("seeds.tcp_upper_three_endings")(lambda kind: endings("c", kind))


@case("seeds.tcp_upper_restarts_at_once")
def _():
    for _ in range(3):
        server = run("c", "tcp_upper")
        with tcp(8082) as sk:
            sk.sendall(b"x")
            receive(sk, 1)
            check(server.interrupt() in (-signal.SIGINT, 130), "Ctrl-C ends the server")
            same(sk.recv(1), b"", "the client sees the end")  # the server closed first: its side is in TIME_WAIT


@paired("tcp_upper_exact_size", [("c", "c"), ("c", "py")])
def _(client_side, server_side):
    run(server_side, "tcp_upper")
    client = run(client_side, "tcp_client", "tcp:127.0.0.1:8082", "exact")
    for size in 1024, 1025, 20000:
        client.type(size * "a")
        client.wait_for(">>>" + size * "A" + "\n")


# Rows 13-16: the address in a tuple, and GBK


@sided("send_once")
def _(side):
    like_golden("s2_udp_send_once", p="请输入要发送的数据:")
    with udp(8080, "192.168.1.103") as sk:
        program = run(side, "send_once")
        program.type("你好 hi")
        same(sk.recv(100), b"\xe4\xbd\xa0\xe5\xa5\xbd hi", "wire")
        same([program.end(), program.out], [0, "请输入要发送的数据:"], "program")
    program = run(side, "send_once")
    program.type("nobody listens")
    same([program.end(), program.out], [0, "请输入要发送的数据:"], "program without a receiver")


@case("seeds.send_once_without_a_route")
def _():
    drop_alias()
    program = run("c", "send_once")
    program.type("x")
    same(program.end(), 1, "exit code")
    check("network is unreachable" in program.err.lower() and "192.168.1.103" in program.err, program.tail())


@sided("gbk_receiver")
def _(side):
    like_golden("gbk receiver ok", p="你好abc\n")
    like_golden("gbk receiver gets utf-8 (mojibake)", p="浣犲ソ\n")
    for wire, code, text in [("你好abc".encode("gbk"), 0, "你好abc\n"), ("你好".encode(), 0, "浣犲ソ\n"), (b"", 0, "\n"),
                             ("你好".encode() + b"\xff", 1, "")]:
        program = run(side, "gbk_receiver")
        with udp() as sk:
            sk.sendto(wire, ("127.0.0.1", 7788))
        same([program.end(), program.out], [code, text], f"the answer to {wire}")
    check("'gbk' codec can't decode byte 0xff in position 6: incomplete multibyte sequence" in program.err,
          program.tail())


ASKED = "请输入服务器ip:请输入服务器port:"


@paired("gbk_tcp")
def _(client_side, server_side):
    lines = [ASKED + "请输入要发送的数据:接收到的数据为: thank you !\n", "接收到的数据为: 你好 server\n"]
    like_golden("gbk tcp", client=lines[0], server=lines[1])
    server, client = run(server_side, "gbk_server"), run(client_side, "gbk_client")
    for line in "127.0.0.1", "7788", "你好 server":
        client.type(line)
    same([client.end(), server.end()], [0, 0], "exit codes")
    same([client.out, server.out], lines, "client, server")


@case("seeds.gbk_server_runs_twice_in_a_row")
def _():
    for _ in range(2):
        server = run("c", "gbk_server")
        with tcp(7788) as sk:
            sk.sendall("你好".encode("gbk"))
            same(receive(sk, 100), b"thank you !", "answer")
        same([server.end(), server.out], [0, "接收到的数据为: 你好\n"], "server")


@sided("gbk_server_peer_closes_at_once")
def _(side):
    like_golden("gbk tcp server, peer closes at once: recv 0 bytes", "net2.txt", server="接收到的数据为: \n")
    server = run(side, "gbk_server")
    tcp(7788).close()
    same([server.end(), server.out], [0, "接收到的数据为: \n"], "server")


@sided("gbk_client_errors")
def _(side):
    client = run(side, "gbk_client")
    for line in "127.0.0.1", "abc":
        client.type(line)
    same([client.end(), client.out], [1, ASKED], "a port that is no number")
    check("invalid literal for int() with base 10: 'abc'" in client.err, client.tail())
    client = run(side, "gbk_client")
    for line in "127.0.0.1", " 77_89 ":
        client.type(line)
    same([client.end(), client.out], [1, ASKED], "nobody listening")
    check("connection refused" in client.err.lower() or "Errno 111" in client.err, client.tail())
    with socket.create_server(("127.0.0.1", 7788)) as server:
        client = run(side, "gbk_client")
        for line in "127.0.0.1", "7788", "😀":
            client.type(line)
        same([client.end(), client.out], [1, ASKED + "请输入要发送的数据:"], "a character that GBK does not have")
        check("'gbk' codec can't encode character '\\U0001f600' in position 0" in client.err, client.tail())
        connection, _ = server.accept()
        connection.settimeout(PATIENCE)
        same(connection.recv(100), b"", "what was sent before that")


# Rows 28, 50 and 51


@in_kinds("seeds.empty_handler")
def _(kind):
    example("28_empty_handler", kind)
    until(lambda: bound("tcp", 8000), "it listens")
    for _ in range(3):
        with tcp(8000) as sk:
            same(sk.recv(10), b"", "the client sees")


@in_kinds("seeds.echo")
def _(kind):
    server = example("echo", kind)
    until(lambda: bound("tcp", 9000), "it listens")
    for payload in b"hello", bytes(range(256)) * 400:
        with tcp(9000) as sk:
            sk.sendall(payload)
            sk.shutdown(socket.SHUT_WR)
            same(receive(sk, len(payload) + 1), payload, "echo")
    check(server.interrupt() in (-signal.SIGINT, 130), "Ctrl-C ends the server")
    server = example("echo", "fork")
    same(server.end(), 1, "exit code of a kind that does not exist")
    check("coroutine, thread, process or serial" in server.err, server.tail())


@case("seeds.one_send_one_recv")
def _():
    program = example("one_send_one_recv")
    same(program.end(), 0, "exit code")
    same(program.out, 'without frames: sent "one", "two", "three"; one recv gave "onetwothree"\n'
         "without frames: sent 3000 bytes; one recv gave 1024\n"
         'with frames: one recv gave "one"\nwith frames: one recv gave "two"\nwith frames: one recv gave "three"\n'
         "with frames: sent 3000 bytes; one recv gave 3000\n", "program")


@case("seeds.udp_many_counts_each_sender")
def _():
    server = example("udp_many", "udp:127.0.0.1:8080", "1")
    until(lambda: bound("udp", 8080), "it listens")
    with udp() as one, udp() as two:
        for sk, texts in (one, (b"a", b"", b"\0bc")), (two, (b"x" * 1000,)):
            for text in texts:
                sk.sendto(text, ("127.0.0.1", 8080))
        same(server.end(), 0, "exit code")
        ports = one.getsockname()[1], two.getsockname()[1]
    for port, words in (ports[0], "3 datagrams, 4 bytes"), (ports[1], "1 datagrams, 1000 bytes"):
        check(f"udp:127.0.0.1:{port}: {words}\n" in server.out, server.out)


@case("seeds.udp_trains_both_ways_come_back")
def _():
    program = example("udp_trains")
    same(program.end(), 0, "exit code")
    figures = [float(line.split()[-2]) for line in program.out.splitlines()]
    check(len(figures) == 2 and min(figures) > 0, program.out)


@case("seeds.tcp_notes")
def _():
    program = example("51_tcp_notes")
    same(program.end(), 0, "exit code")
    same([line[:7] for line in program.out.split("\n")[:-1]], [f"{n} holds" for n in range(1, 8)], "the seven notes")


if __name__ == "__main__":
    sys.exit(run_cases())
