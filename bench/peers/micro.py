"""bench/micro.h for Python: `PROGRAM CASE [SECONDS]` prints the CPU nanoseconds for each."""
import json
import sys
import time


def main(cases, run):
    name, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.2
    count, used = 100, 0
    while used < seconds / 2:
        count *= 4
        begin = time.process_time()
        run(cases[name], count)
        used = time.process_time() - begin
    print(json.dumps({"case": name, "ns": round(used / count * 1e9, 2)}))
