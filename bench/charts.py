"""The charts of a run, as gnuplot scripts: data on the results of a run ({subject: {row: {figure: value}}})."""
import dataclasses
import typing

# Each competitor has its colour in every chart; on white, so that dark pages can show them.
COLOURS = {"cordage": "0072b2", "cordage, epoll": "0072b2", "cordage, uring": "56b4e9", "cordage, threads": "a9cfe8",
           "raw epoll loop": "444444", "libuv": "e69f00", "libevent": "f0c75e", "Boost.Asio": "d55e00",
           "Boost.Fiber": "d55e00", "Go": "009e73", "gevent": "cc79a7", "Python asyncio": "8e5ea2",
           "Python ThreadingTCPServer": "bbaacc", "pthreads, one CPU": "777777"}
OTHERS = "0072b2 d55e00 009e73 cc79a7 e69f00 8e5ea2 777777".split()
FRAME = """set terminal svg size 860,{height} font 'sans-serif,13' background '#ffffff'
set label "{title}" at screen 0.01, screen 0.95 left
set tmargin 3
set border 3
set tics nomirror
set grid ytics linecolor '#dddddd'
"""


@dataclasses.dataclass
class Chart:
    title: str
    script: typing.Callable
    groups: dict  # what stands side by side: {label: (subject, figure)}
    rows: tuple = ()  # which competitors, in order; empty: all, cordage's first
    logarithmic: bool = False
    unit: str = ""


def quoted(text):
    return '"' + text.replace("_", "\\\\_") + '"'


def colour(row, i):
    return COLOURS.get(row, OTHERS[i % len(OTHERS)])


def known_rows(chart, results):
    names = dict.fromkeys(row for subject, _ in chart.groups.values() for row in results.get(subject, {}))
    if chart.rows:
        return [row for row in chart.rows if row in names]
    return sorted(names, key=lambda row: (not row.startswith("cordage"), list(names).index(row)))


def bars(chart, results):
    """A bar for each competitor, group by group; "" when nothing of it was measured."""
    groups = {label: place for label, place in chart.groups.items() if place[0] in results}
    rows = known_rows(chart, results)
    if not groups or not rows:
        return ""
    lines = ["$data << END"]
    for label, (subject, figure) in groups.items():
        values = [results[subject].get(row, {}).get(figure) for row in rows]
        lines.append(" ".join([quoted(label), *("NaN" if value is None else f"{value:.6g}" for value in values)]))
    lines += ["END", FRAME.format(height=400, title=chart.title),
              "set style data histogram", "set style histogram clustered gap 1.5", "set style fill solid 1.0 noborder",
              f"set xrange [-0.55:{len(groups) - 0.45}]", "set xtics scale 0",
              "set key outside right top Left reverse samplen 1", f"set ylabel {quoted(chart.unit)}",
              "set logscale y\nset format y '%.0f'" if chart.logarithmic else "set yrange [0:]"]
    plots = [f"{'$data' if i == 0 else ''} using {i + 2}:xtic(1) title {quoted(row)} linecolor '#{colour(row, i)}'"
             for i, row in enumerate(rows)]
    return "\n".join(lines) + "\nplot " + ", '' ".join(plots) + "\n"


def lines_by_count(chart, results):
    """A line for each case of one subject, whose figures are named by a count."""
    subject = next(iter(chart.groups.values()))[0]
    if subject not in results:
        return ""
    lines, plots = [], []
    for i, (row, figures) in enumerate(results[subject].items()):
        lines += [f"$row{i} << END", *(f"{count} {value:.6g}" for count, value in figures.items()), "END"]
        plots.append(f"$row{i} with linespoints linewidth 2 pointtype 7 linecolor '#{colour(row, i)}' "
                     f"title {quoted(row)}")
    lines += [FRAME.format(height=340, title=chart.title), "set logscale x", "set format x '%.0f'",
              "set yrange [0:]", f"set ylabel {quoted(chart.unit)}", "set key outside right top Left reverse"]
    return "\n".join(lines) + "\nplot " + ", ".join(plots) + "\n"


CHARTS = {
    "echo-speed": Chart("TCP echo of 64 bytes: speed, of a raw epoll loop (more is better)", bars,
                        {f"{count} conn.": (f"echo {count} connections", "per_second/base")
                         for count in ("64", "1000", "10,000")}),
    "echo-cost": Chart("TCP echo of 64 bytes: CPU time for a message at 60,000/s (less is better)", bars,
                       {f"{count} connections": (f"echo {count} connections, 60,000 messages/s", "cpu_us")
                        for count in ("64", "1000")}, unit="microseconds"),
    "tasks": Chart("What a task costs: start and join, yield, hand-over by events and queues (less is better)", bars,
                   {"start and join": ("start", "ns"), "yield": ("yield", "ns"),
                    "by events": ("ping-pong, events", "ns"), "by queues": ("ping-pong, queues", "ns")},
                   ("cordage", "Boost.Fiber", "Go", "gevent", "Python asyncio", "pthreads, one CPU"), True,
                   "CPU nanoseconds"),
    "idle": Chart("Memory of a server for each idle connection (less is better)", bars,
                  {"19,000 connections": ("idle connections", "bytes")}, unit="bytes"),
    "timers": Chart("A deadline, while so many are armed (less is better)", lines_by_count, {"": ("timers", "")},
                    unit="CPU nanoseconds"),
    "growth": Chart("CPU time for each task, with so many of them (flat is linear)", lines_by_count,
                    {"": ("growth", "")}, unit="nanoseconds"),
}
