#!/usr/bin/env python3
"""Measures cordage beside what one would use instead: `bench/run.py [PATTERN] [--rounds N] [--seconds S] [--markdown]`.

Competitors run in turn, round by round (A B C, A B C, ...), because the machine's own speed changes over minutes; what
counts is the ratio within a round, and the median of the rounds. The server is bound to one CPU and the load to
another. Closed loop (each connection sends again when its answer has come) gives the ceiling; open loop at a fixed
rate gives the server's CPU time for a message, which tells servers apart when both ends are busy. Who is not installed
is left out by name. docs/performance.md says how to read the figures.
"""
import argparse
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("CORD_BUILD", os.path.join(os.path.dirname(HERE), "build"))
PROGRAMS = os.path.join(BUILD, "bench")
RAW = "raw epoll loop"
SERVERS = {  # name: command, environment
    RAW: ([f"{PROGRAMS}/echo_raw"], {}),
    "cordage, epoll": ([f"{PROGRAMS}/echo_cordage"], {"CORD_BACKEND": "epoll"}),
    "cordage, uring": ([f"{PROGRAMS}/echo_cordage"], {"CORD_BACKEND": "uring"}),
    "cordage, threads": ([f"{PROGRAMS}/echo_cordage", "thread"], {}),
    "libuv": ([f"{PROGRAMS}/echo_libuv"], {}),
    "libevent": ([f"{PROGRAMS}/echo_libevent"], {}),
    "Go": ([f"{PROGRAMS}/echo_go"], {}),
    "gevent": ([sys.executable, f"{HERE}/peers/echo_gevent.py"], {}),
    "Python asyncio": ([sys.executable, f"{HERE}/peers/echo_asyncio.py"], {}),
    "Python ThreadingTCPServer": ([sys.executable, f"{HERE}/peers/echo_socketserver.py"], {}),
}
THREADS = ("cordage, threads", "Python ThreadingTCPServer")
SLOW = (*THREADS, "gevent", "Python asyncio")
CELLS = [  # name, connections, messages a second (0: closed loop), competitors left out
    ("64 connections", 64, 0, ()),
    ("1000 connections", 1000, 0, THREADS),
    ("10,000 connections", 10000, 0, SLOW),
    ("64 connections, 60,000 messages/s", 64, 60000, SLOW),
    ("1000 connections, 60,000 messages/s", 1000, 60000, SLOW),
]
markdown = False


# What is here


def first_line(*command):
    """Of what a command prints; "" when it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return next(iter(done.stdout.splitlines()), "").strip()


def gevent_python():
    """A Python that has gevent: the system's, when this one has not."""
    for python in sys.executable, "/usr/bin/python3":
        if first_line(python, "-c", "import gevent; print(gevent.__version__)"):
            return python
    return ""


def versions():
    """{name: version} of what is measured; "" for what is not here. Builds the Go server."""
    go = first_line("go", "version")
    if go:
        subprocess.run(["go", "build", "-o", f"{PROGRAMS}/echo_go", f"{HERE}/peers/echo.go"], check=False)
    if python := gevent_python():
        SERVERS["gevent"][0][0] = python
    found = {"libuv": "", "libevent": "", "Go": go.replace("go version go", "").split(" ")[0],
             "gevent": python and first_line(python, "-c", "import gevent; print(gevent.__version__)"),
             "Python": platform.python_version()}
    for name, package in ("libuv", "libuv"), ("libevent", "libevent"):
        if os.path.exists(f"{PROGRAMS}/echo_{name}"):
            found[name] = first_line("pkg-config", "--modversion", package) or "unknown"
    if not os.path.exists(f"{PROGRAMS}/echo_go"):
        found["Go"] = ""
    return found


def machine():
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
            ("Kernel", f"Linux {platform.release()} {platform.machine()}"),
            ("Compiler", first_line(compiler, "--version")),
            ("Load average before", f"{os.getloadavg()[0]:.1f}"),
            ("Date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"))]


# Telling


def tell_head(found, rounds, seconds):
    pairs = machine() + [("cordage", first_line(f"{BUILD}/cordage", "--version").replace("cordage ", ""))]
    pairs += [(name, version) for name, version in found.items() if version]
    pairs += [("Runs", f"{rounds} rounds of {seconds:g} s, medians"),
              ("Left out, not installed", ", ".join(n for n, version in found.items() if not version) or "none")]
    for name, value in pairs:
        print(f"- {name}: {value}" if markdown else f"{name + ':':26} {value}")


def tell_table(title, columns, rows):
    """Rows of texts, the first of each a name; as Markdown or aligned."""
    if markdown:
        print(f"\n**{title}**\n\n| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")
        print("\n".join(f"| {' | '.join(row)} |" for row in rows), flush=True)
        return
    print(f"\n{title}")
    widths = [max(map(len, texts)) for texts in zip(columns, *rows)]
    for row in (columns, *rows):
        print(f"  {row[0]:{widths[0]}}", *(f"{text:>{width}}" for text, width in zip(row[1:], widths[1:])),
              sep="  ", flush=True)


def tell_summary(cells):
    """A line for each server, its ratios to the raw loop in each cell: for the README."""
    servers = [name for name in SERVERS if any(row["server"] == name for cell in cells for row in cell["rows"])]
    rows = []
    for server in servers:
        texts = [server]
        for cell in cells:
            row = next((row for row in cell["rows"] if row["server"] == server), None)
            texts.append("" if row is None else f"{row['cpu_ratio' if cell['rate'] else 'speed_ratio']:.2f}")
        rows.append(texts)
    columns = [("CPU time, " if cell["rate"] else "speed, ") + cell["cell"].replace(" connections", "")
               for cell in cells]
    tell_table("TCP echo, all of it beside the raw loop (speed: more is better; CPU time for a message: less is)",
               ["connections", *columns], rows)


# Measuring


def cpu_seconds(pid):
    """Of all its threads, to the nanosecond: the clock that clock_getcpuclockid(3) gives for a process."""
    return time.clock_gettime(~pid << 3 | 2)


def one_cpu(number):
    cpus = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cpus[number % len(cpus)]})


def measure(server, connections, rate, seconds):
    """One run: messages a second, and the server's CPU microseconds for each."""
    command, environment = SERVERS[server]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               preexec_fn=one_cpu(0), env={**os.environ, **environment})
    loading = None
    try:
        port = serving.stdout.readline().split()[1]
        loading = subprocess.Popen([f"{PROGRAMS}/load", port, str(connections), str(seconds)] +
                                   ([str(rate)] if rate else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True, preexec_fn=one_cpu(1))
        if loading.stdout.readline() != "connected\n":
            raise RuntimeError(f"{server}: the load could not connect")
        before = cpu_seconds(serving.pid)
        loading.stdin.write("\n")
        loading.stdin.flush()
        result = json.loads(loading.stdout.readline())
        used = cpu_seconds(serving.pid) - before
        messages = result["messages"]
        return messages / result["seconds"], used / messages * 1e6, result["mean_us"]
    finally:
        for process in (loading, serving):
            if process:
                process.kill()
                process.communicate()


def echo_cell(name, connections, rate, left_out, rounds, seconds):
    figures = {}
    for _ in range(rounds):
        for server in SERVERS:
            if server not in left_out:
                figures.setdefault(server, []).append(measure(server, connections, rate, seconds))
    rows = []
    for server, runs in figures.items():
        rows.append({"server": server,
                     "per_second": statistics.median(run[0] for run in runs),
                     "cpu_us": statistics.median(run[1] for run in runs),
                     "speed_ratio": statistics.median(run[0] / raw[0] for run, raw in zip(runs, figures[RAW])),
                     "cpu_ratio": statistics.median(run[1] / raw[1] for run, raw in zip(runs, figures[RAW]))})
    tell_table(f"TCP echo of 64 bytes, {name}", ["", "messages/s", "of raw", "CPU us each", "of raw"],
               [[row["server"], f"{row['per_second']:,.0f}", f"{row['speed_ratio']:.2f}x", f"{row['cpu_us']:.2f}",
                 f"{row['cpu_ratio']:.2f}x"] for row in rows])
    return {"cell": name, "connections": connections, "rate": rate, "rows": rows}


def growth():
    output = subprocess.run([f"{PROGRAMS}/growth"], capture_output=True, text=True, check=True).stdout
    rows = [json.loads(line) for line in output.splitlines()]
    tell_table("CPU nanoseconds for each task, at so many of them (a flat row: nothing is quadratic)",
               ["", *(f"{int(count):,}" for count in rows[0] if count != "case")],
               [[row["case"], *(f"{cost:,}" for count, cost in row.items() if count != "case")] for row in rows])
    return rows


def main():
    global markdown  # pylint: disable=global-statement
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="only what contains this (echo, growth, 64 connections)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown, with a summary")
    options = parser.parse_args()
    markdown = options.markdown
    if not os.path.exists(f"{PROGRAMS}/load"):
        sys.exit("bench: nothing is built; run `make bench`")
    cells = [cell for cell in CELLS if options.pattern in f"echo {cell[0]}"]
    if not cells and options.pattern not in "growth":
        sys.exit(f"bench: nothing is called \"{options.pattern}\"; there are: " +
                 ", ".join([f"echo {cell[0]}" for cell in CELLS] + ["growth"]))
    found = versions()
    tell_head(found, options.rounds, options.seconds)
    for name in [name for name, version in found.items() if not version]:
        del SERVERS[name]
    results = {cell[0]: echo_cell(*cell, options.rounds, options.seconds) for cell in cells}
    if markdown and cells:
        tell_summary(list(results.values()))
    if options.pattern in "growth":
        results["growth"] = growth()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)


main()
