"""`parked_asyncio.py COUNT`: so many asyncio tasks that sleep; whoever measures reads the memory."""
import asyncio
import sys


async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(int(sys.argv[1]))]
    await asyncio.sleep(0)
    print("parked", flush=True)
    sys.stdin.readline()
    for task in tasks:
        task.cancel()

asyncio.run(main())
