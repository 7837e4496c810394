/* SPDX-License-Identifier: Apache-2.0 */
/* actions.h - what happens in a world, as its dice fall. */
#ifndef SIMULATE_ACTIONS_H
#define SIMULATE_ACTIONS_H

#include "world.h"

/* Set before: worlds have more in them, see FOUND.md. */
extern bool actions_wide;

/* A world from beginning to end: some things happen, then everything works again and all is delivered. Returns how many
 * violations the auditor saw. */
unsigned actions_run(struct world *w);

#endif
