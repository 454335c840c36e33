/* A process made from an object: it prints its name, the parent joins it and prints.
 * Note S3 lines 272-285 (row 24). Python: class MyProcess(Process), super().__init__(), run, start, join.
 * Run: ./24_class_join [KIND]      default process */
#include <cordage.h>

struct my_process { /* what the class's self holds; copied for the child */
    char name[32];
};

static int run(void *arg)
{
    struct my_process *self = arg;
    cord_print("%s\n", self->name);
    return 0;
}

int main(int argc, char **argv)
{
    struct my_process self = { "houbinglei" };
    cord_task_options how = { .kind = CORD_PROCESS, .name = self.name };
    cord_task *p = NULL;
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_task_start(&p, run, &self, sizeof self, &how);
    if (rc == 0)
        rc = cord_task_join(p, CORD_FOREVER, NULL);
    if (rc == 0)
        cord_print("主程序\n");
    cord_task_free(p);
    return cord_report("24_class_join", rc);
}
