#!/usr/bin/env python3
"""Measures cordage beside what one would use instead: `bench/run.py [PATTERN] [--rounds N] [--seconds S]`.

Competitors run in turn, round by round (A B C, A B C, ...), because the machine's own speed changes over minutes; what
counts is the ratio within a round, and the median of the rounds. A server is bound to one CPU and its load to another.
Closed loop (each connection sends again when its answer has come) gives the ceiling; open loop at a fixed rate gives
the server's CPU time for a message, which tells servers apart when both ends are busy. Who is not installed is left out
by name. The run has a session of its own, so that other work does not share its CPU time. subjects.py says what is
measured; docs/performance.md says how to read the figures.
"""
import argparse
import json
import os
import sys

import machine
import measure
import tables
from subjects import PROGRAMS, SUBJECTS
from targets import COLUMNS, target_rows


def missing(competitor, found):
    """Why it cannot run, "" when it can."""
    if competitor.needs and not found[competitor.needs]:
        return competitor.needs
    program = competitor.command[1] if competitor.command[0] == sys.executable else competitor.command[0]
    return "" if os.path.exists(program) else os.path.basename(program)


def leave_out(subjects, found):
    """Drops the competitors that cannot run; their names with what they lack."""
    gevent = machine.gevent_python() if found["gevent"] else ""
    lacking = {}
    for subject in subjects:
        for name, competitor in list(subject.competitors.items()):
            why = missing(competitor, found)
            if why:
                lacking[f"{name or subject.name} ({why})" if why != name else name] = True
                del subject.competitors[name]
            elif competitor.needs == "gevent":
                competitor.command = [gevent, *competitor.command[1:]]
    return ", ".join(lacking) or "none"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="only the subjects whose name contains this; see --list")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1, help="for each run (default: 1)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--only", metavar="NAMES", help="only competitors whose names begin so, with commas between")
    parser.add_argument("--short", action="store_true", help="without the subjects that take long in any case")
    parser.add_argument("--list", action="store_true", help="the names of the subjects")
    options = parser.parse_args()
    subjects = [subject for subject in SUBJECTS
                if options.pattern in subject.name and not (options.short and subject.long)]
    if not subjects:
        sys.exit(f"bench: nothing is called \"{options.pattern}\"; there are: " +
                 "; ".join(subject.name for subject in SUBJECTS))
    if options.list:
        print(*(subject.name for subject in subjects), sep="\n")
        return
    if not os.path.exists(f"{PROGRAMS}/load"):
        sys.exit("bench: nothing is built; run `make bench`")
    for subject in subjects if options.only else ():
        for name in [name for name in subject.competitors if not name.startswith(tuple(options.only.split(",")))]:
            if name:
                del subject.competitors[name]
    session = machine.own_session()
    found = machine.versions()
    head = machine.description() + [
        ("Beside it", ", ".join(f"{name} {version}" for name, version in found.items() if version))]
    head += [("Runs", f"{options.rounds} for each, of {options.seconds:g} s; medians"), ("Isolation", session),
             ("Left out, not here", leave_out(subjects, found))]
    for name, value in head:
        print(f"- {name}: {value}" if options.markdown else f"{name + ':':20} {value}", flush=True)
    results = {}
    for subject in subjects:
        if not subject.competitors:
            continue
        results[subject.name] = measure.measure(subject, options.rounds, options.seconds,
                                                lambda line: print(f"bench: {line}", file=sys.stderr))
        print("", *tables.subject_table(subject, results[subject.name], options.markdown), sep="\n", flush=True)
    if any(name.startswith("echo") for name in results):
        print("", *tables.echo_summary(subjects, results, options.markdown), sep="\n", flush=True)
    if rows := target_rows(results, only_seen=options.pattern != ""):
        print("", *tables.table("Targets", COLUMNS, rows, options.markdown), sep="\n")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"head": head, "subjects": results}, file, indent=1)


main()
