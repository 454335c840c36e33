/* Encodings: utf-8, gbk, gb18030, ascii, latin-1 with Python's answers, sentences and positions.
 *
 * The borders of characters are found here, one character at a time, and glibc's iconv is only asked what a complete
 * one means: so errors have Python's place and words, a character that is split over two reads is known as such, and
 * no state is kept in iconv. It is opened at the first character that is not ASCII. Python's gbk is glibc's without
 * the euro sign at 0x80. gb18030 is glibc's edition (2005), which gives 24 rare characters their own code points
 * where Python (edition 2000) gives private ones. Own tables were rejected: 100 KiB for what libc has.
 */
#include <cordage/text.h>

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "rt/park.h"

enum codec { UTF8, GBK, GB18030, ASCII, LATIN1, CODECS };

static const char *const codec_names[CODECS] = { "utf-8", "gbk", "gb18030", "ascii", "latin-1" };

/* One conversion under way, and where its result goes. */
struct conversion {
    enum codec codec;
    cord_on_error on_error;
    iconv_t iconv; /* (iconv_t)-1: not opened yet */
    char *buf;
    size_t size, used;
    uint64_t position; /* of the next character in the whole input: bytes when decoding, characters when encoding */
};

/* What one character became. */
struct step {
    size_t taken;       /* of the input */
    size_t length;      /* of out */
    const char *reason; /* not NULL: it is none, for this reason */
    bool incomplete;    /* it may become one when more input comes */
    char out[8];
};

/* Case and the difference between - and _ do not matter, as in Python. */
static int find_codec(const char *name)
{
    static const struct {
        const char *name;
        enum codec codec;
    } names[] = { { "utf-8", UTF8 },     { "utf8", UTF8 },       { "gbk", GBK },          { "cp936", GBK },
                  { "936", GBK },        { "gb18030", GB18030 }, { "ascii", ASCII },      { "us-ascii", ASCII },
                  { "latin-1", LATIN1 }, { "latin1", LATIN1 },   { "iso-8859-1", LATIN1 } };
    char plain[16];
    if (strlen(name) < sizeof plain) {
        for (size_t i = 0; i <= strlen(name); i++)
            plain[i] = name[i] == '_' ? '-' : name[i];
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strcasecmp(plain, names[i].name) == 0)
                return (int)names[i].codec;
    }
    return cordi_fail(-EINVAL, "unknown encoding \"%.40s\": choose utf-8, gbk, gb18030, ascii or latin-1", name);
}

static int begin(struct conversion *c, const char *encoding, cord_on_error on_error, char *buf, size_t size)
{
    int codec = find_codec(encoding);
    if (codec < 0)
        return codec;
    *c = (struct conversion){
        .codec = (enum codec)codec, .on_error = on_error, .iconv = (iconv_t)-1, .buf = buf, .size = size
    };
    return 0;
}

static ssize_t end(struct conversion *c, ssize_t rc)
{
    if (c->iconv != (iconv_t)-1)
        iconv_close(c->iconv);
    return rc;
}

static int put(struct conversion *c, const char *bytes, size_t count)
{
    if (c->size - c->used < count)
        return cordi_fail(-EMSGSIZE, "%s: the result is longer than %zu bytes", codec_names[c->codec], c->size);
    memcpy(c->buf + c->used, bytes, count);
    c->used += count;
    return 0;
}

/* Asks iconv about one complete character. */
static int convert(struct conversion *c, bool decoding, const unsigned char *in, struct step *step)
{
    if (c->iconv == (iconv_t)-1) {
        const char *name = c->codec == GBK ? "GBK" : "GB18030";
        c->iconv = decoding ? iconv_open("UTF-8", name) : iconv_open(name, "UTF-8");
        if (c->iconv == (iconv_t)-1)
            return cordi_fail(-EINVAL, "%s: this system has no conversion for it (glibc's gconv modules are missing)",
                              codec_names[c->codec]);
    }
    char copy[8], *from = copy, *to = step->out;
    size_t from_left = step->taken, to_left = sizeof step->out;
    memcpy(copy, in, step->taken);
    iconv(c->iconv, NULL, NULL, NULL, NULL);
    if (iconv(c->iconv, &from, &from_left, &to, &to_left) != 0 || from_left > 0)
        step->reason = "illegal multibyte sequence";
    step->length = sizeof step->out - to_left;
    return 0;
}

static void decode_utf8(const unsigned char *in, size_t count, struct step *step)
{
    uint32_t character;
    switch (cordi_utf8_read(in, count, &character, &step->taken)) {
    case CORDI_UTF8_OK:
        step->length = step->taken;
        memcpy(step->out, in, step->taken);
        break;
    case CORDI_UTF8_START:
        step->reason = "invalid start byte";
        break;
    case CORDI_UTF8_CONTINUATION:
        step->reason = "invalid continuation byte";
        break;
    case CORDI_UTF8_INCOMPLETE:
        step->reason = "unexpected end of data";
        step->incomplete = true;
        break;
    }
}

/* GBK and GB18030: two bytes, or four when the second is a digit in GB18030. What is wrong costs one byte. */
static int decode_gb(struct conversion *c, const unsigned char *in, size_t count, struct step *step)
{
    bool four = c->codec == GB18030 && count > 1 && in[1] >= 0x30 && in[1] <= 0x39;
    size_t length = four ? 4 : 2;
    if (count < length) {
        step->taken = count;
        step->reason = "incomplete multibyte sequence";
        step->incomplete = true;
        return 0;
    }
    step->taken = length;
    int rc = 0;
    if (in[0] == 0x80 || in[0] == 0xff || (four && (in[2] < 0x81 || in[2] > 0xfe || in[3] < 0x30 || in[3] > 0x39)))
        step->reason = "illegal multibyte sequence";
    else
        rc = convert(c, true, in, step);
    if (step->reason)
        step->taken = 1;
    return rc;
}

static int decode_step(struct conversion *c, const unsigned char *in, size_t count, struct step *step)
{
    *step = (struct step){ .taken = 1, .length = 1 };
    if (in[0] < 0x80)
        step->out[0] = (char)in[0];
    else if (c->codec == UTF8)
        decode_utf8(in, count, step);
    else if (c->codec == LATIN1)
        step->length = cordi_utf8_write(step->out, in[0]);
    else if (c->codec == ASCII)
        step->reason = "ordinal not in range(128)";
    else
        return decode_gb(c, in, count, step);
    return 0;
}

static int decode_error(const struct conversion *c, const struct step *step, unsigned first)
{
    unsigned long long at = c->position;
    if (step->taken == 1)
        return cordi_fail(CORD_EENCODING, "'%s' codec can't decode byte 0x%02x in position %llu: %s",
                          codec_names[c->codec], first, at, step->reason);
    return cordi_fail(CORD_EENCODING, "'%s' codec can't decode bytes in position %llu-%llu: %s", codec_names[c->codec],
                      at, at + step->taken - 1, step->reason);
}

/* Decodes characters that begin before `stop`. How many bytes that took; less than stop when the last character is
 * incomplete and more is to come. */
static ssize_t decode_run(struct conversion *c, const unsigned char *in, size_t count, size_t stop, bool final)
{
    size_t i = 0;
    while (i < stop) {
        struct step step;
        int rc = decode_step(c, in + i, count - i, &step);
        if (rc < 0)
            return rc;
        if (step.incomplete && !final)
            break;
        if (!step.reason)
            rc = put(c, step.out, step.length);
        else if (c->on_error == CORD_STRICT)
            rc = decode_error(c, &step, in[i]);
        else if (c->on_error == CORD_REPLACE)
            rc = put(c, "\xef\xbf\xbd", 3);
        if (rc < 0)
            return rc;
        i += step.taken;
        c->position += step.taken;
    }
    return (ssize_t)i;
}

/* The text's length after its NUL was put, or rc. */
static ssize_t end_text(struct conversion *c, ssize_t rc)
{
    if (rc >= 0)
        rc = put(c, "", 1);
    return end(c, rc < 0 ? rc : (ssize_t)c->used - 1);
}

ssize_t cord_decode(char *buf, size_t size, const char *encoding, const void *bytes, size_t count,
                    cord_on_error on_error)
{
    struct conversion c;
    int rc = begin(&c, encoding, on_error, buf, size);
    return rc < 0 ? rc : end_text(&c, decode_run(&c, bytes, count, count, true));
}

int cord_decoder_init(cord_decoder *decoder, const char *encoding, cord_on_error on_error)
{
    int codec = find_codec(encoding);
    if (codec < 0)
        return codec;
    *decoder = (cord_decoder){ .on_error = (uint32_t)on_error };
    snprintf(decoder->encoding, sizeof decoder->encoding, "%s", codec_names[codec]);
    return 0;
}

/* The characters that begin in what was kept, completed from the new piece. How many bytes of the piece that took;
 * kept then holds what is still incomplete, and the whole piece was taken. */
static ssize_t feed_kept(struct conversion *c, cord_decoder *decoder, const unsigned char *in, size_t count, bool final)
{
    unsigned char joined[2 * sizeof decoder->kept];
    size_t kept = decoder->kept_count, more = count < sizeof decoder->kept ? count : sizeof decoder->kept;
    memcpy(joined, decoder->kept, kept);
    memcpy(joined + kept, in, more);
    ssize_t done = decode_run(c, joined, kept + more, kept, final && more == count);
    if (done < 0)
        return done;
    decoder->kept_count = 0;
    if ((size_t)done >= kept)
        return done - (ssize_t)kept;
    /* No character is as long as kept is large: the piece was too short to end this one. */
    decoder->kept_count = (uint32_t)(kept + more - (size_t)done);
    memcpy(decoder->kept, joined + done, decoder->kept_count);
    return (ssize_t)count;
}

ssize_t cord_decoder_feed(cord_decoder *decoder, char *buf, size_t size, const void *bytes, size_t count, bool final)
{
    struct conversion c;
    cord_decoder next = *decoder; /* a call that fails changes nothing */
    const unsigned char *in = count > 0 ? bytes : (const unsigned char *)"";
    ssize_t rc = begin(&c, next.encoding, (cord_on_error)next.on_error, buf, size), done = 0;
    if (rc < 0)
        return rc;
    c.position = next.position;
    rc = feed_kept(&c, &next, in, count, final);
    if (rc >= 0 && next.kept_count == 0) {
        in += rc;
        count -= (size_t)rc;
        rc = done = decode_run(&c, in, count, count, final);
        if (rc >= 0) {
            next.kept_count = (uint32_t)(count - (size_t)done);
            memcpy(next.kept, in + done, next.kept_count);
        }
    }
    next.position = c.position;
    rc = end_text(&c, rc);
    if (rc >= 0)
        *decoder = next;
    return rc;
}

static int encode_step(struct conversion *c, uint32_t character, const unsigned char *in, struct step *step)
{
    step->length = step->taken;
    uint32_t limit = c->codec == ASCII ? 0x80 : 0x100;
    if (character < 0x80 || c->codec == UTF8) {
        memcpy(step->out, in, step->taken);
    } else if (c->codec == ASCII || c->codec == LATIN1) {
        step->out[0] = (char)character;
        step->length = 1;
        if (character >= limit)
            step->reason = c->codec == ASCII ? "ordinal not in range(128)" : "ordinal not in range(256)";
    } else {
        int rc = convert(c, false, in, step);
        if (c->codec == GBK && step->length == 1)
            step->reason = "illegal multibyte sequence"; /* glibc's euro sign */
        return rc;
    }
    return 0;
}

/* ascii and latin-1 blame all characters in a row, as Python does. */
static size_t count_blamed(const struct conversion *c, const unsigned char *in, size_t count)
{
    size_t blamed = 0, taken;
    uint32_t character, limit = c->codec == ASCII ? 0x80 : 0x100;
    for (size_t i = 0; i < count; i += taken, blamed++)
        if (cordi_utf8_read(in + i, count - i, &character, &taken) != CORDI_UTF8_OK || character < limit)
            break;
    return blamed;
}

static int encode_error(const struct conversion *c, const struct step *step, uint32_t character, size_t blamed)
{
    const char *name = codec_names[c->codec];
    unsigned long long at = c->position;
    if (blamed > 1)
        return cordi_fail(CORD_EENCODING, "'%s' codec can't encode characters in position %llu-%llu: %s", name, at,
                          at + blamed - 1, step->reason);
    int digits = character < 0x100 ? 2 : character < 0x10000 ? 4 : 8;
    return cordi_fail(CORD_EENCODING, "'%s' codec can't encode character '\\%c%0*x' in position %llu: %s", name,
                      digits == 2   ? 'x'
                      : digits == 4 ? 'u'
                                    : 'U',
                      digits, (unsigned)character, at, step->reason);
}

static ssize_t encode_run(struct conversion *c, const unsigned char *in, size_t count)
{
    size_t i = 0;
    for (; i < count; c->position++) {
        struct step step = { 0 };
        uint32_t character;
        bool is_text = cordi_utf8_read(in + i, count - i, &character, &step.taken) == CORDI_UTF8_OK;
        int rc = 0;
        if (is_text)
            rc = encode_step(c, character, in + i, &step);
        else
            step.reason = "not UTF-8";
        if (rc == 0 && !step.reason)
            rc = put(c, step.out, step.length);
        else if (rc == 0 && c->on_error == CORD_REPLACE)
            rc = put(c, "?", 1);
        else if (rc == 0 && c->on_error == CORD_STRICT && is_text)
            rc = encode_error(c, &step, character,
                              c->codec == ASCII || c->codec == LATIN1 ? count_blamed(c, in + i, count - i) : 1);
        else if (rc == 0 && c->on_error == CORD_STRICT)
            rc = cordi_fail(CORD_EENCODING, "the text is not UTF-8: byte 0x%02x in position %zu", in[i], i);
        if (rc < 0)
            return rc;
        i += step.taken;
    }
    return (ssize_t)c->used;
}

ssize_t cord_encode(void *buf, size_t size, const char *encoding, const char *text, size_t length,
                    cord_on_error on_error)
{
    struct conversion c;
    int rc = begin(&c, encoding, on_error, buf, size);
    return rc < 0 ? rc : end(&c, encode_run(&c, (const unsigned char *)text, length));
}
