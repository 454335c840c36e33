#!/usr/bin/env python3
"""Every public header compiles alone, as pedantic C11 and as C++17, with what a user may have switched on."""
import concurrent.futures
import os
import shutil
import subprocess

from checking import SOURCE, Skip, files, run, short

STRICT = ["-Wall", "-Wextra", "-pedantic-errors", "-Wconversion", "-Wshadow", "-Werror"]


def compile_each(compiler, *options):
    """Includes each header twice in an otherwise empty file."""
    if not shutil.which(compiler):
        raise Skip(f"no {compiler} here")

    def compile_one(path):
        name = path.relative_to(SOURCE / "include")
        program = f"#include <{name}>\n#include <{name}>\nextern int none;\n"
        done = subprocess.run([compiler, *options, *STRICT, "-Iinclude", "-fsyntax-only", "-"], cwd=SOURCE, text=True,
                              input=program, capture_output=True, check=False)
        return f"{short(path)}: {done.stderr}" if done.returncode else None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(compile_one, files("include/**/*.h")))


def compile_as_c11():
    yield from compile_each("cc", "-std=c11", "-x", "c", "-Wstrict-prototypes")


def compile_as_cpp17():
    yield from compile_each("c++", "-std=c++17", "-x", "c++", "-Wold-style-cast")


run(compile_as_c11, compile_as_cpp17)
