/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - what the parts of the benchmark share. */
#ifndef METRICS_TESTS_BENCH_H
#define METRICS_TESTS_BENCH_H

double bench_ns(void);
double bench_median(double *values, int n); /* sorts them */
void bench_print(const char *op, int procs, double ns);

/* Starts that mtx-exporter on the segment and fetches its page, a fresh one each time; prints ns per line. */
void bench_page(const char *exporter, const char *segment, int rounds);

#endif
