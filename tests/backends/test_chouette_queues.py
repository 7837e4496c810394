# SPDX-License-Identifier: Apache-2.0
"""Promises: `mtxctl chouette` says how long the agent's lists in a real Redis are, and how old; it finds each record that
the agent drops or stumbles over, says why, and removes those that are asked for and no others."""
import json
import os
import re
import socket
import subprocess
import tempfile
import time

import harness
from harness import check, equal, finish
from objects import Caller

RAW, WRAPPED, LOGS = "chouette:metrics:raw", "chouette:metrics:wrapped", "chouette:logs:wrapped"


class Redis:
    def __init__(self, *options):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.dir = tempfile.mkdtemp()
        self.path = f"{self.dir}/socket"
        process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--unixsocket", self.path,
                                    "--dir", self.dir, *options], stdout=subprocess.DEVNULL)
        harness.children.append(process)
        harness.until(10, lambda: os.path.exists(self.path))

    def pipe(self, *commands):
        def word(w):
            w = w if isinstance(w, bytes) else str(w).encode()
            return b"$%d\r\n%s\r\n" % (len(w), w)

        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path)
            with s.makefile("rb") as replies:
                for command in commands:
                    s.sendall(b"*%d\r\n" % len(command) + b"".join(word(w) for w in command))
                    reply = replies.readline()
                    check(reply[:1] in b":+$*", f"{command[:2]}: {reply}")
        return reply

    def number(self, *command):
        return int(self.pipe(command)[1:])

    def put(self, queue, key, score, value):
        commands = [("ZADD", f"{queue}.keys", score, key)]
        if value is not None:
            commands.append(("HSET", f"{queue}.values", key, value))
        self.pipe(*commands)


redis = Redis()
run = Caller("chouette", {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port)})
now = int(time.time())

# --- Length and age --------------------------------------------------------------------------------------------------------
empty = run.json("queues")["queues"]
equal([(q["queue"], q["name"], q["length"], q["values"]) for q in empty], [("raw", RAW, 0, 0), ("wrapped", WRAPPED, 0, 0), ("logs", LOGS, 0, 0)], "empty lists")


def good(name, t, kind="count", value=1):
    return json.dumps({"metric": name, "type": kind, "value": value, "timestamp": t, "tags": {"a": "b"}})


for i in range(1200):  # several parts
    redis.put(RAW, f"good-{i}", now - 1000 + i % 7, good(f"m{i}", now - 1000))
redis.put(WRAPPED, "w", now - 60, '{"metric": "m", "points": [[1, 1]]}')
raw, wrapped, _ = run.json("queues")["queues"]
equal((raw["length"], raw["values"], raw["oldest"], raw["newest"]), (1200, 1200, now - 1000, now - 994), "queues")
check(1000 <= raw["age_seconds"] < 1000 + harness.PATIENCE, f"the age: {raw}")
shown = run("queues", "raw").stdout
check(re.search(r"  1\d{3}s  |  \d+m  ", shown), f"the age for people: {shown}")
run.says("1200 records, 0 bad", "bad", "raw")
equal(run.json("bad"), {"looked_at": 1201, "bad": []}, "nothing is bad")

# --- Bad records -------------------------------------------------------------------------------------------------------------
RAW_CASES = {  # key: (score, value, what happens, why); None: it is good
    "count-text": (now, good("x", now, "count", "5"), "kills the agent", "cannot be added up"),
    "rate-null": (now, good("x", now, "rate", None), "kills the agent", "cannot be added up"),
    "histogram-list": (now, good("x", now, "histogram", [1]), "kills the agent", "cannot be added up"),
    "not-utf8": (now, b'{"metric": "\xff"}', "kills the agent", "UTF-8"),
    "time-digits": (now, good("x", str(now)), "kills the agent", "timestamp is a text"),
    "time-text": (now, good("x", "soon"), "blocks its window", "timestamp is not a number"),
    "time-true": (now, good("x", True), "blocks its window", "timestamp is true"),
    "nan": (now, good("x", now, "gauge", float("nan")), "poisons its batch", "NaN"),
    "infinity": (now, good("x", now, "count", float("-inf")), "poisons its batch", "infinity"),
    "1e400": (now, good("x", now).replace('"value": 1', '"value": 1e400'), "poisons its batch", "out of range"),
    "millis": (now, good("x", now * 1000), "never ages out", "not in seconds"),
    "negative": (-5, good("x", now), "never ages out", "negative"),
    "type-upper": (now, good("x", now, "COUNT"), "is dropped", "its type"),
    "type-timer": (now, good("x", now, "timer"), "is dropped", "its type"),
    "set-number": (now, good("x", now, "set", 5), "is dropped", "not a list"),
    "set-nested": (now, good("x", now, "set", [[1]]), "is dropped", "lists in it"),
    "not-json": (now, "hello", "is dropped", "not JSON"),
    "not-object": (now, "[1]", "is dropped", "not an object"),
    "control": (now, good("x\ty", now).replace("\\t", "\t"), "is dropped", "not JSON"),
    "no-type": (now, '{"metric": "x", "value": 1, "timestamp": 1}', "is dropped", "no type"),
    "no-value": (now, None, "is dropped", "no value under its key"),
    # Out of the ordinary, and accepted.
    "tags-null": (now, good("x", now).replace('{"a": "b"}', "null"), None, None),
    "metric-null": (now, good(None, now), None, None),
    "gauge-text": (now, good("x", now, "gauge", "high"), None, None),
    "bool": (now, good("x", now, "count", True), None, None),
    "time-null": (now, good("x", None), None, None),
    "bom": (now, b"\xef\xbb\xbf" + good("x", now).encode(), None, None),
    "nan-text": (now, good("NaN Infinity", now), None, None),
    "large": (now, good("x", now, "count", 10 ** 30), None, None),
    "2 MB": (now, good("x", now, "gauge", 2_000_000 * "x"), None, None),
    "twice": (now, good("x", now)[:-1] + ', "value": 7}', None, None)}
LOG_CASES = {
    "log-tags-text": (now, '{"ddtags": "a:b"}', "kills the agent", "not a list"), "log-tags-number": (now, '{"ddtags": ["a:b", 5]}', "kills the agent", "not all texts"),
    "log-list": (now, "[]", "kills the agent", "not an object"), "log-not-json": (now, "{", "is dropped", "not JSON"), "log-nan": (now, '{"x": NaN}', "poisons its batch", "NaN"),
    "log-bare": (now, "{}", None, None), "log-tags": (now, '{"ddtags": ["a:b"], "message": {"msg": "x"}}', None, None)}
for queue, cases in [(RAW, RAW_CASES), (LOGS, LOG_CASES)]:
    for key, (score, value, _, _) in cases.items():
        redis.put(queue, key, score, value)
redis.pipe(("HSET", f"{RAW}.values", "orphan", good("x", now)))
found = {b["key"]: b for b in run.json("bad", code=1)["bad"]}
for key, (_, _, fate, why) in {**RAW_CASES, **LOG_CASES}.items():
    got = found.pop(key, None)
    if fate is None:
        equal(got, None, f"{key} is accepted")
    else:
        check(got and got["fate"] == fate and why in got["why"], f"{key}: expected {fate}, {why}; got {got}")
equal([(k, b["fate"]) for k, b in found.items()], [("orphan", "stays for ever")], "a value without a key")
equal(len(run.json("bad", "logs", code=1)["bad"]), 5, "bad logs")
equal(len(run.json("bad", "limit=3", code=1)["bad"]), 3, "bad: limit")
shown = run("bad", "raw", code=1).stdout
check("count-text" in shown and "\x1b" not in shown and "\xff" not in shown, "bad: a table")

# --- Prune -------------------------------------------------------------------------------------------------------------------
before = redis.number("ZCARD", f"{RAW}.keys")
run.says("give --yes", "prune", "raw", "bad=true", code=2)
dry = run("prune", "raw", "bad=true", "--dry-run").stdout
check(f"ZREM {RAW}.keys" in dry and "not-json" in dry and "good-1" not in dry, f"prune: a dry run: {dry[:300]}")
equal(redis.number("ZCARD", f"{RAW}.keys"), before, "prune: neither removes anything")
wrong = sum(1 for c in RAW_CASES.values() if c[2])
run.says(f"removed {wrong} records", "prune", "raw", "bad=true", "--yes")
equal((redis.number("ZCARD", f"{RAW}.keys"), redis.number("HLEN", f"{RAW}.values")), (before - wrong, before - wrong + 1), "prune: the bad ones, keys and values")
run.says("removed 1 record", "prune", "orphans=true", "--yes")
equal(redis.number("HLEN", f"{RAW}.values"), before - wrong, "prune: the orphan")
equal(len(run.json("bad", code=1)["bad"]), 5, "the bad logs are left")
run.says("removed 1200 records", "prune", "raw", f"before={now - 500}", "--yes")
equal((redis.number("ZCARD", f"{RAW}.keys"), redis.number("ZCARD", f"{WRAPPED}.keys")), (before - wrong - 1200, 1), "prune: the old ones of that list")
run.says("removed 0 records", "prune", "raw", "before=-1d")
run.json("prune", "bad=true", "--yes")
equal(run.json("bad")["bad"], [], "nothing bad is left")

# --- Bad input, trouble --------------------------------------------------------------------------------------------------------
for says, words in [("is not one of raw, wrapped, logs", ("queues", "rare")), ("did you mean raw?", ("bad", "rwa")), ("what is removed?", ("prune",)),
                    ("before: ", ("prune", "before=yesterday")), ("did you mean orphans?", ("prune", "orphan=true")), ("there is no field", ("prune", "everything=true")),
                    ("did you mean queues?", ("queuse",)), ("limit is an integer", ("bad", "limit=0"))]:
    run.bad(None, says, *words)
run.says("port 9", "queues", "--set", "port=9", code=3)
closed = Redis("--requirepass", "open sesame")
run.says("NOAUTH", "queues", env={"REDIS_PORT": str(closed.port)}, code=4)
equal(len(run.json("queues", env={"REDIS_PORT": str(closed.port), "REDIS_PASSWORD": "open sesame"})["queues"]), 3, "a password")
other = run.json("queues", "raw", "--set", "queue=my:queue")["queues"][0]
equal(other["name"], "my:queue", "--set queue")
finish()
