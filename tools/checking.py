"""What the check_*.py scripts share: the tree's files, and the lines that tools/run_tests.py reads.

A check is a function that yields one string for each thing that is wrong ("src/net/udp.c:12: why"). run() calls each
and prints `ok SCRIPT.NAME`, or the strings and `not ok SCRIPT.NAME: N found`. It raises Skip where it cannot run.
"""
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("CORDAGE_BUILD") or SOURCE / "build").resolve()
LAYERS = ["base", "sys", "rt", "sync", "net", "serve"]


class Skip(Exception):
    """Why a check cannot run here."""


def files(*globs):
    """The files of the tree that match, without what was built."""
    for glob in globs:
        for path in sorted(SOURCE.glob(glob)):
            if path.is_file() and not path.relative_to(SOURCE).parts[0].startswith(("build", ".git")):
                yield path


def short(path):
    return str(path.relative_to(SOURCE))


def lines(path):
    """(number, line) of a text file."""
    return enumerate(path.read_text(encoding="utf-8").splitlines(), 1)


def output(*command):
    """What a command prints; a missing or failing command skips the check."""
    try:
        return subprocess.run(command, capture_output=True, check=True, cwd=SOURCE, text=True).stdout
    except FileNotFoundError as e:
        raise Skip(f"no {command[0]} here") from e


def run(*checks):
    script = pathlib.Path(sys.argv[0]).stem.removeprefix("check_")
    failed = False
    for check in checks:
        name = f"{script}.{check.__name__}"
        try:
            found = list(check())
        except Skip as e:
            print(f"skip {name}: {e}")
            continue
        print(*found, f"not ok {name}: {len(found)} found" if found else f"ok {name}", sep="\n", flush=True)
        failed = failed or bool(found)
    sys.exit(1 if failed else 0)
