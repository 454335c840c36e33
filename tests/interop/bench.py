#!/usr/bin/env python3
"""The benchmark's programs start and give figures: bench/run.py with tiny times, where they were built.

Peers are left out, and what takes seconds however short it is told to be. Says nothing about speed. A subject whose
figures are there and above zero is ok bench.NAME.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("CORDAGE_SOURCE") or os.path.abspath(f"{__file__}/../../..")
BUILD = os.environ.get("CORDAGE_BUILD") or os.path.join(SOURCE, "build")
MAY_BE_ZERO = ("late", "least", "lost", "refused", "wakeups")


def bench(*arguments):
    return subprocess.run([f"{SOURCE}/bench/run.py", *arguments], env={**os.environ, "CORD_BUILD": BUILD}, text=True,
                          capture_output=True, timeout=100, check=False)


def check(name, figures):
    wrong = [f"{row}: {figure} is {value}" for row, values in figures.items() for figure, value in values.items()
             if not isinstance(value, (int, float)) or value < 0 or (value == 0 and figure not in MAY_BE_ZERO)]
    return f"not ok {name}: {', '.join(wrong) or 'no figures'}" if wrong or not figures else f"ok {name}"


def main():
    if not os.path.exists(f"{BUILD}/bench/load"):
        print("skip bench.subjects: not built (-DCORDAGE_BENCH=ON)")
        return 0
    names = bench("--list", "--short").stdout.splitlines()
    with tempfile.NamedTemporaryFile("r") as file:
        done = bench("--short", "--only", "cordage,raw,bare,minimal", "--rounds", "1", "--seconds", "0.05",
                     "--json", file.name)
        results = json.load(file)["subjects"] if done.returncode == 0 else {}
    print(done.stderr, end="")
    lines = [check("bench." + re.sub(r"\W+", "_", name), results.get(name, {})) for name in names]
    print(*lines, sep="\n")
    return any(line.startswith("not ok") for line in lines)


sys.exit(main())
