# SPDX-License-Identifier: Apache-2.0
"""Promises: a service that accepts connections and never answers, and one that answers 429 to everything, cost their
healthy neighbour nothing: it gets each interval within the interval after; the exporter's memory stays flat once the
log is full; taking a snapshot takes as long as beside healthy neighbours alone; and when the two recover they are sent the
exact totals.

Two exporters run at the same time, each with a segment and a load of its own: one with sick neighbours, one without. The
second is the measure of the first: what the machine, busy with other work, does to both is not the neighbours' doing.

    test_isolation.py                     ten seconds
    MTX_CAMPAIGN=long test_isolation.py   four minutes
"""
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../backends", HERE]
import fake  # noqa: E402
import harness  # noqa: E402
from harness import check, equal  # noqa: E402
from test_anodot20 import Anodot  # noqa: E402
from test_librato import Librato  # noqa: E402
from test_wavefront import Wavefront  # noqa: E402

LOAD = f"{harness.BUILD}/tests/delivery/load"
SECONDS = 240 if harness.LONG else 9
SERIES = 400
# So small that it is full after a tenth of the test, and intervals are merged from then on.
LOG = f"log: {{size: {'512KiB' if harness.LONG else '64KiB'}}}\n"


class Healthy(Librato):
    """Notes how long after its interval each measurement arrives."""

    def __init__(self):
        super().__init__()
        self.ages = {}

    def measurements(self, body):
        for m in body["measurements"]:
            self.ages[m["time"]] = max(self.ages.get(m["time"], 0), time.time() - m["time"])
        return super().measurements(body)

    def config(self):
        return f"{{type: librato, url: '{self.url}', user: me, token: sesame}}"


class Sick:
    """Mixed into a service: answers everything with 429 until it is well."""

    well = False

    def next_trick(self, request):
        return None if self.well else fake.status(429, b"slow down")


class Storming(Sick, Anodot):
    def config(self):
        return f"{{type: anodot20, url: '{self.url}', token: open sesame, retry_least: 1ms, retry_most: 10ms, timeout: 1s}}"


class BlackHole(Wavefront):
    """Behind a port that accepts and never reads or answers, until it is opened."""

    def __init__(self):
        super().__init__()
        self.front = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.held, self.well = [], False
        threading.Thread(target=self.swallow, daemon=True).start()

    def swallow(self):
        while True:
            try:
                client, _ = self.front.accept()
            except OSError:
                return
            if not self.well:
                self.held.append(client)
                continue
            back = socket.create_connection(("127.0.0.1", self.port))
            for a, b in ((client, back), (back, client)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            s.close()

    def config(self):
        port = self.front.getsockname()[1]
        return f"{{type: wavefront, url: 'http://127.0.0.1:{port}', token: sesame, counters: delta, timeout: 2s, retry_most: 1s}}"


class World:
    """An exporter, a load, and what can be seen of them from outside."""

    def __init__(self, neighbours):
        self.healthy, self.neighbours = Healthy(), neighbours
        self.bench = harness.Bench("\n  - ".join(s.config() for s in (self.healthy, *neighbours)), extra=LOG)
        self.load = subprocess.Popen([LOAD, "2", str(SERIES)], env=self.bench.env, stdout=subprocess.PIPE, text=True)
        harness.children.append(self.load)
        harness.until(10, lambda: os.path.exists(self.bench.segment))
        self.bench.start()
        self.lags, self.resident = [], []

    def value(self, name, attribute, **tags):
        for r in json.loads(self.bench.ctl("get", "--json", name, *(f"{k}={v}" for k, v in tags.items())))["readings"]:
            for v in r["values"]:
                if v["attribute"] == attribute:
                    return v["value"]

    def look(self):
        self.lags.append(self.value("mtx.exporter.lag", "value", backend="librato") or 0)
        with open(f"/proc/{self.bench.exporter.pid}/status") as f:
            self.resident.append(int(next(line for line in f if line.startswith("VmRSS")).split()[1]))

    def snapshot_ms(self):
        return self.value("mtx.exporter.snapshot.time", "p50") * 1000

    def log_ms(self):
        return self.value("mtx.exporter.log.time", "p50") * 1000

    def end_load(self):
        """{(name, tags): count} as the load itself knows it."""
        self.load.send_signal(signal.SIGTERM)
        lines = [line.split("\t") for line in self.load.communicate(timeout=20)[0].splitlines()]
        return {(name, (("shard", shard),) if shard else ()): int(n) for name, shard, n in lines}

    def clean(self):
        self.load.kill()
        self.bench.clean()


def watch(sick, alone):
    """Until so many intervals arrived where nothing is in their way."""
    check(harness.until(10, lambda: sick.healthy.ages and alone.healthy.ages), "both begin")

    def seen():
        time.sleep(1)
        sick.look()
        alone.look()
        return len(alone.healthy.ages) > SECONDS
    check(harness.until(3 * SECONDS, seen), f"alone: {len(alone.healthy.ages)} intervals arrived")


def is_busy(alone, at):
    """Whether the machine delayed the exporter that has no neighbours, too, about that time."""
    return any(alone.healthy.ages.get(t, 2) > 0.5 for t in (at - 1, at, at + 1))


def judge(sick, alone):
    came, reference = sick.healthy.ages, alone.healthy.ages
    check(len(came) >= len(reference) - 3, f"{len(came)} intervals arrived with sick neighbours, {len(reference)} without")
    # An interval's time is its last second: what arrives within the next second is younger than one.
    late = {at: age for at, age in came.items() if age > 1 and not is_busy(alone, at)}
    check(len(late) <= max(2, len(came) // 20), f"{len(late)} of {len(came)} intervals came later than an interval: {late}")
    behind = [lag for lag, other in zip(sick.lags, alone.lags) if lag > 1 and other <= 1]
    check(len(behind) <= max(1, len(sick.lags) // 50), f"{len(behind)} of {len(sick.lags)} lags were more than an interval: {behind}")
    for name, w in (("with sick neighbours", sick), ("alone", alone)):
        ages, r = sorted(w.healthy.ages.values()), w.resident
        print(f"{name}: {len(ages)} intervals, age when they arrive: median {statistics.median(ages) * 1000:.0f} ms, "
              f"greatest {ages[-1] * 1000:.0f} ms; lag at most {max(w.lags)} s; resident {r[len(r) // 5]} KiB after a fifth, "
              f"{r[len(r) // 2]} in the middle, {r[-1]} at the end; snapshot {w.snapshot_ms():.2f} ms, into the log {w.log_ms():.2f} ms (medians)")
    later = sick.resident[len(sick.resident) // 2:]
    # A sanitizer keeps what is freed for a while.
    check(os.environ.get("MTX_SANITIZE") or max(later) - later[0] < 4096, f"memory grows by less than 4 MiB in the second half: {later[0]} to {max(later)} KiB")
    check(sick.snapshot_ms() < 5 * alone.snapshot_ms() + 20, f"snapshots: {sick.snapshot_ms()} ms, alone {alone.snapshot_ms()} ms")


def recover(sick, hole, storm):
    """The sick ones recover, and are sent everything."""
    want = sick.end_load()
    hole.well = storm.well = True
    for s in hole.held:
        s.close()
    refused = len([r for r in storm.requests])
    totals = {hole: lambda n, t: hole.deltas.get((f"{n}.count", t), 0),
              storm: lambda n, t: storm.sums.get((n.replace(".", "_"), t), storm.sums.get((n.replace(".", "_") + "_count", t), 0)),
              sick.healthy: lambda n, t: sick.healthy.sums.get((n, t), 0)}
    for s, total in totals.items():
        name = type(s).__name__
        wrong = lambda: [(k, n, total(*k)) for k, n in want.items() if total(*k) != n]
        check(harness.until(60, lambda: not wrong()), f"{name}: {len(wrong())} of {len(want)} totals are wrong: {wrong()[:3]}")
        equal(s.violations[:3], [], f"{name}: violations")
    check(refused > SECONDS and len(hole.held) >= SECONDS // 4, f"there was a storm ({refused}) and a hole ({len(hole.held)})")
    ledger = sick.bench.stop()
    print(f"429 was answered {refused} times, {len(hole.held)} connections got no answer; "
          f"{len(want)} totals are exact at all three; the ledgers: {[l for l in sick.bench.log().splitlines() if 'ended' in l]}")
    equal(ledger.get("queued", 0), 0, "nothing waits at the end")


def main():
    hole, storm = BlackHole(), Storming()
    sick, alone = World([hole, storm]), World([])
    try:
        watch(sick, alone)
        judge(sick, alone)
        recover(sick, hole, storm)
    finally:
        sick.clean()
        alone.clean()
    harness.finish()


if __name__ == "__main__":
    main()
