/* The ticket seller: many buyers, one file, one lock for all of them; as processes, threads or coroutines.
 * Note S3 lines 308-341 (row 26). Python: multiprocessing.Process, Lock, json.load, json.dump.
 * Run: echo '{"count": 3}' > ticket_db.py && ./tickets [KIND [BUYERS]]      default: process 20
 * Other than in the note, the file is replaced in one step, so that nobody ever reads half of it, and a buyer that is
 * killed inside the lock does not keep it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include <cordage.h>

#define DATABASE "ticket_db.py" /* JSON, whatever its name says */

static int tickets_read(void) /* how many are left, or -errno */
{
    int count;
    FILE *file = fopen(DATABASE, "r");
    if (file == NULL)
        return -errno;
    json_t *db = json_loadf(file, 0, NULL);
    int rc = json_unpack(db, "{s:i}", "count", &count) == 0 ? count : -EINVAL;
    json_decref(db);
    fclose(file);
    cord_sleep(100 * CORD_MILLISECOND); /* as the note does: gives the others a chance to get between */
    return rc;
}

static int tickets_write(int count) /* 0 or -errno */
{
    cord_sleep(100 * CORD_MILLISECOND);
    FILE *file = fopen(DATABASE ".new", "w");
    if (file == NULL)
        return -errno;
    int failed = fprintf(file, "{\"count\": %d}", count) < 0;
    failed |= fclose(file) != 0;
    if (failed)
        return -EIO;
    return rename(DATABASE ".new", DATABASE) == 0 ? 0 : -errno;
}

struct buyer {
    int number;
    cord_lock *office;
};

static int buy(void *arg)
{
    struct buyer *me = arg;
    cord_print("%d查询余票 :  %d\n", me->number, tickets_read());
    int rc = cord_lock_acquire(me->office, CORD_FOREVER); /* 1 (CORD_OWNER_DIED): its last owner died holding it */
    if (rc < 0)
        return rc;
    int left = tickets_read();
    rc = left > 0 ? tickets_write(left - 1) : left;
    cord_lock_release(me->office);
    cord_print(left > 0 && rc == 0 ? "%d购票成功\n" : "购票失败\n", me->number);
    return rc;
}

int main(int argc, char **argv)
{
    cord_group_options how = { .task.kind = CORD_PROCESS };
    cord_lock *office;
    cord_group *buyers = NULL;
    int count = argc > 2 ? atoi(argv[2]) : 20;
    int rc = argc > 1 ? cord_kind_parse(&how.task.kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_lock_new(&office, CORD_SHARED); /* the same type and calls as any other lock */
    if (rc == 0)
        rc = cord_group_new(&buyers, &how);
    for (int i = 0; i < count && rc == 0; i++)
        rc = cord_group_start(buyers, buy, &(struct buyer){ i, office }, sizeof(struct buyer));
    return cord_report("tickets", rc < 0 ? rc : cord_group_join(buyers, CORD_FOREVER));
}
