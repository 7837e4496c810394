/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.h - the disk as SQLite sees it: the real one below, in the state that shared->disk says. What is written and not
 * yet synced is noted in a journal, so that a loss of power can take it away again.
 */
#ifndef SIMULATE_DISK_H
#define SIMULATE_DISK_H

#include "dice.h"

/* Makes it SQLite's default, once in a program. */
void disk_install(void);

/* The file for the journal; of the exporters that are started after this. */
void disk_set_journal(const char *path);

/* The power fails: of what was written and not synced, some is lost and some is torn, as the dice say. To be called when
 * no exporter lives. Returns how many writes were taken away. */
unsigned disk_lose_power(struct dice *dice);

#endif
