#!/usr/bin/env python3
"""Runs the tests and ends with the line `N passed, N failed, N skipped`.

    tools/run_tests.py [PATTERN] [--build DIR] [-j N] [--repeat N] [--under COMMAND] [--programs-only] [--once] [-v]

A test program is an executable in DIR/tests (from tests/*.c, with tests/support.c). A test script is an executable
tests/interop/*.py, tests/interop/*.sh, tools/check_*.py or tools/check_*.sh. Both print one line for each test:

    ok SUBJECT.NAME                     SUBJECT.NAME has no blanks; a program adds [MODE]
    not ok SUBJECT.NAME: why            what was printed since the last such line belongs to this test
    skip SUBJECT.NAME: why              could not run here

and exit with 1 when a test failed. A program gets PATTERN as its argument and runs the tests whose name contains it;
a script is run as a whole, when its file name contains PATTERN. Standard input is empty. In the environment stand
CORDAGE_BUILD and CORDAGE_SOURCE (absolute), LC_ALL=C.UTF-8, and PATH begins with the build directory, so that
`cordage` is the one just built. CORD_TEST_SLOW multiplies every time limit, of tests and of the run of each file.
A file that prints no line, that ends badly or that runs out of time is a failure too.

A test that fails is run once more, alone, when few have failed: on a loaded machine a bound against hangs may have been
too short. One that passes then counts as passed and is listed with its first failure, so that it is seen; --once
leaves the second run out.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
LINE = re.compile(r"^(ok|not ok|skip) ([\w./-]+\.[\w./-]+(?:\[[\w-]+\])?)(?:: (.*))?$")
SECONDS = 300  # for one program or script
SECOND_CHANCES = 10
SCRIPTS = ["tests/interop/*.py", "tests/interop/*.sh", "tools/check_*.py", "tools/check_*.sh"]


def find(build, pattern, under, programs_only):
    """The commands to run, each as (name, argument list); the scripts first, since each is one long piece."""
    found = []
    for glob in [] if programs_only else SCRIPTS:
        for path in sorted(SOURCE.glob(glob)):
            if os.access(path, os.X_OK) and pattern in path.stem:
                found.append((path.stem, [str(path)]))
    for path in sorted((build / "tests").glob("*")):
        if path.is_file() and os.access(path, os.X_OK):
            found.append((path.name, under + [str(path)] + ([pattern] if pattern else [])))
    return found


def environment(build):
    env = dict(os.environ, CORDAGE_BUILD=str(build), CORDAGE_SOURCE=str(SOURCE), LC_ALL="C.UTF-8")
    env["PATH"] = f"{build}:{env['PATH']}"
    env.setdefault("TSAN_OPTIONS", "die_after_fork=0")
    env.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    return env


def stop(process):
    """Ends it and what it started: Check's SIGTERM handler ends the running test, which is a group of its own."""
    for number, wait in (signal.SIGTERM, 5), (signal.SIGKILL, 5):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + wait
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)


def run(name, command, env, limit, may_be_empty):
    """Runs one program or script: [(result, test, why, output)]."""
    results, output, timed_out = [], [], False
    with tempfile.TemporaryFile() as file:  # a pipe would stay open in what the test left behind
        process = subprocess.Popen(command, env=env, cwd=SOURCE, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                   start_new_session=True)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            timed_out = True
            stop(process)
        file.seek(0)
        text = file.read().decode(errors="replace")
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            results.append((match[1], match[2], match[3] or "", output))
            output = []
        else:
            output.append(line)
    failed = any(result == "not ok" for result, *_ in results)
    if timed_out:
        results.append(("not ok", name, f"ran out of its {limit} seconds", output))
    elif process.returncode < 0 or (process.returncode != 0 and not failed):
        results.append(("not ok", name, f"ended with {process.returncode}", output))
    elif not results and not may_be_empty:
        results.append(("not ok", name, "printed no result", output))
    return results


def again(failures, commands, env, limit):
    """Runs each failed test once more, alone: the names of those that passed."""
    passed = set()
    for test in failures if len(failures) <= SECOND_CHANCES else []:
        subject = test.split(".")[0]
        command = commands.get(subject, commands.get(test))
        if command:
            alone = [] if "check_" in command[-1] else [test.split(".", 1)[-1].split("[")[0]]
            results = run(subject, command + alone, env, limit, False)
            if ("ok", test) in [(result, name) for result, name, *_ in results]:
                passed.add(test)
                print(f"passed alone, on the second try: {test}", flush=True)
    return passed


def report(results):
    """Prints the failures with their output and the reasons of the skips; answers the exit code."""
    count = collections.Counter(result for result, *_ in results)
    reasons = collections.defaultdict(list)
    for result, test, why, _ in results:
        if result == "skip":
            reasons[why].append(test)
    for why, tests in reasons.items():
        more = f" and {len(tests) - 3} more" if len(tests) > 3 else ""
        print(f"skipped: {why}: {', '.join(tests[:3])}{more}")
    print(f"{count['ok']} passed, {count['not ok']} failed, {count['skip']} skipped")
    return 1 if count["not ok"] or not count["ok"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("pattern", nargs="?", default="", help="run only the tests whose name contains it")
    parser.add_argument("--build", default="build", help="the build directory (default: build)")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="so many at a time (default: 2)")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="the whole run so many times")
    parser.add_argument("--under", default="", metavar="COMMAND", help="runs the programs under it (valgrind)")
    parser.add_argument("--programs-only", action="store_true", help="leaves the scripts out")
    parser.add_argument("--once", action="store_true", help="no second run of a test that failed")
    parser.add_argument("-v", "--verbose", action="store_true", help="prints the passing tests too")
    args = parser.parse_args()
    build = pathlib.Path(args.build).resolve()
    limit = SECONDS * max(1, int(os.environ.get("CORD_TEST_SLOW", "1")))
    # A script's background job, or nohup, hands on ignored signals; what is caught here is default in the programs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    results = []
    found = find(build, args.pattern, shlex.split(args.under), args.programs_only)
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        jobs = [pool.submit(run, name, command, environment(build), limit, args.pattern != "")
                for _ in range(args.repeat) for name, command in found]
        for job in concurrent.futures.as_completed(jobs):
            for result, test, why, output in job.result():
                results.append((result, test, why, output))
                if result == "not ok":
                    print(f"not ok {test}: {why}", *(f"    {line}" for line in output), sep="\n", flush=True)
                elif args.verbose:
                    print(f"{result} {test}{': ' if why else ''}{why}", flush=True)
    failures = [test for result, test, *_ in results if result == "not ok"]
    commands = {name.removeprefix("check_"): command for name, command in found}
    good = set() if args.once else again(failures, commands, environment(build), limit)
    return report([("ok" if test in good else result, test, why, output) for result, test, why, output in results])


if __name__ == "__main__":
    sys.exit(main())
