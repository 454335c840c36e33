#!/usr/bin/env python3
"""Sizes, format and words of the sources."""
import re
import shutil
import subprocess

from checking import SOURCE, Skip, files, lines, run, short

C_FILES = ["include/**/*.h", "src/**/*.[chS]", "tool/**/*.[ch]", "examples/**/*.[ch]", "tests/**/*.[ch]",
           "bench/**/*.[ch]"]
TEXTS = C_FILES + ["tools/*", "tests/interop/*", "CMakeLists.txt", "Makefile"]
# What no reader needs: where somebody's checkout or home lies, and notes to oneself.
FOREIGN = re.compile(rf"{re.escape(str(SOURCE))}/|/root/|/home/\w|\b(TO" r"DO|FIX" r"ME)\b")


def functions_have_70_lines():
    for path in files("src/**/*.c", "tool/*.c", "examples/**/*.c", "tests/**/*.c", "bench/**/*.c"):
        begin = 0
        for number, line in lines(path):
            if line == "{":  # the format puts a function's braces, and no others, alone in the first column
                begin = number
            elif line == "}" and begin:
                if number - begin > 70:
                    yield f"{short(path)}:{begin}: {number - begin} lines"
                begin = 0


def files_have_600_lines():
    for path in files(*C_FILES, "tools/*.py"):
        count = sum(1 for _ in lines(path))
        limit = 150 if short(path).startswith("include/") else 600
        if count > limit:
            yield f"{short(path)}: {count} lines, of {limit}"


def lines_have_120_columns():
    for path in files(*TEXTS):
        for number, line in lines(path):
            if len(line) > 120:
                yield f"{short(path)}:{number}: {len(line)} columns"
            if line != line.rstrip():
                yield f"{short(path)}:{number}: blanks at the end"


def format_is_that_of_clang_format():
    if not shutil.which("clang-format"):
        raise Skip("no clang-format here")
    paths = [str(path) for path in files(*C_FILES) if path.suffix != ".S"]
    done = subprocess.run(["clang-format", "--dry-run", *paths], stderr=subprocess.PIPE, cwd=SOURCE, text=True,
                          check=True)
    yield from sorted({line.replace(f"{SOURCE}/", "").split(": warning")[0] for line in done.stderr.splitlines()
                       if ": warning:" in line})


def words_are_of_the_project():
    folders = [f"{name}/**/*" for name in ("include src tool examples tests bench tools docs man .ci").split()]
    for path in files("*", *folders):
        if path.suffix in (".pyc", ".bin") or path.name == "check_shape.py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if FOREIGN.search(line):
                yield f"{short(path)}:{number}: {FOREIGN.search(line)[0]}"


run(functions_have_70_lines, files_have_600_lines, lines_have_120_columns, format_is_that_of_clang_format,
    words_are_of_the_project)
