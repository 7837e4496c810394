/* SPDX-License-Identifier: Apache-2.0 */
/*
 * difference.h - what a service would have to change so that an object is as it is wanted. Only members that are
 * wanted are compared; null, {} and [] are the same as nothing, 5 is the same as 5.0. Pure, but for memory.
 */
#ifndef TOOLS_DIFFERENCE_H
#define TOOLS_DIFFERENCE_H

#include "buf.h"

#include <jansson.h>

/* Appends one line for each member that differs, "    type: line -> stacked". Returns how many. */
size_t difference(const json_t *have, const json_t *want, struct buf *out);

#endif
