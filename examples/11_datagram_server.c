/* The socketserver for datagrams: the handler runs once for each, and answers it in upper case.
 * Note S1 lines 113-128 (row 11). Python: ThreadingUDPServer; data, sock = self.request; sock.sendto(...).
 * Run: ./11_datagram_server [KIND [ADDRESS]]      default thread udp:127.0.0.1:8082; ./12_datagram_client talks to it
 * An empty datagram is a message like any other. Python cuts at max_packet_size, 8192 bytes, in silence; here the
 * request says that it was cut. */
#include <stdio.h>
#include <string.h>

#include <cordage.h>

static int upper(cord_request *r)
{
    char data[8192], who[CORD_ADDRESS_TEXT];
    if (r->truncated)
        fprintf(stderr, "%s: longer than 8192 bytes; cut\n", cord_address_text(&r->peer, who, sizeof who));
    memcpy(data, r->data, r->size);
    cord_upper(data, r->size);
    return (int)cord_reply(r, data, r->size);
}

int main(int argc, char **argv)
{
    cord_server_options how = { .kind = CORD_THREAD, .max_datagram = 8192 };
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_serve(argc > 2 ? argv[2] : "udp:127.0.0.1:8082", upper, &how);
    return cord_report("11_datagram_server", rc);
}
