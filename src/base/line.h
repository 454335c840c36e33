/* base/line.h - a line of text put together in a signal handler, where printf(3) is not allowed. What is too long is
 * cut. */
#ifndef CORDI_BASE_LINE_H
#define CORDI_BASE_LINE_H

#include <stddef.h>
#include <stdint.h>

struct cordi_line {
    size_t length;
    char text[512];
};

static inline void cordi_line_add(struct cordi_line *line, const char *text)
{
    while (*text != '\0' && line->length < sizeof line->text)
        line->text[line->length++] = *text++;
}

static inline void cordi_line_number(struct cordi_line *line, uint64_t number, unsigned base)
{
    char digits[24], *first = digits + sizeof digits;
    *--first = '\0';
    do
        *--first = "0123456789abcdef"[number % base];
    while ((number /= base) != 0);
    cordi_line_add(line, first);
}

#endif
