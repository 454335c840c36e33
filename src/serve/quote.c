/* Text as other programs write it: JSON strings as Python's json.dumps, bytes as Python's repr. Both are byte for byte
 * what Python gives, since the seeds' peers and golden files compare them. */
#include <cordage/text.h>

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "rt/park.h"

/* A buffer that is written to its end; it counts on beyond it. */
struct out {
    char *buf;
    size_t size, used;
};

static void put(struct out *out, char c)
{
    if (out->used < out->size)
        out->buf[out->used] = c;
    out->used++;
}

static void put_escape(struct out *out, const char *start, uint32_t value, int digits)
{
    for (; *start; start++)
        put(out, *start);
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
        put(out, "0123456789abcdef"[value >> shift & 15]);
}

/* Ends the text with a NUL: its length, or a failure that leaves "". */
static ssize_t finish(struct out *out, const char *what)
{
    size_t length = out->used;
    put(out, '\0');
    if (out->used <= out->size)
        return (ssize_t)length;
    if (out->size > 0)
        out->buf[0] = '\0';
    return cordi_fail(-EMSGSIZE, "%s: the text needs %zu bytes and the buffer has %zu", what, out->used, out->size);
}

static void put_json(struct out *out, uint32_t c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *special = c && c < 0x80 ? strchr(plain, (int)c) : NULL;
    if (special) {
        put(out, '\\');
        put(out, letter[special - plain]);
    } else if (c >= ' ' && c <= '~') {
        put(out, (char)c);
    } else if (c < 0x10000) {
        put_escape(out, "\\u", c, 4);
    } else {
        put_escape(out, "\\u", 0xd800 + ((c - 0x10000) >> 10), 4);
        put_escape(out, "\\u", 0xdc00 + ((c - 0x10000) & 0x3ff), 4);
    }
}

ssize_t cord_json_quote(char *buf, size_t size, const char *text)
{
    struct out out = { buf, size, 0 };
    size_t left = strlen(text), taken;
    put(&out, '"');
    for (; left > 0; text += taken, left -= taken) {
        uint32_t c;
        put_json(&out, cordi_utf8_read(text, left, &c, &taken) == CORDI_UTF8_OK ? c : 0xfffd);
    }
    put(&out, '"');
    return finish(&out, "json");
}

ssize_t cord_repr_bytes(char *buf, size_t size, const void *bytes, size_t count)
{
    struct out out = { buf, size, 0 };
    const unsigned char *p = bytes;
    bool single = count > 0 && memchr(p, '\'', count), twofold = count > 0 && memchr(p, '"', count);
    char quote = single && !twofold ? '"' : '\'';
    put(&out, 'b');
    put(&out, quote);
    for (size_t i = 0; i < count; i++) {
        const char *special = p[i] ? strchr("\t\n\r", p[i]) : NULL;
        if (special || p[i] == '\\' || p[i] == (unsigned char)quote) {
            put(&out, '\\');
            put(&out, special ? *(p[i] == '\t' ? "t" : p[i] == '\n' ? "n" : "r") : (char)p[i]);
        } else if (p[i] < ' ' || p[i] > '~') {
            put_escape(&out, "\\x", p[i], 2);
        } else {
            put(&out, (char)p[i]);
        }
    }
    put(&out, quote);
    return finish(&out, "repr");
}
