"""`parked_gevent.py COUNT`: so many greenlets that sleep; whoever measures reads the memory."""
import sys

import gevent

print("ready", flush=True)
sys.stdin.readline()
tasks = [gevent.spawn(gevent.sleep, 3600) for _ in range(int(sys.argv[1]))]
gevent.sleep(0)
print("parked", flush=True)
sys.stdin.readline()
