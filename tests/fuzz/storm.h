/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm.h - with FUZZ_STORM=1 in the environment: while a target works, a thread writes the edited words of
 * the hostile file and those of the sound one in turn, as fast as it can.
 */
#ifndef FUZZ_STORM_H
#define FUZZ_STORM_H

#include "edit.h"

void storm_begin(const struct program *p, struct hostile *h);
void storm_end(void);

#endif
