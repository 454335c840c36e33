/* Counts the datagrams of each sender: takes all that wait in one call, up to 64, where recvfrom takes one.
 * Theme: recvfrom(1024) in a loop. Python has no call that takes several.
 * Run: ./udp_many [ADDRESS [SECONDS]]      default udp:127.0.0.1:8080, until it is quiet for 5 seconds
 * and meanwhile, in another terminal: ping it with ./13_send_once udp:127.0.0.1:8080, again and again */
#include <errno.h>
#include <stdlib.h>

#include <cordage.h>

enum { BATCH = 64, SENDERS = 100 };

static struct {
    cord_address from;
    unsigned datagrams, bytes;
} senders[SENDERS];
static int known, calls;

static void count(const cord_datagram *datagram)
{
    int i = 0;
    while (i < known && !cord_address_equal(&senders[i].from, &datagram->peer))
        i++;
    if (i == SENDERS)
        return;
    if (i == known)
        senders[known++].from = datagram->peer;
    senders[i].datagrams++;
    senders[i].bytes += (unsigned)datagram->size;
}

int main(int argc, char **argv)
{
    static char data[BATCH][2048];
    cord_span quiet = (argc > 2 ? atoi(argv[2]) : 5) * CORD_SECOND;
    cord_datagram list[BATCH];
    cord_socket socket = { 0 };
    char name[CORD_ADDRESS_TEXT];
    int rc = cord_listen(&socket, argc > 1 ? argv[1] : "udp:127.0.0.1:8080", NULL);
    for (int i = 0; i < BATCH; i++)
        list[i] = (cord_datagram){ .data = data[i], .room = sizeof data[i] };
    while (rc >= 0 && (rc = cord_recv_many(socket, list, BATCH, cord_in(quiet))) > 0) {
        calls++;
        for (int i = 0; i < rc; i++)
            count(&list[i]);
    }
    for (int i = 0; i < known; i++)
        cord_print("%s: %u datagrams, %u bytes\n", cord_address_text(&senders[i].from, name, sizeof name),
                   senders[i].datagrams, senders[i].bytes);
    cord_print("%d calls\n", calls);
    cord_close(&socket);
    return cord_report("udp_many", rc == -ETIMEDOUT ? 0 : rc);
}
