/* bench/server_cordage.c - the servers of the server subjects, by cord_serve() alone:
 * `server_cordage KIND HANDLER ADDRESS [WORD...]`, CORD_BACKEND as usual.
 *
 * KIND is coroutine, thread, process or serial. HANDLER is echo (until the client ends; on a datagram: once), close (at
 * once) or burn (one request that costs 200 us of CPU time, and its answer). A WORD is a number (.max_connections),
 * "refuse" (whoever is beyond it is refused, instead of waiting) or "each" (kind process: a child for each connection).
 * Prints "listening PORT" and serves until it is killed.
 *
 * The options behind the last two words are there when CMake has found them in server.h. Without them the program ends
 * with a message, and the benchmark leaves that competitor out. */
#include <cordage.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROOM = 256, /* more than a message of the load, and with the stack's other content less than a page */
    BURN = 200 * CORD_MICROSECOND
};

static int echo(cord_request *r)
{
    char buffer[ROOM];
    ssize_t n;
    if (r->data)
        return (int)cord_reply(r, r->data, r->size);
    while ((n = cord_recv(r->socket, buffer, sizeof buffer, CORD_FOREVER)) > 0)
        if ((n = cord_send_all(r->socket, buffer, (size_t)n, CORD_FOREVER)) < 0)
            break;
    return (int)n;
}

static int close_at_once(cord_request *r)
{
    (void)r;
    return 0;
}

static cord_span cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (cord_span)t.tv_sec * CORD_SECOND + t.tv_nsec;
}

/* Waits for nothing while it works, so that the thread's CPU time is its own. */
static int burn(cord_request *r)
{
    char buffer[ROOM];
    ssize_t n = cord_recv(r->socket, buffer, sizeof buffer, CORD_FOREVER);
    if (n <= 0)
        return (int)n;
    for (cord_span end = cpu_time() + BURN; cpu_time() < end;)
        ;
    return (int)cord_send_all(r->socket, buffer, (size_t)n, CORD_FOREVER);
}

static void ready(const cord_address *address, void *state)
{
    (void)state;
    printf("listening %u\n", cord_address_port(address));
    fflush(stdout);
}

static int take_word(cord_server_options *how, const char *word)
{
    if (atoi(word) > 0) {
        how->max_connections = (uint32_t)atoi(word);
        return 0;
    }
    if (strcmp(word, "refuse") == 0) {
        how->refusal = "";
        return 0;
    }
    if (strcmp(word, "each") == 0) {
        how->per_connection = true;
        return 0;
    }
    fprintf(stderr, "server_cordage: \"%s\" is not an option\n", word);
    return -EINVAL;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        cord_handle *handle;
    } handlers[] = { { "echo", echo }, { "close", close_at_once }, { "burn", burn } };
    cord_server_options how = { .ready = ready, .quiet = true };
    cord_handle *handle = NULL;
    for (size_t i = 0; argc > 3 && i < sizeof handlers / sizeof *handlers; i++)
        if (strcmp(argv[2], handlers[i].name) == 0)
            handle = handlers[i].handle;
    if (!handle) {
        fprintf(stderr, "usage: server_cordage KIND echo|close|burn ADDRESS [NUMBER] [refuse] [each]\n");
        return 2;
    }
    int rc = cord_kind_parse(&how.kind, argv[1]);
    for (int i = 4; rc == 0 && i < argc; i++)
        rc = take_word(&how, argv[i]);
    if (rc == 0)
        rc = cord_serve(argv[3], handle, &how);
    return cord_report("server_cordage", rc);
}
