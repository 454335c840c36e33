/* The lock-step UDP chat client "egon": say a line, wait for the answer, print it.
 * Note S3 lines 11-23 (row 3). Python: socket(type=SOCK_DGRAM), json.dumps, sendto, recvfrom.
 * Run: ./03_chat_egon [ADDRESS]      default udp:127.0.0.1:9090; ./02_chat_server is the other side
 * An empty line is sent too; the end of input ends it. Each line goes to whoever answered last. */
#include <stdio.h>

#include <jansson.h>

#include <cordage.h>

static void show(const char *wire, size_t size, const cord_address *from)
{
    char who[CORD_ADDRESS_TEXT];
    const char *text, *name;
    json_error_t why = { .text = "" };
    json_t *m = json_loadb(wire, size, 0, &why);
    if (json_unpack_ex(m, &why, 0, "{s:s, s:s}", "msg", &text, "username", &name) == 0)
        cord_print("消息来自%s : %s\n", name, text);
    else
        fprintf(stderr, "%s: not a chat message: %s; ignored\n", cord_address_text(from, who, sizeof who), why.text);
    json_decref(m);
}

int main(int argc, char **argv)
{
    char line[1024], text[980], wire[1024]; /* what does not fit the peer's 1024 bytes is refused here */
    cord_address server;
    cord_socket sk = { 0 };
    ssize_t rc = cord_address_parse(&server, argc > 1 ? argv[1] : "udp:127.0.0.1:9090");
    if (rc == 0)
        rc = cord_listen(&sk, "udp:", NULL); /* no port of its own choice: the system picks one */
    while (rc >= 0 && (rc = cord_input(">>>", line, sizeof line, CORD_FOREVER)) > 0) {
        if (cord_json_quote(text, sizeof text, line) < 0) {
            fprintf(stderr, "too long for one datagram; not sent\n");
            continue;
        }
        int n = snprintf(wire, sizeof wire, "{\"msg\": %s, \"username\": \"egon\"}", text);
        rc = cord_send_to(sk, wire, (size_t)n, &server, CORD_FOREVER);
        if (rc >= 0)
            rc = cord_recv_from(sk, wire, sizeof wire, &server, NULL, CORD_FOREVER);
        if (rc >= 0)
            show(wire, (size_t)rc, &server);
    }
    cord_close(&sk);
    return cord_report("03_chat_egon", rc);
}
