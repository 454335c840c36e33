/* The UDP JSON chat client, full duplex: it listens while you type.
 * Notes S0 line 1 and S3 lines 11-23 (rows 1, 3), without their "say one, hear one". Python: sendto, recvfrom, json.
 * Run: ./chat      after ./02_chat_server, or: cordage serve chat udp:127.0.0.1:9090 */
#include <jansson.h>

#include <cordage.h>

static int hear(void *arg)
{
    cord_socket room = *(cord_socket *)arg;
    char wire[1024];
    const char *text, *name;
    for (ssize_t n; (n = cord_recv(room, wire, sizeof wire, CORD_FOREVER)) >= 0;) {
        json_t *m = json_loadb(wire, (size_t)n, 0, NULL);
        if (json_unpack(m, "{s:s, s:s}", "msg", &text, "username", &name) == 0)
            cord_print("消息来自%s : %s\n", name, text); /* one line, one write */
        json_decref(m);
    }
    return 0; /* the socket was closed */
}

int main(void)
{
    char line[512], text[6 * sizeof line + 3];
    cord_socket room;
    ssize_t rc = cord_connect(&room, "udp:127.0.0.1:9090", NULL, CORD_FOREVER);
    if (rc == 0) /* its argument is copied; nobody joins it: a daemon. The stack is for jansson, which recurses */
        rc = cord_task_start(NULL, hear, &room, sizeof room, &(cord_task_options){ .stack_size = 256 * 1024 });
    while (rc >= 0 &&
           (rc = cord_input(">>>", line, sizeof line, CORD_FOREVER)) > 0) { /* an empty line is 1, the end 0 */
        cord_json_quote(text, sizeof text, line);                           /* as json.dumps does: \u518d */
        rc = cord_sendf(room, CORD_FOREVER, "{\"msg\": %s, \"username\": \"client2\"}", text);
    }
    cord_close(&room);
    return cord_report("chat", rc);
}
