/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit.h - one way to write a unit test, two ways to run it.
 *
 * Criterion runs each test in a process of its own. It does not work under the thread sanitizer or qemu-user,
 * so with -DPLAIN_TESTS the same file becomes a program with a plain main that runs the tests in turn and
 * prints one line each. Either way a failed check prints what was expected and what came.
 */
#ifndef METRICS_TESTS_UNIT_H
#define METRICS_TESTS_UNIT_H

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PLAIN_TESTS

struct unit_test {
    const char *suite, *name;
    void (*run)(void);
    struct unit_test *next;
};
extern struct unit_test *unit_tests;
extern int unit_failures; /* checks failed in the running test */
#include <setjmp.h>
extern jmp_buf unit_abort;

#define UNIT(SUITE, NAME)                                                         \
    static void unit_##SUITE##_##NAME(void);                                      \
    __attribute__((constructor)) static void unit_add_##SUITE##_##NAME(void)      \
    {                                                                             \
        static struct unit_test t = {#SUITE, #NAME, unit_##SUITE##_##NAME, NULL}; \
        t.next = unit_tests;                                                      \
        unit_tests = &t;                                                          \
    }                                                                             \
    static void unit_##SUITE##_##NAME(void)
#define UNIT_FAIL(...) (unit_failures++, fprintf(stderr, __VA_ARGS__))
#define UNIT_STOP()    longjmp(unit_abort, 1)

#else

#include <criterion/criterion.h>
#include <criterion/internal/assert.h>
#define UNIT(SUITE, NAME) Test(SUITE, NAME)
#define UNIT_FAIL(...)                 \
    do {                               \
        fprintf(stderr, __VA_ARGS__);  \
        cr_expect(false, "see above"); \
    } while (0)
#define UNIT_STOP() cr_assert(false, "stopped here")

#endif

#define UNIT_AT __FILE__, __LINE__
#define CHECK(cond)                                                     \
    do {                                                                \
        if (!(cond)) UNIT_FAIL("%s:%d: expected %s\n", UNIT_AT, #cond); \
    } while (0)
#define REQUIRE(cond)                                          \
    do {                                                       \
        if (!(cond)) {                                         \
            UNIT_FAIL("%s:%d: required %s\n", UNIT_AT, #cond); \
            UNIT_STOP();                                       \
        }                                                      \
    } while (0)
#define CHECK_EQ_U64(got, want)                                                                             \
    do {                                                                                                    \
        uint64_t unit_g = (got), unit_w = (want);                                                           \
        if (unit_g != unit_w)                                                                               \
            UNIT_FAIL("%s:%d: %s: expected %" PRIu64 ", got %" PRIu64 "\n", UNIT_AT, #got, unit_w, unit_g); \
    } while (0)
#define CHECK_EQ_I64(got, want)                                                                             \
    do {                                                                                                    \
        int64_t unit_g = (got), unit_w = (want);                                                            \
        if (unit_g != unit_w)                                                                               \
            UNIT_FAIL("%s:%d: %s: expected %" PRId64 ", got %" PRId64 "\n", UNIT_AT, #got, unit_w, unit_g); \
    } while (0)
/* The tolerance is absolute; a NaN on either side fails. */
#define CHECK_NEAR(got, want, tol)                                                                   \
    do {                                                                                             \
        double unit_g = (got), unit_w = (want), unit_t = (tol);                                      \
        if (!(fabs(unit_g - unit_w) <= unit_t))                                                      \
            UNIT_FAIL("%s:%d: %s: expected %.17g +- %g, got %.17g\n", UNIT_AT, #got, unit_w, unit_t, \
                      unit_g);                                                                       \
    } while (0)
#define CHECK_STR(got, want)                                                             \
    do {                                                                                 \
        const char *unit_g = (got), *unit_w = (want);                                    \
        if (!unit_g || strcmp(unit_g, unit_w))                                           \
            UNIT_FAIL("%s:%d: %s: expected \"%s\", got \"%s\"\n", UNIT_AT, #got, unit_w, \
                      unit_g ? unit_g : "(null)");                                       \
    } while (0)

#endif
