#!/usr/bin/env python3
"""The switch of stacks for aarch64: tests/ctx.c, built by a cross compiler and run under an emulator, where both are
installed (tools/deps.sh aarch64). `make test-aarch64` runs the other tests too."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("CORDAGE_SOURCE", ".")).resolve()
COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
SECONDS = 60 * int(os.environ.get("CORD_TEST_SLOW", "1"))


def main():
    missing = [tool for tool in (COMPILER, EMULATOR) if not shutil.which(tool)]
    if missing:
        print(f"skip aarch64.switch: no {missing[0]} here (tools/deps.sh aarch64)")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/ctx"
        built = subprocess.run([COMPILER, "-O2", "-static", "-D_GNU_SOURCE", "-mbranch-protection=standard",
                                "-include", SOURCE / "tests/interop/without_check/support.h", f"-I{SOURCE}/src",
                                SOURCE / "tests/ctx.c", SOURCE / "src/sys/ctx.c", SOURCE / "src/sys/ctx_aarch64.S",
                                "-o", program], capture_output=True, text=True, check=False)
        if built.returncode != 0:
            print(built.stderr[:2000], "not ok aarch64.switch: it does not build", sep="\n")
            return 1
        ran = subprocess.run([EMULATOR, program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             timeout=SECONDS, check=False)
        print(ran.stdout, end="")
        if ran.returncode != 0:
            print(f"not ok aarch64.switch: ended with {ran.returncode}")
        return ran.returncode != 0


sys.exit(main())
