/* Text for programs that talk: print, input, strip, numbers.
 *
 * A print is formatted whole and written with one write(2), so that lines of several tasks and processes never tear,
 * and nothing stays in a buffer that a killed child would lose or a forked one would print twice. (stdio was rejected
 * for both reasons.) A coroutine has a small stack: what does not fit in 4 KiB is formatted on the heap.
 *
 * input reads through a socket on descriptor 0, made once per process, so that only the calling task waits; its read
 * buffer is what lets several tasks and several calls share one stdin.
 */
#include <cordage/text.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordage/lock.h>
#include <cordage/stream.h>

#include "base/utf8.h"
#include "rt/park.h"
#include "sys/output.h"

enum { PRINT_MAX = 64 * 1024, PRINT_SMALL = 4096 };

static ssize_t print_bytes(const char *text, size_t size)
{
    int rc = cordi_output_write(1, text, size);
    return rc < 0 ? cordi_fail_code(rc, "stdout") : (ssize_t)size;
}

ssize_t cord_vprint(const char *format, va_list args)
{
    char small[PRINT_SMALL];
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(small, sizeof small, format, args);
    ssize_t rc;
    if (length < 0) {
        rc = cordi_fail(-EINVAL, "print: the format does not fit its arguments");
    } else if (length > PRINT_MAX) {
        rc = cordi_fail(-EMSGSIZE, "print: %d bytes; at most %d go out in one piece", length, PRINT_MAX);
    } else if ((size_t)length < sizeof small) {
        rc = print_bytes(small, (size_t)length);
    } else {
        char *large = malloc((size_t)length + 1);
        if (large) {
            vsnprintf(large, (size_t)length + 1, format, again);
            rc = print_bytes(large, (size_t)length);
        } else {
            rc = cordi_fail_code(-ENOMEM, "print");
        }
        free(large);
    }
    va_end(again);
    return rc;
}

ssize_t cord_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ssize_t rc = cord_vprint(format, args);
    va_end(args);
    return rc;
}

/* The process's one socket on stdin. It is never closed: descriptor 0 belongs to the program. */
static int stdin_socket(cord_socket *ret)
{
    static cord_lock lock = CORD_LOCK_INIT;
    static cord_socket input;
    int rc = cord_lock_acquire(&lock, CORD_FOREVER);
    if (rc < 0)
        return rc;
    rc = input.id ? 0 : cord_connect(&input, "fd:0", NULL, CORD_FOREVER);
    *ret = input;
    cord_lock_release(&lock);
    return rc;
}

/* Takes the rest of a line that is too long, up to its newline. */
static int skip_line(cord_socket in, cord_deadline deadline)
{
    char piece[512];
    for (;;) {
        ssize_t n = cord_peek(in, piece, sizeof piece, deadline);
        if (n <= 0)
            return (int)n;
        char *newline = memchr(piece, '\n', (size_t)n);
        n = cord_read_exact(in, piece, newline ? (size_t)(newline - piece) + 1 : (size_t)n, deadline);
        if (n < 0 || newline)
            return n < 0 ? (int)n : 0;
    }
}

ssize_t cord_input(const char *prompt, char *buf, size_t size, cord_deadline deadline)
{
    if (size == 0)
        return cordi_fail(-EINVAL, "input: a buffer of no bytes");
    buf[0] = '\0';
    if (prompt && *prompt) {
        ssize_t rc = print_bytes(prompt, strlen(prompt));
        if (rc < 0)
            return rc;
    }
    cord_socket in;
    int opened = stdin_socket(&in);
    if (opened == -EBADF)
        return 0; /* started with stdin closed: there is no input */
    if (opened < 0)
        return opened;
    ssize_t n = cord_read_line(in, buf, size, deadline);
    if (n != CORD_ETOOLONG)
        return n;
    int rc = skip_line(in, deadline);
    buf[0] = '\0';
    return rc < 0 ? rc : cordi_fail(CORD_ETOOLONG, "stdin: a line longer than %zu bytes; it was skipped", size - 1);
}

/* Python's str.isspace. */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

char *cord_strip(char *text)
{
    char *start = text, *end = NULL; /* end: behind the last character that is no space */
    size_t left = strlen(text), taken;
    for (char *p = text; left > 0; p += taken, left -= taken) {
        uint32_t c;
        if (cordi_utf8_read(p, left, &c, &taken) == CORDI_UTF8_OK && is_space(c)) {
            start = end ? start : p + taken;
            continue;
        }
        end = p + taken;
    }
    *(end ? end : start) = '\0';
    return start;
}

/* The value of a decimal digit in any script (Unicode's Nd, as Python's int takes it), -1 for other characters. Each
 * script's ten digits follow each other; this is where they begin. */
static int digit_value(uint32_t c)
{
    static const uint32_t zeros[] = {
        0x30,    0x660,   0x6f0,   0x7c0,   0x966,   0x9e6,   0xa66,   0xae6,   0xb66,   0xbe6,   0xc66,
        0xce6,   0xd66,   0xde6,   0xe50,   0xed0,   0xf20,   0x1040,  0x1090,  0x17e0,  0x1810,  0x1946,
        0x19d0,  0x1a80,  0x1a90,  0x1b50,  0x1bb0,  0x1c40,  0x1c50,  0xa620,  0xa8d0,  0xa900,  0xa9d0,
        0xa9f0,  0xaa50,  0xabf0,  0xff10,  0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0,
        0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60,
        0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
    };
    if (c < 0x80)
        return c >= '0' && c <= '9' ? (int)(c - '0') : -1;
    for (size_t i = 1; i < sizeof zeros / sizeof zeros[0]; i++)
        if (c >= zeros[i] && c < zeros[i] + 10)
            return (int)(c - zeros[i]);
    return -1;
}

/* Skips white space; what follows. */
static const char *skip_space(const char *p)
{
    uint32_t c;
    size_t taken;
    while (*p && cordi_utf8_read(p, strlen(p), &c, &taken) == CORDI_UTF8_OK && is_space(c))
        p += taken;
    return p;
}

static int not_a_number(const char *text)
{
    const char *quote = strchr(text, '\'') && !strchr(text, '"') ? "\"" : "'";
    return cordi_fail(-EINVAL, "invalid literal for int() with base 10: %s%.80s%s", quote, text, quote);
}

int cord_int_parse(int64_t *ret, const char *text)
{
    const char *p = skip_space(text);
    bool negative = *p == '-', overflow = false, digits = false;
    p += *p == '-' || *p == '+';
    int64_t value = 0; /* kept negative, since there is one more negative number */
    while (*p) {
        uint32_t c;
        size_t taken;
        if (digits && *p == '_')
            p++;
        int digit = *p && cordi_utf8_read(p, strlen(p), &c, &taken) == CORDI_UTF8_OK ? digit_value(c) : -1;
        if (digit < 0 && p > text && p[-1] == '_')
            return not_a_number(text);
        if (digit < 0)
            break;
        overflow |= __builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value);
        digits = true;
        p += taken;
    }
    if (!digits || *skip_space(p) != '\0')
        return not_a_number(text);
    if (overflow || (!negative && value == INT64_MIN))
        return cordi_fail(-ERANGE, "%.80s: a number beyond 64 bits", text);
    *ret = negative ? value : -value;
    return 0;
}

void cord_upper(void *buf, size_t size)
{
    unsigned char *p = buf;
    for (size_t i = 0; i < size; i++)
        p[i] = (unsigned char)(p[i] >= 'a' && p[i] <= 'z' ? p[i] - 32 : p[i]);
}
