#!/usr/bin/env python3
"""The notes' homework, rows 107-109: QQ as two processes, as two objects, and with a server.

    tests/interop/seeds_qq.py [PATTERN]    CORDAGE_BUILD or CORD_BUILD: the build directory (default: build)

Several users talk in each case, some of them the notes' unchanged clients, which send to 9090: egon, or the server.
"""
import json
import os
import pathlib
import signal
import sys

from pairs import Failure, bound, case, check, example, in_kinds, run_cases, same, seed, udp, until

PORTS = {"egon": 9090, "wupeiqi": 9091, "yuanhao": 9092, "nezha": 9093}
PEERS = {"process": "107_qq_process", "class": "108_qq_class"}
SERVER = ("127.0.0.1", 9090)


def for_peers(name):
    """Makes a case of each of the two programs: the function gets a function that starts a user."""

    def add(function):
        for word, program in PEERS.items():
            case(f"seeds_qq.{name}[{word}]")(lambda p=program: function(lambda user: start(p, user)))
        return function

    return add


def start(program, user):
    peer = example(program, user)
    peer.wait_for(">>>")
    check(bound("udp", PORTS[user]), f"{user} listens")
    return peer


def say(peer, to, *lines):
    if to:
        peer.type("@" + to)
    for line in lines:
        peer.type(line)


def wire(text, user):
    return json.dumps({"msg": text, "username": user}).encode()


def gone(program):
    """Nothing of it is left: no process, and no port."""
    until(lambda: program.group() == [], f"{program.name} leaves no process behind")


# Rows 107, 108: two processes


@for_peers("users_talk_both_ways_while_some_leave_and_die")
def _(qq):
    egon, wupeiqi, yuanhao = qq("egon"), qq("wupeiqi"), qq("yuanhao")
    say(egon, "wupeiqi", '再见 "q" 😀', "")
    wupeiqi.wait_for('消息来自egon : 再见 "q" 😀\n消息来自egon : \n')
    say(wupeiqi, "egon", "one", "two", "three")  # three in a row: nobody waits for an answer
    say(yuanhao, "egon", "我是元昊")
    egon.wait_for("消息来自yuanhao : 我是元昊\n")
    for text in "one", "two", "three":
        egon.wait_for(f"消息来自wupeiqi : {text}\n")
    say(egon, "yuanhao", "only for you")
    yuanhao.wait_for("消息来自egon : only for you\n")

    yuanhao.end_input()
    same([yuanhao.end(), yuanhao.err], [0, ""], "yuanhao leaves: exit code, stderr")
    gone(yuanhao)
    os.killpg(wupeiqi.pid, signal.SIGKILL)
    wupeiqi.end()
    gone(wupeiqi)
    say(egon, None, "nobody hears this")
    say(egon, "wupeiqi", "nor this")

    again, nezha = qq("wupeiqi"), qq("nezha")
    say(egon, None, "you are back")
    again.wait_for("消息来自egon : you are back\n")
    say(nezha, "egon", "and I am new")
    egon.wait_for("消息来自nezha : and I am new\n")
    check("only for you" not in wupeiqi.out and "nor this" not in again.out, "who heard what")
    same(egon.err, "", "egon's stderr")


@case("seeds_qq.both_programs_are_one_chat")
def _():
    egon, wupeiqi = start(PEERS["process"], "egon"), start(PEERS["class"], "wupeiqi")
    say(egon, "wupeiqi", "你好")
    wupeiqi.wait_for("消息来自egon : 你好\n")
    say(wupeiqi, "egon", "hello")
    egon.wait_for("消息来自wupeiqi : hello\n")


@for_peers("the_notes_clients_are_answered")
def _(qq):
    egon = qq("egon")
    clients = seed("s0_udp_client.py"), seed("s3_udp_client.py")
    for client, user in zip(clients, ("client2", "egon")):  # one of them claims to be egon
        client.type(f"你好, I am {user}")
        egon.wait_for(f") : 你好, I am {user}\n")
        address = egon.out.rsplit(f"消息来自{user} (", 1)[1].split(")")[0]
        say(egon, address, "再见")
    clients[0].wait_for("消息来自egon: 再见\n")
    clients[1].wait_for("消息来自egon : 再见\n")


@for_peers("wire_is_json_dumps")
def _(qq):
    with udp(9091) as friend:
        egon = qq("egon")
        say(egon, "wupeiqi", '再见 "q" \\ \x7f \x01 😀', "")
        for text in '再见 "q" \\ \x7f \x01 😀', "":
            data, peer = friend.recvfrom(2048)
            same([data, peer], [wire(text, "egon"), SERVER], "what egon sends, and from where")
        friend.sendto('{"username":"wupeiqi","msg":"直接 UTF-8"}'.encode(), SERVER)
        egon.wait_for("消息来自wupeiqi : 直接 UTF-8\n")


@for_peers("what_cannot_be_sent_or_read_is_said")
def _(qq):
    egon = qq("egon")
    say(egon, None, "to nobody")
    egon.wait_for("to whom? not sent\n", stream="err")
    with udp(9091) as friend:
        say(egon, "wupeiqi", "好" * 200, "x" * 5000)
        egon.wait_for("too long for one datagram; not sent\n", 2, "err")
        say(egon, "nobody", "still to wupeiqi")
        egon.wait_for("nobody: neither a friend", stream="err")
        say(egon, "tcp:127.0.0.1:9090", "and this")
        same([json.loads(friend.recv(2048))["msg"] for _ in range(2)], ["still to wupeiqi", "and this"], "sent")
        bad = [b"not json", wire("x" * 2000, "u"), b'{"username": "u"}', b"[1]", b"", b"\xff\xfe", 1000 * b"["]
        for i, datagram in enumerate(bad):
            friend.sendto(datagram, SERVER)
            egon.wait_for("udp:127.0.0.1:9091: not a chat message: ", i + 1, "err")
        friend.sendto(wire("good", "wupeiqi"), SERVER)
    egon.wait_for("消息来自wupeiqi : good\n")


def sockets_of(pid):
    return {os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()}


def started(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]), pid


@for_peers("two_processes_share_one_socket_and_go_together")
def _(qq):
    for whom in "group", "parent":
        egon = qq("egon")
        until(lambda p=egon: len(p.group()) == 3, "the program, its receiver and its sender")
        rows = [line.split() for line in pathlib.Path("/proc/self/net/udp").read_text().splitlines()[1:]]
        inodes = [f"socket:[{row[9]}]" for row in rows if int(row[1].rsplit(":", 1)[1], 16) == 9090]
        same([len(inodes), [inodes[0] in sockets_of(pid) for pid in egon.group()]], [1, 3 * [True]], "one socket")
        if whom == "group":
            code = egon.interrupt()
        else:
            os.kill(egon.pid, signal.SIGINT)
            code = egon.end()
        same([code, egon.err], [130, ""], f"Ctrl-C to the {whom}: exit code, stderr")
        gone(egon)
        check(not bound("udp", 9090), "the port is free")


@for_peers("end_of_input_at_once_ends_it")
def _(qq):
    egon = qq("egon")
    egon.end_input()
    same([egon.end(), egon.err], [0, ""], "exit code, stderr")
    gone(egon)
    check(not bound("udp", 9090), "the port is free")


@for_peers("a_killed_sender_ends_the_program")
def _(qq):
    egon = qq("egon")
    until(lambda: len(egon.group()) == 3, "three processes")
    os.kill(max(egon.group(), key=started), signal.SIGKILL)  # the sender is the last one
    same(egon.end(), 1, "exit code")
    check("_qq_" in egon.err, "it says so")
    gone(egon)


@for_peers("a_taken_address_is_refused")
def _(qq):
    qq("egon")
    try:
        qq("egon")
    except Failure as why:
        check("9090" in str(why) and "in use" in str(why), str(why))
    else:
        raise Failure("two are egon")


# Row 109: the server


def serve(kind):
    server = example("109_qq_server", kind)
    until(lambda: bound("udp", 9090) or not server.alive(), "the server listens")
    check(server.alive(), server.tail())
    return server


@in_kinds("seeds_qq.server_passes_on_to_all_others")
def _(kind):
    server = serve(kind)
    with udp() as raw:
        raw.sendto(wire("first", "raw"), SERVER)
        same(json.loads(raw.recv(2048)), {"msg": "nobody else is here", "username": "server"}, "alone")
        chat = example("chat")
        chat.type('你好 "all"')
        same(raw.recv(2048), wire('你好 "all"', "client2"), "what the raw one hears, as it was sent")
        lines = [seed("s0_udp_client.py"), seed("s3_udp_client.py")]
        for client in lines:  # they hear something only after they have said something
            client.type("我来了")
        chat.wait_for("消息来自client2 : 我来了\n")
        chat.wait_for("消息来自egon : 我来了\n")
        same(sorted(raw.recv(2048) for _ in lines), sorted(wire("我来了", u) for u in ("client2", "egon")), "raw")
        chat.type("")
        same(raw.recv(2048), wire("", "client2"), "an empty line")
        same(chat.out.count("消息来自"), 2, f"nobody hears himself: {chat.out!r}")

        chat.end_input()
        same(chat.end(), 0, "one leaves")
        lines[0].kill()
        for text in "still here", "再来":
            raw.sendto(wire(text, "raw"), SERVER)
            server.wait_for(f"消息来自raw : {text}\n")
        lines[1].wait_for("消息来自client2 : ")  # what the note's client reads first is what came first
        with udp() as other:
            other.sendto(wire("new", "other"), SERVER)
            same(raw.recv(2048), wire("new", "other"), "the next that it hears")
    same(server.err, "", "stderr")


@in_kinds("seeds_qq.server_loses_no_message_and_no_member")
def _(kind):
    server = serve(kind)
    users = [udp() for _ in range(8)]
    users[0].sendto(wire("0 is here", "0"), SERVER)
    users[0].recv(2048)
    for i, user in enumerate(users[1:], 1):  # one joins after the other
        user.sendto(wire(f"{i} is here", str(i)), SERVER)
        same([json.loads(other.recv(2048))["username"] for other in users[:i]], i * [str(i)], "a newcomer is heard")
    for turn in range(10):  # and all speak at once
        for i, user in enumerate(users):
            user.sendto(wire(f"turn {turn}", str(i)), SERVER)
        for i, user in enumerate(users):
            heard = [json.loads(user.recv(2048)) for _ in users[1:]]
            same(sorted((m["username"], m["msg"]) for m in heard),
                 [(str(other), f"turn {turn}") for other in range(8) if other != i], f"what {i} hears")
    server.wait_for("消息来自", 8 * 11)
    for user in users:
        user.close()


@in_kinds("seeds_qq.server_survives_bad_datagrams_and_ends_whole")
def _(kind):
    server = serve(kind)
    with udp() as sk:
        bad = [b"not json", wire("x" * 2000, "u"), b'{"username": "u"}', b"[1]", b"", b"\xff\xfe", 1000 * b"["]
        for i, datagram in enumerate(bad):
            sk.sendto(datagram, SERVER)
            server.wait_for(f"127.0.0.1:{sk.getsockname()[1]}: not a chat message: ", i + 1, "err")
        sk.sendto(wire("good", "u"), SERVER)
        same(json.loads(sk.recv(2048))["username"], "server", "the first answer, to the first good one")
    same(server.interrupt(), -signal.SIGINT, "exit code after Ctrl-C")
    gone(server)
    check(not bound("udp", 9090), "the port is free")


@case("seeds_qq.a_peer_is_a_member_of_the_server_too")
def _():
    server = serve("process")
    with udp() as raw:
        raw.sendto(wire("hi", "raw"), SERVER)
        raw.recv(2048)
        wupeiqi = start(PEERS["class"], "wupeiqi")
        say(wupeiqi, "egon", "你好")  # the server has egon's address
        same(raw.recv(2048), wire("你好", "wupeiqi"), "what the other member hears")
        raw.sendto(wire("welcome", "raw"), SERVER)
        wupeiqi.wait_for("消息来自raw (udp:127.0.0.1:9090) : welcome\n")
    check(server.alive(), "the server serves on")


if __name__ == "__main__":
    sys.exit(run_cases())
