/* Text: fixed vectors, each with what CPython 3.11 answers. `text --talk` turns the program into an oracle's other
 * side: tests/interop/codec_python.py feeds it tables and compares every answer with Python's own. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void decodes(const char *encoding, cord_on_error on_error, const char *bytes, size_t count, const char *text)
{
    char buf[64];
    ssize_t n = cord_decode(buf, sizeof buf, encoding, bytes, count, on_error);
    ok(n);
    ck_assert_str_eq(buf, text);
    ck_assert_uint_eq((size_t)n, strlen(text));
}

static void refuses(const char *encoding, const char *bytes, size_t count, const char *sentence)
{
    char buf[64];
    is(cord_decode(buf, sizeof buf, encoding, bytes, count, CORD_STRICT), CORD_EENCODING);
    ck_assert_str_eq(cord_error_detail(), sentence);
}

PLAIN_TEST(decode_good_bytes_gives_text)
{
    decodes("utf-8", CORD_STRICT, "a\xe4\xbd\xa0\xf0\x9f\x98\x80", 8, "a你😀");
    decodes("gbk", CORD_STRICT, "\xc4\xe3\xba\xc3 hi", 7, "你好 hi");
    decodes("GBK", CORD_STRICT, "\xe4\xbd\xa0\xe5\xa5\xbd", 6, "浣犲ソ"); /* UTF-8 read as GBK */
    decodes("gb18030", CORD_STRICT, "\x94\x39\xfc\x36", 4, "😀");
    decodes("latin-1", CORD_STRICT, "caf\xe9", 4, "café");
    decodes("ascii", CORD_STRICT, "", 0, "");
}

PLAIN_TEST(decode_bad_bytes_answers_as_python)
{
    refuses("gbk", "\xc4\xe3\xba\xc3 h\xff", 7,
            "'gbk' codec can't decode byte 0xff in position 6: incomplete multibyte sequence");
    refuses("gbk", "\xff\xfe", 2, "'gbk' codec can't decode byte 0xff in position 0: illegal multibyte sequence");
    refuses("gbk", "a\x80z", 3, "'gbk' codec can't decode byte 0x80 in position 1: illegal multibyte sequence");
    refuses("utf-8", "\xff", 1, "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte");
    refuses("utf-8", "ab\xe4\xbd", 4, "'utf-8' codec can't decode bytes in position 2-3: unexpected end of data");
    refuses("utf-8", "\xe4(", 2, "'utf-8' codec can't decode byte 0xe4 in position 0: invalid continuation byte");
    refuses("utf-8", "\xed\xa0\x80", 3,
            "'utf-8' codec can't decode byte 0xed in position 0: invalid continuation byte");
    refuses("ascii", "a\xe9", 2, "'ascii' codec can't decode byte 0xe9 in position 1: ordinal not in range(128)");
}

PLAIN_TEST(decode_bad_bytes_ignored_or_replaced_as_python)
{
    decodes("utf-8", CORD_IGNORE, "a\xff\xe4\xbd!", 5, "a!");
    decodes("utf-8", CORD_REPLACE, "a\xff\xe4\xbd!", 5, "a\xef\xbf\xbd\xef\xbf\xbd!");
    decodes("gbk", CORD_IGNORE, "\xc4\xe3\xff", 3, "你");
    decodes("gbk", CORD_REPLACE, "\xff\xff", 2, "\xef\xbf\xbd\xef\xbf\xbd");
}

PLAIN_TEST(encode_text_gives_bytes)
{
    char buf[64];
    is(cord_encode(buf, sizeof buf, "gbk", "你好 server", 13, CORD_STRICT), 11);
    ck_assert_mem_eq(buf, "\xc4\xe3\xba\xc3 server", 11);
    is(cord_encode(buf, sizeof buf, "gbk", "a😀b", 6, CORD_IGNORE), 2);
    is(cord_encode(buf, sizeof buf, "gbk", "a😀b", 6, CORD_REPLACE), 3);
    ck_assert_mem_eq(buf, "a?b", 3);
    is(cord_encode(buf, 3, "utf-8", "你好", 6, CORD_STRICT), -EMSGSIZE);
    is(cord_encode(buf, sizeof buf, "klingon", "a", 1, CORD_STRICT), -EINVAL);
    ck_assert_str_eq(cord_error_detail(), "unknown encoding \"klingon\": choose utf-8, gbk, gb18030, ascii or latin-1");
}

PLAIN_TEST(encode_foreign_character_answers_as_python)
{
    char buf[64];
    is(cord_encode(buf, sizeof buf, "gbk", "😀", 4, CORD_STRICT), CORD_EENCODING);
    ck_assert_str_eq(cord_error_detail(),
                     "'gbk' codec can't encode character '\\U0001f600' in position 0: illegal multibyte sequence");
    is(cord_encode(buf, sizeof buf, "gbk", "欧€", 6, CORD_STRICT), CORD_EENCODING);
    ck_assert_str_eq(cord_error_detail(),
                     "'gbk' codec can't encode character '\\u20ac' in position 1: illegal multibyte sequence");
    is(cord_encode(buf, sizeof buf, "ascii", "a你好", 7, CORD_STRICT), CORD_EENCODING);
    ck_assert_str_eq(cord_error_detail(),
                     "'ascii' codec can't encode characters in position 1-2: ordinal not in range(128)");
}

/* Every way to cut the bytes in two, and byte by byte. */
PLAIN_TEST(decoder_character_split_over_pieces_is_whole)
{
    static const struct {
        const char *encoding, *bytes, *text;
    } cases[] = { { "utf-8", "a\xe4\xbd\xa0\xf0\x9f\x98\x80z", "a你😀z" },
                  { "gbk", "a\xc4\xe3\xba\xc3z", "a你好z" },
                  { "gb18030", "a\x94\x39\xfc\x36\xc4\xe3z", "a😀你z" } };
    for (size_t c = 0; c < 3; c++) {
        size_t count = strlen(cases[c].bytes);
        for (size_t cut = 0; cut <= count + 1; cut++) {
            char text[64] = "", piece[32];
            cord_decoder decoder;
            ok(cord_decoder_init(&decoder, cases[c].encoding, CORD_STRICT));
            for (size_t at = 0, size; at < count; at += size) {
                size = cut > count ? 1 : at < cut ? cut : count - at;
                ok(cord_decoder_feed(&decoder, piece, sizeof piece, cases[c].bytes + at, size, false));
                strcat(text, piece);
            }
            is(cord_decoder_feed(&decoder, piece, sizeof piece, NULL, 0, true), 0);
            ck_assert_str_eq(text, cases[c].text);
            ck_assert_uint_eq(decoder.position, count);
        }
    }
}

PLAIN_TEST(decoder_half_character_at_the_end_fails_with_position)
{
    char piece[32];
    cord_decoder decoder;
    ok(cord_decoder_init(&decoder, "utf-8", CORD_STRICT));
    is(cord_decoder_feed(&decoder, piece, sizeof piece, "ab\xe4", 3, false), 2);
    is(cord_decoder_feed(&decoder, piece, sizeof piece, "\xbd", 1, false), 0);
    is(cord_decoder_feed(&decoder, piece, sizeof piece, NULL, 0, true), CORD_EENCODING);
    ck_assert_str_eq(cord_error_detail(), "'utf-8' codec can't decode bytes in position 2-3: unexpected end of data");
    is(cord_decoder_feed(&decoder, piece, sizeof piece, "\xa0", 1, true), 3); /* the failure changed nothing */
    ck_assert_str_eq(piece, "你");
}

static void quotes(const char *text, const char *json)
{
    char buf[128];
    is(cord_json_quote(buf, sizeof buf, text), (long)strlen(json));
    ck_assert_str_eq(buf, json);
}

PLAIN_TEST(json_quote_any_text_is_json_dumps)
{
    quotes("", "\"\"");
    quotes("a \"b\" \\ /", "\"a \\\"b\\\" \\\\ /\"");
    quotes("\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\"");
    quotes("再见 é", "\"\\u518d\\u89c1 \\u00e9\"");
    quotes("😀", "\"\\ud83d\\ude00\"");
    quotes("a\xff\xe4\xbd", "\"a\\ufffd\\ufffd\"");
}

PLAIN_TEST(json_quote_buffer_too_small_emsgsize)
{
    char buf[8] = "unclean";
    is(cord_json_quote(buf, sizeof buf, "123456"), -EMSGSIZE); /* 8 characters and the NUL */
    ck_assert_str_eq(buf, "");
    is(cord_json_quote(buf, sizeof buf, "12345"), 7);
    is(cord_json_quote(NULL, 0, "12345"), -EMSGSIZE);
}

static void shows(const char *bytes, size_t count, const char *text)
{
    char buf[64];
    is(cord_repr_bytes(buf, sizeof buf, bytes, count), (long)strlen(text));
    ck_assert_str_eq(buf, text);
}

PLAIN_TEST(repr_bytes_is_pythons)
{
    shows("", 0, "b''");
    shows("bye", 3, "b'bye'");
    shows("\t\n\r\\\0\xff", 6, "b'\\t\\n\\r\\\\\\x00\\xff'");
    shows("it's", 4, "b\"it's\"");
    shows("'\"", 2, "b'\\'\"'");
    shows("\xc3\x9f ABC", 6, "b'\\xc3\\x9f ABC'");
}

static void counts(const char *text, int64_t value)
{
    int64_t n = 0;
    ok(cord_int_parse(&n, text));
    ck_assert_int_eq(n, value);
}

PLAIN_TEST(int_parse_reads_what_python_reads)
{
    counts("42", 42);
    counts("  -7\n", -7);
    counts("+1_000_000", 1000000);
    counts("007", 7);
    counts("　１２", 12); /* full-width space and digits */
    counts("9223372036854775807", INT64_MAX);
    counts("-9223372036854775808", INT64_MIN);
}

PLAIN_TEST(int_parse_refuses_what_python_refuses)
{
    static const char *const bad[] = { "", " ", "abc", "1 2", "_1", "1_", "1__0", "+", "- 1", "0x10", "1.5", "1e3" };
    int64_t n = 5;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(cord_int_parse(&n, bad[i]) == -EINVAL, "\"%s\" was taken", bad[i]);
    is(cord_int_parse(&n, "abc"), -EINVAL);
    ck_assert_str_eq(cord_error_detail(), "invalid literal for int() with base 10: 'abc'");
    is(cord_int_parse(&n, "9223372036854775808"), -ERANGE);
    is(cord_int_parse(&n, "-9223372036854775809"), -ERANGE);
    ck_assert_int_eq(n, 5);
}

PLAIN_TEST(strip_cuts_unicode_white_space)
{
    char a[] = " \t\u3000 中 x \u00a0\u2028\n", b[] = "  \n", c[] = "", d[] = "plain", e[] = " \xff ";
    ck_assert_str_eq(cord_strip(a), "中 x");
    ck_assert_str_eq(cord_strip(b), "");
    ck_assert_str_eq(cord_strip(c), "");
    ck_assert_str_eq(cord_strip(d), "plain");
    ck_assert_str_eq(cord_strip(e), "\xff");
}

PLAIN_TEST(upper_changes_ascii_letters_only)
{
    char text[] = "abcXYZ ß é 你z{`";
    cord_upper(text, sizeof text - 1);
    ck_assert_str_eq(text, "ABCXYZ ß é 你Z{`");
}

/* stdout into a pipe; gives the end to read from. */
static int catch_stdout(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(dup2(ends[1], 1), 1);
    close(ends[1]);
    return ends[0];
}

PLAIN_TEST(print_goes_out_whole_and_at_once)
{
    int saved = dup(1), out = catch_stdout();
    char got[64];
    ssize_t printed = cord_print("%d查询余票 :  %d\n", 3, 7), n = read(out, got, sizeof got - 1);
    dup2(saved, 1);
    close(saved);
    close(out);
    is(printed, n);
    got[n] = '\0';
    ck_assert_str_eq(got, "3查询余票 :  7\n");
}

PLAIN_TEST(print_large_text_is_whole_too_large_emsgsize)
{
    char *text = malloc(70000), *got = malloc(70000);
    memset(text, 'x', 70000);
    text[60000] = '\0';
    int saved = dup(1), out = catch_stdout();
    ssize_t printed = cord_print("%s", text), n = read(out, got, 70000); /* a pipe holds 64 KiB */
    text[60000] = 'x';
    text[69999] = '\0';
    ssize_t refused = cord_print("%s", text);
    dup2(saved, 1);
    close(saved);
    close(out);
    is(printed, 60000);
    is(n, 60000);
    is(refused, -EMSGSIZE);
    free(text);
    free(got);
}

PLAIN_TEST(print_closed_stdout_epipe_and_no_signal)
{
    int saved = dup(1), out = catch_stdout();
    close(out);
    ssize_t rc = cord_print("nobody reads this\n");
    dup2(saved, 1);
    close(saved);
    is(rc, -EPIPE);
}

PLAIN_TEST(print_full_stdout_enospc)
{
    int saved = dup(1), full = open("/dev/full", O_WRONLY);
    dup2(full, 1);
    close(full);
    ssize_t rc = cord_print("there is no room for this\n");
    dup2(saved, 1);
    close(saved);
    is(rc, -ENOSPC);
    ck_assert_str_eq(cord_error_detail(), "stdout: No space left on device");
}

/* stdin becomes a pipe with this text in it. */
static void feed_stdin(const char *text)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    dup2(ends[0], 0);
    close(ends[0]);
    close(ends[1]);
}

/* The socket on stdin is the process's and stays open: each of these tests reads in a child. */
static void in_child(cord_fn *fn)
{
    cord_task *child;
    ok(cord_task_start(&child, fn, NULL, 0, &(cord_task_options){ .kind = CORD_PROCESS }));
    join(child, 0);
}

static int read_lines(void *unused)
{
    (void)unused;
    feed_stdin("one\n\na line that is too long\nend");
    char line[8];
    is(cord_input(NULL, line, sizeof line, soon()), 4);
    ck_assert_str_eq(line, "one");
    is(cord_input("", line, sizeof line, soon()), 1);
    ck_assert_str_eq(line, "");
    is(cord_input(NULL, line, sizeof line, soon()), CORD_ETOOLONG);
    ck_assert_str_eq(line, "");
    is(cord_input(NULL, line, sizeof line, soon()), 3); /* the last, without newline */
    ck_assert_str_eq(line, "end");
    is(cord_input(NULL, line, sizeof line, soon()), 0);
    is(cord_input(NULL, line, sizeof line, soon()), 0);
    return 0;
}

static int read_lines_in_coroutine(void *unused)
{
    return cord_run(read_lines, unused, NULL);
}

PLAIN_TEST(input_lines_are_counted_with_newline)
{
    in_child(read_lines);
}

PLAIN_TEST(input_in_coroutine_lines_are_counted_with_newline)
{
    in_child(read_lines_in_coroutine);
}

static int read_null(void *unused)
{
    (void)unused;
    char line[8];
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, 0);
    close(null);
    is(cord_input(NULL, line, sizeof line, soon()), 0);
    return 0;
}

PLAIN_TEST(input_at_dev_null_is_the_end)
{
    in_child(read_null);
}

static int read_late(void *unused)
{
    (void)unused;
    int ends[2];
    char line[8];
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[0], 0);
    is(cord_input(NULL, line, sizeof line, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_eq(write(ends[1], "late\n", 5), 5);
    is(cord_input(NULL, line, sizeof line, soon()), 5);
    return 0;
}

PLAIN_TEST(input_nothing_typed_deadline_etimedout)
{
    in_child(read_late);
}

/* A second task runs while the first waits for stdin: only the caller waits. */
static int type_a_line(void *arg)
{
    return write(*(int *)arg, "typed\n", 6) == 6 ? 0 : -EIO;
}

static int read_beside_another(void *unused)
{
    (void)unused;
    int ends[2];
    char line[8];
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[0], 0);
    cord_task *typist = start(type_a_line, &ends[1], sizeof ends[1]);
    is(cord_input(NULL, line, sizeof line, soon()), 6);
    join(typist, 0);
    return 0;
}

static int read_beside_another_in_coroutine(void *unused)
{
    return cord_run(read_beside_another, unused, NULL);
}

PLAIN_TEST(input_in_coroutine_others_run_meanwhile)
{
    in_child(read_beside_another_in_coroutine);
}

/* The oracle's other side: lines "OPERATION ENCODING ON_ERROR HEX", answers "CODE HEX SENTENCE". */
static size_t from_hex(char *out, const char *hex)
{
    size_t n = 0;
    for (unsigned byte; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (char)byte;
    out[n] = '\0';
    return n;
}

static ssize_t answer(const char *operation, const char *encoding, cord_on_error on_error, char *in, size_t count,
                      char *out, size_t size)
{
    int64_t number = 0;
    ssize_t rc = -ENOSYS;
    if (strcmp(operation, "decode") == 0)
        return cord_decode(out, size, encoding, in, count, on_error);
    if (strcmp(operation, "encode") == 0)
        return cord_encode(out, size, encoding, in, count, on_error);
    if (strcmp(operation, "quote") == 0)
        return cord_json_quote(out, size, in);
    if (strcmp(operation, "repr") == 0)
        return cord_repr_bytes(out, size, in, count);
    if (strcmp(operation, "strip") == 0)
        rc = snprintf(out, size, "%s", cord_strip(in));
    else if (strcmp(operation, "int") == 0 && (rc = cord_int_parse(&number, in)) == 0)
        rc = snprintf(out, size, "%lld", (long long)number);
    return rc;
}

static int talk(void)
{
    static char line[20000], hex[16000], in[8000], out[64000];
    char operation[16], encoding[16];
    int on_error;
    while (fgets(line, sizeof line, stdin)) {
        hex[0] = '\0';
        if (sscanf(line, "%15s %15s %d %15999s", operation, encoding, &on_error, hex) < 3)
            return 2;
        size_t count = from_hex(in, hex);
        ssize_t rc = answer(operation, encoding, (cord_on_error)on_error, in, count, out, sizeof out);
        printf("%ld ", (long)rc);
        for (ssize_t i = 0; i < rc; i++)
            printf("%02x", (unsigned char)out[i]);
        printf(" %s\n", rc < 0 ? cord_error_detail() : "");
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--talk") == 0)
        return talk();
    return run_tests(
        "text", PLAIN(decode_good_bytes_gives_text), PLAIN(decode_bad_bytes_answers_as_python),
        PLAIN(decode_bad_bytes_ignored_or_replaced_as_python), PLAIN(encode_text_gives_bytes),
        PLAIN(encode_foreign_character_answers_as_python), PLAIN(decoder_character_split_over_pieces_is_whole),
        PLAIN(decoder_half_character_at_the_end_fails_with_position), PLAIN(json_quote_any_text_is_json_dumps),
        PLAIN(json_quote_buffer_too_small_emsgsize), PLAIN(repr_bytes_is_pythons),
        PLAIN(int_parse_reads_what_python_reads), PLAIN(int_parse_refuses_what_python_refuses),
        PLAIN(strip_cuts_unicode_white_space), PLAIN(upper_changes_ascii_letters_only),
        PLAIN(print_goes_out_whole_and_at_once), PLAIN(print_large_text_is_whole_too_large_emsgsize),
        PLAIN(print_closed_stdout_epipe_and_no_signal), PLAIN(print_full_stdout_enospc),
        PLAIN(input_lines_are_counted_with_newline), PLAIN(input_in_coroutine_lines_are_counted_with_newline),
        PLAIN(input_at_dev_null_is_the_end), PLAIN(input_nothing_typed_deadline_etimedout),
        PLAIN(input_in_coroutine_others_run_meanwhile), END);
}
