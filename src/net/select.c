/* net/select.c - cord_select(): the first of several things. In net, since it knows sockets, and the objects of sync.
 *
 * All things are tried in the order of the list. If none is ready, one wait is begun with a node for each thing, all of
 * one number: so one claim decides (rt/park.h). A node is linked by trying once more under the object's own spin bit.
 * A try that can be done then first ends the wait itself, and only if that goes well takes anything: so what happens is
 * this try, or what another task did to an earlier node, and never both. After it all other nodes are taken out.
 *
 * A descriptor, and an object of several processes, only hints that it is ready: the answer is then to go round again.
 * The turn of a socket's direction, which readers hold too, is taken by the first look and kept to the end; while
 * another task has it, the node waits for the turn, which is a hint as well.
 *
 * THE INVARIANT: a call answers with exactly one thing done, or with none; when it returns, no node is in any list, and
 * no turn is its own.
 *
 * Rejected: to take what is ready with nodes linked elsewhere and to pass on what these were given (a queue's item
 * would have to be put back to the front), and a task for each thing.
 */
#include <cordage/select.h>

#include <errno.h>
#include <limits.h>

#include "net/socket.h"
#include "rt/io.h"
#include "rt/park.h"
#include "rt/words.h"
#include "sync/select.h"
#include "sync/shared.h"

_Static_assert((int)CORD_CHOICES <= (int)CORDI_IO_WATCHES, "each may be a socket");

enum { AGAIN = INT_MIN }; /* an answer: nothing yet, look at all once more */

/* One choice in one call. What comes from `io` on is a socket's. */
struct place {
    cord_choice *choice;
    struct cordi_waiter node;
    bool shared;
    struct cordi_word_wait words; /* of a shared object, while it is waited for */
    int listened;                 /* how that began: 0: it is ready; -EAGAIN: words.sleep says what to sleep on */
    uint64_t since;               /* how often a shared event had been set when the call began */
    struct cordi_io *io;          /* entered; NULL: not yet */
    enum cordi_direction direction;
    bool turn;                                                     /* is ours */
    enum { NOWHERE, FOR_TURN, FOR_NEWS, FOR_A_MILLISECOND } waits; /* in this wait */
};

static bool of_socket(const cord_choice *choice)
{
    return choice->readable.id != 0 || choice->writable.id != 0;
}

/* ---- sockets ---- */

static bool has_kept(const struct cordi_io *io)
{
    const struct cordi_reader *reader = cordi_socket_of(io)->reader;
    return reader != NULL && reader->start < reader->end;
}

static int look_at_socket(struct place *place)
{
    if (place->io == NULL)
        place->io = cordi_io_get(place->choice->readable.id | place->choice->writable.id);
    if (place->io == NULL)
        return -EBADF;
    if (!place->turn)
        place->turn = cordi_io_turn(place->io, place->direction, CORD_NOWAIT) == 0;
    if (!place->turn)
        return -EAGAIN;
    int rc = cordi_io_look(place->io, place->direction);
    return rc == -EAGAIN && place->direction == CORDI_READ && has_kept(place->io) ? 0 : rc;
}

static int list_socket(struct place *place)
{
    int rc;
    if (place->turn) {
        rc = cordi_io_list(place->io, place->direction, &place->node);
        place->waits = rc == -EAGAIN ? FOR_NEWS : rc == -ENOSPC ? FOR_A_MILLISECOND : NOWHERE;
    } else {
        rc = cordi_io_turn_list(place->io, place->direction, &place->node);
        place->waits = rc == -EAGAIN ? FOR_TURN : NOWHERE;
        place->turn = rc == 0;
    }
    if (place->waits != NOWHERE || !cordi_wait_claim())
        return -EAGAIN;
    return rc == 0 ? AGAIN : rc;
}

static void leave_socket(struct place *place)
{
    if (place->waits == FOR_TURN)
        cordi_io_turn_unlist(place->io, &place->node);
    else if (place->waits == FOR_NEWS)
        cordi_io_unlist(place->io, place->direction, &place->node);
    place->waits = NOWHERE;
}

static void put_socket(struct place *place)
{
    if (place->io == NULL)
        return;
    if (place->turn)
        cordi_io_turn_end(place->io, place->direction);
    cordi_io_put(place->io);
}

/* ---- objects of several processes: waited for at words of memory ---- */

static bool is_shared(const cord_choice *choice)
{
    return (choice->get != NULL && cordi_is_shared((const uint64_t *)&choice->get->word)) ||
           (choice->put != NULL && cordi_is_shared((const uint64_t *)&choice->put->word)) ||
           (choice->event != NULL && cordi_is_shared(&choice->event->word)) ||
           (choice->sem != NULL && cordi_is_shared(&choice->sem->word));
}

static int try_shared(const struct place *place)
{
    const cord_choice *choice = place->choice;
    if (choice->event != NULL)
        return cordi_shared_event_is_set(choice->event) || place->since != cordi_shared_event_count(choice->event)
                   ? 0
                   : -EAGAIN;
    if (choice->sem != NULL)
        return cordi_shared_sem_try(choice->sem);
    return cordi_shared_queue_try(choice->get != NULL ? choice->get : choice->put, choice->item, choice->put != NULL);
}

/* Before the wait, since it may have to wait for the lock of a queue: what there is to sleep on. */
static int listen_to_shared(struct place *place)
{
    const cord_choice *choice = place->choice;
    struct cordi_sleep *sleep = &place->words.sleep;
    if (choice->event != NULL)
        return cordi_shared_event_listen(choice->event, sleep);
    if (choice->sem != NULL)
        return cordi_shared_sem_listen(choice->sem, sleep);
    return cordi_shared_queue_listen(choice->get != NULL ? choice->get : choice->put, choice->put != NULL, sleep);
}

static int list_shared(struct place *place)
{
    if (place->listened == 0)
        return cordi_wait_claim() ? AGAIN : -EAGAIN;
    place->words.node = &place->node;
    if (place->listened != -EAGAIN || cordi_words_add(&place->words) < 0) /* more words than can be watched */
        place->waits = FOR_A_MILLISECOND;
    return -EAGAIN;
}

/* ---- each thing ---- */

/* As sync/select.h says, and AGAIN, with the wait ended. */
static int try_one(struct place *place, struct cordi_waiter *node)
{
    const cord_choice *choice = place->choice;
    if (place->shared)
        return node == NULL ? try_shared(place) : list_shared(place);
    if (choice->get != NULL)
        return cordi_queue_try(choice->get, choice->item, false, node);
    if (choice->put != NULL)
        return cordi_queue_try(choice->put, choice->item, true, node);
    if (choice->event != NULL)
        return cordi_event_try(choice->event, node);
    if (choice->sem != NULL)
        return cordi_sem_try(choice->sem, node);
    if (choice->task != NULL)
        return cordi_task_end_try(choice->task, node);
    return node == NULL ? look_at_socket(place) : list_socket(place);
}

static void leave_one(struct place *place)
{
    const cord_choice *choice = place->choice;
    if (place->shared)
        cordi_words_remove(&place->words);
    else if (choice->get != NULL || choice->put != NULL)
        cordi_queue_leave(choice->get != NULL ? choice->get : choice->put, &place->node);
    else if (choice->event != NULL)
        cordi_event_leave(choice->event, &place->node);
    else if (choice->sem != NULL)
        cordi_sem_leave(choice->sem, &place->node);
    else if (choice->task != NULL)
        cordi_task_end_leave(choice->task, &place->node);
    else
        leave_socket(place);
}

/* What its node was claimed for: as try_one(). */
static int was_claimed(struct place *place)
{
    const cord_choice *choice = place->choice;
    if (place->shared)
        return AGAIN;
    if (of_socket(choice)) {
        if (place->waits == FOR_TURN)
            place->turn = place->node.item == NULL; /* else it is being closed */
        else
            leave_socket(place); /* the event may be somebody else's in the end */
        return AGAIN;
    }
    bool of_queue = choice->get != NULL || choice->put != NULL;
    return of_queue && place->node.item == NULL ? -EPIPE : 0;
}

/* ---- all of them ---- */

/* The answer of the call: this one it was. */
static int first_is(struct place *places, size_t index, int rc)
{
    struct place *place = &places[index];
    place->choice->result = rc;
    if (rc == -EPIPE)
        (void)cordi_fail(rc, "queue: it was shut down%s", place->choice->get != NULL ? ", and is empty" : "");
    else if (rc == -EBADF && place->io != NULL)
        (void)cordi_socket_fail(cordi_socket_of(place->io), rc);
    else if (rc < 0)
        (void)cordi_fail_code(rc, "the socket is closed");
    return (int)index;
}

static int try_all(struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int rc = try_one(&places[i], NULL);
        if (rc != -EAGAIN)
            return first_is(places, i, rc);
    }
    return -EAGAIN;
}

static int park(const struct place *places, size_t count, cord_deadline deadline)
{
    struct cordi_io_watch watches[CORD_CHOICES];
    cord_deadline until = deadline;
    unsigned watched = 0;
    for (size_t i = 0; i < count; i++) {
        if (places[i].waits == FOR_NEWS)
            watches[watched++] = (struct cordi_io_watch){ places[i].io, places[i].direction };
        if (places[i].waits == FOR_A_MILLISECOND && cord_left(deadline) > CORD_MILLISECOND)
            until = cord_in(CORD_MILLISECOND);
    }
    int rc = cordi_io_park(watches, watched, until);
    return rc > 0 || (rc == -ETIMEDOUT && until.at != deadline.at) ? AGAIN : rc;
}

/* The index of the first; AGAIN; or how the wait failed. */
static int wait_for_one(struct place *places, size_t count, cord_deadline deadline)
{
    struct cordi_waiter first, *winner = NULL;
    size_t tried = 0;
    int rc = -EAGAIN;
    for (size_t i = 0; i < count; i++)
        if (places[i].shared)
            places[i].listened = listen_to_shared(&places[i]);
    cordi_wait_begin(&first, CORDI_CANCELLABLE, "the first of several");
    while (tried < count && rc == -EAGAIN) {
        struct place *place = &places[tried++];
        cordi_wait_join(&place->node, &first);
        place->waits = NOWHERE;
        rc = try_one(place, &place->node);
    }
    int answer = rc;
    if (rc != -EAGAIN && rc != AGAIN)
        answer = first_is(places, tried - 1, rc);
    else if (rc == -EAGAIN) {
        answer = park(places, count, deadline);
        winner = answer == 0 ? cordi_wait_winner() : NULL;
    }
    for (size_t i = 0; i < tried; i++) {
        if (winner != &places[i].node) {
            leave_one(&places[i]);
            continue;
        }
        rc = was_claimed(&places[i]);
        answer = rc == AGAIN ? AGAIN : first_is(places, i, rc);
    }
    return answer;
}

/* ---- the call ---- */

static int prepare(struct place *place, cord_choice *choice)
{
    const cord_queue *queue = choice->get != NULL ? choice->get : choice->put;
    int set = (choice->get != NULL) + (choice->put != NULL) + (choice->event != NULL) + (choice->sem != NULL) +
              (choice->task != NULL) + (choice->readable.id != 0) + (choice->writable.id != 0);
    if (set != 1)
        return cordi_fail(-EINVAL, "select: a choice sets %d things, not one", set);
    if (queue != NULL && queue->item_size == 0)
        return cordi_fail(-EINVAL, "select: a queue of messages is no choice");
    if (queue != NULL && choice->item == NULL)
        return cordi_fail(-EINVAL, "select: the choice of a queue has no item");
    place->choice = choice;
    place->shared = is_shared(choice);
    place->since = place->shared && choice->event != NULL ? cordi_shared_event_count(choice->event) : 0;
    cordi_list_init(&place->words.link);
    place->io = NULL;
    place->direction = choice->writable.id != 0 ? CORDI_WRITE : CORDI_READ;
    place->turn = false;
    return 0;
}

int cord_select(cord_choice *choices, size_t count, cord_deadline deadline)
{
    struct place places[CORD_CHOICES];
    int answer = 0;
    if (count > CORD_CHOICES)
        return cordi_fail(-EINVAL, "select: %zu choices; there may be %d", count, CORD_CHOICES);
    for (size_t i = 0; i < count; i++)
        if ((answer = prepare(&places[i], &choices[i])) < 0)
            return answer;
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for the first of several");
    bool waited = false;
    do {
        answer = try_all(places, count);
        if (answer != -EAGAIN)
            break;
        if (cordi_nowait(deadline))
            answer = cordi_fail(-EAGAIN, "select: nothing is ready, and the call may not wait");
        else if (waited && cord_left(deadline) == 0) /* hints that bring nothing, again and again */
            answer = cordi_fail(-ETIMEDOUT, "timed out waiting for the first of several");
        else
            answer = wait_for_one(places, count, deadline);
        waited = true;
    } while (answer == AGAIN);
    for (size_t i = 0; i < count; i++)
        put_socket(&places[i]);
    return answer;
}
