/* rt/debug.c - CORD_DEBUG; see debug.h. */
#include "rt/debug.h"

#include <stdlib.h>
#include <string.h>

#include "rt/park.h"

static const char *const choices[] = { "dump", "turns", "stacks" }; /* in the order of the bits */
enum { CHOICES = sizeof choices / sizeof *choices };

static uint32_t parse(const char *text)
{
    uint32_t asked = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        int choice = 0;
        while (choice < CHOICES && (strlen(choices[choice]) != length || memcmp(text, choices[choice], length) != 0))
            choice++;
        if (choice < CHOICES)
            asked |= (uint32_t)1 << choice;
        else if (length > 0)
            cordi_log("CORD_DEBUG: \"%.*s\" is unknown; choose dump, turns or stacks, with commas between",
                      length < 40 ? (int)length : 40, text);
        text += length + (text[length] == ',');
    }
    return asked;
}

void cordi_debug_start(void)
{
    const char *text = getenv("CORD_DEBUG");
    if (text != NULL)
        atomic_store_explicit(&cordi_runtime.debug, parse(text), memory_order_relaxed);
}
