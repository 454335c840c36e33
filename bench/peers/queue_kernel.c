/* bench/peers/queue_kernel.c - the cases "processes-8" and "-256" of bench/queue.c by what the kernel has: "pipe-8",
 * "pipe-256", a write and a read for each item; "mq-8", "mq-256", a message queue of POSIX, with as much room as
 * /proc/sys/fs/mqueue/msg_max allows. */
#include "../pair.h"

#include <fcntl.h>
#include <mqueue.h>

static int fds[2];
static size_t size;

static void put_pipe(long count)
{
    char item[PAIR_LARGE] = { 0 };
    for (long i = 0; i < count; i++) {
        pair_number(item, i);
        micro_check(write(fds[1], item, size) == (ssize_t)size, "write");
    }
}

static void get_pipe(long count)
{
    char item[PAIR_LARGE];
    for (long i = 0; i < count; i++) {
        micro_check(read(fds[0], item, size) == (ssize_t)size, "read");
        pair_expect(item, i);
    }
}

static void by_pipe(long count)
{
    micro_check(pipe2(fds, O_CLOEXEC) == 0, "no pipe");
    pair_processes(put_pipe, get_pipe, count);
    close(fds[0]);
    close(fds[1]);
}

static mqd_t mq;

static void put_mq(long count)
{
    char item[PAIR_LARGE] = { 0 };
    for (long i = 0; i < count; i++) {
        pair_number(item, i);
        micro_check(mq_send(mq, item, size, 0) == 0, "mq_send");
    }
}

static void get_mq(long count)
{
    char item[PAIR_LARGE];
    for (long i = 0; i < count; i++) {
        micro_check(mq_receive(mq, item, size, NULL) == (ssize_t)size, "mq_receive");
        pair_expect(item, i);
    }
}

static void by_mq(long count)
{
    char name[64];
    struct mq_attr how = { .mq_maxmsg = PAIR_ROOM, .mq_msgsize = (long)size };
    snprintf(name, sizeof name, "/cordage-bench-%d", (int)getpid());
    for (; how.mq_maxmsg > 0; how.mq_maxmsg--)
        if ((mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &how)) != (mqd_t)-1)
            break;
    micro_check(mq != (mqd_t)-1, "no message queue");
    mq_unlink(name);
    pair_processes(put_mq, get_mq, count);
    mq_close(mq);
}

static void pipe_8(long count)
{
    size = PAIR_SMALL;
    by_pipe(count);
}

static void pipe_256(long count)
{
    size = PAIR_LARGE;
    by_pipe(count);
}

static void mq_8(long count)
{
    size = PAIR_SMALL;
    by_mq(count);
}

static void mq_256(long count)
{
    size = PAIR_LARGE;
    by_mq(count);
}

int main(int argc, char **argv)
{
    static const struct micro_case cases[] = {
        { "pipe-8", pipe_8 }, { "pipe-256", pipe_256 }, { "mq-8", mq_8 }, { "mq-256", mq_256 }, { NULL, NULL }
    };
    return micro_main(cases, argc, argv);
}
