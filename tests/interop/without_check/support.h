/* What tests/ctx.c needs of tests/support.h, without Check: for a processor whose Check is not installed. The compiler
 * is told to include it first, in every file, and it takes that header's place. A failed assertion ends the program. */
#if !defined TESTS_SUPPORT_H && !defined __ASSEMBLER__
#define TESTS_SUPPORT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ck_assert(condition)                                                                                           \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                                     \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)
#define ck_assert_ptr_nonnull(pointer) ck_assert((pointer) != NULL)
#define ck_assert_uint_eq(a, b) ck_assert((a) == (b))
#define ck_assert_uint_gt(a, b) ck_assert((a) > (b))
#define ck_assert_int_ge(a, b) ck_assert((a) >= (b))
#define ck_assert_int_le(a, b) ck_assert((a) <= (b))
#define is(a, b) ck_assert((a) == (b))

struct test {
    const char *name;
    void (*body)(void);
};
#define PLAIN_TEST(name) static void name(void)
#define PLAIN(name) ((struct test){ #name, name })
#define END ((struct test){ 0 })

static int run_tests(const char *subject, ...)
{
    va_list list;
    va_start(list, subject);
    for (struct test test; (test = va_arg(list, struct test)).name;) {
        test.body();
        printf("ok aarch64.%s_%s\n", subject, test.name);
    }
    va_end(list);
    return 0;
}

#endif
