/* Says hello, once, some time from now, and shows how that is called off.
 * Note S4 (row 29), marked as unsolved there. Python: t = Timer(30.0, hello); t.start(); t.cancel().
 * Run: ./29_timer [SPAN [cancel]]      default 30s; 300ms, 1.5, 2m
 * The program stays alive until the timer has run, since it is no daemon. Python's timer is a thread that sleeps; this
 * one is a coroutine. The clock is one that only goes forward: setting the system's time changes nothing. */
#include <string.h>

#include <cordage.h>

struct plan {
    cord_span after;
    bool cancel;
};

static int hello(void *arg)
{
    (void)arg;
    cord_print("hello, world\n");
    return 0;
}

static int program(void *arg)
{
    const struct plan *plan = arg;
    cord_timer *t = NULL;
    int rc = cord_timer_start(&t, hello, NULL, 0, &(cord_timer_options){ .after = plan->after });
    if (rc == 0 && plan->cancel) {
        if (cord_timer_cancel(t) == CORD_TIMER_CANCELLED) /* and not RUNNING, nor FIRED */
            cord_print("cancelled in time: it will not run\n");
        rc = cord_timer_join(t, CORD_FOREVER); /* its task ends at once */
        cord_print("it ran %d times\n", (int)cord_timer_runs(t));
    }
    cord_timer_free(t); /* drops the handle; cord_run() waits for the timer */
    return rc;
}

int main(int argc, char **argv)
{
    struct plan plan = { .after = 30 * CORD_SECOND, .cancel = argc > 2 && strcmp(argv[2], "cancel") == 0 };
    int rc = argc > 1 ? cord_span_parse(&plan.after, argv[1]) : 0;
    if (rc == 0)
        rc = cord_run(program, &plan, &(cord_run_options){ .signals = CORD_SIGNALS_DEFAULT });
    return cord_report("29_timer", rc < 0 ? rc : 0);
}
