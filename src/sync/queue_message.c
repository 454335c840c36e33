/* sync/queue_message.c - the local queue of messages of any size.
 *
 * A message is copied into memory of its own before the queue is locked, and out of it after that: under the spin bit
 * only pointers move, however large it is. Who finds a waiter on the other side serves it at once, as with items; what
 * a waiter gives or gets is a *letter*, which waiter.item points to.
 *
 * Putters are served in their order. One with a large message that does not fit makes the smaller ones behind it wait:
 * otherwise those could keep it out for ever. So whoever leaves the list, served or not, lets in those behind it that
 * fit now. A getter whose buffer is too small for the message that comes is told so and leaves; the message goes to
 * the next getter, or into the queue.
 *
 * THE INVARIANT: getters that can be claimed wait only while no message is there; putters only while the first of them
 * does not fit or is on its way out.
 */
#include "sync/queue_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EXTRA = 16 }; /* what a message takes beside its bytes */

struct message {
    struct cordi_list link;
    size_t size;
    unsigned char bytes[];
};

struct letter {
    struct message *message; /* to be put; or what was got, NULL: it is larger than the room */
    size_t room;             /* of a getter */
};

void cordi_queue_messages_free(struct cordi_list *messages)
{
    struct cordi_list *item;
    while ((item = cordi_list_take(messages)) != NULL)
        free(CORDI_ITEM(item, struct message, link));
}

static struct message *first_of(const struct cordi_queue_local *queue)
{
    return CORDI_ITEM(queue->messages.next, struct message, link);
}

/* To a getter, or into the queue, where there is room. */
static void deliver(struct cordi_queue_local *queue, struct message *message, struct cordi_list *claimed)
{
    struct cordi_waiter *getter;
    queue->unfinished++;
    while ((getter = cordi_queue_claim_first(&queue->getters)) != NULL) {
        struct letter *letter = getter->item;
        cordi_list_append(claimed, &getter->link);
        if (message->size <= letter->room) {
            letter->message = message;
            return;
        }
    }
    cordi_list_append(&queue->messages, &message->link);
    queue->bytes += message->size + EXTRA;
    cordi_queue_count_set(queue, cordi_queue_count(queue) + 1);
}

static bool fits(const struct cordi_queue_local *queue, const struct message *message)
{
    return queue->bytes + message->size + EXTRA <= queue->limit;
}

/* Putters whose turn has come. */
static void let_in(struct cordi_queue_local *queue, struct cordi_list *claimed)
{
    while (!cordi_list_empty(&queue->putters)) {
        struct cordi_waiter *putter = CORDI_ITEM(queue->putters.next, struct cordi_waiter, link);
        const struct letter *letter = putter->item;
        if (!fits(queue, letter->message))
            return;
        cordi_list_remove(&putter->link);
        if (!cordi_waiter_claim(putter))
            continue;
        cordi_list_append(claimed, &putter->link);
        deliver(queue, letter->message, claimed);
    }
}

static int put_once(struct cordi_queue_local *queue, struct letter *letter, struct cordi_waiter *node)
{
    struct cordi_list claimed;
    int rc = -EAGAIN;
    cordi_list_init(&claimed);
    cordi_queue_lock(queue);
    bool can = cordi_list_empty(&queue->putters) && fits(queue, letter->message);
    if (!can && queue->limit > 0) {
        if (node != NULL) {
            node->item = letter;
            cordi_list_append(&queue->putters, &node->link);
        }
    } else if (node == NULL || cordi_wait_claim()) {
        rc = can ? 0 : -EPIPE;
        if (can)
            deliver(queue, letter->message, &claimed);
    }
    cordi_queue_unlock(queue);
    cordi_wake_list(&claimed);
    return rc;
}

static int get_once(struct cordi_queue_local *queue, struct letter *letter, struct cordi_waiter *node)
{
    struct cordi_list claimed;
    int rc = -EAGAIN;
    cordi_list_init(&claimed);
    cordi_queue_lock(queue);
    bool empty = cordi_list_empty(&queue->messages);
    if (empty && queue->limit > 0) {
        if (node != NULL) {
            node->item = letter;
            cordi_list_append(&queue->getters, &node->link);
        }
    } else if (node == NULL || cordi_wait_claim()) {
        rc = empty ? -EPIPE : first_of(queue)->size > letter->room ? CORD_ETOOLONG : 0;
        if (rc == 0) {
            letter->message = first_of(queue);
            cordi_list_remove(&letter->message->link);
            queue->bytes -= letter->message->size + EXTRA;
            cordi_queue_count_set(queue, cordi_queue_count(queue) - 1);
            let_in(queue, &claimed);
        }
    }
    cordi_queue_unlock(queue);
    cordi_wake_list(&claimed);
    return rc;
}

static void leave(struct cordi_queue_local *queue, struct cordi_waiter *node)
{
    struct cordi_list claimed;
    cordi_list_init(&claimed);
    cordi_queue_lock(queue);
    cordi_list_remove(&node->link);
    let_in(queue, &claimed);
    cordi_queue_unlock(queue);
    cordi_wake_list(&claimed);
}

/* Without a sentence: 0, -EAGAIN, -EPIPE, CORD_ETOOLONG; with the sentence of the wait: -ETIMEDOUT, -ECANCELED. */
static int transfer(struct cordi_queue_local *queue, struct letter *letter, bool put, cord_deadline deadline)
{
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a queue");
    int rc = put ? put_once(queue, letter, NULL) : get_once(queue, letter, NULL);
    if (rc != -EAGAIN || cordi_nowait(deadline))
        return rc;
    struct cordi_waiter node;
    cordi_wait_begin_at_bit(&node, CORDI_CANCELLABLE, put ? "room in a queue" : "an item of a queue");
    rc = put ? put_once(queue, letter, &node) : get_once(queue, letter, &node);
    if (rc != -EAGAIN)
        return rc;
    rc = cordi_park(deadline);
    if (rc < 0)
        leave(queue, &node);
    else if (node.item == NULL)
        rc = -EPIPE;
    else if (letter->message == NULL)
        rc = CORD_ETOOLONG;
    return rc;
}

static int wrong_sort(void)
{
    return cordi_fail(-EINVAL, "queue: it is one of items; use cord_queue_put, cord_queue_get");
}

int cord_queue_put_bytes(cord_queue *queue, const void *bytes, size_t size, cord_deadline deadline)
{
    if (!cordi_queue_of_messages(queue))
        return wrong_sort();
    if (cordi_queue_is_shared(queue))
        return cordi_shared_queue_put_bytes(queue, bytes, size, deadline);
    if (queue->capacity < EXTRA || size > queue->capacity - EXTRA)
        return cordi_fail(-EMSGSIZE, "queue: a message of %zu bytes never fits into %zu; each takes 16 more", size,
                          queue->capacity);
    struct message *message = malloc(sizeof *message + size);
    if (message == NULL)
        return cordi_fail_code(-ENOMEM, "message of %zu bytes", size);
    cordi_list_init(&message->link);
    message->size = size;
    if (size > 0)
        memcpy(message->bytes, bytes, size);
    struct letter letter = { .message = message };
    int rc = transfer((struct cordi_queue_local *)queue, &letter, true, deadline);
    if (rc < 0)
        free(message);
    if (rc == -EPIPE)
        return cordi_fail(rc, "queue: it was shut down");
    return rc == -EAGAIN ? cordi_fail(rc, "queue: it is full, and the call may not wait") : rc;
}

ssize_t cord_queue_get_bytes(cord_queue *queue, void *buf, size_t size, cord_deadline deadline)
{
    if (!cordi_queue_of_messages(queue))
        return wrong_sort();
    if (cordi_queue_is_shared(queue))
        return cordi_shared_queue_get_bytes(queue, buf, size, deadline);
    struct letter letter = { .room = size };
    int rc = transfer((struct cordi_queue_local *)queue, &letter, false, deadline);
    if (rc == CORD_ETOOLONG)
        return cordi_fail(rc, "queue: the next message is larger than %zu bytes", size);
    if (rc == -EPIPE)
        return cordi_fail(rc, "queue: it was shut down, and is empty");
    if (rc < 0)
        return rc == -EAGAIN ? cordi_fail(rc, "queue: it is empty, and the call may not wait") : rc;
    ssize_t count = (ssize_t)letter.message->size;
    if (count > 0)
        memcpy(buf, letter.message->bytes, (size_t)count);
    free(letter.message);
    return count;
}

ssize_t cord_queue_next_size(const cord_queue *given)
{
    if (!cordi_queue_of_messages(given))
        return wrong_sort();
    if (cordi_queue_is_shared(given))
        return cordi_shared_queue_next_size(given);
    struct cordi_queue_local *queue = (struct cordi_queue_local *)(uintptr_t)given;
    ssize_t size = -EAGAIN;
    cordi_queue_lock(queue);
    if (!cordi_list_empty(&queue->messages))
        size = (ssize_t)first_of(queue)->size;
    else if (queue->limit == 0)
        size = -EPIPE;
    cordi_queue_unlock(queue);
    if (size == -EPIPE)
        return cordi_fail(-EPIPE, "queue: it was shut down, and is empty");
    return size == -EAGAIN ? cordi_fail(-EAGAIN, "queue: it is empty") : size;
}
