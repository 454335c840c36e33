#!/usr/bin/env python3
"""Every whole program in README, the guide and the manual pages is built against the library and run.

A program that waits for others is ended by Ctrl-C after a moment; one that finds nobody to talk to says so and exits
with 1. What must not happen: that it does not link, crashes, hangs, or fails without a sentence. (The pieces that are
no whole programs are compiled by tools/check_docs.py.)
"""
import html
import re
import subprocess
import tempfile

from pairs import BUILD, SOURCE, Failure, Program, case, check, run_cases

PATIENCE = 0.7  # seconds a program has before Ctrl-C: servers serve on


def build_settings():
    """The compiler and flags of the build, so that a sanitizer's library finds its runtime."""
    cache = dict(re.findall(r"^(CMAKE_C_COMPILER|CMAKE_C_FLAGS):\w+=(.*)$",
                            (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE))
    return [cache["CMAKE_C_COMPILER"], *cache["CMAKE_C_FLAGS"].split()]


def build_libraries():
    """What the static library needs: liburing only where it was built with it."""
    return re.search(r"^Libs.private:(.*)$", (BUILD / "cordage.pc").read_text(), re.MULTILINE)[1].split()


def markdown_programs(path):
    for number, block in enumerate(re.findall(r"^```c\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL), 1):
        if "int main(" in block:
            yield f"{path.relative_to(SOURCE).with_suffix('')}_{number}", block


def manual_programs(path):
    examples = path.read_text().partition(".Sh EXAMPLES")[2].partition("\n.Sh ")[0]
    for number, block in enumerate(re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", examples, re.MULTILINE | re.DOTALL), 1):
        if "int main(" in block:
            text = re.sub(r"^\\&", "", block, flags=re.MULTILINE)
            for escape, character in ((r"\-", "-"), (r"\(aq", "'"), (r"\(dq", '"'), (r"\&", ""), (r"\e", "\\")):
                text = text.replace(escape, character)
            yield f"man/{path.name}_{number}", html.unescape(text)


def run_program(text):
    with tempfile.TemporaryDirectory() as folder:
        built = subprocess.run([*build_settings(), "-D_GNU_SOURCE", f"-I{SOURCE}/include", "-x", "c", "-", "-x", "none",
                                f"{BUILD}/libcordage.a", "-ljansson", *build_libraries(), "-o", f"{folder}/program"],
                               input=text, text=True, capture_output=True, check=False)
        check(built.returncode == 0, f"does not build: {built.stderr[:600]}")
        program = Program([f"{folder}/program"], cwd=folder)
        program.end_input()
        try:
            status = program.end(PATIENCE)
        except Failure:
            status = program.interrupt()
        check(status in (0, 1, -2, 130), f"ended with {status}: {program.err[-300:]}")
        check(status != 1 or ": " in program.err, "failed without a sentence")


def main():
    seen = set()
    programs = [found for path in sorted([*SOURCE.glob("README*.md"), *SOURCE.glob("docs/**/*.md")])
                for found in markdown_programs(path)]
    programs += [found for path in sorted(SOURCE.glob("man/*.[137]")) for found in manual_programs(path)]
    for name, text in programs:
        if text not in seen: # the Chinese pages show the same programs
            seen.add(text)
            case(f"documents.{re.sub('[^a-z0-9]+', '_', name.lower()).strip('_')}")(lambda text=text: run_program(text))
    run_cases()


main()
