"""The machine that measures: its description, what is installed on it, and a session of its own for the run."""
import datetime
import os
import platform
import re
import resource
import signal
import subprocess
import sys

from subjects import BUILD, PEERS, PROGRAMS


def first_line(*command):
    """Of what a command prints; "" when it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return next(iter(done.stdout.splitlines()), "").strip()


def own_session():
    """Goes on in a child with a session of its own, whose share of the CPUs is as large as it may be, and says which.

    The kernel may share CPU time by session (sched_autogroup): then only that keeps other sessions' work out of the
    figures, and nice(1) does not. The parent hands on Ctrl-C, which no longer reaches the child.
    """
    child = os.fork()
    if child:
        for number in signal.SIGINT, signal.SIGTERM:
            signal.signal(number, lambda number, _: os.killpg(child, number))
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0)
    os.setsid()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for many connections
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as file:
            file.write("-20")
    except OSError:
        return "a session of its own, with the usual share of the CPUs"
    return "a session of its own, before all others (autogroup -20)"


def one_cpu(number):
    """For preexec_fn: binds to the number-th CPU; None: to all."""
    cpus = sorted(os.sched_getaffinity(0))
    return None if number is None else lambda: os.sched_setaffinity(0, {cpus[number % len(cpus)]})


def gevent_python():
    """A Python that has gevent: the system's, when this one has not."""
    for candidate in sys.executable, "/usr/bin/python3":
        if first_line(candidate, "-c", "import gevent; print(gevent.__version__)"):
            return candidate
    return ""


def boost_version():
    """What CMake built the peers with; the header's number is 107400 for 1.74.0."""
    for folder in "/usr/include", "/usr/local/include":
        try:
            with open(f"{folder}/boost/version.hpp", encoding="utf-8") as file:
                number = int(re.search(r"define BOOST_VERSION (\d+)", file.read())[1])
            return f"{number // 100000}.{number // 100 % 1000}.{number % 100}"
        except OSError:
            continue
    return ""


def versions():
    """{name: version} of what is measured; "" for what is not here. Builds the Go programs."""
    go = first_line("go", "version")
    for name in ("echo", "accept", "tasks", "parked", "udp", "lock", "queue") if go else ():
        sources = [f"{PEERS}/{name}.go"] + ([f"{PEERS}/micro.go"] if name in ("tasks", "lock", "queue") else [])
        subprocess.run(["go", "build", "-o", f"{PROGRAMS}/{name}_go", *sources], check=False)
    gevent = gevent_python()
    return {"libuv": first_line("pkg-config", "--modversion", "libuv"),
            "libevent": first_line("pkg-config", "--modversion", "libevent"),
            "GLib": first_line("pkg-config", "--modversion", "glib-2.0"),
            "ZeroMQ": first_line("pkg-config", "--modversion", "libzmq"),
            "Boost": boost_version(), "Go": go.replace("go version go", "").split(" ")[0],
            "gevent": gevent and first_line(gevent, "-c", "import gevent; print(gevent.__version__)"),
            "Python": platform.python_version()}


def description():
    """What the figures depend on, as pairs. No name of the host."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpuinfo = file.read()
    model = re.search(r"^(?:model name|CPU part)\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    compiler = "cc"
    with open(f"{BUILD}/CMakeCache.txt", encoding="utf-8") as cache:
        if match := re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", cache.read(), re.MULTILINE):
            compiler = match[1]
    return [("Machine", f"{len(os.sched_getaffinity(0))} CPUs, {model[1] if model else platform.machine()}"
                        f"{', virtual' if 'hypervisor' in cpuinfo else ''}"),
            ("Kernel", f"Linux {re.match(r'[0-9.]*[0-9]', platform.release())[0]} {platform.machine()}"),
            ("Compiler", first_line(compiler, "--version")),
            ("Load average before", f"{os.getloadavg()[0]:.1f}"),
            ("Date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")),
            ("cordage", first_line(f"{BUILD}/cordage", "--version").replace("cordage ", ""))]
