/* SPDX-License-Identifier: Apache-2.0 */
/* life_inside.h - what life.c (the world's side) and life_live.c (the exporter's side) share; for nobody else. */
#ifndef SIMULATE_LIFE_INSIDE_H
#define SIMULATE_LIFE_INSIDE_H

#include "life.h"

/* The exporter, in its process; does not return. */
void life_live(const struct life_plan *plan, int control, int nudge) __attribute__((noreturn));

#endif
