# SPDX-License-Identifier: Apache-2.0
"""Promises: the collection agent can read every record in Redis, they add up to the exact totals, and a Redis
that is away, full, read-only or slow loses nothing. The Redis is a real one; what the agent does with records is played
by its documented rules."""
import datetime
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import answers
import door
import harness
from certificates import BAD, Certificates

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Redis:
    def __init__(self, *options):
        self.dir, self.port, self.options = tempfile.mkdtemp(), free_port(), options
        self.path = f"{self.dir}/socket"
        self.counts, self.gauges, self.sets, self.known, self.violations, self.process = {}, {}, {}, {}, [], None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--unixsocket", self.path,
             "--dir", self.dir, *self.options], stdout=subprocess.DEVNULL)
        harness.children.append(self.process)
        harness.until(10, lambda: os.path.exists(self.path))

    def cli(self, *words):
        done = subprocess.run(["redis-cli", "-s", self.path, "--no-auth-warning", *words], capture_output=True, text=True)
        return done.stdout

    def stop(self):
        self.process.kill()
        self.process.wait()
        subprocess.run(["rm", "-rf", self.dir])

    def agent(self, queue="chouette:metrics:raw", auth=()):
        """Takes all records, as the agent does, and says what it would choke on."""
        script = ("local k = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') local r = {} "
                  "for i = 1, #k, 2 do r[#r + 1] = cjson.encode({k[i], k[i + 1], redis.call('HGET', KEYS[2], k[i]) or ''}) end "
                  "local n = redis.call('HLEN', KEYS[2]) redis.call('DEL', KEYS[1], KEYS[2]) r[#r + 1] = tostring(n) return r")
        lines = self.cli(*auth, "EVAL", script, "2", f"{queue}.keys", f"{queue}.values").splitlines()
        records = [json.loads(line) for line in lines[:-1]]
        if not lines or not lines[-1].isdigit():
            return
        if int(lines[-1]) != len(records):
            self.violations.append(f"{lines[-1]} values for {len(records)} keys: orphans")
        before, closed = None, set()
        for member, score, text in records:
            if not self.is_new(member, text):
                continue
            r = json.loads(text, parse_constant=lambda c: self.violations.append(f"{c} poisons the batch"))
            if set(r) != {"metric", "type", "value", "timestamp", "tags"}:
                self.violations.append(f"members {set(r)}")
                continue
            if not all(isinstance(k, str) and isinstance(v, str) for k, v in r["tags"].items()):
                self.violations.append(f"tags {r['tags']}")
            if not isinstance(r["timestamp"], (int, float)) or int(r["timestamp"]) // 10 != int(score) // 10:
                self.violations.append(f"time {r['timestamp']} in the window of {score}")
            key = r["metric"], tuple(sorted(r["tags"].items()))
            series = key, r["type"], int(score) // 10
            if series != before:
                if series in closed:
                    self.violations.append(f"the records of {series} are not neighbours")
                closed.add(series)
            before = series
            if r["type"] == "count" and isinstance(r["value"], (int, float)):
                self.counts[key] = self.counts.get(key, 0) + r["value"]
            elif r["type"] == "gauge" and isinstance(r["value"], (int, float)):
                self.gauges[key] = r["value"]
            elif r["type"] == "set" and isinstance(r["value"], list):
                self.sets.setdefault(key, set()).update(r["value"])
            else:
                self.violations.append(f"type {r['type']} of {r['value']!r}")

    def log_lines(self, queue="chouette:logs:wrapped"):
        """Takes all log records as the agent does, and says what it would choke on."""
        script = ("local k = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') local r = {} "
                  "for i = 1, #k, 2 do r[#r + 1] = cjson.encode({k[i], k[i + 1], redis.call('HGET', KEYS[2], k[i]) or ''}) end "
                  "redis.call('DEL', KEYS[1], KEYS[2]) return r")
        out = []
        for line in self.cli("EVAL", script, "2", f"{queue}.keys", f"{queue}.values").splitlines():
            if not line:
                continue
            member, score, text = json.loads(line)
            if not self.is_new(member, text):
                continue
            r = json.loads(text, parse_constant=lambda c: self.violations.append(f"{c} poisons the batch"))
            if not {"date", "ddsource", "ddtags", "level", "message", "service"} <= set(r) or "msg" not in r["message"]:
                self.violations.append(f"members {set(r)}")
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", r["date"]):
                self.violations.append(f"date {r['date']}")
            elif abs(datetime.datetime.fromisoformat(r["date"]).timestamp() - float(score)) >= 1:
                self.violations.append(f"date {r['date']} under {score}")
            if not isinstance(r["ddtags"], list) or not all(isinstance(t, str) for t in r["ddtags"]):
                self.violations.append(f"ddtags {r['ddtags']}")
            if r["level"] not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
                self.violations.append(f"level {r['level']}")
            out.append(r)
        return out

    def is_new(self, member, text):
        """False: this record was drained before, and is left out here (the agent would count it again)."""
        new = member not in self.known
        if self.known.setdefault(member, text) != text:
            self.violations.append(f"{member} again with another record: {text}")
        return new

    def total(self, name, tags=()):
        self.agent()
        return self.counts.get((name, tags))


def config(redis, extra="", port=None):
    return (f"{{type: chouette, host: 127.0.0.1, port: {port or redis.port}, timeout: 2s, connect_timeout: 2s, "
            f"retry_least: 10ms, retry_most: 50ms{extra}}}")


def totals(redis, want):
    redis.agent()
    for (name, tags), count in want.items():
        key = (f"{name}.count", tags) if (f"{name}.count", tags) in redis.counts else (name, tags)
        harness.equal(redis.counts.get(key, 0), count, f"{name} {tags}")


# What happens to Redis, and how it ends. Tricks are done by the door before it; the rest is done to Redis itself.


def go_down(redis):
    redis.process.kill()
    redis.process.wait()
    os.unlink(redis.path)


def lock_out(redis):
    redis.cli("CONFIG", "SET", "requirepass", "other")
    redis.cli("-a", "other", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def fill_queue(redis):
    redis.cli("EVAL", "for i = 1, 500 do redis.call('ZADD', KEYS[1], 0, 'x' .. i) end", "1", "chouette:metrics:raw.keys")


def trick(what):
    return lambda redis: redis.door.tricks.append(what), lambda redis: None


TROUBLES = {
    "down": (go_down, lambda r: r.start()),
    "slow (stopped)": (lambda r: r.process.send_signal(signal.SIGSTOP), lambda r: r.process.send_signal(signal.SIGCONT)),
    "full (maxmemory)": (lambda r: r.cli("CONFIG", "SET", "maxmemory", "1"), lambda r: r.cli("CONFIG", "SET", "maxmemory", "0")),
    "read-only (a replica)": (lambda r: r.cli("REPLICAOF", "127.0.0.1", "9"), lambda r: r.cli("REPLICAOF", "NO", "ONE")),
    "wrong password": (lock_out, lambda r: r.cli("-a", "other", "CONFIG", "SET", "requirepass", "")),
    "queue over its limit": (fill_queue, lambda r: r.cli("DEL", "chouette:metrics:raw.keys")),
}
TRICKS = {
    "loading": trick(door.error("LOADING Redis is loading the dataset in memory")),
    "hangs up without a response": trick(door.empty),
    "connection reset during the response": trick(door.reset),
    "a response that comes byte by byte": trick(door.slow),
    "a response without end": trick(door.endless),
    "no response": trick(door.silent),
    "not Redis": trick(door.foreign),
}


def outage(name, words):
    """Trouble, then none: everything arrives once, and it was logged."""
    begin, end = TRICKS.get(name) or TROUBLES[name]
    redis = Redis()
    redis.door = door.Door(redis)
    with harness.Bench(config(redis, ", queue_limit: 400", redis.door.port if name in TRICKS else redis.port)) as b:
        b.ctl("add", "jobs", "5")
        b.start()
        harness.check(harness.until(10, lambda: redis.total("jobs") == 5), f"{name}: at first")
        begin(redis)
        b.ctl("add", "jobs", "6")
        harness.check(harness.until(10, lambda: "cannot deliver" in b.log()), f"{name}: it is logged")
        harness.check(re.search(words, b.log()), f"{name}: {words}: {b.log()}")
        end(redis)
        harness.check(harness.until(10, lambda: redis.total("jobs") == 11), f"{name}: all of it arrives: {redis.counts}")
        harness.check(harness.until(10, lambda: "delivers again" in b.log()), f"{name}: that it works again, too")
        ledger = b.stop()
        harness.check(ledger.get("dropped") == 0, f"{name}: nothing is dropped: {ledger}")
    harness.equal(redis.violations[:3], [], f"{name}: violations")
    redis.door.stop()
    redis.stop()


def unknown(name, words):
    """An unknown host name: kept for the next exporter."""
    with harness.Bench(f"{{type: chouette, host: nowhere.invalid, retry_least: 10ms, retry_most: 50ms}}", flush="1s") as b:
        b.ctl("add", "jobs", "5")
        b.start()
        harness.check(harness.until(10, lambda: re.search(words, b.log())), f"{name}: it is logged: {b.log()}")
        ledger = b.stop()
        harness.check(ledger.get("delivered") == 0 and ledger.get("queued", 0) > 0, f"{name}: it is kept: {ledger}")


def bad_certificate(kinds, name):
    """A Redis whose certificate is not right gets nothing; once it is, it gets everything."""
    at = free_port()
    files = lambda which: ("--tls-cert-file", kinds.path(f"{which}.pem"), "--tls-key-file", kinds.path(f"{which}.key"))
    redis = Redis("--tls-port", str(at), "--tls-ca-cert-file", kinds.path("ca.pem"), "--tls-auth-clients", "no", *files(name))
    with harness.Bench(config(redis, f", tls: true, ca_file: {kinds.path('ca.pem')}", at)) as b:
        b.ctl("add", "jobs", "5")
        b.start()
        harness.check(harness.until(10, lambda: "cannot deliver" in b.log()), f"certificate, {name}: it is logged: {b.log()}")
        harness.check(re.search("certificate|SSL", b.log()), f"certificate, {name}: with the reason: {b.log()}")
        harness.equal(redis.total("jobs"), None, f"certificate, {name}: nothing was sent")
        redis.cli("CONFIG", "SET", *(word.removeprefix("--") for word in files("good")))
        harness.check(harness.until(10, lambda: redis.total("jobs") == 5), f"certificate, {name}: put right, all of it arrives")
        harness.check(b.stop().get("dropped") == 0, f"certificate, {name}: nothing is dropped")
    harness.equal(redis.violations[:3], [], f"certificate, {name}: violations")
    redis.stop()


def play(name, action, words):
    (unknown if action == answers.KEPT else outage)(name, words)


def troubles():
    """Every row of the table, see answers.py."""
    kinds = Certificates()
    with ThreadPoolExecutor(5) as pool:
        todo = [pool.submit(play, *row) for row in answers.REDIS] + [pool.submit(bad_certificate, kinds, name) for name in BAD]
        for done in todo:
            done.result()


def main():
    if subprocess.run(["which", "redis-server"], capture_output=True).returncode:
        print("left out: redis-server is not installed")
        sys.exit(77)
    harness.example_server(Redis, config, totals, seconds=5)
    troubles()

    # Password, database, another queue, a Unix socket; sets with their elements and without.
    redis = Redis("--requirepass", "sesame")
    with harness.Bench(f"{{type: chouette, unix_socket: {redis.path}, password: sesame, db: 3, queue: mine, exclude: ['mtx.*']}}") as b:
        b.ctl("add", "jobs", "2")
        for user in ("ann", "bob", "ann"):
            b.ctl("unique", "users", user)
        b.start()
        auth = ("-a", "sesame", "-n", "3")

        def arrived():
            redis.agent("mine", auth)
            return redis.counts.get(("jobs", ())) == 2 and redis.sets

        harness.check(harness.until(10, arrived), f"socket, password, database: {redis.counts}, {redis.sets}")
        elements = redis.sets.get(("users", ()), set())
        harness.check(len(elements) == 2 and all(re.fullmatch("[0-9a-f]{12}", e) for e in elements), f"elements: {elements}")
        b.stop()
    harness.equal(redis.violations[:3], [], "socket: violations")
    redis.stop()
    harness.finish()


if __name__ == "__main__":
    main()
