/* The TCP upper-case server: prints what each client sends and sends it back with a-z as A-Z; many clients at once.
 * Note S1 lines 58-82 (row 9). Python: ThreadingTCPServer, recv(1024), except ConnectionResetError.
 * Run: ./09_tcp_upper_server [KIND [ADDRESS]]      default thread tcp:127.0.0.1:8082; ./10_tcp_upper_client talks to it
 * The three endings differ: an orderly one is printed, a reset is silent, bytes that are not UTF-8 are the handler's
 * failure (logged; only that client is cut off). A character split over two reads is put together by the decoder. */
#include <errno.h>

#include <cordage.h>

static int upper(cord_request *r)
{
    char data[1024], text[3 * sizeof data + 16];
    cord_decoder utf8;
    ssize_t n = cord_decoder_init(&utf8, "utf-8", CORD_STRICT);
    while (n >= 0 && (n = cord_recv(r->socket, data, sizeof data, CORD_FOREVER)) > 0) {
        size_t size = (size_t)n;
        n = cord_decoder_feed(&utf8, text, sizeof text, data, size, false);
        if (n < 0)
            return (int)n;
        cord_print(">> %s\n", text);
        cord_upper(data, size);
        n = cord_send_all(r->socket, data, size, CORD_FOREVER);
    }
    if (n == 0)
        cord_print("客户端断开。。。\n");
    return n == -ECONNRESET ? 0 : (int)n;
}

int main(int argc, char **argv)
{
    cord_server_options how = { .kind = CORD_THREAD };
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_serve(argc > 2 ? argv[2] : "tcp:127.0.0.1:8082", upper, &how);
    return cord_report("09_tcp_upper_server", rc);
}
