# SPDX-License-Identifier: Apache-2.0
"""Promise: with a state_dir, each interval is synced to the disk when it is taken, and so is what was delivered: a loss of
power costs what happened since, not the last four or five intervals."""
import os

from lives import World, check, harness, until

if os.environ.get("MTX_SANITIZE"):
    print("left out: a sanitizer must be the first library")
    print("0 passed, 0 failed, 1 skipped")
    raise SystemExit(0)
with World("syncs") as w:
    notes = f"{w.bench.work}/syncs"
    os.mkdir(f"{w.bench.work}/state")

    def synced():
        try:
            with open(notes) as f:
                return sum(line.rstrip().endswith(".log-wal") for line in f)
        except FileNotFoundError:
            return 0

    w.add(100)
    w.bench.env.update(LD_PRELOAD=f"{harness.BUILD}/tests/delivery/syncs.so", MTX_SYNCS=notes)
    with w.life(extra=f"log: {{state_dir: {w.bench.work}/state}}\n"):
        del w.bench.env["LD_PRELOAD"], w.bench.env["MTX_SYNCS"]
        w.all_sent(100)
        for n in range(5):
            before = synced()
            w.add(1)
            w.intervals(1)
            check(until(10, lambda: synced() > before), f"interval {n} is synced")
            check(until(10, lambda: w.receiver.sent() == 101 + n), "and sent")
harness.finish()
