"""bench/micro.h for Python: `PROGRAM CASE [SECONDS]` prints the CPU nanoseconds for each, and how many a second."""
import json
import os
import sys
import time

CPUS = sorted(os.sched_getaffinity(0))


def pin(number):
    """The calling thread, or process, to the number-th CPU."""
    os.sched_setaffinity(0, {CPUS[number % len(CPUS)]})


def check(right, what):
    if not right:
        print("wrong:", what, file=sys.stderr)
        os._exit(1)


marks = [None, None]  # (CPU, wall) when the measured part began and ended


def begin():
    """What came before, as the set-up of a crowd, does not count."""
    marks[0] = time.process_time(), time.monotonic()


def end():
    marks[1] = time.process_time(), time.monotonic()


def main(cases, run):
    name, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.2
    count, wall = 100, 0
    while wall < seconds / 2:
        count *= 4
        marks[1] = None
        begin()
        run(cases[name], count)
        if marks[1] is None:
            end()
        used, wall = (after - before for before, after in zip(*marks))
    print(json.dumps({"case": name, "ns": round(used / count * 1e9, 2), "per_second": round(count / wall, 1)}))
