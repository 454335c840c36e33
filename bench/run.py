#!/usr/bin/env python3
"""Measures cordage beside what one would use instead: `bench/run.py [PATTERN] [--rounds N] [--seconds S] [--json FILE]`.

Competitors run in turn, round by round (A B C, A B C, ...), because the machine's own speed changes over minutes; what
counts is the ratio within a round, and the median of the rounds. The server is bound to one CPU and the load to
another. Closed loop (each connection sends again when its answer has come) gives the ceiling; open loop at a fixed
rate gives the server's CPU time for a message, which tells servers apart when both ends are busy.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("CORD_BUILD", os.path.join(os.path.dirname(HERE), "build"))
PROGRAMS = os.path.join(BUILD, "bench")
TICK = os.sysconf("SC_CLK_TCK")
RAW = "raw epoll loop"
SERVERS = {
    RAW: ([f"{PROGRAMS}/echo_raw"], {}),
    "cordage, epoll": ([f"{PROGRAMS}/echo_cordage"], {"CORD_BACKEND": "epoll"}),
    "cordage, uring": ([f"{PROGRAMS}/echo_cordage"], {"CORD_BACKEND": "uring"}),
    "cordage, threads": ([f"{PROGRAMS}/echo_cordage", "thread"], {}),
    "Python asyncio": ([sys.executable, f"{HERE}/peers/echo_asyncio.py"], {}),
    "Python ThreadingTCPServer": ([sys.executable, f"{HERE}/peers/echo_socketserver.py"], {}),
}
SLOW = ("cordage, threads", "Python asyncio", "Python ThreadingTCPServer")
CELLS = [  # name, connections, messages a second (0: closed loop), competitors left out
    ("64 connections", 64, 0, ()),
    ("1000 connections", 1000, 0, ("cordage, threads", "Python ThreadingTCPServer")),
    ("10,000 connections", 10000, 0, SLOW),
    ("64 connections, 60,000 messages/s", 64, 60000, SLOW),
    ("1000 connections, 60,000 messages/s", 1000, 60000, SLOW),
]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


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
    print(f"\nTCP echo of 64 bytes, {name} ({rounds} rounds of {seconds} s)")
    print(f"  {'':26} {'messages/s':>11} {'of raw':>7} {'CPU us each':>12} {'of raw':>7}")
    rows = []
    for server, runs in figures.items():
        per_second = statistics.median(run[0] for run in runs)
        cpu = statistics.median(run[1] for run in runs)
        speed = statistics.median(run[0] / raw[0] for run, raw in zip(runs, figures[RAW]))
        cost = statistics.median(run[1] / raw[1] for run, raw in zip(runs, figures[RAW]))
        print(f"  {server:26} {per_second:11,.0f} {speed:6.2f}x {cpu:12.2f} {cost:6.2f}x")
        rows.append({"server": server, "per_second": per_second, "cpu_us": cpu, "speed_ratio": speed,
                     "cpu_ratio": cost})
    return {"cell": name, "connections": connections, "rate": rate, "rows": rows}


def growth():
    print("\nCPU nanoseconds for each task, at so many of them (a flat row: nothing is quadratic)")
    output = subprocess.run([f"{PROGRAMS}/growth"], capture_output=True, text=True, check=True).stdout
    rows = [json.loads(line) for line in output.splitlines()]
    print(f"  {'':26} " + " ".join(f"{int(count):>10,}" for count in rows[0] if count != "case"))
    for row in rows:
        print(f"  {row['case']:26} " + " ".join(f"{cost:>10,}" for count, cost in row.items() if count != "case"))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="only what contains this (echo, growth, 64 connections)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    if not os.path.exists(f"{PROGRAMS}/load"):
        sys.exit("bench: nothing is built; run `make bench`")
    results = {}
    for name, connections, rate, left_out in CELLS:
        if options.pattern in f"echo {name}":
            results[name] = echo_cell(name, connections, rate, left_out, options.rounds, options.seconds)
    if options.pattern in "growth":
        results["growth"] = growth()
    if not results:
        sys.exit(f"bench: nothing is called \"{options.pattern}\"; there are: " +
                 ", ".join([f"echo {cell[0]}" for cell in CELLS] + ["growth"]))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)


main()
