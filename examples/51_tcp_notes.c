/* The seven notes on TCP, each shown by what happens.
 * Note S2 lines 200-208 (row 51). Python: listen, connect, accept, close, recv giving b''.
 * Run: ./51_tcp_notes
 * One task plays the server and two clients: on loopback, each answer is there as soon as it was sent. */
#include <errno.h>
#include <stdbool.h>

#include <cordage.h>

struct play {
    char address[CORD_ADDRESS_TEXT]; /* where the server listens */
    cord_socket listener;
    cord_socket client[2];
    cord_socket served[2]; /* what accept gave for each client */
};

static void note(int number, bool holds, const char *words)
{
    cord_print("%d %s: %s\n", number, holds ? "holds" : "FAILS", words);
}

static bool arrives(cord_socket from, cord_socket to, char byte)
{
    char got = '\0';
    return cord_send_all(from, &byte, 1, CORD_FOREVER) == 1 && cord_recv(to, &got, 1, CORD_FOREVER) == 1 && got == byte;
}

static bool ended(cord_socket sk)
{
    char byte;
    return cord_recv(sk, &byte, 1, CORD_FOREVER) == 0;
}

static bool refused(const char *address)
{
    cord_socket sk;
    return cord_connect(&sk, address, NULL, CORD_FOREVER) == -ECONNREFUSED;
}

/* The listener, and two clients that are accepted one after the other. */
static int open_all(struct play *p)
{
    cord_address local;
    int rc = cord_listen(&p->listener, "tcp:127.0.0.1:0", NULL);
    if (rc == 0)
        rc = cord_local(p->listener, &local);
    if (rc == 0)
        cord_address_text(&local, p->address, sizeof p->address);
    for (int i = 0; i < 2 && rc == 0; i++)
        if ((rc = cord_connect(&p->client[i], p->address, NULL, CORD_FOREVER)) == 0)
            rc = cord_accept(p->listener, &p->served[i], NULL, CORD_FOREVER);
    return rc;
}

static void show(struct play *p)
{
    char byte;
    int64_t listening = 0, accepted = 1;
    bool known = cord_option_get(p->listener, CORD_LISTENING, &listening) == 0 &&
                 cord_option_get(p->served[0], CORD_LISTENING, &accepted) == 0;
    bool apart = arrives(p->client[0], p->served[0], 'a') && arrives(p->client[1], p->served[1], 'b');

    note(1, known && listening == 1, "listen makes an active socket passive");
    cord_socket udp = { 0 };
    note(2, cord_connect(&udp, "udp:127.0.0.1:9", NULL, CORD_FOREVER) == 0 && refused("tcp:127.0.0.1:9"),
         "TCP needs a connection first, and a server for it; UDP only notes the address");
    cord_close(&udp);
    note(3, apart, "accept gives each client a socket of its own");
    note(4, cord_recv(p->listener, &byte, 1, CORD_NOWAIT) < 0 && accepted == 0,
         "the listener only accepts; what accept gave only talks");
    cord_close(&p->listener);
    note(5, refused(p->address) && arrives(p->served[0], p->client[0], 'c') && arrives(p->client[1], p->served[1], 'd'),
         "with the listener closed nobody new comes in; who is connected goes on");
    cord_close(&p->served[0]);
    note(6, ended(p->client[0]) && arrives(p->served[1], p->client[1], 'e'),
         "closing what accept gave ends that client only");
    cord_close(&p->client[1]);
    note(7, ended(p->served[1]), "after a close the other side's recv answers 0 bytes");
}

int main(void)
{
    struct play p = { .address = "" };
    int rc = open_all(&p);
    if (rc == 0)
        show(&p);
    for (int i = 0; i < 2; i++) {
        cord_close(&p.client[i]);
        cord_close(&p.served[i]);
    }
    cord_close(&p.listener);
    return cord_report("51_tcp_notes", rc);
}
