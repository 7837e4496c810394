# SPDX-License-Identifier: Apache-2.0
"""Promises: Chouette's collection agent can read every record, of every kind of metric and every type of point, under
awkward names and values too: none is dropped, none stops it, none poisons what it hands on, each series gets one point a
window, and the sums are the registry's. The rules of the agent are those of agent.py; that they distinguish good from bad is
tried here as well."""
import json
import os
import shutil
import subprocess
import tempfile

import agent
import harness
from harness import check, equal


class Redis:
    def __enter__(self):
        self.dir = tempfile.mkdtemp()
        self.path = f"{self.dir}/socket"
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "", "--dir", self.dir],
                                        stdout=subprocess.DEVNULL)
        harness.until(10, lambda: os.path.exists(self.path))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)


ALL = "attributes: [sum, sum_squares, min, max, mean, stddev, quantiles, rates]"

# --- The registry ---

with Redis() as redis, harness.Bench(f"{{type: chouette, unix_socket: {redis.path}, {ALL}}}") as b:
    writer = subprocess.Popen([f"{harness.BUILD}/tests/multi/awkward"], env=b.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    equal(writer.stdout.readline(), "ready\n", "the writer is ready")
    b.start()
    for i in range(20 if harness.LONG else 4):
        for user in ("ann", "bob", f"user {i}"):
            b.ctl("unique", "users", user)
        b.intervals(1)  # so that windows have neighbours to be merged
    writer.stdin.close()
    writer.wait(10)
    b.stop()
    reader = agent.Agent(redis.path)
    written = reader.redis("ZCARD", "chouette:metrics:raw.keys")
    equal(reader.drain(), written, "all of it is read")
    equal(reader.complaints[:3], [], f"registry: complaints ({len(reader.complaints)})")
    check(written > 200 and set(reader.types) == {"count", "gauge", "set"}, f"registry: {written} records, {reader.types}")
    for (name, tags), count in b.totals().items():
        got = reader.total(f"{name}.count", tags) or reader.total(name, tags)
        equal(got, count, f"registry: {name} {tags}")
    equal(max(r[4] for r in reader.results if r[0] == "users") >= 3, True, "registry: distinct users")
    names = {r[0] for r in reader.results}
    check({"a_b", "9 lives/of ä cat", "wait.p99", "build", "down"} <= names, f"registry: names {sorted(names)[:9]}")
    check("infinite" not in names, "registry: no number that is none")

# --- By hand: the points whose records equal the client's ---

with Redis() as redis:
    with open(os.path.join(os.path.dirname(__file__), "../golden/vendors/chouette.json"), encoding="utf-8") as f:
        points = json.load(f)["cases"][0]["points"]
    done = subprocess.run([harness.MTXCTL, "send", "chouette", "--set", f"unix_socket={redis.path}"], text=True, capture_output=True,
                          input="".join(json.dumps(p) + "\n" for p in points))
    equal(done.returncode, 0, f"by hand: {done.stderr}")
    reader = agent.Agent(redis.path)
    reader.drain()
    equal(reader.complaints, [], "by hand: complaints")
    equal({r[0:2] + r[2:3] + r[4:] for r in reader.results},
          {("my.count", "count", (("importance", "high"),), 1), ("my.count", "count", (), -0.5), ("r", "rate", (), 0.7),
           ("g", "gauge", (("a", 'é\n"x"'), ("k", "v")), -0.5), ("s", "count", (), 2), ("h.max", "gauge", (), 0.125),
           ("h.median", "gauge", (), 0.125), ("h.avg", "gauge", (), 0.125), ("h.count", "rate", (), 0.1),
           ("h.95percentile", "gauge", (), 0.125)}, "by hand: what the agent makes of them")

# --- The rules see what is wrong ---

GOOD = {"metric": "m", "type": "count", "value": 1, "timestamp": 1700000001, "tags": {"k": "v"}}
BAD = {
    "no JSON": b"{", "no UTF-8": json.dumps(GOOD).encode().replace(b"m", b"\xff", 1), "no object": b"[1]",
    "a control character": json.dumps(GOOD).encode().replace(b"v\"}", b"\n\"}"),
    "not a number": json.dumps({**GOOD, "value": float("nan")}).encode(), "too large": json.dumps(GOOD).encode().replace(b": 1,", b": 1e400,"),
    "a member missing": json.dumps({k: v for k, v in GOOD.items() if k != "tags"}).encode(),
    **{str(change): json.dumps({**GOOD, **change}).encode() for change in (
        {"value": "1"}, {"value": None}, {"value": True}, {"type": "Count"}, {"type": "timer"}, {"type": "set"},
        {"type": "set", "value": [[1]]}, {"timestamp": 1700000001000}, {"timestamp": "1700000001"}, {"timestamp": 0},
        {"timestamp": 1700000011}, {"tags": ["k:v"]}, {"tags": {"k": 5}}, {"metric": None}, {"metric": ""})},
}
with Redis() as redis:
    for what, record in BAD.items():
        reader = agent.Agent(redis.path)
        reader.redis("ZADD", "chouette:metrics:raw.keys", 1700000000, "key")
        reader.redis("HSET", "chouette:metrics:raw.values", "key", record)
        reader.drain()
        check(reader.complaints, f"the rules take {what}: {record}")
    reader = agent.Agent(redis.path)
    for i, change in enumerate(({}, {"metric": "n"}, {})):
        reader.redis("ZADD", "chouette:metrics:raw.keys", 1700000000 + i, f"key {i}")
        reader.redis("HSET", "chouette:metrics:raw.values", f"key {i}", json.dumps({**GOOD, **change}))
    reader.redis("HSET", "chouette:metrics:raw.values", "orphan", "{}")
    reader.drain()
    equal(len(reader.complaints), 2, f"a series in two pieces, and an orphan: {reader.complaints}")
harness.finish()
