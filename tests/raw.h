/* SPDX-License-Identifier: Apache-2.0 */
/* raw.h - a fresh segment without a registry: for tests of the files of shm/. */
#ifndef METRICS_TESTS_RAW_H
#define METRICS_TESTS_RAW_H

#include "segment.h" /* of shm/ */

#include "testing.h"

static inline segment_t *raw_segment(uint64_t bytes, uint32_t slots)
{
    segment_t *seg = NULL;
    metrics_error_t error = {0};
    test_place();
    struct segment_options o = {
        .path = test_path, .size = bytes, .mode = 0600, .slots = slots, .family_series = 100};
    if (segment_open(&seg, &o, &error)) fprintf(stderr, "%s\n", error.text);
    return seg;
}

#endif
