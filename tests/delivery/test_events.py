# SPDX-License-Identifier: Apache-2.0
"""Promises: every event that a program recorded reaches each backend that takes its type, whole, once, in spite of
exporters that are killed and services that fail; what had no room in a ring is counted, to the event. What comes twice
was in flight at a kill, or had lost its answer.

    test_events.py                     a few kills
    MTX_CAMPAIGN=long test_events.py   many, at every place
    MTX_SEED=N                         the same again
"""
import collections
import contextlib
import json
import os
import random
import re
import shutil
import signal
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
STOP_AT, EMIT = f"{BUILD}/tests/delivery/stop_at", f"{BUILD}/tests/delivery/emit"
RETRY = "timeout: 2s, connect_timeout: 1s, retry_least: 10ms, retry_most: 100ms, exclude: ['mtx.*']"
FIRST = 1700000000
PLACES = [("log_append_events", 5), ("log_append_events@return", 5), ("store_commit", 20), ("store_commit@return", 20),
          ("libsqlite3:sqlite3_step", 200), ("libmtx-snapshot:metrics_events_take", 5), ("libmtx-snapshot:metrics_leader_drained", 4),
          ("libmtx-snapshot:metrics_leader_drained@return", 4), ("source_events_drain@return", 4), ("log_next_events", 10),
          ("log_next_events@return", 10), ("event_view_open", 4), ("log_settled_events", 6), ("log_settled_events@return", 6),
          ("log_done_events", 3), ("log_done_events@return", 3), ("http_send", 10), ("http_send@return", 10), ("log_open@return", 1)]


def numbered(text):
    """(worker, i) of a text such as "2 17"; a torn one is none."""
    match = re.fullmatch(r"(\d+) (\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else check(False, f"a torn event: {text!r}")


class StormyLibrato(storm.Storm, Librato):
    types = {"annotations", "points"}

    def __init__(self, dice):
        super().__init__()
        self.begin_storm("librato", dice)

    def what(self, r):
        if "annotations" in r.path:
            return [r.json()["title"]]
        return [f"{m['name']} {m['tags']} {m['time']}" for m in r.json().get("measurements", ())]

    def is_data(self, r):
        return r.method == "POST"

    def received(self):
        points = {(int(dict(key[1])["worker"]), t - FIRST) for key, t in self.values if key[0] == "load.point"}
        for (key, t), value in self.values.items():
            if key[0] == "load.point":
                check(value == t - FIRST, f"a torn point: {key} {t} {value}")
        return {"annotations": {numbered(a["title"]) for _, a in self.annotations}, "points": points}

    def config(self):
        return f"{{type: librato, url: '{self.url}', user: me, token: sesame, {RETRY}}}"


class StormyWavefront(storm.Storm, Wavefront):
    types = {"annotations", "spans", "points"}

    def __init__(self, dice):
        super().__init__()
        self.begin_storm("wavefront", dice)

    def what(self, r):
        return [r.json()["name"]] if r.path.startswith("/api") else [line for line in r.body.decode().split("\n") if line]

    def is_data(self, r):
        return r.path == "/api/v2/event" or r.path == "/report"

    def received(self):
        points = {(int(dict(tags)["worker"]), t - FIRST) for ((name, tags), t) in self.values if name == "load.point"}
        spans = {(int(tags["worker"]), int(tags["i"])) for name, tags in self.spans.values() if name == "load.span"}
        return {"annotations": {numbered(e["name"]) for e in self.events}, "spans": spans, "points": points}

    def config(self):
        return f"{{type: wavefront, url: '{self.url}', token: sesame, {RETRY}}}"


class StormyApptuit(storm.Storm, Apptuit):
    types = {"points"}

    def __init__(self, dice):
        super().__init__()
        self.begin_storm("apptuit", dice)

    def what(self, r):
        return [f"{p['metric']} {p['tags']} {p['timestamp']}" for p in r.json()]

    def received(self):
        points = {(int(dict(tags)["worker"]), t - FIRST): v for (name, tags, t), v in self.values.items() if name == "load_point"}
        check(all(v == i for (_, i), v in points.items()), "no torn point")
        return {"points": set(points)}

    def config(self):
        return f"{{type: apptuit, url: '{self.url}', token: sesame, {RETRY}}}"


class StormyAnodot(storm.Storm, Anodot):
    types = {"points"}

    def __init__(self, dice):
        super().__init__()
        self.begin_storm("anodot20", dice)

    def what(self, r):
        return [f"{s['properties']} {s['timestamp']}" for s in r.json()]

    def received(self):
        points = {(int(dict(key[1])["worker"]), t - FIRST): v for (key, _, t), v in self.seen.items() if key[0] == "load_point"}
        check(all(v == i for (_, i), v in points.items()), "no torn point")
        return {"points": set(points)}

    def config(self):
        return f"{{type: anodot20, url: '{self.url}', token: open sesame, {RETRY}}}"


class StormyRedis(Redis):
    types = {"logs", "points"}

    def __init__(self, dice):
        super().__init__()
        self.door = storm.StormyDoor(self, "chouette", dice)
        self.lines, self.raw = set(), set()

    book = property(lambda self: self.door.book)
    busy = property(lambda self: self.door.busy)
    life = property(lambda self: self.door.life, lambda self, life: setattr(self.door, "life", life))
    calm = property(lambda self: self.door.calm, lambda self, calm: setattr(self.door, "calm", calm))

    def received(self):
        self.lines |= {numbered(r["message"]["msg"]) for r in self.log_lines()}
        self.agent()
        for text in self.known.values():
            r = json.loads(text)
            if r.get("metric") == "load.point":
                self.raw.add((int(r["tags"]["worker"]), int(r["timestamp"]) - FIRST))
                check(r["value"] == int(r["timestamp"]) - FIRST, f"a torn point: {text}")
        return {"logs": self.lines, "points": self.raw}

    def stop(self):
        self.door.stop()
        super().stop()

    def config(self):
        return f"{{type: chouette, host: 127.0.0.1, port: {self.door.port}, {RETRY}}}"


def received(service):
    """What has arrived, by type, while nothing more comes."""
    with getattr(service, "lock", contextlib.nullcontext()):
        return service.received()


class Round:
    def __init__(self, seed):
        dice = storm.dice_of(seed)
        self.dice, self.life = next(dice), 0
        makers = [StormyLibrato, StormyWavefront, StormyApptuit, StormyAnodot] + ([StormyRedis] if shutil.which("redis-server") else [])
        self.services = [make(next(dice)) for make in makers]
        self.bench = harness.Bench("\n  - ".join(s.config() for s in self.services))
        self.out = open(f"{self.bench.work}/emit", "w")
        self.load = subprocess.Popen([EMIT, "3", "5000"], env=self.bench.env, stdout=self.out, start_new_session=True)
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
        """What an exporter that has ended had sent was read, in its own life."""
        for s in self.services:
            if hasattr(s, "has_heard_all"):
                check(s.has_heard_all(lambda condition: harness.until(10, condition)), f"{s.book.name} has heard all")
        time.sleep(0.02)
        harness.until(5, lambda: not any(s.busy for s in self.services))

    def kill_at_random(self):
        exporter = self.begin()
        time.sleep(self.dice.choice([self.dice.uniform(0, 0.3), self.dice.uniform(0.9, 2.2)]))
        check(exporter.poll() is None, "the exporter runs until it is killed")
        exporter.kill()
        exporter.communicate()
        self.settle()

    def kill_at(self, place, most):
        said = self.begin(STOP_AT, place, str(self.dice.randint(1, most)), str(self.dice.choice([0, 30])), "3500")
        words = said.communicate()[0].split()
        check(said.returncode == 0 and words and words[0] in ("hit", "missed"), f"{place}: {words}: {self.bench.log()[-300:]}")
        self.settle()
        return words[:1] == ["hit"]

    def lost(self):
        """{type: how many the writers had no room for}."""
        out = collections.Counter()
        for r in json.loads(self.bench.ctl("get", "--json", "mtx.*"))["readings"]:
            if r["name"] != "mtx.segment.events.lost":
                continue
            out[r["tags"].get("signal", r["tags"]["reason"])] += sum(v["value"] for v in r["values"] if v["attribute"] == "value")
        return out

    def complete(self):
        got = [received(s) for s in self.services]
        return all(len(one[t]) + self.gone[t] >= len(self.every[t]) for one in got for t in one)

    def end(self):
        self.load.send_signal(signal.SIGTERM)
        check(self.load.wait(20) == 0, "the load ends well")
        self.out.close()
        with open(self.out.name) as f:
            self.made = {int(w): int(n) for w, n in (line.split("\t") for line in f)}
        everything = {(w, i) for w, n in self.made.items() for i in range(n)}
        self.every = collections.defaultdict(lambda: everything, annotations={(w, i) for w, i in everything if not i % 10})
        for s in self.services:
            s.calm = True
        exporter = self.begin()
        self.gone = collections.Counter()
        self.bench.intervals(2)
        self.gone = self.lost()
        harness.until(60, self.complete)
        exporter.send_signal(signal.SIGTERM)
        check(exporter.wait(60) == 0, f"the last exporter ends with 0: {self.bench.log()[-500:]}")
        self.settle()
        self.judge()

    def judge(self):
        log = self.bench.log()
        equal(self.gone["damaged"] + self.gone["killed"], 0, "no event is damaged")
        for s in self.services:
            for kind, got in received(s).items():
                every = self.every[kind]
                check(got <= every, f"{s.book.name}: nothing that was not emitted: {sorted(got - every)[:3]}")
                equal(len(got) + self.gone[kind], len(every), f"{s.book.name}: {kind}: all that had room ({self.gone[kind]} had none)")
            equal(s.book.violations[:3], [], f"{s.book.name}: what came twice has an excuse")
            equal(s.violations[:3], [], f"{s.book.name}: violations")
        lines = re.findall(r"ended backend=(\S+) (.*) signal=(\w+)", log)
        equal({(b, k) for b, _, k in lines}, {(s.book.name, k) for s in self.services for k in s.types}, "an account for each signal")
        for backend, line, kind in lines:
            a = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}
            equal(a["taken"], a["delivered"] + a["dropped"] + a.get("queued", 0), f"{backend} {kind}: the ledger: {a}")
            equal((a["taken"] + self.gone[kind], a["dropped"]), (len(self.every[kind]), 0), f"{backend} {kind}: all are taken, none is dropped: {a}")
        print(f"{len(self.every['spans'])} events of each type but annotations, {dict(self.gone)} without room, {self.life} lives, "
              f"{sum(s.book.repeated for s in self.services)} batches again", flush=True)

    def clean(self):
        self.load.kill()
        self.load.wait()
        for s in self.services:
            s.stop()
        self.bench.clean()


def main():
    seed = int(os.environ.get("MTX_SEED") or random.randrange(1 << 30))
    print(f"MTX_SEED={seed}", flush=True)
    dice = random.Random(seed)
    places = PLACES * 3 if LONG else dice.sample(PLACES, 5)
    r = Round(seed)
    try:
        hits = 0
        for _ in range(40 if LONG else 4):
            r.kill_at_random()
        if os.path.exists(STOP_AT):
            for place, most in places:
                hits += r.kill_at(place, most)
            check(hits, "some place was come to")
        r.end()
    finally:
        r.clean()
    harness.finish()


main()
