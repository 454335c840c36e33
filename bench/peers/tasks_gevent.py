"""The cases of bench/tasks.c by gevent: `tasks_gevent.py CASE [SECONDS]`."""
import gevent
import gevent.event
import gevent.queue

import micro


def yield_many(count):
    for _ in range(count):
        gevent.sleep(0)


def by_yield(count):
    gevent.joinall([gevent.spawn(yield_many, count // 2), gevent.spawn(yield_many, count // 2)])


def nothing():
    pass


def start(count):
    for _ in range(count):
        gevent.spawn(nothing).join()


def event(count):
    ping, pong = gevent.event.Event(), gevent.event.Event()

    def side(mine, other):
        for _ in range(count // 2):
            mine.wait()
            mine.clear()
            other.set()

    ping.set()
    gevent.joinall([gevent.spawn(side, ping, pong), gevent.spawn(side, pong, ping)])


def queue(count):
    there, back = gevent.queue.Queue(1), gevent.queue.Queue(1)

    def answer():
        for _ in range(count // 2):
            back.put(there.get())

    answering = gevent.spawn(answer)
    for i in range(count // 2):
        there.put(i)
        back.get()
    answering.join()


def crowd(count, members=1000):
    events, ran, rounds = [gevent.event.Event(), gevent.event.Event()], 0, -(-count // members)

    def member():
        nonlocal ran
        for i in range(rounds):
            events[i % 2].wait()
            ran += 1

    waiting = [gevent.spawn(member) for _ in range(members)]
    gevent.sleep(0)
    micro.begin()
    for i in range(rounds):
        events[(i + 1) % 2].clear()
        events[i % 2].set()
        while ran < members * (i + 1):
            gevent.sleep(0)
    micro.end()
    gevent.joinall(waiting)
    micro.check(ran == members * rounds, "a wake-up was lost")


micro.main({"yield": by_yield, "start": start, "event": event, "queue": queue, "crowd": crowd},
           lambda case, count: case(count))
