/* Sends datagrams of 64 bytes to an echo and counts what comes back: 50 in one call, then 50 as one train.
 * A train crosses the kernel as one packet, so the second figure is many times the first.
 * Theme: sendto and recvfrom. Python has neither call.
 * Run: ./udp_trains [SECONDS]      by itself; the echo is a thread of it */
#include <errno.h>
#include <stdlib.h>

#include <cordage.h>

enum { TRAIN = 50, SIZE = 64, BATCH = 64, ROOM = 65507 };

static cord_datagram *new_list(void)
{
    cord_datagram *list = calloc(BATCH, sizeof *list + ROOM);
    for (int i = 0; list != NULL && i < BATCH; i++)
        list[i] = (cord_datagram){ .data = (char *)(list + BATCH) + (size_t)i * ROOM, .room = ROOM };
    return list;
}

/* The whole echo: what was received is the list to send. */
static int echo(void *arg)
{
    cord_socket socket = *(cord_socket *)arg;
    cord_datagram *list = new_list();
    int rc = list == NULL ? -ENOMEM : 0;
    while (rc >= 0 && (rc = cord_recv_many(socket, list, BATCH, CORD_FOREVER)) > 0)
        rc = cord_send_many(socket, list, (size_t)rc, CORD_FOREVER);
    free(list);
    return rc == -ECANCELED ? 0 : rc;
}

static int measure(cord_socket socket, bool as_train, int seconds)
{
    static char bytes[TRAIN * SIZE];
    cord_datagram out[TRAIN] = { { .data = bytes, .size = sizeof bytes, .segment = SIZE } }, *in = new_list();
    size_t count = as_train ? 1 : TRAIN, back = 0;
    int rc = in == NULL ? -ENOMEM : 0;
    for (int i = 0; !as_train && i < TRAIN; i++)
        out[i] = (cord_datagram){ .data = bytes, .size = SIZE };
    int64_t begin = cord_now(), end = begin + seconds * CORD_SECOND;
    while (rc >= 0 && cord_now() < end) {
        rc = cord_send_many(socket, out, count, CORD_FOREVER);
        for (size_t here = 0; rc >= 0 && here < TRAIN;) {
            rc = cord_recv_many(socket, in, BATCH, cord_in(100 * CORD_MILLISECOND));
            for (int i = 0; i < rc; i++) {
                here += (in[i].size + SIZE - 1) / SIZE;
                back += (in[i].size + SIZE - 1) / SIZE;
            }
        }
        if (rc == -ETIMEDOUT) /* some were lost: go on */
            rc = 0;
    }
    if (rc >= 0)
        cord_print("%-18s %11.0f datagrams/s\n", as_train ? "in trains of 50:" : "50 in each call:",
                   (double)back * (double)CORD_SECOND / (double)(cord_now() - begin));
    free(in);
    return rc;
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 1;
    char name[CORD_ADDRESS_TEXT];
    cord_address local;
    cord_socket server = { 0 }, client = { 0 };
    cord_task *task = NULL;
    int rc = cord_listen(&server, "udp:127.0.0.1:0", &(cord_listen_options){ .trains = true });
    if (rc == 0)
        rc = cord_local(server, &local);
    if (rc == 0)
        rc = cord_connect(&client, cord_address_text(&local, name, sizeof name),
                          &(cord_connect_options){ .trains = true }, CORD_FOREVER);
    if (rc == 0)
        rc = cord_task_start(&task, echo, &server, sizeof server, &(cord_task_options){ .kind = CORD_THREAD });
    if (rc == 0)
        rc = measure(client, false, seconds);
    if (rc >= 0)
        rc = measure(client, true, seconds);
    if (task != NULL) {
        cord_task_cancel(task);
        int ended = cord_task_join(task, CORD_FOREVER, NULL);
        rc = rc < 0 ? rc : ended;
        cord_task_free(task);
    }
    cord_close(&client);
    cord_close(&server);
    return cord_report("udp_trains", rc);
}
