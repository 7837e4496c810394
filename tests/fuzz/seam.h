/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seam.h - the system calls between the library and the hostile file, replaced at link time (ld --wrap).
 *
 * The file has real bytes in /dev/shm; what pread() and fstat() say of it can change from call to call, as
 * the input's phases want. What the library maps lies between guard pages, so that an access beyond the
 * mapping is a fault and not a wrong number. What it allocates and, by design, never frees (handles) can be
 * given back after each input. One thread, except the writer of a storm.
 */
#ifndef FUZZ_SEAM_H
#define FUZZ_SEAM_H

#include "edit.h"

/* The file, mapped: BASE_ROOM bytes. Made at the first call. */
struct hostile *seam_file(void);

/* From here on reads of the file are steps of the program (p NULL: end of that). */
void seam_watch(const struct program *p);

/* The file as the input's program makes it, at its real size and as long as fstat() says. NULL if it would
 * shrink under a mapping, which kills the process that touches it (SIGBUS) and is not what is tested. */
struct hostile *seam_program(struct program *p, const uint8_t *data, size_t n);

/* Remember what is allocated; then free what is left of it,
 * and unmap what was mapped. Returns how many were left. */
void seam_begin(void);
size_t seam_end(void);

/* Where the library mapped the file last; NULL if it did not. */
unsigned char *seam_mapping(size_t *size);

#endif
