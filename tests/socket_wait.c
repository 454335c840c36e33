/* tests/socket_wait.c - what ends a call on a socket that waits: a cancel, a close, the peer. */
#include "netkit.h"
#include "waiting.h"

/* ---- cancelling ---- */

enum where { IN_RECV, IN_SEND, IN_ACCEPT, IN_CONNECT, IN_LINE, PLACES };
struct victim {
    enum where where;
    cord_socket socket;
    char address[CORD_ADDRESS_TEXT];
};

static int wait_there(void *arg)
{
    struct victim *this = arg;
    static char block[1 << 20];
    char line[16];
    cord_socket got = { 0 };
    switch (this->where) {
    case IN_RECV:
        return (int)cord_recv(this->socket, block, sizeof block, soon());
    case IN_SEND:
        return (int)cord_send_all(this->socket, block, sizeof block, soon());
    case IN_ACCEPT:
        return cord_accept(this->socket, &got, NULL, soon());
    case IN_LINE:
        return (int)cord_read_line(this->socket, line, sizeof line, soon());
    default:
        return cord_connect(&got, this->address, NULL, soon());
    }
}

struct scene {
    cord_socket pair[2], listener, queued[3];
    char address[CORD_ADDRESS_TEXT];
};

/* Everything that can make a call wait: a silent pair whose other direction is full, an idle listener, and a listener
 * whose queue is full. */
static struct victim set_scene(struct scene *scene, enum where where)
{
    *scene = (struct scene){ 0 };
    connected_pair(scene->pair);
    struct victim victim = { where, scene->pair[0], "" };
    if (where == IN_SEND)
        fill(scene->pair[0]);
    if (where == IN_ACCEPT || where == IN_CONNECT) {
        cord_socket first = listen_anywhere(scene->address, "tcp");
        cord_close(&first);
        ok(cord_listen(&scene->listener, scene->address, &(cord_listen_options){ .backlog = 1 }));
        victim.socket = scene->listener;
        strcpy(victim.address, scene->address);
    }
    for (int i = 0; where == IN_CONNECT && i < 3; i++)
        if (cord_connect(&scene->queued[i], scene->address, NULL, cord_in(100 * CORD_MILLISECOND)) < 0)
            break;
    return victim;
}

static void clear_scene(struct scene *scene)
{
    for (int i = 0; i < 3; i++)
        cord_close(&scene->queued[i]);
    cord_close(&scene->listener);
    cord_close(&scene->pair[0]);
    cord_close(&scene->pair[1]);
}

MODE_TEST(cancel_at_each_call_ecanceled)
{
    for (enum where where = 0; where < PLACES; where++) {
        struct scene scene;
        struct victim victim = set_scene(&scene, where);
        cord_task *task = start(wait_there, &victim, sizeof victim);
        eventually(waits, task);
        cord_task_cancel(task);
        join(task, -ECANCELED);
        clear_scene(&scene);
    }
}

static int cancelled_then_recv(void *arg)
{
    char byte;
    cord_task_cancel(cord_task_self());
    ssize_t first = cord_recv(*(cord_socket *)arg, &byte, 1, soon());
    ssize_t second = cord_recv(*(cord_socket *)arg, &byte, 1, soon());
    return first == second ? (int)first : -EPROTO;
}

MODE_TEST(cancel_is_seen_on_entry_again_and_again)
{
    cord_socket pair[2];
    connected_pair(pair);
    join(start(cancelled_then_recv, &pair[0], sizeof pair[0]), -ECANCELED);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

/* ---- closing ---- */

MODE_TEST(close_while_another_task_waits_ebadf)
{
    static const enum where places[] = { IN_RECV, IN_SEND, IN_ACCEPT, IN_LINE };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct scene scene;
        struct victim victim = set_scene(&scene, places[i]);
        cord_task *task = start_beside(wait_there, &victim, sizeof victim);
        until_busy(victim.socket, places[i] == IN_SEND ? CORDI_WRITE : CORDI_READ);
        cord_close(places[i] == IN_ACCEPT ? &scene.listener : &scene.pair[0]);
        join(task, -EBADF);
        clear_scene(&scene);
    }
}

/* One holds the turn and waits for the socket, the others wait for the turn; all of them hear of the close. */
MODE_TEST(close_while_several_tasks_wait_ebadf)
{
    static const enum where places[] = { IN_RECV, IN_SEND, IN_ACCEPT, IN_LINE };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct scene scene;
        struct victim victim = set_scene(&scene, places[i]);
        cord_task *tasks[5];
        for (int k = 0; k < 5; k++)
            tasks[k] = start_beside(wait_there, &victim, sizeof victim);
        for (int k = 0; k < 5; k++)
            eventually(waits, tasks[k]);
        cord_close(places[i] == IN_ACCEPT ? &scene.listener : &scene.pair[0]);
        for (int k = 0; k < 5; k++)
            join(tasks[k], -EBADF);
        clear_scene(&scene);
    }
}

/* Those who wait for the turn are cancelled or run out of time; the one who has it goes on. */
MODE_TEST(cancel_of_those_in_the_queue_leaves_the_first)
{
    struct scene scene;
    struct victim victim = set_scene(&scene, IN_RECV);
    cord_task *tasks[4];
    for (int k = 0; k < 4; k++) {
        tasks[k] = start_beside(wait_there, &victim, sizeof victim);
        eventually(waits, tasks[k]);
    }
    for (int k = 1; k < 4; k++) {
        cord_task_cancel(tasks[k]);
        join(tasks[k], -ECANCELED);
    }
    is(cord_send_all(scene.pair[1], "one", 3, soon()), 3);
    join(tasks[0], 3);
    clear_scene(&scene);
}

/* ---- the peer ---- */

/* The reset comes while the call waits: in receiving, in a line, and in sending what the peer does not take. */
MODE_TEST(peer_resets_while_a_call_waits)
{
    static const enum where places[] = { IN_RECV, IN_LINE, IN_SEND };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct scene scene;
        struct victim victim = set_scene(&scene, places[i]);
        cord_task *task = start_beside(wait_there, &victim, sizeof victim);
        until_busy(victim.socket, places[i] == IN_SEND ? CORDI_WRITE : CORDI_READ);
        ok(cord_option_set(scene.pair[1], CORD_LINGER, 0));
        cord_close(&scene.pair[1]);
        join(task, -ECONNRESET);
        clear_scene(&scene);
    }
}

MODE_TEST(peer_ends_while_a_call_waits)
{
    static const enum where places[] = { IN_RECV, IN_LINE };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct scene scene;
        struct victim victim = set_scene(&scene, places[i]);
        cord_task *task = start_beside(wait_there, &victim, sizeof victim);
        until_busy(victim.socket, CORDI_READ);
        ok(cord_shutdown(scene.pair[1], SHUT_WR));
        join(task, 0);
        clear_scene(&scene);
    }
}

int main(void)
{
    return run_tests("socket_wait", MODE(cancel_at_each_call_ecanceled), MODE(cancel_is_seen_on_entry_again_and_again),
                     MODE(close_while_another_task_waits_ebadf), MODE(close_while_several_tasks_wait_ebadf),
                     MODE(cancel_of_those_in_the_queue_leaves_the_first), MODE(peer_resets_while_a_call_waits),
                     MODE(peer_ends_while_a_call_waits), END);
}
