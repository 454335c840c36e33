#!/usr/bin/env python3
"""Puts a run into the documents: `bench/render.py [FILE]`; FILE (docs/bench.json) is what `bench/run.py --json` wrote.

Replaced are what stands between the lines `<!-- bench NAME: begin. ... -->` and `<!-- bench NAME: end -->` of
docs/performance.md (run: all tables, with charts) and of both READMEs (summary), and the charts in docs/charts, which
gnuplot draws; without gnuplot these stay as they are.
"""
import json
import os
import re
import shutil
import subprocess
import sys

import charts
import tables
from subjects import HERE, SUBJECTS
from targets import COLUMNS, target_rows

DOCS = os.path.join(os.path.dirname(HERE), "docs")
CHINESE = {"raw epoll loop": "C 写的裸 epoll 循环", "connections": "连接数", "speed": "速度", "CPU time": "每条消息的 CPU",
           "messages/s": "条/秒", "pthreads, one CPU": "线程，一个 CPU", "yield": "让出", "start and join": "启动到等完",
           "hand-over, events": "事件交接", "hand-over, queues": "队列交接", "bytes, parked": "等待时的字节"}


def in_chinese(line):
    for word, chinese in CHINESE.items():
        line = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", chinese, line)
    return line.replace("connections, ", "")


# In the document subjects of one family are columns of a table: title, which subjects, the figure.
FAMILIES = [
    ("TCP echo, messages a second (beside the raw loop; more is better)",
     lambda subject: subject.name.startswith("echo") and "rate" not in subject.options, "per_second"),
    ("TCP echo, CPU microseconds for a message (beside the raw loop; less is better)",
     lambda subject: subject.name.startswith("echo"), "cpu_us"),
    ("Tasks, CPU nanoseconds for each (beside a bare switch; less is better)",
     lambda subject: subject.name in ("yield", "start", "ping-pong, events", "ping-pong, queues"), "ns"),
    ("A lock that several want, acquires a second",
     lambda subject: subject.name.startswith("lock contended"), "per_second"),
    ("A queue between two processes, items a second (beside a raw ring; more is better)",
     lambda subject: subject.name.startswith("queue processes"), "per_second"),
    ("Servers: echo of 64 bytes, CPU microseconds for a message (beside cordage; less is better)",
     lambda subject: subject.name.startswith("servers echo"), "cpu_us"),
    ("Servers with 64 and with 19,000 connections that say nothing",
     lambda subject: subject.name in ("idle process", "idle connections"), ""),
]


def run_block(head, results):
    """docs/performance.md's: the machine, what was to be reached, the tables, the charts."""
    lines = [f"- {name}: {value}" for name, value in head] + [""]
    lines += tables.table("Targets", COLUMNS, target_rows(results), True)
    done = set()
    for title, belongs, figure in FAMILIES:
        family = [subject for subject in SUBJECTS if belongs(subject) and subject.name in results]
        if not family:
            continue
        lines += ["", *tables.wide_table(title, family, results, figure, True)]
        done.update(subject.name for subject in family)
    for subject in SUBJECTS:
        if subject.name in results and subject.name not in done:
            lines += ["", *tables.subject_table(subject, results[subject.name], True)]
    for name, chart in charts.CHARTS.items():
        if os.path.exists(f"{DOCS}/charts/{name}.svg"):
            lines += ["", f"![{chart.title}](charts/{name}.svg)"]
    return lines


def summary_block(results, chinese):
    """A README's: the echo servers beside the raw loop, and what a task costs."""
    echo = tables.echo_summary(SUBJECTS, results, True)
    tasks = tables.tasks_summary(results, True)
    if chinese:
        echo = ["TCP 回显，都与裸循环相比（速度越大越好，CPU 越小越好）：", *map(in_chinese, echo[1:])]
        tasks = ["任务，每次的 CPU 纳秒（越小越好）：", *map(in_chinese, tasks[1:])]
    picture = f"![{charts.CHARTS['tasks'].title}](docs/charts/tasks.svg)"
    return [*echo, "", *tasks, *(["", picture] if os.path.exists(f"{DOCS}/charts/tasks.svg") else [])]


def replace(path, name, lines):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    pattern = rf"(<!-- bench {name}: begin[^\n]*-->\n).*?(\n<!-- bench {name}: end -->)"
    new, count = re.subn(pattern, lambda match: match[1] + "\n" + "\n".join(lines) + "\n" + match[2], text,
                         flags=re.DOTALL)
    if count != 1:
        sys.exit(f"render: {path} has no place for \"bench {name}\"")
    with open(path, "w", encoding="utf-8") as file:
        file.write(new)


def main():
    with open(sys.argv[1] if len(sys.argv) > 1 else f"{DOCS}/bench.json", encoding="utf-8") as file:
        run = json.load(file)
    results = run["subjects"]
    if shutil.which("gnuplot"):
        os.makedirs(f"{DOCS}/charts", exist_ok=True)
        for name, chart in charts.CHARTS.items():
            if script := chart.script(chart, results):
                svg = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=True).stdout
                with open(f"{DOCS}/charts/{name}.svg", "w", encoding="utf-8") as file:
                    file.write("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
    else:
        print("render: no gnuplot here; the charts stay as they are", file=sys.stderr)
    replace(f"{DOCS}/performance.md", "run", run_block(run["head"], results))
    replace(f"{DOCS}/../README.md", "summary", summary_block(results, False))
    replace(f"{DOCS}/../README.zh.md", "summary", summary_block(results, True))


main()
