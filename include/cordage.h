/* cordage.h - everything cordage offers; each subject also has a header of its own.
 * A task runs as a coroutine, a thread, a process or in place: its kind is a parameter (task.h). */
#ifndef CORDAGE_H
#define CORDAGE_H

#include <cordage/address.h>
#include <cordage/datagram.h>
#include <cordage/error.h>
#include <cordage/event.h>
#include <cordage/group.h>
#include <cordage/local.h>
#include <cordage/lock.h>
#include <cordage/option.h>
#include <cordage/pool.h>
#include <cordage/queue.h>
#include <cordage/run.h>
#include <cordage/select.h>
#include <cordage/server.h>
#include <cordage/shared.h>
#include <cordage/socket.h>
#include <cordage/stream.h>
#include <cordage/task.h>
#include <cordage/text.h>
#include <cordage/time.h>
#include <cordage/timer.h>

#endif
