/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what a target is: libFuzzer's entry points, so that one source serves libFuzzer, AFL++ and
 * replay.c, which needs no clang. A target returns 0; a broken promise is abort().
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* libFuzzer's own mutations; replay.c has plain ones. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max) __attribute__((weak));

/* Of targets whose inputs are not programs of edits
 * (edit.h): what an input may begin from. NULL = nothing. */
const uint8_t *fuzz_seed(unsigned i, size_t *n) __attribute__((weak));

/* Aborts with the sentence unless it holds. */
#define FUZZ_HOLDS(CONDITION, SENTENCE) ((CONDITION) ? (void)0 : fuzz_broken(SENTENCE))
void fuzz_broken(const char *sentence) __attribute__((noreturn));

#endif
