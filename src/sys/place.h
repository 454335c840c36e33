/* sys/place.h - where in which file an address of code lies.
 *
 * As text "main+0x1f (./prog+0x1234)", or without the name where the file does not export it; then
 * `addr2line -e ./prog 0x1234` gives the line. */
#ifndef CORDI_SYS_PLACE_H
#define CORDI_SYS_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct cordi_place {
    const char *file;
    size_t number;    /* in the file, as addr2line knows it */
    const char *name; /* of the function, or NULL */
    size_t offset;    /* from its beginning */
};

/* Of the call that returns there. False: in no file. */
bool cordi_place_find(struct cordi_place *ret, const void *return_address);
void cordi_place_text(char *text, size_t size, const void *return_address);

#endif
