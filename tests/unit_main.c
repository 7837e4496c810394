/* SPDX-License-Identifier: Apache-2.0 */
/* The plain main behind unit.h when Criterion cannot run (thread sanitizer, qemu-user). */
#ifndef PLAIN_TESTS
#define PLAIN_TESTS
#endif
#include "unit.h"

struct unit_test *unit_tests;
int unit_failures;
jmp_buf unit_abort;

int main(int argc, char **argv)
{
    static int passed, failed; /* static: longjmp() must not lose them */
    static struct unit_test *t;
    for (t = unit_tests; t; t = t->next) {
        if (argc > 1 && !strstr(t->name, argv[1])) continue;
        unit_failures = 0;
        if (!setjmp(unit_abort)) t->run();
        printf("%s %s.%s\n", unit_failures ? "FAIL" : "ok  ", t->suite, t->name);
        fflush(stdout);
        *(unit_failures ? &failed : &passed) += 1;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed;
}
