/* cordage/text.h - text for programs that talk: input, print, encodings, JSON strings, Python's repr of bytes.
 *
 * Text inside a program is UTF-8. Lengths are bytes.
 */
#ifndef CORDAGE_TEXT_H
#define CORDAGE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cordage/attributes.h>
#include <cordage/error.h>
#include <cordage/time.h>

CORD_BEGIN

/* Prints to stdout with one write(2), so that the lines of several tasks and processes never tear; at most 64 KiB.
 * Python: print(). Answers the bytes written. Any kind. Fails: -EPIPE (stdout closed), -ENOSPC, -EMSGSIZE. */
CORD_API ssize_t cord_print(const char *format, ...) CORD_PRINTF(1, 2);
CORD_API ssize_t cord_vprint(const char *format, va_list args) CORD_PRINTF(1, 0);

/* Prints the prompt (or NULL) and reads a line of stdin, without its newline but counting it: an empty line is 1, the
 * end of input 0, a last line without newline its length. Only the calling task waits. Python: input().
 * Fails: CORD_ETOOLONG (the rest of that line is skipped), -ETIMEDOUT, -ECANCELED. */
CORD_API CORD_MUST_CHECK ssize_t cord_input(const char *prompt, char *buf, size_t size, cord_deadline deadline);

/* Cuts white space (Python's str.strip: Unicode's, of valid UTF-8) off both ends of text, in place. Returns the first
 * character kept. */
CORD_API char *cord_strip(char *text);

/* A decimal number as Python's int() reads it: spaces around it, a sign, "_" between digits. Fails: -EINVAL with the
 * sentence: invalid literal for int() with base 10: 'abc'; -ERANGE. */
CORD_API CORD_MUST_CHECK int cord_int_parse(int64_t *ret, const char *text);

/* ASCII letters to upper case in place, all other bytes as they are (Python: bytes.upper). */
CORD_API void cord_upper(void *buf, size_t size);

/* A JSON string with its quotes, as Python's json.dumps writes it: every character that is not ASCII as \uXXXX. Bytes
 * that are not UTF-8 become \ufffd. Worst case 6 bytes for each of text's, 3 more. The length without the NUL.
 * Fails: -EMSGSIZE (buf is too small; it holds ""). */
CORD_API ssize_t cord_json_quote(char *buf, size_t size, const char *text);

/* Bytes as Python prints them: b'ab\n\xff'. Worst case 4 bytes for each, 4 more. Fails: -EMSGSIZE. */
CORD_API ssize_t cord_repr_bytes(char *buf, size_t size, const void *bytes, size_t count);

typedef enum { CORD_STRICT = 0, CORD_IGNORE, CORD_REPLACE } cord_on_error;

/* UTF-8 text to bytes in another encoding ("utf-8", "gbk", "gb18030", "ascii", "latin-1"), and back; both answer the
 * length, and decode ends its text with a NUL. Python: str.encode, bytes.decode.
 * Fails: CORD_EENCODING with Python's sentence: 'gbk' codec can't decode byte 0xff in position 6: incomplete multibyte
 * sequence; -EMSGSIZE; -EINVAL (an encoding not known here). */
CORD_API CORD_MUST_CHECK ssize_t cord_encode(void *buf, size_t size, const char *encoding, const char *text,
                                             size_t length, cord_on_error on_error);
CORD_API CORD_MUST_CHECK ssize_t cord_decode(char *buf, size_t size, const char *encoding, const void *bytes,
                                             size_t count, cord_on_error on_error);

/* Decoding piece by piece: the bytes of a character that is split over two reads are kept for the next piece. */
typedef struct {
    char encoding[16];
    unsigned char kept[8]; /* the first bytes of a character that is not complete yet */
    uint32_t kept_count;
    uint32_t on_error; /* a cord_on_error */
    uint64_t position; /* bytes consumed so far, for error sentences */
} cord_decoder;

/* Fails: -EINVAL (an encoding not known here). */
CORD_API CORD_MUST_CHECK int cord_decoder_init(cord_decoder *decoder, const char *encoding, cord_on_error on_error);

/* As cord_decode() for the next piece; final: there is no more to come, so that a half character is an error. */
CORD_API CORD_MUST_CHECK ssize_t cord_decoder_feed(cord_decoder *decoder, char *buf, size_t size, const void *bytes,
                                                   size_t count, bool final);

CORD_END

#endif
