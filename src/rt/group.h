/* rt/group.h - what a task tells its group. */
#ifndef CORDI_RT_GROUP_H
#define CORDI_RT_GROUP_H

struct cord_group;
struct cord_task;

void cordi_group_add(struct cord_group *group, struct cord_task *task);    /* before it starts */
void cordi_group_remove(struct cord_group *group, struct cord_task *task); /* it could not start */
void cordi_group_ended(struct cord_group *group, struct cord_task *task);  /* how and value are set */

#endif
