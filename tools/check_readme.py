#!/usr/bin/env python3
"""Runs every command of README.md, in order, in a private network.

A command is a line of a ```sh block; a line of an indented block that begins with make, nc or build/, up to two blanks;
or such a piece of inline code, also with cc or man. Each different one is run once, from the top of the tree, with
"hello" as its input. It passes when it ends with 0, or when it serves: says `listening`, or is still there after some
seconds. What serves goes on while the later ones run; in the end it gets Ctrl-C and must end by that. Files that a
command names (FILE=echo.c, cc hello.c) contain the README's first whole program. Exceptions are in the table INSTEAD.
"""
import ctypes
import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from checking import BUILD, SOURCE

SLOW = max(1, int(os.environ.get("CORD_TEST_SLOW", "1")))
README = SOURCE / "README.md"
INSTEAD = [  # what a test cannot do as it stands
    (r"^(git clone|cd|sudo|apt)\b.*", ""),
    (r"^make (test|test-\w+|bench|deps|clean)\b", r"make -n \1"),
    (r"^make install\b", "make install DESTDIR=$SCRATCH"),
    (r"\bFILE=", "FILE=$SCRATCH/"),
    (r"^cc ", "export PKG_CONFIG_PATH=$SCRATCH/usr/local/lib/pkgconfig; cd $SCRATCH; cc "),
    (r"^man (\S+)", r"test -f man/\1"),
]


def commands(text):
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        found += [(text.find(line), line) for line in block.splitlines() if line and not line.startswith("#")]
    for match in re.finditer(r"^    ((?:make|nc|build/\S+)\b.*?)(?:  .*)?$", text, re.MULTILINE):
        found.append((match.start(), match[1]))
    for match in re.finditer(r"`((?:make|nc|cc|man) [^`]+|build/\S+ [^`]+)`", text):
        found.append((match.start(), match[1].replace("\n", " ")))
    return list(dict.fromkeys(line for _, line in sorted(found)))


def enter_private_network():
    """False where that is not allowed. lo is brought up by ioctl(2), since ip(8) may be absent."""
    newuser, newnet, siocsifflags, up = 0x10000000, 0x40000000, 0x8914, 1
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(newnet) != 0:
        if libc.unshare(newuser | newnet) != 0:
            return False
        pathlib.Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, siocsifflags, struct.pack("16sH14x", b"lo", up))
    return True


class Command:
    """One that was started: its process and what it printed."""

    def __init__(self, line, scratch):
        self.line, self.name = line, "readme." + re.sub(r"\W+", "_", line)[:50].strip("_")
        for pattern, instead in INSTEAD:
            line = re.sub(pattern, instead, line)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        self.log = open(f"{scratch}/{self.name}", "w+", encoding="utf-8")  # closed in result()
        self.process = subprocess.Popen(["bash", "-ec", line], cwd=SOURCE, env=dict(env, SCRATCH=scratch),
                                        stdin=subprocess.PIPE, stdout=self.log, stderr=self.log, start_new_session=True)
        try:
            with self.process.stdin as pipe:
                pipe.write(b"hello\n")
        except BrokenPipeError:
            pass

    def printed(self):
        self.log.seek(0)
        return self.log.read()

    def wait(self):
        """Until it has ended or serves."""
        patience = 60 if self.line.startswith(("make", "cc")) else 2
        end = time.monotonic() + patience * SLOW
        while self.process.poll() is None and time.monotonic() < end and "listening" not in self.printed():
            if re.search(r"^cc .*-o build/try/", self.printed(), re.MULTILINE):  # make try: the program comes next
                end = min(end, time.monotonic() + 3 * SLOW)
            time.sleep(0.05)
        self.served = self.process.poll() is None

    def finish(self):
        """Ends it if it serves; why it failed, or ""."""
        if self.served:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            code = self.process.wait(10 * SLOW)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return "goes on after Ctrl-C"
        good = (0, 130, -signal.SIGINT, 2) if self.served else (0,)  # 2: make was interrupted
        return "" if code in good else f"ended with {code}"


def main():
    if BUILD != SOURCE / "build":
        print("skip readme.commands: the README is about the release build")
        return 0
    if not README.exists() or not enter_private_network():
        print("skip readme.commands: " + ("no private network" if README.exists() else "no README.md") + " here")
        return 0
    text, failed = README.read_text(encoding="utf-8"), False
    program = next((block for block in re.findall(r"^```c\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
                    if "int main(" in block), "")
    with tempfile.TemporaryDirectory() as scratch:
        for name in re.findall(r"\b\w+\.c\b", text):
            pathlib.Path(scratch, name).write_text(program, encoding="utf-8")
        started = []
        for line in commands(text):
            if "pkg-config" in line and not shutil.which("pkg-config"):
                print(f"skip readme.{re.split(' ', line)[0]}: no pkg-config here")
                continue
            started.append(Command(line, scratch))
            started[-1].wait()
        for command in reversed(started):
            why = command.finish()
            if why:
                print(f"$ {command.line}", command.printed(), sep="\n")
            print(f"not ok {command.name}: {why}" if why else f"ok {command.name}", flush=True)
            failed = failed or bool(why)
            command.log.close()
    return 1 if failed else 0


sys.exit(main())
