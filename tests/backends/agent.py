# SPDX-License-Identifier: Apache-2.0
"""What Chouette's collection agent makes of the records in its queue, and what it would choke on, by the rules that it
was seen to follow: records are taken in the order of (score, member), by windows of ten seconds; neighbours of one name,
type and set of tags are merged; each merged group becomes one or more results.

A complaint is anything that the agent drops, dies of, blocks on, hands on as poison, or splits into more points than
there should be.
"""
import json
import math
import socket

INTERVAL = 10
MEMBERS = {"metric", "type", "value", "timestamp", "tags"}


class Client:
    """Redis' protocol, as far as it is needed here: replies as bytes, numbers and lists."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        out = b"*%d\r\n" % len(words)
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            out += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(out)
        return self.reply()

    def reply(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest


class Agent:
    def __init__(self, path, queue="chouette:metrics:raw"):
        self.redis, self.queue = Client(path), queue
        self.complaints, self.results, self.read, self.types = [], [], 0, {}

    def complain(self, record, text):
        self.complaints.append(f"{text}: {record!r}")

    def drain(self):
        """Takes everything that is there; results are appended to self.results."""
        found = self.redis("ZRANGE", self.queue + ".keys", 0, -1, "WITHSCORES")
        keys = [(found[i], float(found[i + 1])) for i in range(0, len(found), 2)]
        windows = {}
        for key, score in keys:
            windows.setdefault(score // INTERVAL, []).append((key, score))
        for members in windows.values():
            values = self.redis("HMGET", self.queue + ".values", *(key for key, _ in members))
            self.window([(score, value) for (_, score), value in zip(members, values)])
            self.redis("ZREM", self.queue + ".keys", *(key for key, _ in members))
            self.redis("HDEL", self.queue + ".values", *(key for key, _ in members))
        left = self.redis("HLEN", self.queue + ".values")
        if left:
            self.complain(left, "records without a key stay for ever")
        return len(keys)

    # --- One record ---

    def record(self, score, value):
        """The record as an object; None with a complaint."""
        self.read += 1
        if value is None:
            return self.complain(score, "a key without a record")
        try:
            text = value.decode("utf-8")  # else the agent dies
            r = json.loads(text, parse_constant=lambda c: self.complain(value, f"{c} poisons the batch"))
        except ValueError as error:
            return self.complain(value, str(error))
        if not isinstance(r, dict) or set(r) != MEMBERS:
            return self.complain(value, "not an object with the five members")
        return r if self.sound(r, score) else None

    def sound(self, r, score):
        number = lambda v: isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)
        before = len(self.complaints)
        if not isinstance(r["metric"], str) or not r["metric"]:
            self.complain(r, "a name that is not a string")
        if r["type"] not in ("count", "gauge", "rate", "histogram", "set"):
            self.complain(r, "a type that is dropped")
        elif r["type"] == "set":
            if not isinstance(r["value"], list) or not all(isinstance(e, str) or number(e) for e in r["value"]):
                self.complain(r, "a set whose elements cannot be compared")
        elif not number(r["value"]):
            self.complain(r, "a value that is not a finite number")
        if not number(r["timestamp"]) or not 1e9 < r["timestamp"] < 1e10:
            self.complain(r, "a time that is not in seconds")
        elif r["timestamp"] // INTERVAL != score // INTERVAL:
            self.complain(r, f"its window is that of {score}")
        if not isinstance(r["tags"], dict) or not all(isinstance(v, str) for v in r["tags"].values()):
            self.complain(r, "tags that are not texts")
        return len(self.complaints) == before

    # --- Merging ---

    def window(self, members):
        groups, seen = [], set()
        for score, value in members:
            r = self.record(score, value)
            if not r:
                continue
            self.types[r["type"]] = self.types.get(r["type"], 0) + 1
            series = r["metric"], r["type"], tuple(sorted(r["tags"].items()))
            if groups and groups[-1][0] == series:
                groups[-1][1].append(r)
                continue
            if series in seen:
                self.complain(series, "its records are not neighbours, so it gets more than one point")
            seen.add(series)
            groups.append((series, [r]))
        for (name, kind, tags), records in groups:
            stamp = min(r["timestamp"] for r in records)
            self.results += [(n, t, tags, stamp, v) for n, t, v in self.wrap(name, kind, records)]

    @staticmethod
    def wrap(name, kind, records):
        """(name, type, value) of each result."""
        values = [r["value"] for r in records]
        if kind == "count":
            return [(name, "count", sum(values))]
        if kind == "rate":
            return [(name, "rate", sum(values) / INTERVAL)]
        if kind == "gauge":
            return [(name, "gauge", max(records, key=lambda r: r["timestamp"])["value"])]
        if kind == "set":
            return [(name, "count", len({e for v in values for e in v}))]
        values.sort()

        def percentile(p):
            at = p * (len(values) - 1)
            low = int(at)
            high = min(low + 1, len(values) - 1)
            return values[low] + (values[high] - values[low]) * (at - low)

        return [(name + ".max", "gauge", values[-1]), (name + ".median", "gauge", percentile(0.5)),
                (name + ".avg", "gauge", sum(values) / len(values)), (name + ".count", "rate", len(values) / INTERVAL),
                (name + ".95percentile", "gauge", percentile(0.95))]

    # --- What arrived ---

    def total(self, name, tags=()):
        return sum(v for n, kind, t, _, v in self.results if n == name and t == tags and kind == "count")
