/* sys/place.c - dladdr(3), which knows the loaded files and the names that these export. A program's own functions are
 * among them only when it is linked with -rdynamic; the table of all names in the file is left to addr2line, which
 * knows the lines too. */
#include "sys/place.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>

bool cordi_place_find(struct cordi_place *ret, const void *return_address)
{
    Dl_info info;
    if (return_address == NULL)
        return false;
    const char *call = (const char *)return_address - 1; /* what comes after the call may be another line */
    if (dladdr(call, &info) == 0 || info.dli_fname == NULL)
        return false;
    const ElfW(Ehdr) *head = info.dli_fbase; /* a program at a fixed address is numbered by address */
    *ret = (struct cordi_place){
        .file = info.dli_fname,
        .number = (uintptr_t)call - (head->e_type == ET_EXEC ? 0 : (uintptr_t)info.dli_fbase),
        .name = info.dli_sname,
        .offset = info.dli_sname != NULL ? (size_t)(call - (const char *)info.dli_saddr) : 0,
    };
    return true;
}

void cordi_place_text(char *text, size_t size, const void *return_address)
{
    struct cordi_place place;
    if (!cordi_place_find(&place, return_address))
        snprintf(text, size, "%p", return_address);
    else if (place.name != NULL)
        snprintf(text, size, "%s+%#zx (%s+%#zx)", place.name, place.offset, place.file, place.number);
    else
        snprintf(text, size, "%s+%#zx", place.file, place.number);
}
