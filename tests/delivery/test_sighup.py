# SPDX-License-Identifier: Apache-2.0
"""Promises: SIGHUP under load changes what has changed and nothing else. A backend that nobody touches gets every interval
and the exact totals; one that is stuck in a request all the while stays in that very request, and is sent the exact totals
once it is answered; one that moves between two services each time has sent them the exact totals together; one that
comes and goes was sent what happened while it was there. A bad configuration changes nothing and says why. A file is opened anew.

    test_sighup.py                     some 15 seconds, 20 changes
    MTX_CAMPAIGN=long test_sighup.py   100 changes
"""
import json
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../backends", HERE]
import harness  # noqa: E402
import test_anodot20  # noqa: E402
from harness import check, equal, until  # noqa: E402
from test_isolation import BlackHole  # noqa: E402
from test_librato import Librato  # noqa: E402

CHANGES = 100 if harness.LONG else 20


class World:
    def __init__(self):
        self.calm, self.moves, self.comes, self.hole = Librato(), [Librato(), Librato()], test_anodot20.Anodot(), BlackHole()
        self.bench = harness.Bench("")
        self.file = f"{self.bench.work}/out.jsonl"
        self.configure(0, False)
        self.load = subprocess.Popen([f"{harness.BUILD}/tests/delivery/load", "2", "60"], env=self.bench.env,
                                     stdout=subprocess.PIPE, text=True)
        until(10, lambda: os.path.exists(self.bench.segment))
        self.bench.start()

    def configure(self, turn, comes, more=""):
        librato = "{{type: librato, name: {}, url: '{}', user: me, token: sesame, retry_least: 10ms, retry_most: 50ms}}"
        hole = self.hole.config().replace("timeout: 2s", "timeout: 10m, name: hole")
        backends = [librato.format("calm", self.calm.url), hole, librato.format("moves", self.moves[turn % 2].url),
                    f"{{type: file, path: {self.file}, include: [load.refused]}}"]
        if comes:
            backends.append(test_anodot20.config(self.comes))
        self.bench.backend = "\n  - ".join(backends) + more
        self.bench.write_config()

    def hangup(self, line):
        """Sends the signal and waits for one more of these lines; returns it."""
        n = self.bench.log().count(line)
        self.bench.exporter.send_signal(signal.SIGHUP)
        check(until(10, lambda: self.bench.log().count(line) > n), f"SIGHUP is answered with: {line}")
        return [x for x in self.bench.log().splitlines() if line in x][-1]

    def clean(self):
        self.load.kill()
        self.bench.clean()


def change(w):
    check(until(10, lambda: len(w.hole.held) == 1), "one request is stuck")
    check(until(10, lambda: w.calm.total("load.refused")), "the calm one gets something")
    check(until(10, lambda: os.path.exists(w.file) and os.path.getsize(w.file)), "the file, too")
    for turn in range(1, CHANGES + 1):
        w.configure(turn, turn % 3 == 1)
        said = w.hangup("configuration read again")
        check("changed=moves" in said and re.search("unchanged=[34]", said), f"what changed is logged: {said}")
        if turn % 3 == 1:
            check("added=anodot20" in said, f"what came: {said}")
        if turn % 3 == 2:
            check("removed=anodot20" in said, f"what went: {said}")
        if turn % 2:  # a moment, so that each has something to send
            n = len(w.calm.requests)
            until(3, lambda: len(w.calm.requests) > n)
    equal(len(w.hole.held), 1, "the stuck one is in its first request still")


def refuse(w):
    moves = [len(s.requests) for s in w.moves]
    w.configure(CHANGES, False, "\n  - {type: file, name: bad, path: /nonexistent/x}")
    said = w.hangup("the old one stays")
    check("cannot open /nonexistent/x" in said, f"a backend that refuses its settings is named: {said}")
    w.configure(CHANGES, False, "\nlog: {place: memory}")
    w.hangup("a new place of the log takes effect at the next start")
    before = len(w.calm.requests)
    check(until(5, lambda: len(w.calm.requests) > before), "and all goes on")
    check(sum(len(s.requests) for s in w.moves) >= sum(moves), "everywhere")


def reopen(w):
    os.rename(w.file, w.file + ".1")
    w.hangup("configuration read again")
    check(until(5, lambda: os.path.exists(w.file) and os.path.getsize(w.file)), "the file is opened anew")


def judge(w):
    w.load.send_signal(signal.SIGTERM)
    lines = [line.split("\t") for line in w.load.communicate(timeout=20)[0].splitlines()]
    want = {(name, (("shard", shard),) if shard else ()): int(n) for name, shard, n in lines}
    w.hole.well = True
    for s in w.hole.held:
        s.close()
    totals = {"calm": lambda n, t: w.calm.sums.get((n, t), 0),
              "moves": lambda n, t: sum(s.sums.get((n, t), 0) for s in w.moves),
              "hole": lambda n, t: w.hole.deltas.get((f"{n}.count", t), 0)}
    for name, total in totals.items():
        wrong = lambda: [(k, n, total(*k)) for k, n in want.items() if total(*k) != n]
        check(until(30, lambda: not wrong()), f"{name}: {len(wrong())} of {len(want)} totals are wrong: {wrong()[:3]}")
    for s in (w.calm, *w.moves, w.comes, w.hole):
        equal(s.violations[:3], [], "violations")
    w.bench.stop()
    times = sorted({t for (key, t) in w.calm.seen if key[0] == "load.refused"})
    gaps = [b - a for a, b in zip(times, times[1:]) if b - a != 1]
    check(len(gaps) <= 1 and max(gaps, default=1) <= 2, f"the calm one has an interval each second, but for {gaps} of {len(times)}")
    ended = [dict(re.findall(r"(\w+)=(\w+)", line)) for line in w.bench.log().splitlines() if " ended backend=" in line]
    for e in ended:
        sums = sum(int(e.get(k, 0)) for k in ("delivered", "merged", "dropped", "queued"))
        equal(sums, int(e["taken"]), f"the ledger of {e['backend']}")
        equal((int(e["dropped"]), int(e.get("queued", 0))), (0, 0), f"{e['backend']} has lost nothing")
    written = sum(json.loads(line)["count_delta"] for path in (w.file + ".1", w.file) for line in open(path))
    equal(written, want["load.refused", ()], "what is in the two files")
    print(f"{CHANGES} changes, {len(times)} intervals, {len(want)} totals exact; "
          f"requests: {[len(s.requests) for s in (w.calm, *w.moves, w.comes, w.hole)]}")


def main():
    w = World()
    try:
        change(w)
        refuse(w)
        reopen(w)
        judge(w)
    finally:
        w.clean()
    harness.finish()


if __name__ == "__main__":
    main()
