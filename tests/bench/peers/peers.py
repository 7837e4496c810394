# SPDX-License-Identifier: Apache-2.0
"""The Python client as a peer (remote.c): each line "OPERATION TIMES THREADS" is answered with nanoseconds.

With PROMETHEUS_MULTIPROC_DIR set the client keeps its values in files, one per process and kind.
"""
import os
import sys
from time import perf_counter_ns

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

SERIES = 10000
BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

MULTI = "PROMETHEUS_MULTIPROC_DIR" in os.environ
registry = CollectorRegistry()
gauge_mode = {"multiprocess_mode": "livesum"} if MULTI else {}
requests = Counter("bench_requests", "Requests.", ["route", "status"], registry=registry)
counter = Counter("bench_counter", "A counter.", registry=registry)
gauge = Gauge("bench_level", "Level.", registry=registry, **gauge_mode)
histogram = Histogram("bench_sizes", "Sizes.", buckets=BOUNDS, registry=registry)


def inc(n):
    call = counter.inc
    for _ in range(n):
        call()


def set_(n):
    call = gauge.set
    for i in range(n):
        call(i)


def observe(n):
    call = histogram.observe
    for i in range(n):
        call(i & 1023)


def labels(n):
    for _ in range(n):
        requests.labels("/cart", "200").inc()


def render():
    if not MULTI:
        return generate_latest(registry)
    collected = CollectorRegistry()
    multiprocess.MultiProcessCollector(collected)
    return generate_latest(collected)


def page(n):
    for _ in range(n):
        render()


OPERATIONS = {"inc": inc, "set": set_, "observe": observe, "labels": labels, "page": page}


def main():
    for i in range(SERIES):
        requests.labels("/cart/%d" % i, "200").inc()
    print("ready", flush=True)
    for line in sys.stdin:
        operation, times, _ = line.split()
        if operation == "lines":
            print(render().count(b"\n"), flush=True)
            continue
        run, n = OPERATIONS[operation], int(times)
        start = perf_counter_ns()
        run(n)
        print(perf_counter_ns() - start, flush=True)


main()
