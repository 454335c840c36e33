/* bench/latency.c - how long a task waits for the loop after what it waits for has come, while two others yield to each
 * other for ever: `latency [SECONDS]`. One line of JSON for a timer and one for data: microseconds.
 *
 * timer: from the time that a sleep was to end until it returns. data: from just before a thread sends until the
 * coroutine that waits in cord_recv() has it. */
#include <cordage.h>

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 100000 };

struct samples {
    int count;
    int64_t ns[MOST];
};

static struct samples timer, data;
static double seconds = 1;

static void check(ssize_t rc)
{
    if (rc < 0)
        exit(cord_report("latency", (int)rc));
}

static int yield_for_ever(void *arg)
{
    (void)arg;
    while (cord_yield() == 0)
        ;
    return 0;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void note(struct samples *samples, int64_t ns)
{
    if (samples->count < MOST)
        samples->ns[samples->count++] = ns;
}

static void print(const char *name, struct samples *samples)
{
    if (samples->count == 0)
        return;
    qsort(samples->ns, (size_t)samples->count, sizeof *samples->ns, by_size);
    printf("{\"case\": \"%s\", \"p50_us\": %.2f, \"p99_us\": %.2f, \"max_us\": %.2f}\n", name,
           (double)samples->ns[samples->count / 2] / 1000, (double)samples->ns[samples->count * 99 / 100] / 1000,
           (double)samples->ns[samples->count - 1] / 1000);
}

static int sleep_again_and_again(void *end)
{
    while (cord_left(*(cord_deadline *)end) > 0) {
        int64_t due = cord_now() + CORD_MILLISECOND;
        check(cord_sleep(due - cord_now()));
        note(&timer, cord_now() - due);
    }
    return 0;
}

/* The thread: sends the time, which the echo of the loop's task lets it do again. */
static int send_times(void *address)
{
    cord_socket socket;
    cord_deadline end = cord_in((cord_span)(seconds * CORD_SECOND));
    check(cord_connect(&socket, address, NULL, CORD_FOREVER));
    while (cord_left(end) > 0) {
        int64_t sent = cord_now();
        check(cord_send_all(socket, &sent, sizeof sent, CORD_FOREVER));
        check(cord_recv(socket, &sent, sizeof sent, CORD_FOREVER));
        check(cord_sleep(700 * CORD_MICROSECOND)); /* in no step with the sleeper's milliseconds */
    }
    cord_close(&socket);
    return 0;
}

static int receive_times(void *listener)
{
    cord_socket socket;
    int64_t sent;
    ssize_t n;
    check(cord_accept(*(cord_socket *)listener, &socket, NULL, CORD_FOREVER));
    while ((n = cord_recv(socket, &sent, sizeof sent, CORD_FOREVER)) == (ssize_t)sizeof sent) {
        note(&data, cord_now() - sent);
        check(cord_send_all(socket, &sent, sizeof sent, CORD_FOREVER));
    }
    check(n);
    cord_close(&socket);
    return 0;
}

static int measure(void *arg)
{
    char text[CORD_ADDRESS_TEXT];
    cord_socket listener;
    cord_address local;
    cord_task *sender, *receiver;
    cord_task_options daemon = { .daemon = true }, thread = { .kind = CORD_THREAD };
    cord_deadline end = cord_in((cord_span)(seconds * CORD_SECOND));
    (void)arg;
    check(cord_listen(&listener, "tcp:127.0.0.1:0", NULL));
    check(cord_local(listener, &local));
    cord_address_text(&local, text, sizeof text);
    for (int i = 0; i < 2; i++)
        check(cord_task_start(NULL, yield_for_ever, NULL, 0, &daemon));
    check(cord_task_start(&receiver, receive_times, &listener, sizeof listener, NULL));
    check(cord_task_start(&sender, send_times, text, sizeof text, &thread));
    sleep_again_and_again(&end);
    check(cord_task_join(sender, CORD_FOREVER, NULL));
    check(cord_task_join(receiver, CORD_FOREVER, NULL));
    cord_task_free(sender);
    cord_task_free(receiver);
    cord_close(&listener);
    print("timer", &timer);
    print("data", &data);
    return 0;
}

int main(int argc, char **argv)
{
    seconds = argc > 1 ? atof(argv[1]) : seconds;
    return cord_report("latency", cord_run(measure, NULL, NULL));
}
