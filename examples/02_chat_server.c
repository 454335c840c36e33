/* The lock-step UDP chat server: hear one message, print it, answer it with a line that you type.
 * Notes S0 lines 1-10 and S3 lines 27-42 (rows 2, 4). Python: bind, recvfrom, json.loads, sendto.
 * Run: ./02_chat_server [ADDRESS]      default udp:127.0.0.1:9090
 * It must hear first: only the datagram tells where to answer (04_no_peer_yet.c). While it waits for your line,
 * datagrams queue in the kernel and are answered in order. Where the note dies of a bad one, this says so and goes on.
 */
#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <cordage.h>

static bool show(const char *wire, size_t size, bool cut, const cord_address *from)
{
    char who[CORD_ADDRESS_TEXT];
    const char *text, *name;
    json_error_t why = { .text = "longer than 1024 bytes" };
    json_t *m = cut ? NULL : json_loadb(wire, size, 0, &why);
    bool good = m != NULL && json_unpack_ex(m, &why, 0, "{s:s, s:s}", "msg", &text, "username", &name) == 0;
    if (good)
        cord_print("消息来自%s : %s\n", name, text);
    else
        fprintf(stderr, "%s: not a chat message: %s; ignored\n", cord_address_text(from, who, sizeof who), why.text);
    json_decref(m);
    return good;
}

int main(int argc, char **argv)
{
    char line[1024], text[980], wire[1024]; /* the notes' clients read 1024 bytes: a longer answer would kill them */
    cord_address client;
    cord_socket sk = { 0 };
    ssize_t rc = cord_listen(&sk, argc > 1 ? argv[1] : "udp:127.0.0.1:9090", NULL);
    while (rc >= 0) {
        int flags = 0;
        rc = cord_recv_from(sk, wire, sizeof wire, &client, &flags, CORD_FOREVER);
        if (rc < 0 || !show(wire, (size_t)rc, (flags & CORD_TRUNCATED) != 0, &client))
            continue;
        while ((rc = cord_input(">>>", line, sizeof line, CORD_FOREVER)) > 0 &&
               cord_json_quote(text, sizeof text, line) < 0)
            fprintf(stderr, "too long for one datagram; say it shorter\n");
        if (rc <= 0)
            break; /* the end of input */
        int n = snprintf(wire, sizeof wire, "{\"msg\": %s, \"username\": \"server\"}", text);
        rc = cord_send_to(sk, wire, (size_t)n, &client, CORD_FOREVER);
    }
    cord_close(&sk);
    return cord_report("02_chat_server", rc);
}
