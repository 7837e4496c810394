# SPDX-License-Identifier: Apache-2.0
"""Promises: an exporter that is killed anywhere, again and again, while its backends fail at random, loses nothing and
doubles nothing. Several processes count; five backends of one exporter are sent increments or totals. At the end all
of them know the exact totals; what came twice was in flight at a kill or had lost its answer; what was refused is in the
ledger, each reading once; after every kill the ledger in the log's file is balanced.

It was seen to fail: with the delivered and the refused of a batch settled in two transactions (one refused reading more
than the ledger said), and with snapshots delivered before they are in the file (held for 2 s in pwrite64: 359 of 388
totals of increments wrong).

    test_kills.py                     kills at random moments and at some of the places
    MTX_CAMPAIGN=long test_kills.py   200 at random, and every place several times
    MTX_SEED=N, MTX_PLACE=NAME        the same again; one place only
"""
import collections
import glob
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../backends", HERE]
import harness  # noqa: E402
import storm  # noqa: E402
from harness import check, equal  # noqa: E402
from test_anodot20 import Anodot  # noqa: E402
from test_apptuit import Apptuit  # noqa: E402
from test_chouette import Redis  # noqa: E402
from test_librato import Librato  # noqa: E402
from test_wavefront import Wavefront  # noqa: E402

BUILD, LONG = harness.BUILD, harness.LONG
STOP_AT, LOAD = f"{BUILD}/tests/delivery/stop_at", f"{BUILD}/tests/delivery/load"
RETRY = "timeout: 2s, connect_timeout: 1s, retry_least: 10ms, retry_most: 100ms"

# Where the exporter is killed: between sampling, appending, sending and moving the cursor. The number is the
# highest for COUNT: how often a thread comes there in a second or two.
PLACES = [
    # begin: what an earlier exporter left
    ("log_open", 1), ("store_open", 1), ("store_open@return", 1), ("ledger_restore", 3), ("log_attach", 5),
    ("log_attach@return", 5), ("log_drop_detached", 1),
    # sampling and appending
    ("source_sample", 2), ("libmtx-snapshot:metrics_leader_sample", 2), ("libmtx-snapshot:metrics_leader_sample@return", 2),
    ("log_append", 2), ("log_mirror_put", 2), ("ledger_take", 10), ("log_append@return", 2),
    ("libmtx-snapshot:metrics_leader_logged", 2), ("libmtx-snapshot:metrics_leader_logged@return", 2), ("source_sample@return", 2),
    # the log's file
    ("log_mirror_commit", 20), ("store_commit", 20), ("store_commit@return", 20), ("store_wait", 20), ("store_wait@return", 20),
    ("libsqlite3:sqlite3_step", 300), ("libsqlite3:sqlite3_step@return", 300), ("libc:pwrite64", 100), ("libc:pwrite64@return", 100),
    # sending
    ("log_next", 10), ("log_next@return", 10), ("view_add", 10), ("points_encode", 15), ("points_encode@return", 15),
    ("http_send", 15), ("libcurl:curl_easy_perform", 15), ("libcurl:curl_easy_send", 4), ("libcurl:curl_easy_recv", 4),
    ("libcurl:curl_easy_perform@return", 15), ("redis_exchange", 6), ("redis_exchange@return", 6), ("http_send@return", 15),
    # moving the cursor
    ("log_settled", 15), ("ledger_deliver", 15), ("store_put_cursor", 30), ("log_settled@return", 15), ("ledger_drop", 3),
    ("ledger_drop@return", 3), ("log_done", 8), ("log_mirror_rebase", 8), ("log_done@return", 8),
]


# --- The services ---------------------------------------------------------------------------------------------------


class StormyLibrato(storm.Storm, Librato):
    """Never takes a body with the series load.poison in it. It arrives alone once halves have been tried."""

    def __init__(self, dice):
        super().__init__()
        self.begin_storm("librato", dice)
        self.refused = set()

    def accept(self, r):
        if b'"load.poison"' not in r.body:
            return super().accept(r)
        measurements = r.json()["measurements"]
        if len(measurements) == 1:
            self.refused.add(measurements[0]["time"])
        return 400, b"poison", ()

    def what(self, r):
        return [f"{m['name']} {m['tags']} {m['time']}" for m in r.json().get("measurements", ())]

    def is_data(self, r):
        return r.path == "/v1/measurements"

    def total(self, name, tags):
        return self.sums.get((name, tags), 0)

    def config(self, merging):
        only = ", attributes: [sum]" if merging else ""
        return f"{{type: librato, url: '{self.url}', user: me, token: sesame, {RETRY}{only}}}"


class StormyAnodot(storm.Storm, Anodot):
    """Takes all of a request but the series load.refused."""

    def __init__(self, dice):
        super().__init__()
        self.begin_storm("anodot20", dice)
        self.refuse, self.refused = {"load_refused"}, set()

    def what(self, r):
        samples = r.json()
        self.refused |= {s["timestamp"] for s in samples if s["properties"]["what"] in self.refuse}
        return [f"{s['properties']} {s['timestamp']}" for s in samples]

    def total(self, name, tags):
        name = name.replace(".", "_")
        return self.sums.get((name, tags), self.sums.get((f"{name}_count", tags), 0))

    def config(self, _merging):
        return f"{{type: anodot20, url: '{self.url}', token: open sesame, {RETRY}}}"


class StormyApptuit(storm.Storm, Apptuit):
    def __init__(self, dice):
        super().__init__()
        self.begin_storm("apptuit", dice)

    def what(self, r):
        return [f"{p['metric']} {p['tags']} {p['timestamp']}" for p in r.json()]

    def total(self, name, tags):
        return self.last.get((name.replace(".", "_") + "_count", tags), 0)

    def config(self, _merging):
        return f"{{type: apptuit, url: '{self.url}', token: sesame, {RETRY}}}"


class StormyWavefront(storm.Storm, Wavefront):
    """Two requests for each stretch of readings: metrics, then distributions."""

    def __init__(self, dice):
        super().__init__()
        self.begin_storm("wavefront", dice)

    def what(self, r):
        return [line for line in r.body.decode().split("\n") if line]

    def begins(self, r):
        return r.query == "f=wavefront"

    def splits(self, r):
        return r.query == "f=wavefront" and len(r.body) > 2000

    def total(self, name, tags):
        return self.deltas.get((f"{name}.count", tags), 0)

    def config(self, merging):
        none = ", distributions: []" if merging else ""
        return f"{{type: wavefront, url: '{self.url}', token: sesame, counters: delta, {RETRY}{none}}}"


class StormyRedis(Redis):
    """A real Redis behind a door; as for the other services."""

    def __init__(self, dice):
        super().__init__()
        self.door = storm.StormyDoor(self, "chouette", dice)

    book = property(lambda self: self.door.book)
    busy = property(lambda self: self.door.busy)
    life = property(lambda self: self.door.life, lambda self, life: setattr(self.door, "life", life))
    calm = property(lambda self: self.door.calm, lambda self, calm: setattr(self.door, "calm", calm))

    def total(self, name, tags):
        return self.counts.get((name, tags), self.counts.get((f"{name}.count", tags), 0))

    def stop(self):
        self.door.stop()
        super().stop()

    def config(self, _merging):
        return f"{{type: chouette, host: 127.0.0.1, port: {self.door.port}, {RETRY}}}"


# --- A round: one segment, one load, many exporters -------------------------------------------------------------------

tally = collections.Counter()
REFUSED = {"librato": "load.poison", "anodot20": "load.refused"}  # what a service never takes


class Round:
    """merging: the log is so small, and max_lag so short, that what waits is merged. Of an interval that was merged and
    comes again after a kill the totals are as they were, but not its extremes and distributions: none are sent then."""

    def __init__(self, seed, merging):
        dice = storm.dice_of(seed)
        self.dice = next(dice)
        makers = [StormyLibrato, StormyAnodot, StormyApptuit, StormyWavefront]
        if shutil.which("redis-server"):
            makers.append(StormyRedis)
        self.services = [make(next(dice)) for make in makers]
        self.merging = merging
        configs = [s.config(merging) for s in self.services]
        if merging:
            configs = [c.replace("timeout:", "max_lag: 1s, timeout:", 1) for c in configs]
        self.bench = harness.Bench("\n  - ".join(configs), extra="log: {size: 64KiB}\n" if merging else "")
        self.life, self.taken, self.ended = 0, {}, ""
        out = open(f"{self.bench.work}/load", "w")
        self.load = subprocess.Popen([LOAD, "3", "400"], env=self.bench.env, stdout=out)
        harness.children.append(self.load)
        harness.until(10, lambda: os.path.exists(self.bench.segment))

    def begin(self, *before):
        self.life += 1
        for s in self.services:
            s.life = self.life
        with open(self.bench.errors, "a") as errors:
            return subprocess.Popen([*before, harness.EXPORTER, "--config", self.bench.config], env=self.bench.env,
                                    stdout=subprocess.PIPE, stderr=errors, text=True)

    def settle(self):
        """What a killed exporter had sent has been read."""
        time.sleep(0.02)
        harness.until(5, lambda: not any(s.busy for s in self.services))
        for s in self.services:
            if isinstance(s, Redis):
                s.agent()

    def kill_at_random(self):
        seconds = self.dice.choice([self.dice.uniform(0, 0.3), self.dice.uniform(0, 2.2), self.dice.uniform(0.9, 1.3)])
        exporter = self.begin()
        time.sleep(seconds)
        check(exporter.poll() is None, "the exporter runs until it is killed")
        exporter.kill()
        exporter.communicate()
        tally["kills at random"] += 1
        self.after(f"a kill after {seconds:.3f} s")

    def kill_at(self, place, most):
        # Held in the file's own thread, the file is slow for everybody.
        slow = [1500] if place.startswith(("libc:", "libsqlite3:")) else []
        count, held = self.dice.randint(1, most), self.dice.choice([0, 0, 30, 300, *slow])
        stopper = self.begin(STOP_AT, place, str(count), str(held), "3500")
        said = stopper.communicate()[0].split()
        if not check(stopper.returncode == 0 and said and said[0] in ("hit", "missed"), f"{place}: {said}: {self.bench.log()[-300:]}"):
            return
        tally[f"{said[0]} {place}"] += 1
        tally["kills at a place" if said[0] == "hit" else "places not come to in time"] += 1
        self.after(f"a kill at {place}, time {count}, held {held} ms")

    def accounts(self):
        """{cursor: {word: number}} of the log's file, from a copy: reading would change it."""
        out = {}
        for path in glob.glob(f"{self.bench.segment}.*.log"):
            for tail in ("", "-wal"):
                if os.path.exists(path + tail):
                    shutil.copy(path + tail, f"{self.bench.work}/copy{tail}")
            with sqlite3.connect(f"{self.bench.work}/copy") as db:
                if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'accounts'").fetchone():
                    continue
                for name, what, n in db.execute("SELECT name, what, n FROM accounts"):
                    out.setdefault(name, collections.Counter())[what] = n
                equal(db.execute("PRAGMA quick_check").fetchone(), ("ok",), "the log's file is sound")
            for old in glob.glob(f"{self.bench.work}/copy*"):
                os.unlink(old)
        return out

    def after(self, what):
        """After each kill: the ledger is balanced, and nothing that it knew is forgotten."""
        self.settle()
        for name, a in self.accounts().items():
            dropped = sum(n for word, n in a.items() if word.startswith("dropped."))
            check(a["taken"] == a["delivered"] + a["merged"] + a["queued"] + dropped, f"{what}: the ledger of {name} is balanced: {dict(a)}")
            sent = a["delivered"] + a["merged"] + dropped
            check(a["taken"] >= self.taken.get(name, (0, 0))[0] and sent >= self.taken.get(name, (0, 0))[1],
                  f"{what}: the ledger of {name} goes on: {dict(a)} after {self.taken.get(name)}")
            self.taken[name] = a["taken"], sent
            tally["ledgers"] += 1

    def end(self):
        """The load ends, the weather clears, a last exporter delivers the rest."""
        self.load.send_signal(signal.SIGTERM)
        check(self.load.wait(20) == 0, "the load ends well")
        for s in self.services:
            s.calm = True
        with open(f"{self.bench.work}/load") as f:
            lines = [line.rstrip("\n").split("\t") for line in f]
        self.want = [(name, (("shard", shard),) if shard else (), int(n)) for name, shard, n in lines]
        exporter = self.begin()
        harness.until(60, lambda: self.settle() or not any(self.wrong(s) for s in self.services))
        exporter.send_signal(signal.SIGTERM)
        check(exporter.wait(30) == 0, "the last exporter ends with 0")
        self.settle()
        self.judge()

    def clean(self):
        self.load.kill()
        self.load.wait()
        for s in self.services:
            s.stop()
        self.bench.clean()

    def judge(self):
        log = self.bench.log()
        dropped, known = {}, self.accounts()
        for name, line in re.findall(r"ended backend=(\S+) (.*)", log):
            a = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}
            dropped[name] = a["dropped"] - known[name]["dropped.thinned"]
            equal(a["taken"], a["delivered"] + a["merged"] + a["dropped"] + a.get("queued", 0), f"{name}: the last ledger: {a}")
            equal((a.get("queued", 0), 0 if self.merging else a["merged"]), (0, 0), f"{name}: nothing waits, nothing was merged: {a}")
            tally[f"readings merged for {name}"] += a["merged"]
            tally[f"readings taken by {name}"] += a["taken"]
            self.judge_own_metrics(name, a)
        equal(sorted(dropped), sorted(s.book.name for s in self.services), "all backends end with a ledger")
        for word in ("damaged", "cannot be written", "runtime error", "Sanitizer"):
            check(word not in log, f"the log says {word!r}")
        check(len(self.want) > 50, f"there was load: {len(self.want)} series")
        for s in self.services:
            self.judge_service(s, dropped.get(s.book.name))

    def own_metrics(self):
        """{backend: {word: number}} of the exporter's own metrics in the segment."""
        out = collections.defaultdict(collections.Counter)
        for r in json.loads(self.bench.ctl("get", "--json", "mtx.exporter.*"))["readings"]:
            if "backend" in r["tags"]:
                what = r["name"].removeprefix("mtx.exporter.")
                out[r["tags"]["backend"]][what] += sum(v["value"] for v in r["values"] if v["attribute"] == "count")
        return out

    def judge_own_metrics(self, name, a):
        """The metrics in the segment say what the ledger says, whatever the kills came between."""
        own = self.own_metrics()[name]
        for what, n in (("taken", a["taken"]), ("send.successful", a["delivered"]), ("merged", a["merged"]), ("dropped", a["dropped"])):
            equal(own[what], n, f"{name}: mtx.exporter.{what} against the ledger")

    def wrong(self, s):
        """Totals that a service does not know as the load does."""
        # Without extremes a distribution is a sum to librato: of its values.
        out = {REFUSED.get(s.book.name), "load.size" if self.merging and s.book.name == "librato" else None}
        return [(series, tags, n, s.total(series, tags)) for series, tags, n in self.want if series not in out and s.total(series, tags) != n]

    def judge_service(self, s, dropped):
        name, wrong = s.book.name, self.wrong(s)
        check(not wrong, f"{name}: {len(wrong)} of {len(self.want)} totals are wrong: {wrong[:5]}")
        equal(dropped, len(s.refused) if name in REFUSED else 0, f"{name}: what was refused is dropped, each reading once")
        equal(s.violations[:3], [], f"{name}: violations")
        equal(s.book.violations[:3], [], f"{name}: repetitions without an excuse")
        tally[f"totals compared at {name}"] += len(self.want)
        tally[f"batches taken by {name}"] += len(s.book.batches)
        tally[f"answers lost by {name}"] += s.book.unsure
        tally[f"batches that came again at {name}"] += s.book.repeated
        tally[f"readings dropped by {name}"] += dropped or 0


# --- The campaign -----------------------------------------------------------------------------------------------------


def plan(dice):
    """What is done, in which order: ("random",) or (place, most)."""
    can_stop = os.path.exists(STOP_AT) and not os.environ.get("MTX_SANITIZE")
    if not can_stop:
        print("left out: named places (they are found in a program for x86-64, without sanitizers)")
    places = [p for p in PLACES if os.environ.get("MTX_PLACE", p[0]) == p[0]] if can_stop else []
    randoms = 0 if os.environ.get("MTX_PLACE") else 200 if LONG else 5
    out = [("random",)] * randoms + (places * 5 if LONG else dice.sample(places, min(8, len(places))))
    dice.shuffle(out)
    return out


def main():
    seed = int(os.environ.get("MTX_SEED", time.time_ns() % 1000000))
    print(f"MTX_SEED={seed}", flush=True)
    todo = plan(random.Random(seed))
    size = 20
    for number, at in enumerate(range(0, len(todo), size)):
        r = Round(f"{seed}/{number}", merging=number % 2 == 1 if LONG else seed % 2 == 1)
        try:
            for what in todo[at:at + size]:
                r.kill_at_random() if what == ("random",) else r.kill_at(*what)
            r.end()
        finally:
            if harness.failed:
                print(f"the exporter's last words: {r.bench.log()[-2000:]}")
                for name in {v.split(":")[0] for s in r.services for v in s.book.violations}:
                    print("\n".join(line for line in r.bench.log().splitlines() if f"backend={name}" in line or "following" in line))
            r.clean()
        if LONG:
            print(f"round {number}: {dict(tally)}", flush=True)
    for what in sorted(tally):
        if not what.startswith("hit "):
            print(f"{what}: {tally[what]}")
    harness.finish()


if __name__ == "__main__":
    main()
