/* tests/stress/server.c - clients that reset, half-close, stall and vanish, and servers that stop meanwhile.
 *
 * Each round opens a server, lets 40 clients misbehave at random, and stops it at a random moment with a random grace.
 * What must hold: who is served gets its own bytes, run answers 0, nothing is under way afterwards, nothing is left
 * over (the harness's census). CORD_TEST_SEED repeats a run. */
#include "../serving.h"

#include <errno.h>

#include <cordage/option.h>

enum { CLIENTS = 40 };

static uint64_t seed;

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

struct client {
    const char *address;
    uint64_t random;
};

/* What a server that stops does to its clients. */
static int allowed(ssize_t rc)
{
    return rc == -ECONNRESET || rc == -EPIPE || rc == -ECONNREFUSED || rc == CORD_EENDED ? 0 : (int)rc;
}

/* Sends pieces and expects the same back, until it has enough or the server has. */
static ssize_t exchange(cord_socket socket, uint64_t *random)
{
    char out[3000], in[3000];
    for (uint64_t i = 0, rounds = next(random) % 20; i < rounds; i++) {
        size_t size = 1 + next(random) % sizeof out;
        for (size_t j = 0; j < size; j++)
            out[j] = (char)next(random);
        ssize_t n = cord_send_all(socket, out, size, soon());
        if (n >= 0)
            n = cord_read_exact(socket, in, size, soon());
        if (n <= 0)
            return n;
        if (memcmp(out, in, size) != 0)
            return -EILSEQ;
    }
    return 0;
}

static ssize_t misbehave(cord_socket socket, uint64_t *random)
{
    static const char bulk[65536];
    char buf[4096];
    ssize_t n = 0;
    switch (next(random) % 6) {
    case 0: /* is gone at once */
        return 0;
    case 1: /* resets in the middle */
        n = exchange(socket, random);
        return n < 0 ? n : cord_option_set(socket, CORD_LINGER, 0);
    case 2: /* half-closes and reads to the end */
        n = exchange(socket, random);
        if (n >= 0)
            n = cord_shutdown(socket, SHUT_WR) == -ENOTCONN ? -EPIPE : 0;
        while (n >= 0 && (n = cord_recv(socket, buf, sizeof buf, soon())) > 0)
            ;
        return n;
    case 3: /* stalls */
        return cord_sleep((cord_span)(next(random) % 100) * CORD_MILLISECOND);
    case 4: /* sends and never reads */
        for (int i = 0; i < 20 && n >= 0; i++)
            n = cord_send_all(socket, bulk, sizeof bulk, cord_in(20 * CORD_MILLISECOND));
        return n == -ETIMEDOUT ? 0 : n;
    default:
        return exchange(socket, random);
    }
}

static int be_client(void *arg)
{
    struct client client = *(struct client *)arg;
    for (;;) {
        cord_socket socket;
        ssize_t rc = cord_connect(&socket, client.address, NULL, soon());
        if (rc < 0)
            return allowed(rc);
        rc = misbehave(socket, &client.random);
        cord_close(&socket);
        if (allowed(rc) < 0)
            return (int)rc;
    }
}

struct round {
    struct served served;
    uint64_t random;
};

static int play(void *arg)
{
    struct round *round = arg;
    cord_group *group;
    int rc = cord_group_new(&group, NULL);
    for (int i = 0; i < CLIENTS && rc == 0; i++) {
        struct client client = { round->served.address, next(&round->random) };
        rc = cord_group_start(group, be_client, &client, sizeof client);
    }
    if (rc == 0)
        rc = cord_sleep((cord_span)(next(&round->random) % 200) * CORD_MILLISECOND);
    cord_server_stop(round->served.server, (cord_span)(next(&round->random) % 100) * CORD_MILLISECOND);
    return rc < 0 ? rc : cord_group_join(group, CORD_FOREVER);
}

KIND_TEST(clients_that_misbehave_hurt_nobody_else)
{
    const char *given = getenv("CORD_TEST_SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)cord_now();
    printf("seed %llu\n", (unsigned long long)seed);
    for (int64_t end = cord_now() + CORD_SECOND; cord_now() < end;) {
        struct round round = { .random = next(&seed) };
        cord_server_options how = { .quiet = true,
                                    .limit.idle = (cord_span)(1 + next(&seed) % 50) * CORD_MILLISECOND,
                                    .max_connections = (uint32_t)(next(&seed) % 50) };
        round.served = serve("tcp:127.0.0.1:0", echo, &how);
        is(cord_run(play, &round, NULL), 0);
        join(round.served.task, 0);
        is((long)counts(&round.served).active, 0);
        cord_server_close(round.served.server);
    }
}

int main(void)
{
    return run_tests("stress_server", KINDS(clients_that_misbehave_hurt_nobody_else), END);
}
