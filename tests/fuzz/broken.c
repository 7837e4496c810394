/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

void fuzz_broken(const char *sentence)
{
    fprintf(stderr, "broken: %s\n", sentence);
    abort();
}
