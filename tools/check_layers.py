#!/usr/bin/env python3
"""The laws of the house that can be read off the sources (docs/design.md): who includes what."""
import re

from checking import LAYERS, SOURCE, files, lines, run, short

QUOTED = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
RUNTIME = {"sync": {"rt/park.h", "rt/offload.h", "rt/words.h"}}
RUNTIME["net"] = RUNTIME["sync"] | {"rt/io.h"}
RUNTIME["serve"] = RUNTIME["net"]
KEPT = {("bench/switch.c", "sys/ctx.h")}  # measures what no public call does alone


def own_header_first():
    for path in files("src/*/*.c"):
        own = f"{path.parent.name}/{path.stem}.h"
        allowed = [name for name, place in ((own, f"src/{own}"), (f"cordage/{path.stem}.h",) * 2)
                   if (SOURCE / place).exists() or (SOURCE / "include" / place).exists()]
        first = next((m[1] for _, line in lines(path) if (m := INCLUDE.match(line))), None)
        if allowed and first not in allowed:
            yield f"{short(path)}: includes {first} first, not {allowed[0]}"


def layers_see_only_below():
    for path in files("src/*/*.[chS]"):
        layer = path.parent.name
        if layer not in LAYERS:
            yield f"{short(path)}: {layer} is no layer"
            continue
        for number, line in lines(path):
            match = QUOTED.match(line)
            if not match:
                continue
            seen = match[1].split("/")[0]
            if seen not in LAYERS or LAYERS.index(seen) > LAYERS.index(layer):
                yield f"{short(path)}:{number}: {layer} may not include {match[1]}"
            elif seen == "rt" and layer in RUNTIME and match[1] not in RUNTIME[layer]:
                yield f"{short(path)}:{number}: of rt {layer} sees only {', '.join(sorted(RUNTIME[layer]))}"


def public_headers_see_only_public_ones():
    for path in files("include/**/*.h"):
        for number, line in lines(path):
            if QUOTED.match(line):
                yield f"{short(path)}:{number}: includes a private header"


def programs_see_only_public_headers():
    for path in files("tool/*.[ch]", "examples/**/*.c", "bench/**/*.[ch]"):
        for number, line in lines(path):
            match = QUOTED.match(line)
            if match and not (path.parent / match[1]).exists() and (short(path), match[1]) not in KEPT:
                yield f"{short(path)}:{number}: includes {match[1]}, which is not of {path.parent.name}/"


run(own_header_first, layers_see_only_below, public_headers_see_only_public_ones, programs_see_only_public_headers)
