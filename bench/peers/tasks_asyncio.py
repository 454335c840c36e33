"""The cases of bench/tasks.c by asyncio: `tasks_asyncio.py CASE [SECONDS]`."""
import asyncio

import micro


async def yield_many(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def by_yield(count):
    await asyncio.gather(yield_many(count // 2), yield_many(count // 2))


async def nothing():
    pass


async def start(count):
    for _ in range(count):
        await asyncio.create_task(nothing())


async def event(count):
    ping, pong = asyncio.Event(), asyncio.Event()

    async def side(mine, other):
        for _ in range(count // 2):
            await mine.wait()
            mine.clear()
            other.set()

    ping.set()
    await asyncio.gather(side(ping, pong), side(pong, ping))


async def queue(count):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def answer():
        for _ in range(count // 2):
            await back.put(await there.get())

    answering = asyncio.create_task(answer())
    for i in range(count // 2):
        await there.put(i)
        await back.get()
    await answering


async def crowd(count, members=1000):
    events, ran, rounds = [asyncio.Event(), asyncio.Event()], 0, -(-count // members)

    async def member():
        nonlocal ran
        for i in range(rounds):
            await events[i % 2].wait()
            ran += 1

    waiting = [asyncio.create_task(member()) for _ in range(members)]
    await asyncio.sleep(0)
    micro.begin()
    for i in range(rounds):
        events[(i + 1) % 2].clear()
        events[i % 2].set()
        while ran < members * (i + 1):
            await asyncio.sleep(0)
    micro.end()
    await asyncio.gather(*waiting)
    micro.check(ran == members * rounds, "a wake-up was lost")


micro.main({"yield": by_yield, "start": start, "event": event, "queue": queue, "crowd": crowd},
           lambda case, n: asyncio.run(case(n)))
