/* SPDX-License-Identifier: Apache-2.0 */
/* story.h - what happened in a world, in words: a numbered line for each thing done to it, the others below. */
#ifndef SIMULATE_STORY_H
#define SIMULATE_STORY_H

#include <stdint.h>
#include <stdio.h>

void story_begin(void);

/* Something is done; what comes of it. */
void story_do(const char *format, ...) __attribute__((format(printf, 1, 2)));
void story_then(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A text in which this one is put in place of that, such as a name that differs from run to run. */
void story_hide(const char *text, const char *shown);

void story_print(FILE *out);

/* A number that differs where stories do. */
uint64_t story_fingerprint(void);

#endif
