/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standard.h - descriptors 0, 1 and 2 exist in a program, whoever started it.
 *
 * A program may be started without some of them (`prog 2>&-`, a careless supervisor). The first file that it
 * or a library opens would then get that number: a segment that is descriptor 2 receives the error messages.
 */
#ifndef EXPORTERS_STANDARD_H
#define EXPORTERS_STANDARD_H

#include <stdbool.h>

/* The first call of main(), before anything is opened. Each of the three that is closed becomes a descriptor
 * on which reading or writing fails as on a closed one. False if that is impossible: the program must end.
 * Not thread-safe. */
bool standard_open(void);

#endif
