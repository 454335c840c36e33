/* UTF-8, read as RFC 3629 and Python's decoder do. The second byte alone decides whether a form is overlong, a
 * surrogate or too large, so its range depends on the first; every later byte is 0x80..0xbf. */
#include "base/utf8.h"

#include <stdbool.h>

static bool second_fits(unsigned first, unsigned second)
{
    unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high;
}

enum cordi_utf8_result cordi_utf8_read(const void *bytes, size_t size, uint32_t *character, size_t *taken)
{
    const unsigned char *p = bytes;
    unsigned first = p[0];
    *taken = 1;
    *character = first;
    if (first < 0x80)
        return CORDI_UTF8_OK;
    if (first < 0xc2 || first > 0xf4)
        return CORDI_UTF8_START;

    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t c = first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        *taken = i;
        if (i == size)
            return CORDI_UTF8_INCOMPLETE;
        if (i == 1 ? !second_fits(first, p[1]) : (p[i] & 0xc0) != 0x80)
            return CORDI_UTF8_CONTINUATION;
        c = c << 6 | (p[i] & 0x3fu);
    }
    *taken = length;
    *character = c;
    return CORDI_UTF8_OK;
}

size_t cordi_utf8_write(char *buf, uint32_t character)
{
    if (character < 0x80) {
        buf[0] = (char)character;
        return 1;
    }
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, character >>= 6)
        buf[i] = (char)(0x80 | (character & 0x3f));
    buf[0] = (char)((0xf00u >> length & 0xf0u) | character);
    return length;
}
