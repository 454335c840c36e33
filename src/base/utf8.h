/* base/utf8.h - one character of UTF-8 at a time, strict, with Python's answers: what is wrong, and how many bytes are
 * to blame. Surrogates, overlong forms and what lies above U+10FFFF are wrong. */
#ifndef CORDI_BASE_UTF8_H
#define CORDI_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum cordi_utf8_result { CORDI_UTF8_OK, CORDI_UTF8_START, CORDI_UTF8_CONTINUATION, CORDI_UTF8_INCOMPLETE };

/* Reads the first character of `size` > 0 bytes; *taken tells its length. Of bytes that are none: *taken tells how
 * many are to blame. INCOMPLETE: the bytes end in the middle of a character that may still be completed. */
enum cordi_utf8_result cordi_utf8_read(const void *bytes, size_t size, uint32_t *character, size_t *taken);

/* Writes a character (which must be one) to at most 4 bytes; how many. */
size_t cordi_utf8_write(char *buf, uint32_t character);

#endif
