/* tests/interleave/inbox.c - the inbox of a loop: nothing sent is lost or overtaken, a sleeping owner is woken, and an
 * owner that goes leaves nobody behind. */
#include "runner/interleave.h"

#include "rt/inbox.h"

enum { SENDERS = 2, MOST = 4 };

struct letter {
    struct cordi_list link;
    int sender, number;
};

static struct {
    _Alignas(8) struct cordi_inbox inbox;
    struct letter letters[SENDERS][MOST];
    uint64_t event; /* ends the owner's sleep */
    int taken[SENDERS];
} world;

static void send(void *arg)
{
    int sender = *(const int *)arg;
    for (int i = 0; i < model_rounds(MOST); i++) {
        struct letter *letter = &world.letters[sender][i];
        letter->sender = sender;
        letter->number = i;
        if (cordi_inbox_push(&world.inbox, &letter->link)) {
            model_step("writes the event");
            world.event = 1;
        }
        cordi_inbox_pushed(&world.inbox);
    }
}

static bool event_is_there(void *arg)
{
    (void)arg;
    return world.event != 0;
}

static bool take_all(void)
{
    struct cordi_list *next = cordi_inbox_take(&world.inbox);
    while (next != NULL) {
        struct letter *letter = CORDI_ITEM(next, struct letter, link);
        next = next->next;
        must(letter->number == world.taken[letter->sender]);
        world.taken[letter->sender]++;
        model_gone(letter, sizeof *letter); /* a task may have run and ended by now */
    }
    return world.taken[0] + world.taken[1] == SENDERS * model_rounds(MOST);
}

static void own(void *arg)
{
    int other_events = *(const int *)arg; /* that end a sleep for another reason */
    while (!take_all()) {
        if (cordi_inbox_sleep(&world.inbox)) {
            if (other_events-- > 0)
                model_step("sleeps until something else comes");
            else
                model_wait(event_is_there, NULL, "the event");
        }
        model_step("takes back the event");
        world.event = 0;
        cordi_inbox_awake(&world.inbox);
    }
    while (cordi_inbox_in_use(&world.inbox))
        model_yield();
    model_gone(&world.inbox, sizeof world.inbox);
}

static void setup(void)
{
}

static void check(void)
{
    for (int i = 0; i < SENDERS; i++)
        must(world.taken[i] == model_rounds(MOST));
}

static const int zero = 0, one = 1;

#define TASKS(events)                                                                                                  \
    .tasks = { { "owner", own, (void *)&(events) },                                                                    \
               { "sender A", send, (void *)&zero },                                                                    \
               { "sender B", send, (void *)&one } },                                                                   \
    .setup = setup, .check = check, .state = &world, .size = sizeof world

static const struct model two_senders = {
    .name = "two_senders_and_an_owner_that_ends",
    TASKS(zero),
    .faults = { { "sleep_is_a_release", "cordi_inbox_sleep", "store(&inbox->asleep", WEAKER, 0 },
                { "does_not_look_again", "cordi_inbox_sleep", "load(&inbox->last)", LIES, 0 },
                { "push_overwrites", "cordi_inbox_push", "compare_exchange(&inbox->last", TORN, 0 },
                { "take_forgets", "cordi_inbox_take", "exchange(&inbox->last", TORN, 0 },
                { "nobody_is_counted", "cordi_inbox_in_use", "load(&inbox->senders)", LIES, 0 } },
};
static const struct model other_events = {
    .name = "sleep_that_something_else_ends",
    TASKS(one),
    .faults = { { "sender_does_not_wake", "cordi_inbox_rouse", "load(&inbox->asleep)", LIES, 0 } },
};

int main(int argc, char **argv)
{
    return run_models("interleave_inbox", (const struct model *const[]){ &two_senders, &other_events, NULL }, argc,
                      argv);
}
