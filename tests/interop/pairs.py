"""What the scripts here share: test cases in a private network namespace each, and programs to talk with.

A case is a function; @case names it. run_cases() runs each in a child process with a network of its own (lo up and,
for the notes' sake, 192.168.1.103 on it), so that fixed ports never collide and nothing leaves the machine. Python's
standard library only: the namespace is made by unshare(2), lo by ioctl(2), since ip(8) may be absent.
"""
import ctypes
import errno
import fcntl
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

SOURCE = pathlib.Path(os.environ.get("CORDAGE_SOURCE") or pathlib.Path(__file__).resolve().parent.parent.parent)
BUILD = pathlib.Path(os.environ.get("CORDAGE_BUILD") or os.environ.get("CORD_BUILD") or SOURCE / "build").resolve()
SEEDS = pathlib.Path(os.environ.get("CORD_SEEDS") or SOURCE.parent / "shared" / "seeds")
SLOW = max(1, int(os.environ.get("CORD_TEST_SLOW", "1")))
PATIENCE = 15 * SLOW  # seconds that any one step may take; a bound against hangs, not an expectation
KINDS = {"coroutine-epoll": "coroutine", "coroutine-uring": "coroutine", "thread": "thread", "process": "process",
         "serial": "serial"}
NO_LANGUAGE = {"LC_ALL": "C"}
cases = []


class Skip(Exception):
    """Raised by a case that cannot run here, with the reason."""


class Failure(Exception):
    """Raised by a case, with what was expected and what came."""


def case(name, seconds=60):
    """Makes a function a case. Its name begins with the script's: seeds.chat."""

    def add(function):
        cases.append((name, function, seconds * SLOW))
        return function

    return add


def in_kinds(name, *without, seconds=60):
    """Makes a case of each kind, a coroutine on each backend: the function gets the kind's name."""

    def add(function):
        def in_kind(mode):
            if mode.startswith("coroutine-"):
                os.environ["CORD_BACKEND"] = mode.removeprefix("coroutine-")
            function(KINDS[mode])

        for mode, kind in KINDS.items():
            if kind not in without:
                case(f"{name}[{mode}]", seconds)(lambda m=mode: in_kind(m))
        return function

    return add


def same(got, want, what):
    if got != want:
        raise Failure(f"{what}: got {got!r}, expected {want!r}")


def check(condition, what):
    if not condition:
        raise Failure(what)


def until(condition, what, patience=PATIENCE):
    """Waits until condition() is true, which it may not be after `patience` seconds."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {patience} s")
        time.sleep(0.005)


# The private network


def _interface(name, request, data):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sk:
        fcntl.ioctl(sk, request, struct.pack("16s16s", name, data))


def private_network():
    """Moves the calling process into a network of its own."""
    newuser, newnet = 0x10000000, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(newnet) != 0:
        if libc.unshare(newuser | newnet) != 0:
            raise Skip(f"no private network namespace: {os.strerror(ctypes.get_errno())}")
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    siocsifflags, siocsifaddr, up_and_running = 0x8914, 0x8916, 0x41
    _interface(b"lo", siocsifflags, struct.pack("h", up_and_running))
    _interface(b"lo:0", siocsifaddr, struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton("192.168.1.103")))


def drop_alias():
    """Takes 192.168.1.103 away again: there is then no route to it."""
    siocsifflags = 0x8914
    _interface(b"lo:0", siocsifflags, struct.pack("h", 0))


def bound(transport, port):
    """Whether something in this network listens (tcp) or is bound (udp) there."""
    for table in (transport, transport + "6"):
        try:
            lines = pathlib.Path("/proc/self/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if int(fields[1].rsplit(":", 1)[1], 16) == port and (transport == "udp" or fields[3] == "0A"):
                return True
    return False


# Programs


class Program:
    """A running program: type to it, wait for what it prints, see how it ends."""

    running = []

    def __init__(self, argv, cwd=None, **env):
        if not os.path.exists(argv[0]):
            raise Skip(f"no {os.path.basename(argv[0])}: not built or not installed")
        self.name = pathlib.Path(argv[-1] if argv[-1].endswith(".py") else argv[0]).name
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        cwd=cwd, start_new_session=True,
                                        env=dict(os.environ, PYTHONIOENCODING="utf-8", **env))
        self.pid = self.process.pid
        self.raw = {"out": bytearray(), "err": bytearray()}
        self.readers = [threading.Thread(target=self._read, args=(stream, getattr(self.process, "std" + stream)),
                                         daemon=True) for stream in self.raw]
        for reader in self.readers:
            reader.start()
        Program.running.append(self)

    def _read(self, stream, file):
        while data := os.read(file.fileno(), 65536):
            self.raw[stream] += data

    @property
    def out(self):
        return self.raw["out"].decode("utf-8", "replace")

    @property
    def err(self):
        return self.raw["err"].decode("utf-8", "replace")

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def end_input(self):
        self.process.stdin.close()

    def wait_for(self, text, count=1, stream="out"):
        """Until it has printed text, `count` times in all."""
        wanted = text.encode()
        until(lambda: self.raw[stream].count(wanted) >= count or not self.alive(), f"{self.name} prints {text!r}")
        if not self.raw[stream].count(wanted) >= count:
            self.end()
        check(self.raw[stream].count(wanted) >= count, f"{self.name} ended before it printed {text!r}: {self.tail()}")

    def alive(self):
        return self.process.poll() is None

    def end(self, patience=PATIENCE):
        """Waits for its end, and for the end of its output; the exit code, -N after signal N."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} does not end: {self.tail()}") from None
        for reader in self.readers:
            reader.join(2)
        return code

    def interrupt(self):
        """Ctrl-C, and the exit code."""
        os.killpg(self.pid, signal.SIGINT)
        return self.end()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def group(self):
        """The ids of the processes of its session: itself, its children and theirs."""
        pids = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split() if entry.name.isdigit() else None
            except OSError:
                continue
            if stat and int(stat[3]) == self.pid and stat[0] not in "ZX":
                pids.append(int(entry.name))
        return sorted(pids)

    def tail(self):
        return f"stdout {self.out[-300:]!r} stderr {self.err[-300:]!r}"


def example(name, *args, **options):
    return Program([str(BUILD / "examples" / name), *args], **options)


def command(*args, **options):
    return Program([str(BUILD / "cordage"), *args], **options)


def serve(*args, addresses=("tcp:127.0.0.1:0",), under=(), **env):
    """A server, by the command `under`, and where it listens: ("127.0.0.1", port) or a path for each address."""
    server = Program([*under, str(BUILD / "cordage"), "serve", args[0], *addresses, *args[1:]],
                     **dict(NO_LANGUAGE, **env))
    server.wait_for("listening ", len(addresses), "err")
    until(lambda: server.err.count("\n") >= len(addresses), "whole lines")
    server.at = []
    for line in re.findall(r"^listening (\S+)$", server.err, re.M):
        scheme, rest = line.split(":", 1)
        host, _, port = rest.rpartition(":")
        server.at.append((host, int(port)) if scheme in ("tcp", "udp") else rest)
    return server


def join(at, family=socket.AF_INET):
    sk = socket.socket(family)
    sk.settimeout(PATIENCE)
    sk.connect(at)
    return sk


def stops(server):
    os.kill(server.pid, signal.SIGTERM)
    same(server.end(), 0, f"exit code after SIGTERM: {server.tail()}")
    until(lambda: not server.group(), "no process is left behind")


def seed(name):
    """One of the notes' Python programs, unchanged; -u, so that each write can be seen at once."""
    path = SEEDS / "programs" / name
    if not path.exists():
        raise Skip("the notes' Python programs are not here")
    return Program([sys.executable, "-u", str(path)])


def golden(file, title):
    """What the notes' programs printed in one recorded run: {"client": text}, without Python's tracebacks."""
    path = SEEDS / "golden" / file
    if not path.exists():
        return None
    sections = path.read_text().split("===== ")
    for section in sections:
        if section.split("\n", 1)[0] != title:
            continue
        parts = {}
        for part in section.split("\n-- ")[1:]:
            head, text = part.split("\n", 1)
            for mark in ("Traceback", "-" * 40, "WIRE", "CLEAN"):
                text = text.split(mark, 1)[0]
            parts[head.split(" rc=")[0]] = text
        return parts
    raise Failure(f"{file} has no section {title!r}")


def udp(port=None, host="127.0.0.1"):
    """A datagram socket of ours, to play one side."""
    sk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sk.settimeout(PATIENCE)
    if port is not None:
        sk.bind((host, port))
    return sk


def tcp(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def reset(sk):
    """Closes a connection by RST."""
    sk.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sk.close()


def receive(sk, size):
    """Exactly size bytes, or what came until the end."""
    data = b""
    while len(data) < size and (piece := sk.recv(size - len(data))):
        data += piece
    return data


# Running


def _stopped(number, _):
    raise Failure("ran out of time" if number == signal.SIGALRM else "was stopped")


def _one(function, seconds, pipe):
    """In the child: runs one case and tells the result. Whatever happens, it ends the programs it started."""
    signal.signal(signal.SIGTERM, _stopped)
    signal.signal(signal.SIGALRM, _stopped)
    signal.alarm(seconds)
    result = "ok"
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        try:
            private_network()
            function()
        except Skip as why:
            result = f"skip {why}"
        except Failure as why:
            result = f"not {why}"
        except OSError as why:
            result = f"not {errno.errorcode.get(why.errno, why.errno)} {why} at {_where()}"
        except Exception as why:  # pylint: disable=broad-except
            result = f"not {type(why).__name__}: {why} at {_where()}"
        signal.alarm(0)
        for program in Program.running:
            for pid in program.group():
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        os.chdir("/")
    os.write(pipe, result.replace("\n", "\\n").encode()[:4000])


def _where():
    return "; ".join(f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(sys.exc_info()[2])[-3:])


def _start(function, seconds):
    """Forks a child for a case: (its pid, the end of a pipe its result comes from)."""
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        try:
            _one(function, seconds, write_end)
        finally:
            os._exit(0)
    os.close(write_end)
    return pid, read_end


def _tell(name, result):
    word, _, why = result.partition(" ")
    print({"ok": f"ok {name}", "skip": f"skip {name}: {why}"}.get(word, f"not ok {name}: {why}"), flush=True)
    return word != "not"


def run_cases(at_a_time=4):
    """Runs the cases, those only whose name contains the script's argument; answers the exit code."""
    patterns = sys.argv[1:]
    waiting = [c for c in cases if not patterns or any(pattern in c[0] for pattern in patterns)]
    running, good = {}, True
    while waiting or running:
        while waiting and len(running) < at_a_time:
            name, function, seconds = waiting.pop(0)
            pid, pipe = _start(function, seconds)
            running[pid] = (name, pipe, time.monotonic() + seconds + 20)
        for pid, (name, pipe, limit) in list(running.items()):
            ended, _ = os.waitpid(pid, os.WNOHANG)
            if ended == 0 and time.monotonic() < limit:
                continue
            if ended == 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            silence = "not ran out of time" if ended == 0 else "not died"
            result = os.read(pipe, 5000).decode(errors="replace") or silence
            os.close(pipe)
            del running[pid]
            good &= _tell(name, result)
        time.sleep(0.01)
    return 0 if good else 1
