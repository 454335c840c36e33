/* bench/peers/queue_zmq.c - the cases "processes-8" and "-256" of bench/queue.c by ZeroMQ: PUSH and PULL over ipc. Each
 * end has a context of its own, made after the fork. What the getter has not read yet when the putter closes can be
 * lost; so the putter stays until the getter has all. */
#include "../pair.h"

#include <fcntl.h>
#include <zmq.h>

static char address[64];
static size_t size;
static int done[2]; /* a pipe that the getter closes */

static void *open_socket(void *context, int type, int mark)
{
    int room = PAIR_ROOM;
    void *socket = zmq_socket(context, type);
    micro_check(socket && zmq_setsockopt(socket, mark, &room, sizeof room) == 0, "no socket");
    return socket;
}

static void put(long count)
{
    char item[PAIR_LARGE] = { 0 };
    void *context = zmq_ctx_new(), *socket = open_socket(context, ZMQ_PUSH, ZMQ_SNDHWM);
    micro_check(zmq_connect(socket, address) == 0, "connect");
    for (long i = 0; i < count; i++) {
        pair_number(item, i);
        micro_check(zmq_send(socket, item, size, 0) == (int)size, "send");
    }
    close(done[1]);
    micro_check(read(done[0], item, 1) == 0, "the getter's end");
    zmq_close(socket);
    zmq_ctx_term(context);
}

static void get(long count)
{
    char item[PAIR_LARGE];
    void *context = zmq_ctx_new(), *socket = open_socket(context, ZMQ_PULL, ZMQ_RCVHWM);
    micro_check(zmq_bind(socket, address) == 0, "bind");
    for (long i = 0; i < count; i++) {
        micro_check(zmq_recv(socket, item, sizeof item, 0) == (int)size, "receive");
        pair_expect(item, i);
    }
    close(done[1]);
    zmq_close(socket);
    zmq_ctx_term(context);
}

static void processes(size_t bytes, long count)
{
    static int run;
    size = bytes;
    snprintf(address, sizeof address, "ipc://@cordage-bench-%d-%d", (int)getpid(), run++);
    micro_check(pipe2(done, O_CLOEXEC) == 0, "no pipe");
    pair_processes(put, get, count);
    close(done[0]);
}

static void processes_8(long count)
{
    processes(PAIR_SMALL, count);
}

static void processes_256(long count)
{
    processes(PAIR_LARGE, count);
}

int main(int argc, char **argv)
{
    static const struct micro_case cases[] = { { "processes-8", processes_8 },
                                               { "processes-256", processes_256 },
                                               { NULL, NULL } };
    return micro_main(cases, argc, argv);
}
