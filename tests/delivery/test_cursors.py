# SPDX-License-Identifier: Apache-2.0
"""Promises: what waits for a backend is lost by an explicit act only. An exporter that does not know the backend (--once,
mtxctl run, another configuration) keeps it, says so and counts it; log.age bounds how long; --forget ends it."""
import signal
import time

from lives import Receiver, World, check, equal, harness, until

FILE = "{type: file, path: %s/other.jsonl, include: [orders]}"


def with_queue(w):
    """100 are sent, 1000 wait for the receiver, which is down."""
    w.add(100)
    with w.life():
        w.all_sent(100)
        w.receiver.down = True
        w.add(1000)
        w.intervals(2)


def once():
    with World("--once of another configuration") as w:
        with_queue(w)
        code, out = w.once("--segment", w.bench.segment, "--once")
        equal(code, 0, f"--once: {out}")
        w.receiver.down = False
        with w.life():
            w.all_sent(1100)


def run():
    with World("mtxctl run") as w:
        with_queue(w)
        w.bench.ctl("run", "--segment", w.bench.segment, "--exporter", harness.EXPORTER, "--", "true")
        w.receiver.down = False
        with w.life():
            w.all_sent(1100)


def another_configuration():
    with World("an exporter without the backend") as w:
        with_queue(w)
        own = w.bench.backend
        w.bench.backend = FILE % w.bench.work
        with w.life(extra=""):
            kept = until(5, lambda: "keeping what waits" in w.bench.log() and "backend=anodot20" in w.bench.log())
            check(kept, "it says what it keeps")
            check(until(10, lambda: (w.status("anodot20").get("kept") or 0) >= 2), f"it counts it: {w.status('anodot20')}")
            w.add(10)
            w.intervals(2)
        w.bench.backend, w.receiver.down = own, False
        with w.life(extra=""):
            w.all_sent(1110)


def two_receivers():
    """One of two backends is missing for a while: by SIGHUP it ends, by another configuration it does not."""
    with World("SIGHUP removes one of two") as w:
        second = Receiver()
        both = f"{w.receiver.config()}\n  - {second.config('second')}"
        one = w.bench.backend
        w.bench.backend = both
        w.add(100)
        with w.life(extra="") as exporter:
            w.all_sent(100)
            check(until(10, lambda: second.sent() == 100), "both are sent it")
            w.receiver.down = True
            second.down = True
            w.add(1000)
            w.intervals(2)
            w.bench.backend = one
            w.bench.write_config()
            exporter.send_signal(signal.SIGHUP)
            check(until(10, lambda: "removed=second" in w.bench.log()), "SIGHUP removes the second")
        w.bench.backend, w.receiver.down, second.down = both, False, False
        with w.life(extra=""):
            w.all_sent(1100)
            equal(second.sent(), 100, "the removed one is a new backend")
        second.stop()


def forget():
    with World("--forget") as w:
        with_queue(w)
        with w.life():
            code, out = w.once("--config", w.bench.config, "--forget", "anodot20")
            check(code == 1 and "another exporter leads" in out, f"not while an exporter runs: {out}")
        code, out = w.once("--config", w.bench.config, "--forget", "nobody")
        check(code == 1 and "nothing is kept" in out and "others=anodot20" in out, f"an unknown name: {out}")
        code, out = w.once("--config", w.bench.config, "--forget", "anodot20")
        check(code == 0 and "forgotten backend=anodot20" in out, f"it says so: {out}")
        w.receiver.down = False
        with w.life():
            w.intervals(2)
            w.add(7)
            w.all_sent(107)


def age():
    """log.age is a minute at least."""
    with World("log.age") as w:
        with_queue(w)
        own = w.bench.backend
        w.bench.backend = FILE % w.bench.work
        began = time.monotonic()
        with w.life(extra="log: {age: 1min}\n"):
            expired = until(90, lambda: "older than log.age; it is dropped" in w.bench.log())
            check(expired and time.monotonic() - began > 50, f"after log.age it is dropped: {w.bench.log()[-500:]}")
            w.intervals(2)
            equal(w.status("anodot20").get("kept"), 0, "and nothing is kept")
            check((w.status("anodot20").get("dropped") or 0) > 0, "and counted")
        w.bench.backend, w.receiver.down = own, False
        with w.life(extra=""):
            w.intervals(2)
            w.add(3)
            w.all_sent(103)


for case in (once, run, another_configuration, two_receivers, forget) + ((age,) if harness.LONG else ()):
    case()
harness.finish()
