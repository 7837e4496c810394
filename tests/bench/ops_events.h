/* SPDX-License-Identifier: Apache-2.0 */
/* ops_events.h - loops over events, for the table of ops.c. */
#ifndef METRICS_TESTS_BENCH_OPS_EVENTS_H
#define METRICS_TESTS_BENCH_OPS_EVENTS_H

#include <mtx/metrics.h>

/* Call before the loops; exits when it cannot be done. */
void bench_events_open(const char *path, metrics_registry_t *r);

void bench_ring_put_128(uint64_t n); /* the copy into the ring alone */
void bench_ring_put_512(uint64_t n);
void bench_event_128(uint64_t n); /* a point with a text, from the call on */
void bench_event_512(uint64_t n);
void bench_span_two_tags(uint64_t n);
void bench_log_line(uint64_t n);
void bench_log_filtered(uint64_t n);

#endif
