#!/usr/bin/env python3
"""The `cordage` command with the notes' Python programs, in every kind. (clients.py has nc, ncat, socat and curl.)

    tests/interop/seeds_serve.py [PATTERN]    CORDAGE_BUILD or CORD_BUILD: the build directory (default: build)

The handlers of `cordage serve` are the notes' servers, so that the notes' unchanged clients must not see a difference;
and `cordage chat`, `send` and `connect` are clients of the notes' servers.
"""
import json
import shutil
import sys

from pairs import (Program, Skip, bound, case, check, command, in_kinds, receive, reset, run_cases, same, seed, stops,
                   tcp, udp, until)

CHINESE = {"LC_ALL": "zh_CN.UTF-8"}


def serve(handler, *words, kind="coroutine"):
    server = command("serve", handler, *words, "-k", kind, **CHINESE)
    for address in (word for word in words if word.startswith(("tcp:", "udp:"))):
        transport, _, port = address.split(":")
        until(lambda t=transport, p=int(port): bound(t, p) or not server.alive(), f"serve {handler} listens")
        check(server.alive(), f"serve {handler} ended: {server.tail()}")
    return server


def typed(client, lines, expected):
    for line in lines:
        client.type(line)
    client.end_input()
    client.end()
    same(client.out, expected, client.name)


@in_kinds("seeds_serve.hello")
def _(kind):
    server = serve("hello", "tcp:127.0.0.1:9090", kind=kind)
    first = seed("s0_ss_client.py")
    first.wait_for("b'hello'\n", 100)
    if kind != "serial":
        second = seed("s3_ss_client.py")
        second.wait_for("b'hello'\n", 100)
    first.kill()
    third = seed("s3_ss_client.py") if kind == "serial" else second
    third.wait_for("b'hello'\n", third.out.count("\n") + 200)
    third.kill()
    check("b'bye' " in server.out, f"it prints the notes' lines: {server.tail()}")
    stops(server)


@in_kinds("seeds_serve.upper")
def _(kind):
    server = serve("upper", "tcp:127.0.0.1:8082", "udp:127.0.0.1:8082", "udp:127.0.0.1:8080", kind=kind)
    typed(seed("s1_tcp_client.py"), ["one", " ", "中 ß é x"], ">>>ONE\n>>>>>>中 ß é X\n>>>")
    typed(seed("s1_udp_upper_client.py"), ["abc", "你z"], ">>>b'ABC'\n>>>b'\\xe4\\xbd\\xa0Z'\n>>>")
    typed(seed("s1_ss_udp_client.py"), ["abc"], ">>>b'ABC'\n>>>")
    sk = tcp(8082)
    sk.sendall(b"x")
    receive(sk, 1)
    reset(sk)
    with tcp(8082) as sk:
        sk.sendall(b"\xff\xfea")
        same(receive(sk, 3), b"\xff\xfeA", "bytes that are not UTF-8")
    stops(server)
    serve("upper", "tcp:127.0.0.1:8082", kind=kind)


@in_kinds("seeds_serve.upper_of_gbk")
def _(kind):
    server = serve("upper", "tcp:127.0.0.1:7788", "--encoding", "gbk", kind=kind)
    for _ in range(2):
        client = seed("s2_tcp_client_gbk.py")
        for line in "127.0.0.1", "7788", "你好 server":
            client.type(line)
        same([client.end(), client.out.partition("接收到的数据为: ")[2]], [0, "你好 SERVER\n"], "the notes' client")
    server.wait_for(">> 你好 server\n客户端断开。。。\n", 2)
    stops(server)


@in_kinds("seeds_serve.upper_of_one_datagram")
def _(kind):
    server = serve("upper", "udp:192.168.1.103:8080", kind=kind)
    client = seed("s2_udp_send_once.py")
    client.type("你好 hi")
    same(client.end(), 0, f"exit code: {client.tail()}")
    server.wait_for(">>>> 你好 hi\n")
    stops(server)


@in_kinds("seeds_serve.chat")
def _(kind):
    server = serve("chat", "udp:127.0.0.1:9090", kind=kind)
    first, second = seed("s0_udp_client.py"), seed("s3_udp_client.py")
    first.type("我是一号")
    server.wait_for("消息来自client2 : 我是一号\n")
    second.type("I am egon")
    server.wait_for("消息来自egon : I am egon\n")
    for _ in range(3):  # whoever is told that it is alone has its turn again
        first.type("still here")
        second.type("so am I")
    first.wait_for("消息来自egon: ")
    second.wait_for("消息来自client2 : ")
    with udp() as sk:
        sk.sendto(b"not json", ("127.0.0.1", 9090))
        server.wait_for("not JSON", stream="err")
    stops(server)


# One room for all of them


@case("seeds_serve.chat_room_joins_python_nc_and_cordage_chat")
def _():
    nc = shutil.which("nc")
    if nc is None:
        raise Skip("no nc")
    server = serve("chat", "udp:127.0.0.1:9090", "tcp:127.0.0.1:9090")
    room = command("chat", "--name", "小王", **CHINESE)
    room.type("hello from chat")
    server.wait_for("消息来自小王 : hello from chat\n")
    plain = Program([nc, "127.0.0.1", "9090"])
    plain.type("/name nancy")
    plain.type("hello from nc")
    room.wait_for("消息来自nancy : hello from nc\n")
    client = seed("s0_udp_client.py")
    client.type("hello from python")
    room.wait_for("消息来自client2 : hello from python\n")
    plain.wait_for("client2 : hello from python\n")
    room.type("hello python")
    client.wait_for("消息来自小王: hello python\n")
    plain.wait_for("小王 : hello python\n")
    server.type("hello all")
    room.wait_for("消息来自server : hello all\n")
    plain.wait_for("server : hello all\n")
    stops(server)


# The command as a client of the notes' servers


@case("seeds_serve.chat_with_the_notes_server")
def _():
    server = seed("s0_udp_server.py")
    until(lambda: bound("udp", 9090), "it listens")
    room = command("chat", "--name", "client2", **CHINESE)
    room.type('hello "你好"')
    server.wait_for('消息来自client2 : hello "你好"\n')
    server.type("再见")
    room.wait_for("消息来自server : 再见\n")
    room.end_input()
    same(room.end(), 0, "exit code")


@case("seeds_serve.connect_to_the_notes_server")
def _():
    server = seed("s1_ss_tcp_server.py")
    until(lambda: bound("tcp", 8082), "it listens")
    client = command("connect", "tcp:127.0.0.1:8082")
    client.type("one é")
    client.wait_for("ONE é\n")
    client.end_input()
    same([client.end(), client.out], [0, "ONE é\n"], "connect")
    server.wait_for("客户端断开。。。\n")


@case("seeds_serve.send_once_and_gbk")
def _():
    with udp(8080, "192.168.1.103") as sk:
        sender = command("send", "udp:192.168.1.103:8080", "你好 hi")
        same([sk.recv(100), sender.end()], [b"\xe4\xbd\xa0\xe5\xa5\xbd hi", 0], "wire, exit code")
    receiver = seed("s2_udp_bind_gbk.py")
    until(lambda: bound("udp", 7788), "it listens")
    same(command("send", "--encoding", "gbk", "udp:127.0.0.1:7788", "你好abc").end(), 0, "exit code")
    same([receiver.end(), receiver.out], [0, "你好abc\n"], "the notes' receiver")
    server = seed("s2_tcp_server_gbk.py")
    until(lambda: bound("tcp", 7788), "it listens")
    sender = command("send", "--encoding", "gbk", "--reply", "tcp:127.0.0.1:7788", "你好 server")
    same([sender.end(), sender.out.rstrip("\n")], [0, "thank you !"], "send --reply")
    same([server.end(), server.out], [0, "接收到的数据为: 你好 server\n"], "the notes' server")


@case("seeds_serve.json_of_tcp_member_reaches_udp_members_in_pythons_form")
def _():
    server = serve("chat", "udp:127.0.0.1:9090", "tcp:127.0.0.1:9090")
    with udp() as member, tcp(9090) as sk:
        member.sendto(b'{"msg": "hi", "username": "m"}', ("127.0.0.1", 9090))
        server.wait_for("消息来自m : hi\n")
        sk.sendall('{"username": "t", "msg": "再见"}\n'.encode())
        while (wire := member.recv(2048)) and json.loads(wire)["username"] != "t":
            pass
        same(wire, b'{"msg": "\\u518d\\u89c1", "username": "t"}', "wire")


if __name__ == "__main__":
    sys.exit(run_cases())
