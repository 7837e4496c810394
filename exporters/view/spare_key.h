/* SPDX-License-Identifier: Apache-2.0 */
/* spare_key.h - a key for a tag that mtx adds, beside which no tag of a user's is lost. */
#ifndef EXPORTERS_VIEW_SPARE_KEY_H
#define EXPORTERS_VIEW_SPARE_KEY_H

#include <stddef.h>

#include <mtx/snapshot.h>

enum { SPARE_KEY = 32 };

/*
 * word if no tag has that key, else mtx_word, mtx_word_2, mtx_word_3 ...: the first that is free. Keys that differ
 * in case or punctuation only count as equal, since some services take them for one. The result is word or in room.
 * Pure; no errors.
 */
const char *spare_key(const char *word, const metrics_tag_t *tags, size_t n, char room[SPARE_KEY]);

#endif
