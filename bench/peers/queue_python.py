"""The cases of bench/queue.c by Python: `queue_python.py queue|simple|processes-8|processes-256 [SECONDS]`."""
import multiprocessing
import queue
import threading

import micro

ROOM = 1024


def put_numbers(items, count):
    micro.pin(0)
    for i in range(count):
        items.put(i)


def get_numbers(items, count):
    micro.pin(1)
    for i in range(count):
        micro.check(items.get() == i, "an item was lost, or came twice")


def threads(items, count):
    putting = threading.Thread(target=put_numbers, args=(items, count))
    putting.start()
    get_numbers(items, count)
    putting.join()


def put_bytes(items, count, size):
    micro.pin(0)
    for i in range(count):
        items.put(i.to_bytes(size, "little"))


def processes(count, size):
    items = multiprocessing.Queue(ROOM)
    putting = multiprocessing.Process(target=put_bytes, args=(items, count, size))
    putting.start()
    micro.pin(1)
    for i in range(count):
        micro.check(int.from_bytes(items.get(), "little") == i, "an item was lost, or came twice")
    putting.join()


micro.main({"queue": lambda count: threads(queue.Queue(ROOM), count),
            "simple": lambda count: threads(queue.SimpleQueue(), count),
            "processes-8": lambda count: processes(count, 8), "processes-256": lambda count: processes(count, 256)},
           lambda case, count: case(count))
