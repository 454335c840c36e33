"""Figures as tables: aligned for a terminal, or as Markdown."""
import re

from subjects import FIGURES, TASKS


def table(title, columns, rows, markdown):
    """Rows of texts, the first of each a name; as lines."""
    if markdown:
        lines = [f"**{title}**", "", f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]
        return lines + [f"| {' | '.join(row)} |" for row in rows]
    widths = [max(map(len, texts)) for texts in zip(columns, *rows)]
    return [title] + ["  ".join([f"  {row[0]:{widths[0]}}", *(f"{t:>{w}}" for t, w in zip(row[1:], widths[1:]))])
                      for row in (columns, *rows)]


def number(value, form):
    """form "": as many digits as its size deserves."""
    return "" if value is None else (form or ("{:,.0f}" if value >= 100 else "{:.1f}")).format(value)


def columns_of(subject, rows):
    """(figure, heading, format) of each column."""
    figures = subject.figures or list(dict.fromkeys(key for row in rows.values() for key in row))
    for key in figures:
        heading, form = FIGURES.get(key, (f"{int(key):,}" if key.isdigit() else key, ""))
        yield key, subject.headings.get(key, heading), form
        if key in subject.ratios:
            word = subject.base.split(" ")[0]
            yield f"{key}/base", "of the first" if word == "cordage," else f"of {word}", "{:.2f}x"


def subject_table(subject, rows, markdown):
    columns = list(columns_of(subject, rows))
    texts = [[name, *(number(figures.get(key), form) for key, _, form in columns)] for name, figures in rows.items()]
    return table(subject.title, ["", *(heading for _, heading, _ in columns)], texts, markdown)


def wide_cell(subject, row, figure):
    ratio = f" ({number(row.get(f'{figure}/base'), '{:.2f}x')})" if figure in subject.ratios else ""
    return number(row[figure], FIGURES[figure][1]) + ratio if figure in row else ""


def wide_table(title, subjects, results, figure, markdown):
    """One figure (or each one's first) of several subjects side by side, each with its ratio to the subject's base."""
    subjects = [subject for subject in subjects if subject.name in results]
    headings = [re.sub("^echo ", "", subject.name) + ("" if figure else f", {FIGURES[subject.figures[0]][0]}")
                for subject in subjects]
    rows = [[name, *(wide_cell(subject, results[subject.name].get(name, {}), figure or subject.figures[0])
                     for subject in subjects)]
            for name in dict.fromkeys(row for subject in subjects for row in results[subject.name])]
    return table(title, ["", *headings], rows, markdown)


def echo_summary(subjects, results, markdown):
    """A line for each server, its ratios to the raw loop in each cell: for the README."""
    cells = [subject for subject in subjects if subject.run == "tcp" and subject.name in results
             and subject.name.startswith("echo") and not {"size", "depth"} & subject.options.keys()]
    servers = list(dict.fromkeys(row for cell in cells for row in results[cell.name]))
    rows = []
    for server in servers:
        keys = ["cpu_us/base" if "rate" in cell.options else "per_second/base" for cell in cells]
        rows.append([server, *(number(results[cell.name].get(server, {}).get(key), "{:.2f}")
                               for cell, key in zip(cells, keys))])
    headings = [("CPU time, " if "rate" in cell.options else "speed, ") +
                cell.name.replace("echo ", "").replace(" connections", "") for cell in cells]
    return table("TCP echo, all of it beside the raw loop (speed: more is better; CPU time for a message: less is)",
                 ["connections", *headings], rows, markdown)


def tasks_summary(results, markdown):
    """A line for each library, what a task costs: for the README."""
    columns = {"yield": ("yield", "ns"), "start": ("start and join", "ns"),
               "ping-pong, events": ("hand-over, events", "ns"), "ping-pong, queues": ("hand-over, queues", "ns"),
               "memory": ("bytes, parked", "bytes")}
    columns = {subject: column for subject, column in columns.items() if subject in results}
    ours = {"memory": "cordage, in cord_sleep"}  # the row that compares with the others
    rows = [[name, *(number(results[subject].get(ours.get(subject, name) if name == "cordage" else name,
                                                 {}).get(figure), "{:,.0f}")
                     for subject, (_, figure) in columns.items())] for name in TASKS]
    headings = ["", *(heading for heading, _ in columns.values())]
    return table("Tasks, CPU nanoseconds for each (less is better)", headings, rows, markdown)
