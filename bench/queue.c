/* bench/queue.c - what a queue moves from one task to another: `queue CASE [SECONDS]`.
 *
 *   threads                     items of 8 bytes, between two tasks of kind thread
 *   processes-8, processes-256  items of so many bytes, between two of kind process, by a CORD_SHARED queue
 *   messages                    messages of 1 MiB, between two of kind process
 */
#include "pair.h"

#include <cordage.h>

enum { MESSAGE = 1 << 20, MESSAGES = 4, HEAD = 16 }; /* how many have room, and what each takes besides */

static void check(int rc)
{
    if (rc < 0)
        exit(cord_report("queue", rc));
}

struct stream {
    cord_queue *queue;
    long count;
};

static int put_items(void *arg)
{
    const struct stream *stream = arg;
    char item[PAIR_LARGE] = { 0 };
    int rc = 0;
    micro_pin(0);
    for (long i = 0; i < stream->count && rc == 0; i++) {
        pair_number(item, i);
        rc = cord_queue_put(stream->queue, item, CORD_FOREVER);
    }
    return rc;
}

static int get_items(void *arg)
{
    const struct stream *stream = arg;
    char item[PAIR_LARGE];
    int rc = 0;
    micro_pin(1);
    for (long i = 0; i < stream->count && rc == 0; i++) {
        rc = cord_queue_get(stream->queue, item, CORD_FOREVER);
        if (rc == 0)
            pair_expect(item, i);
    }
    return rc;
}

static int put_messages(void *arg)
{
    const struct stream *stream = arg;
    char *message = calloc(1, MESSAGE);
    int rc = message ? 0 : -ENOMEM;
    micro_pin(0);
    for (long i = 0; i < stream->count && rc == 0; i++) {
        pair_number(message, i);
        pair_number(message + MESSAGE - PAIR_SMALL, i);
        rc = cord_queue_put_bytes(stream->queue, message, MESSAGE, CORD_FOREVER);
    }
    free(message);
    return rc;
}

static int get_messages(void *arg)
{
    const struct stream *stream = arg;
    char *message = calloc(1, MESSAGE);
    ssize_t rc = message ? 0 : -ENOMEM;
    micro_pin(1);
    for (long i = 0; i < stream->count && rc >= 0; i++) {
        rc = cord_queue_get_bytes(stream->queue, message, MESSAGE, CORD_FOREVER);
        if (rc < 0)
            break;
        micro_check(rc == MESSAGE, "the size of a message");
        pair_expect(message, i);
        pair_expect(message + MESSAGE - PAIR_SMALL, i);
    }
    free(message);
    return rc < 0 ? (int)rc : 0;
}

static void stream(cord_queue *queue, cord_kind kind, cord_fn *put, cord_fn *get, long count)
{
    struct stream stream = { queue, count };
    cord_group *group;
    check(cord_group_new(&group, &(cord_group_options){ .task.kind = kind }));
    check(cord_group_start(group, put, &stream, sizeof stream));
    check(cord_group_start(group, get, &stream, sizeof stream));
    check(cord_group_join(group, CORD_FOREVER));
    micro_check(cord_queue_size(queue) == 0, "items are left");
    cord_queue_free(queue);
}

static void threads(long count)
{
    cord_queue *queue;
    check(cord_queue_new(&queue, PAIR_SMALL, PAIR_ROOM, 0));
    stream(queue, CORD_THREAD, put_items, get_items, count);
}

static void processes(size_t size, long count)
{
    cord_queue *queue;
    check(cord_queue_new(&queue, size, PAIR_ROOM, CORD_SHARED));
    stream(queue, CORD_PROCESS, put_items, get_items, count);
}

static void processes_8(long count)
{
    processes(PAIR_SMALL, count);
}

static void processes_256(long count)
{
    processes(PAIR_LARGE, count);
}

static void messages(long count)
{
    cord_queue *queue;
    check(cord_queue_new(&queue, 0, MESSAGES * (MESSAGE + HEAD), CORD_SHARED));
    stream(queue, CORD_PROCESS, put_messages, get_messages, count);
}

static int argument_count;

static int measure(void *arguments)
{
    static const struct micro_case cases[] = { { "threads", threads },
                                               { "processes-8", processes_8 },
                                               { "processes-256", processes_256 },
                                               { "messages", messages },
                                               { NULL, NULL } };
    return micro_main(cases, argument_count, arguments);
}

int main(int argc, char **argv)
{
    argument_count = argc;
    return cord_report("queue", cord_run(measure, argv, NULL));
}
