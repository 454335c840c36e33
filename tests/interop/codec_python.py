#!/usr/bin/env python3
"""Compares cordage's text functions with Python's own, answer by answer.

`tests/text --talk` (in $CORDAGE_BUILD, default build) reads one question a line and answers it; this script asks whole
tables: every two-byte pair and every BMP character of gbk, UTF-8 sequences of each shape, JSON strings, reprs, numbers.
Each table is one line of the result: ok codec.NAME, not ok codec.NAME: why.
"""
import json
import os
import random
import subprocess
import sys

ON_ERROR = ["strict", "ignore", "replace"]
EENCODING, EINVAL = -5004, -22
failed = False


def ask(questions):
    """questions: (operation, encoding, on_error, bytes); gives (code, bytes, sentence) for each."""
    program = os.path.join(os.environ.get("CORDAGE_BUILD", "build"), "tests", "text")
    lines = "".join(f"{op} {enc} {how} {data.hex()}\n" for op, enc, how, data in questions)
    done = subprocess.run([program, "--talk"], input=lines.encode(), stdout=subprocess.PIPE, check=True, timeout=100)
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        code, hexa, sentence = line.split(" ", 2)
        yield int(code), bytes.fromhex(hexa), sentence


def python(op, enc, how, data):
    try:
        if op == "decode":
            result = data.decode(enc, ON_ERROR[how]).encode("utf-8")
        elif op == "encode":
            result = data.decode("utf-8").encode(enc, ON_ERROR[how])
        elif op == "quote":
            result = json.dumps(data.decode("utf-8", "replace")).encode()
        elif op == "repr":
            result = repr(data).encode()
        elif op == "strip":
            result = data.decode("utf-8").strip().encode("utf-8")
        else:
            result = str(int(data.decode("utf-8"))).encode()
        return len(result), result, ""
    except UnicodeError as error:
        return EENCODING, b"", str(error)
    except ValueError as error:
        return EINVAL, b"", str(error)


def compare(name, questions):
    global failed
    wrong, count = [], 0
    for question, got in zip(questions, ask(questions)):
        count += 1
        if got != python(*question):
            wrong.append((question, got, python(*question)))
    if wrong or count != len(questions):
        failed = True
        print(f"not ok codec.{name}: {len(wrong)} of {count} differ, first {wrong[:1]}")
    else:
        print(f"ok codec.{name}")


def utf8_samples(rng):
    edges = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
             0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff]
    samples = [bytes([a, b]) for a in edges for b in edges]
    samples += [bytes([a, b, c]) for a in edges for b in edges for c in edges]
    samples += [bytes(rng.choice(edges) for _ in range(rng.randrange(4, 9))) for _ in range(5000)]
    return samples


def main():
    seed = int(os.environ.get("CORD_SEED", "1"))
    rng = random.Random(seed)
    pairs = [bytes([a, b]) for a in range(256) for b in range(256)]
    bmp = [chr(c).encode() for c in range(0x10000) if not 0xD800 <= c < 0xE000]
    texts = [rng.choice(bmp) + rng.choice(bmp) + "\U0001f600'\"\\\n".encode() for _ in range(3000)]
    noise = [rng.randbytes(rng.randrange(12)) for _ in range(5000)]
    no_nul = [n.replace(b"\0", b"") for n in noise]
    plain = [t.replace(b"\0", b"") for t in bmp + texts]
    compare("gbk_every_pair_decodes_as_python", [("decode", "gbk", 0, p) for p in pairs])
    compare("gbk_every_bmp_character_encodes_as_python", [("encode", "gbk", 0, c) for c in bmp])
    compare("gbk_noise_decodes_as_python", [("decode", "gbk", how, n) for n in noise for how in range(3)])
    compare("gb18030_errors_as_python", [("decode", "gb18030", 0, bytes([a, b, c])) for a in (0x80, 0x81, 0xff)
                                         for b in (0x30, 0x39, 0x40, 0x7f) for c in (0x30, 0x81, 0xff)])
    compare("utf8_decodes_as_python", [("decode", "utf-8", how, s) for s in utf8_samples(rng) for how in range(3)])
    for encoding in "ascii", "latin-1":
        compare(f"{encoding}_as_python", [("decode", encoding, how, n) for n in noise for how in range(3)] +
                [("encode", encoding, how, t) for t in texts for how in range(3)])
    compare("json_quote_as_python", [("quote", "-", 0, t) for t in plain + no_nul])
    compare("repr_bytes_as_python", [("repr", "-", 0, n) for n in noise + pairs])
    compare("strip_as_python", [("strip", "-", 0, a + b"x" + a) for a in plain])
    numbers = [str(rng.randrange(-10**18, 10**18)) for _ in range(500)] + ["1_0", "1__0", "_1", "1_", " 7 ", "+5", "-",
               "+-1", "", "0x1", "\u0663", "\uff11\uff12", "1\u3000", "\u30001", "1 1", "007", "1e1", "\u00b2"]
    digits = [chr(c) for c in range(0x20, 0x20000) if not 0xD800 <= c < 0xE000 and chr(c).isdecimal()]
    compare("int_as_python", [("int", "-", 0, n.encode()) for n in numbers + digits])
    return 1 if failed else 0


sys.exit(main())
