#!/usr/bin/env python3
"""The documents say what the code says: comments, manual pages, the C in README, guide and headers, links.

Every ```c block of README*.md and docs/**/*.md compiles with -Werror. A block with main() is a whole program and
stands alone; any other is a piece of a file or, failing that, of a function's body, and gets the usual includes. The
same goes for the C in header comments: lines indented by four or more, of which one ends with a semicolon. A block that
is only a sketch is not marked c.
"""
import concurrent.futures
import os
import re
import subprocess

from checking import SOURCE, Skip, files, lines, output, run, short

PROTOTYPE = re.compile(r"CORD_API\b[^;{]*?\b(cord_\w+)\s*\(([^;{]*)\)[^;{()]*;", re.DOTALL)
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-unused", "-Werror", "-Iinclude", "-fsyntax-only"]
USUAL = "".join(f"#include <{name}>\n" for name in "cordage.h errno.h stdio.h stdlib.h string.h jansson.h".split())
PAGES = ["README*.md", "docs/**/*.md", "examples/*.md"]


def exports():
    """{name: its parameters as a list of texts} of all public headers."""
    found = {}
    for path in files("include/**/*.h"):
        for name, parameters in PROTOTYPE.findall(path.read_text()):
            parameters = re.sub(r"/\*.*?\*/", "", re.split(r"\)\s*CORD_PRINTF", parameters)[0], flags=re.DOTALL)
            found[name] = [normal(p) for p in parameters.split(",")] if parameters.strip() != "void" else []
    return found


def normal(text):
    return re.sub(r"\s*([*\[\]])\s*", r"\1", " ".join(text.split())).strip()


def every_export_has_a_comment():
    """One stands in its paragraph: the lines between two empty ones."""
    for path in files("include/**/*.h"):
        for paragraph in path.read_text().split("\n\n"):
            if "/*" not in paragraph:
                yield from (f"{short(path)}: {name} has no comment" for name, _ in PROTOTYPE.findall(paragraph))


def every_export_is_in_one_page():
    pages = {}
    for path in files("man/*.3"):
        head = path.read_text().split(".Sh NAME", 1)[-1].split(".Sh", 1)[0]
        for name in re.findall(r"^\.Nm (\w+)", head, re.MULTILINE):
            pages.setdefault(name, []).append(short(path))
    known = exports()
    for name in sorted(known):
        if len(pages.get(name, [])) != 1:
            yield f"{name}: in {' and '.join(pages.get(name, [])) or 'no page'} of man/*.3, under NAME"
    yield from (f"{' '.join(pages[name])}: {name} is not exported" for name in sorted(pages.keys() - known.keys()))


def pages_have_the_prototypes():
    known = exports()
    for path in files("man/*.3"):
        synopsis = path.read_text().split(".Sh SYNOPSIS", 1)[-1].split("\n.Sh ", 1)[0]
        for name, body in re.findall(r"^\.Fo (cord_\w+)\n(.*?)^\.Fc", synopsis, re.MULTILINE | re.DOTALL):
            given = [normal(a.strip('"')) for line in body.splitlines() if line.startswith(".Fa ")
                     for a in re.findall(r'"[^"]*"|\S+', line[4:])]
            want = known.get(name)
            if given != want and not (given == ["void"] and want == []):
                yield f"{short(path)}: {name}({', '.join(given)}), in the header ({', '.join(want or [])})"


def pages_pass_lint():
    output("mandoc", "-T", "locale", "/dev/null")
    for path in files("man/*.[137]"):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", short(path)], cwd=SOURCE, text=True,
                              stdout=subprocess.PIPE, check=False)
        yield from done.stdout.splitlines()


def markdown_blocks(path):
    """(number of the first line, text) of each ```c block."""
    begin, block = 0, []
    for number, line in lines(path):
        if begin and line.strip() == "```":
            yield begin + 1, "\n".join(block) + "\n"
            begin = 0
        elif begin:
            block.append(line)
        elif line.strip() == "```c":
            begin, block = number, []


def header_blocks(path):
    begin, block = 0, []
    for number, line in list(lines(path)) + [(0, "")]:
        match = re.match(r"(?: \*|/\*) {4,}(\S.*)$", line)
        if match:
            begin, block = begin or number, block + [match[1]]
        else:
            if any(text.rstrip().endswith(";") for text in block):
                yield begin, "\n".join(block) + "\n"
            begin, block = 0, []


def compiles(text, where):
    """"", or what the compiler says."""
    whole = "int main(" in text
    piece = f'{USUAL}\n#line {where[1]} "{where[0]}"\n{text}'
    body = f'{USUAL}\nint body(void);\nint body(void)\n{{\n#line {where[1]} "{where[0]}"\n{text}\nreturn 0;\n}}\n'
    said = ""
    for program in [f'#line {where[1]} "{where[0]}"\n{text}'] if whole else [piece, body]:
        done = subprocess.run(["cc", *FLAGS, "-x", "c", "-"], input=program, cwd=SOURCE, text=True, capture_output=True,
                              check=False)
        if done.returncode == 0:
            return ""
        said = done.stderr
    return said


def code_blocks_compile():
    found = [(short(path), number, text) for path in files(*PAGES) for number, text in markdown_blocks(path)]
    found += [(short(path), number, text) for path in files("include/**/*.h") for number, text in header_blocks(path)]
    if not found:
        raise Skip("there are none")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(lambda block: compiles(block[2], block[:2]), found))


def links_lead_somewhere():
    for path in files("*.md", "docs/**/*.md", "examples/*.md"):
        for number, line in lines(path):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
                    yield f"{short(path)}:{number}: {target} is not there"


def mission_names_what_is_there():
    """In the last column of docs/mission.md: `file: test`, more tests of that file, examples and other files."""
    tests = {}
    for path in files("tests/**/*.c", "tests/interop/*.py"):
        tests[path.stem] = tests.get(path.stem, "") + path.read_text()
    for number, line in lines(SOURCE / "docs/mission.md"):
        where = ""
        for name in re.findall(r"`([^`]+)`", line.rsplit("|", 2)[1]) if re.match(r"\| \d+ \|", line) else []:
            if re.search(r"\.(c|py|md|[137])$", name):
                found = (SOURCE / name).exists() or (SOURCE / "examples" / name).exists()
            else:
                where, name = name.split(": ") if ": " in name else (where, name)
                found = re.search(rf"\b{name}\b", tests.get(where, ""))
            if not found:
                yield f"docs/mission.md:{number}: {where}: {name} is not there"


run(every_export_has_a_comment, every_export_is_in_one_page, pages_have_the_prototypes, pages_pass_lint,
    code_blocks_compile, links_lead_somewhere, mission_names_what_is_there)
