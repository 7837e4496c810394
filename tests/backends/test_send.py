# SPDX-License-Identifier: Apache-2.0
"""Promises: points given to `mtxctl send` by hand arrive as the services' own clients send them, structure by structure;
what a service refuses, and why, is reported by line; a dry run prints what would be sent; the exit code says how it went."""
import base64
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import urllib.parse

import fake
import harness
from fake import need
from harness import check, equal

WORK = tempfile.mkdtemp()
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("LIBRATO", "ANODOT", "APPTUIT", "REDIS", "WAVEFRONT", "MTX_EXPORTER"))}
ENV.update(LC_ALL="C.UTF-8", LIBRATO_USER="me", LIBRATO_TOKEN="sesame", ANODOT_TOKEN="open sesame", ANODOT_ACCESS_KEY="open",
           APPTUIT_API_TOKEN="sesame", WAVEFRONT_TOKEN="sesame")
T = 1700000000


class Quick(fake.Service):
    def stop(self):
        """It ends with the test: to wait for its thread takes half a second."""


class Fake(Quick):
    """Keeps (path?query, parsed body) of what it accepts; `answer` gives the reply to the n-th of them."""

    def __init__(self, authorization=None, content="application/json", encoding=None):
        super().__init__()
        self.got, self.authorization, self.content, self.encoding = [], authorization, content, encoding

    def check(self, r):
        need(r.headers.get("authorization") == self.authorization, f"who: {r.headers.get('authorization')}")
        need(r.headers.get("content-type") == self.content, "the content type")
        need(r.headers.get("content-encoding") == self.encoding, f"the encoding {r.headers.get('content-encoding')}")

    def parse(self, r):
        def once(pairs):
            need(len(dict(pairs)) == len(pairs), f"a member is there twice: {pairs}")
            return dict(pairs)

        r.json()
        return json.loads(r.body, object_pairs_hook=once)

    def reply(self, path, body):
        return 200, b"", ()

    def accept(self, r):
        self.check(r)
        need(r.method == "POST", r.method)
        path = f"{r.path}?{r.query}" if r.query else r.path
        self.got.append((path, self.parse(r)))
        return self.reply(*self.got[-1])


def lines(*points):
    return "".join(json.dumps(p) + "\n" for p in points)


def run(backend, points, *words, url=None, env=(), fast=True):
    """mtxctl send; points: a text, or a list of objects."""
    command = [harness.MTXCTL, "send", backend, *words]
    if url:
        command += ["--set", f"url={url}"]
    if fast:
        command += ["--set", "retry_least=1ms", "--set", "retry_most=5ms"]
    text = points if isinstance(points, str) else lines(*points)
    return subprocess.run(command, input=text, env={**ENV, **dict(env)}, capture_output=True, text=True, timeout=60)


def sent(service, backend, points, *words, code=0, what="", **more):
    """Sends points to a fake; a dry run before says the same. Returns the bodies that arrived."""
    what = what or f"{backend} {points if isinstance(points, str) else points[:2]}"
    dry = run(backend, points, *words, "--dry-run", "--json", "--show-secrets", url=service.url, **more)
    with service.lock:
        service.got.clear()
    done = run(backend, points, *words, "--json", url=service.url, **more)
    equal(done.returncode, code, f"{what}: exit code, {done.stderr}")
    equal(dry.returncode, code, f"{what}: of the dry run, {dry.stderr}")
    equal(service.violations, [], f"{what}: violations")
    service.summary = json.loads(done.stdout)
    printed = json.loads(dry.stdout)["dry_run"]
    with service.lock:
        got = list(service.got)
        raw = [r for r in service.requests[-len(got):]] if got else []
    equal([p["path"] for p in printed], [p for p, _ in got], f"{what}: the dry run's paths")
    for p, r in zip(printed, raw):
        equal(p["body"].encode(), r.body, f"{what}: the dry run's body")
        for name, value in p["headers"].items():
            equal(r.headers.get(name.lower()), value, f"{what}: the dry run's header {name}")
    return got


# --- Librato -----------------------------------------------------------------------------------------------------------

def librato():
    return Fake("Basic " + base64.b64encode(b"me:sesame").decode())


service = librato()
got = sent(service, "librato", [
    {"name": "disk.free", "value": 81.25, "source": "db-3", "time": T},
    {"name": "net.rx", "type": "counter", "value": 9001, "source": "db-3"},
    {"name": "load", "value": 0.5, "tags": {"host": "db-3"}, "time": T}])
equal(got, [("/v1/metrics", {"gauges": [{"name": "disk.free", "value": 81.25, "source": "db-3", "measure_time": T}],
                             "counters": [{"name": "net.rx", "value": 9001, "source": "db-3"}]}),
            ("/v1/measurements", {"measurements": [{"name": "load", "value": 0.5, "tags": {"host": "db-3"}, "time": T}]})],
      "librato: gauges, counters, measurements")
got = sent(service, "librato", [{"name": "g", "value": 1, "description": "d", "attributes": {"color": "#f00"}, "display_name": "G", "period": 60}])
equal(got[0][1]["gauges"], [{"name": "g", "value": 1, "description": "d", "attributes": {"color": "#f00"}, "display_name": "G", "period": 60}],
      "librato: optional keys pass")
# Multi-sample gauges, and the numbers' kinds.
got = sent(service, "librato", [{"name": "rt", "count": 3, "sum": 15, "min": 2, "max": 8}, {"name": "big", "value": 1e16}, {"name": "s", "value": [2, 4]}])
equal(got[0][1]["gauges"], [{"name": "rt", "count": 3, "sum": 15, "min": 2, "max": 8}, {"name": "big", "value": 1e16},
                            {"name": "s", "count": 2, "sum": 6, "min": 2, "max": 4, "sum_squares": 20}], "librato: samples")
# A point's own tags override those of the command line; none of them with inherit_tags false, which is never sent.
got = sent(service, "librato", [{"name": "a", "value": 1}, {"name": "b", "value": 2, "tags": {"host": "db", "x": "y"}},
                                {"name": "c", "value": 3, "tags": {"x": "y"}, "inherit_tags": False}], "--tag", "host=web", "--tag", "dc=eu")
equal([m["tags"] for m in got[0][1]["measurements"]], [{"host": "web", "dc": "eu"}, {"host": "db", "dc": "eu", "x": "y"}, {"x": "y"}],
      "librato: inherited tags")
check(all(set(m) == {"name", "value", "tags"} for m in got[0][1]["measurements"]), "librato: nothing else is sent")
# Chunks of 300: 650 mixed and 301 tagged make 300, 300, 50, 300, 1.
points = [{"name": f"m{i}", "type": "counter" if i % 2 else "gauge", "value": i} for i in range(650)]
points += [{"name": f"t{i}", "value": i, "tags": {"k": "v"}} for i in range(301)]
got = sent(service, "librato", points, what="librato: chunks")
sizes = [len(b.get("measurements", [])) or len(b["gauges"]) + len(b["counters"]) for _, b in got]
equal(sizes, [300, 300, 50, 300, 1], "librato: chunks")
equal([m["name"] for _, b in got[:1] for m in b["gauges"]], [f"m{i}" for i in range(0, 300, 2)], "librato: in order")
equal(service.summary["accepted"], 951, "librato: all are accepted")
# The aggregator: values 8, 2, 5 in a period of 30 s.
points = [{"name": "rt", "value": v, "source": "db-3", "time": T + 17} for v in (8, 2, 5)]
got = sent(service, "librato", points, "--aggregate", "--period", "30s")
equal(got, [("/v1/metrics", {"gauges": [{"name": "rt", "count": 3, "sum": 15, "min": 2, "max": 8, "source": "db-3", "measure_time": T + 10}],
                             "counters": []})], "librato: aggregate")
points = [{"name": "rt", "value": v, "tags": {"host": "db-3"}} for v in (8, 2, 5)]
got = sent(service, "librato", points, "--aggregate")
equal(got[0], ("/v1/measurements", {"measurements": [{"name": "rt", "count": 3, "sum": 15, "min": 2, "max": 8, "tags": {"host": "db-3"}}]}),
      "librato: aggregate with tags, no time given and none sent")
# AppOptics counts what it refuses inside a 202.
service.reply = lambda path, body: (202, b'{"measurements": {"summary": {"total": 2, "accepted": 1, "failed": 1}}}', ())
done = run("librato", [{"name": "a", "value": 1, "tags": {"k": "v"}}, {"name": "b", "value": 1, "tags": {"k": "v"}}], "--json", url=service.url)
equal((done.returncode, json.loads(done.stdout)["accepted"], json.loads(done.stdout)["refused"]), (1, 1, 1), "librato: partial failure")
# The rate limit's 403 passes, another one does not.
service.reply = Fake.reply.__get__(service)
service.script(fake.status(403, b'{"error": "over [measure:raw_rate]", "request_time": 1}'))
equal(run("librato", [{"name": "a", "value": 1}], url=service.url).returncode, 0, "librato: a 403 for the rate limit is tried again")
service.script(fake.status(403, b'{"error": "no"}'))
equal(run("librato", [{"name": "a", "value": 1}], url=service.url).returncode, 4, "librato: another one is not")
service.stop()

# --- What was captured from the services' own clients -------------------------------------------------------------------


def environment(backend, options):
    """Options that are secrets come by the environment."""
    names = {("librato", "token"): "LIBRATO_TOKEN", ("librato", "user"): "LIBRATO_USER", ("apptuit", "token"): "APPTUIT_API_TOKEN",
             ("anodot20", "token"): "ANODOT_TOKEN", ("anodot30", "token"): "ANODOT_TOKEN", ("anodot30", "access_key"): "ANODOT_ACCESS_KEY",
             ("wavefront", "token"): "WAVEFRONT_TOKEN"}
    env = {names[backend, k]: v for k, v in options.items() if (backend, k) in names}
    text = lambda v: str(v).lower() if isinstance(v, bool) else str(v)
    words = [w for k, v in options.items() if (backend, k) not in names and k not in ("url", "tcp") for w in ("--set", f"{k}={text(v)}")]
    return env, words


class Anything(Quick):
    def accept(self, r):
        return 200, b'{"errors": []}', ()


def captured(backend, case):
    service, env_words = Anything(), environment(backend, case["options"])
    if "tcp" in case["options"]:
        return  # the same lines, tried on a socket below
    done = run(backend, case["points"], *env_words[1], "--json", url=service.url, env={"WAVEFRONT_TOKEN": "", **env_words[0]})
    what = f"{backend}, {case['case']}"
    equal(done.returncode, 1 if case.get("left out") else 0, f"{what}: exit code, {done.stderr}")
    equal(len(service.requests), len(case["requests"]), f"{what}: requests")
    for got, want in zip(service.requests, case["requests"]):
        path = f"{got.path}?{got.query}" if got.query else got.path
        equal((got.method, urllib.parse.unquote_plus(path)), (want["method"], urllib.parse.unquote_plus(want["path"])), f"{what}: path")
        for name, value in want["headers"].items():
            equal(got.headers.get(name), value, f"{what}: {name}")
        body = got.body.decode().splitlines() if "lines" in want else got.json()
        wanted = want.get("lines", want.get("body"))
        if backend.startswith("anodot"):  # the service wants them in the order of their times
            wanted = sorted(wanted, key=lambda s: s["timestamp"])
        equal(body, wanted, f"{what}: body")
    service.stop()


for backend in ("anodot20", "anodot30", "apptuit", "librato", "wavefront"):
    with open(f"{os.path.dirname(__file__)}/../golden/vendors/{backend}.json") as f:
        for case in json.load(f)["cases"]:
            captured(backend, case)

# --- Lines, the summary, exit codes ------------------------------------------------------------------------------------

service = librato()
text = lines({"name": "a", "value": 1}) + "nope\n\n" + lines({"name": "b", "vaule": 1}, {"name": "c", "value": 2})
done = run("librato", text, url=service.url)
equal(done.returncode, 1, "bad lines: exit code")
equal([m["name"] for m in service.got[0][1]["gauges"]], ["a", "c"], "bad lines: the others are sent")
check(re.search(r"^mtxctl send: line 2: this is not JSON", done.stderr, re.M), f"bad lines: numbers: {done.stderr}")
check('line 4: there is no field "vaule"; did you mean value?' in done.stderr, f"bad lines: how to fix it: {done.stderr}")
equal(done.stdout, "librato: 2 points accepted in 1 request, 2 bad lines\n", "bad lines: summary")
for extra in ((), ("--aggregate",)):
    done = run("librato", text, "--strict", "--json", *extra, url=service.url)
    summary = json.loads(done.stdout)
    equal((done.returncode, len(service.got), summary["bad_lines"], summary["unsent"]), (1, 1, 2, 2), f"strict {extra}: nothing is sent")
equal([r["line"] for r in summary["refusals"]], [2, 4], "strict: lines in JSON")
equal(run("librato", lines({"name": "a", "value": 1}), "--strict", "-q", url=service.url).stdout, "", "quiet")
equal(len(service.got), 2, "strict: good ones are")
# Files, each with its own numbers; the last line needs no newline.
for name, content in (("a", lines({"name": "a", "value": 1}) + "x\n"), ("b", 'y\n{"name": "b", "value": 2}')):
    with open(f"{WORK}/{name}", "w") as f:
        f.write(content)
done = run("librato", "", f"{WORK}/a", f"{WORK}/b", "--json", url=service.url)
equal([(r["file"], r["line"]) for r in json.loads(done.stdout)["refusals"]], [(f"{WORK}/a", 2), (f"{WORK}/b", 1)], "files: where")
equal([m["name"] for m in service.got[-1][1]["gauges"]], ["a", "b"], "files: both")
equal(run("librato", "", f"{WORK}/none", url=service.url).returncode, 2, "files: a missing one")
run("librato", '\r\n  {"name": "a", "value": 1} \r\n\n{"name": "b", "value": 1}\r\n', url=service.url)
equal([m["name"] for m in service.got[-1][1]["gauges"]], ["a", "b"], "blanks and carriage returns around lines")
# A line beyond a mebibyte, split over many reads; the next one is read.
long = json.dumps({"name": "x" * (3 << 20), "value": 1}) + "\n" + lines({"name": "after", "value": 1})
done = run("librato", long, url=service.url)
check(done.returncode == 1 and "line 1: the line is longer than 1 MiB" in done.stderr and service.got[-1][1]["gauges"][0]["name"] == "after",
      f"a long line: {done.stderr[:300]}")
equal(run("librato", "", url=service.url).stdout, "librato: 0 points accepted in 0 requests\n", "nothing: no request")
# Mistakes on the command line: 2, and nothing is done.
before = len(service.requests)
for words, says in [
        (("nowhere",), 'there is no backend "nowhere"'), (("libratto",), "did you mean librato?"),
        (("console",), "console cannot send points by hand"), (("librato", "--set", "tokn=x"), 'has no option "tokn"; did you mean token?'),
        (("librato", "--set", "token=x"), "token_file=FILE"), (("librato", "--set", "timeout=soon"), '"soon" is not a duration'),
        (("librato", "--set", "url"), "not OPTION=VALUE"), (("librato", "--tag", "x"), "--tag takes KEY=VALUE"),
        (("librato", "--period", "10s"), "--period needs --aggregate"), (("librato", "--strict", "--at-once", "1"), "choose one"),
        (("librato", "--backend", "x"), "--config"), (("wavefront",), "url is missing"), (("wavefront", "--set", "url=ftp://x"), "http://")]:
    done = subprocess.run([harness.MTXCTL, "send", *words], input="", env=ENV, capture_output=True, text=True)
    check(done.returncode == 2 and says in done.stderr, f"{words}: {done.returncode} {done.stderr}")
done = run("librato", "", url=service.url, env={"LIBRATO_TOKEN": ""})
check(done.returncode == 2 and "token is missing" in done.stderr and "LIBRATO_TOKEN" in done.stderr, f"no token: {done.stderr}")
equal(len(service.requests), before, "mistakes: nothing is sent")
with open(f"{WORK}/token", "w") as f:
    f.write("sesame\n")
done = run("librato", [{"name": "a", "value": 1}], "--set", f"token_file={WORK}/token", url=service.url, env={"LIBRATO_TOKEN": "wrong"})
equal((done.returncode, service.violations), (0, []), f"a token from a file wins: {done.stderr}")
# Help, from the table that checks.
help_of = lambda *words: subprocess.run([harness.MTXCTL, "send", *words, "--help"], env=ENV, capture_output=True, text=True).stdout
for name in ("anodot20", "anodot30", "apptuit", "chouette", "librato", "wavefront"):
    check(f"\n  {name} " in help_of(), f"help: {name} is listed")
check("prometheus" not in help_of(), "help: only those that take points")
check("increment" in help_of("chouette") and "inherit_tags" in help_of("librato"), "help: types and fields")
equal(subprocess.run([harness.MTXCTL, "help", "send", "chouette"], env=ENV, capture_output=True, text=True).stdout, help_of("chouette"), "help: both ways")
# A dry run needs no service and hides secrets.
done = run("librato", [{"name": "a", "value": 1}], "--dry-run", url="http://127.0.0.1:9/")
check(done.returncode == 0 and done.stdout.startswith("POST /v1/metrics\nHost: 127.0.0.1:9\n") and "Authorization: ***" in done.stdout,
      f"dry run: {done.stdout}")
check(base64.b64encode(b"me:sesame").decode() not in done.stdout, "dry run: no secret")
check(run("librato", [{"name": "a", "value": 1}], "--dry-run", url="http://127.0.0.1:9/gate/").stdout.startswith("POST /gate/v1/metrics\nHost: 127.0.0.1:9\n"),
      "dry run: the url's own path comes first")
check(base64.b64encode(b"me:sesame").decode() in run("librato", [{"name": "a", "value": 1}], "-n", "--show-secrets", url=service.url).stdout, "unless asked")
service.stop()

# --- A configuration ---------------------------------------------------------------------------------------------------

service = librato()
with open(f"{WORK}/config.yml", "w") as f:
    f.write(f"tags: {{service: shop, dc: eu}}\nbackends:\n"
            f"  - {{type: librato, name: one, url: '{service.url}', token: sesame, user: me, prefix: shop., tags: {{dc: us}}}}\n"
            f"  - {{type: librato, name: two, url: 'http://127.0.0.1:9', token: sesame}}\n")
done = run("librato", [{"name": "a", "value": 1, "tags": {"x": "y"}}], "--config", f"{WORK}/config.yml", "--backend", "one", "--tag", "z=1")
equal(service.got, [("/v1/measurements", {"measurements": [{"name": "shop.a", "value": 1, "tags": {"dc": "us", "service": "shop", "x": "y", "z": "1"}}]})],
      f"config: options, prefix and tags: {done.stderr}")
equal(run("one", [{"name": "b", "value": 1}], "--config", f"{WORK}/config.yml").returncode, 0, "config: by the name alone")
for words, says in [(("librato",), "several backends of type librato"), (("apptuit",), "has no backend apptuit"),
                    (("librato", "--backend", "three"), "has no backend three"), (("apptuit", "--backend", "one"), "is of type librato")]:
    done = run(*words[:1], "", "--config", f"{WORK}/config.yml", *words[1:])
    check(done.returncode == 2 and says in done.stderr, f"config {words}: {done.stderr}")
service.stop()

# --- Anodot ------------------------------------------------------------------------------------------------------------

service = Fake()
service.reply = lambda path, body: (200, b'{"errors": []}', ())
got = sent(service, "anodot20", [{"name": "queue depth.max", "value": 7, "time": T, "version": 2, "tags": {"data center": "eu.1"},
                                  "labels": {"owner": ["ops team", "db"]}}])
equal(got, [("/api/v1/metrics?token=open%20sesame&protocol=anodot20",
             [{"value": 7.0, "timestamp": T, "properties": {"what": "queue_depth_max", "ver": 2, "target_type": "gauge", "data_center": "eu_1"},
               "tags": {"owner": ["ops_team", "db"]}}])], "anodot20: the sample")
check(isinstance(got[0][1][0]["value"], float), "anodot20: a float")
got = sent(service, "anodot20", [{"name": "c", "type": "counter", "value": "3", "time": T + 0.9, "tags": {"n": 5, "t": True, "z": None}}])
equal(got[0][1], [{"value": 3.0, "timestamp": T, "properties": {"what": "c", "ver": 1, "target_type": "counter", "n": "5", "t": "True", "z": "None"}}],
      "anodot20: a counter, and texts of what is none")
# 1000 in a request; in the order of their times, and of equal ones as they came.
got = sent(service, "anodot20", [{"name": f"m{i}", "value": i, "time": T + (i * 7) % 10} for i in range(2500)], what="anodot20: chunks")
equal([len(b) for _, b in got], [1000, 1000, 500], "anodot20: chunks")
samples = [s for _, b in got for s in b]
check(samples == sorted(samples, key=lambda s: (s["timestamp"], s["value"])), "anodot20: times ascend")
# What other systems' editors write: a byte order mark in front of a file, lines that end in CRLF.
mark = "\ufeff" + json.dumps({"name": "a", "value": "18446744073709551615", "time": T}) + "\r\n\r\n" + json.dumps({"name": "b", "value": 2, "time": T}) + "\r\n"
with open(f"{WORK}/marked", "w", encoding="utf-8", newline="") as f:
    f.write(mark)
for words in ((), (f"{WORK}/marked", f"{WORK}/marked")):
    got = sent(service, "anodot20", mark, *words, what=f"anodot20: BOM and CRLF {words}")
    equal([s["properties"]["what"] for _, b in got for s in b], ["a", "b"] * (len(words) or 1), f"anodot20: BOM and CRLF {words}")
done = run("chouette", [{"name": "a", "value": "18446744073709551615", "time": T}], "--dry-run", fast=False)
done_port = run("chouette", [{"name": "a", "value": 1}], "--dry-run", fast=False, env={"REDIS_PORT": "tcp://10.0.0.11:6379"})
check(done_port.returncode == 0 and "REDIS_PORT is ignored" in done_port.stderr, f"chouette: Kubernetes' REDIS_PORT: {done_port.stderr}")
done_port = run("chouette", [{"name": "a", "value": 1}], "--dry-run", "--set", "port=6380", fast=False, env={"REDIS_PORT": "tcp://10.0.0.11:6379"})
check("redis:6380" in done_port.stdout and "REDIS_PORT" not in done_port.stderr, f"chouette: --set wins: {done_port.stderr}")
check('"value":18446744073709551615,' in done.stdout, f"chouette: 2^64-1 is a whole number: {done.stdout}")
# Errors by index name the line; the others are accepted.
service.reply = lambda path, body: (200, b'{"errors": [{"error": "2028", "description": "name too long", "index": "1"}]}', ())
done = run("anodot20", [{"name": "late", "value": 1, "time": T + 5}, {"name": "b", "value": 1, "time": T}, {"name": "c", "value": 1, "time": T + 9}],
           "--json", url=service.url)
refusals = json.loads(done.stdout)["refusals"]
equal((done.returncode, [(r["line"], r["by"], r["status"], r["reason"]) for r in refusals]), (1, [(1, "service", 200, "2028 name too long")]),
      f"anodot20: by index: {done.stderr}")
equal(json.loads(done.stdout)["accepted"], 2, "anodot20: the others")
# An error without an index beside one with it: both are reported.
service.reply = lambda path, body: (200, b'{"errors": [{"error": "2028", "description": "name too long", "index": "0"}, '
                                         b'{"error": 2003, "description": "metrics per second"}]}', ())
done = run("anodot20", [{"name": "a", "value": 1, "time": T}, {"name": "b", "value": 1, "time": T}], "--json", url=service.url)
summary = json.loads(done.stdout)
equal((sorted((r["points"], r["reason"]) for r in summary["refusals"]), summary["accepted"], summary["refused"]),
      ([(0, "2003 metrics per second"), (1, "2028 name too long")], 1, 1), f"anodot20: with and without an index: {done.stderr}")
check("anodot20: 2003 metrics per second" in done.stderr, f"anodot20: without an index: {done.stderr}")
service.script(fake.status(400, b"no \xff\x1b[31m\xc2\x9b?token=open%20sesame"))
done = subprocess.run([harness.MTXCTL, "send", "anodot20", "--set", f"url={service.url}"], input=b'{"name": "a", "value": 1}', env=ENV, capture_output=True)
check(b"HTTP 400: no " in done.stderr and not re.search(rb"[\x1b\x9b]|\xff|sesame", done.stderr), f"anodot20: its bytes are not shown as they are: {done.stderr}")
service.stop()


class Anodot30(Fake):
    def __init__(self, schemas=()):
        super().__init__()
        self.schemas, self.ids = list(schemas), 0

    def accept(self, r):
        path = f"{r.path}?{r.query}" if r.query else r.path
        body = r.json() if r.body else None
        self.got.append((path, body))
        if r.path.startswith("/api/v1/"):
            need(r.query == "token=open%20sesame&protocol=anodot30" and "authorization" not in r.headers, f"{r.query}")
            return 200, b'{"errors": []}', ()
        if r.path == "/api/v2/access-token":
            need(body == {"refreshToken": "open"}, "the access key")
            return 200, b'"bearer"', ()
        need(r.headers.get("authorization") == "Bearer bearer", "the bearer")
        if r.method == "GET":
            return 200, json.dumps([{"streamSchemaWrapper": {"schema": s}} for s in self.schemas]).encode(), ()
        self.ids += 1
        self.schemas.append({**body, "id": f"S{self.ids}"})
        return 200, json.dumps({"schema": self.schemas[-1]}).encode(), ()


sample = {"name": "web traffic", "measurements": {"hits.total": 12, "lat": 0.25}, "aggregation": {"hits.total": "sum"},
          "units": {"hits.total": "req"}, "time": T, "tags": {"data center": "eu.1"}}
service = Anodot30()
done = run("anodot30", [sample], "--set", "version=3", "--json", url=service.url)
equal((done.returncode, service.violations), (0, []), f"anodot30: {done.stderr}")
equal(service.got, [
    ("/api/v2/access-token", {"refreshToken": "open"}),
    ("/api/v2/stream-schemas/schemas?excludeCubes=True", None),
    ("/api/v2/stream-schemas", {"id": None, "version": 3, "name": "web traffic", "dimensions": ["data_center"],
                                "measurements": {"hits_total": {"aggregation": "sum", "countBy": "none", "units": "req"},
                                                 "lat": {"aggregation": "average", "countBy": "none"}},
                                "missingDimPolicy": {"action": "fill", "fill": "unknown"}}),
    ("/api/v1/metrics?token=open%20sesame&protocol=anodot30",
     [{"schemaId": "S1", "timestamp": T, "dimensions": {"data_center": "eu_1"}, "measurements": {"hits_total": 12.0, "lat": 0.25}}])],
    "anodot30: login, schema, sample")
service.got.clear()
run("anodot30", [sample], "--set", "watermark=true", url=service.url)
equal([p.split("?")[0] for p, _ in service.got], ["/api/v2/access-token", "/api/v2/stream-schemas/schemas", "/api/v1/metrics", "/api/v1/metrics/watermark"],
      "anodot30: the schema is found")
equal(service.got[-1][1], {"schemaId": "S1", "watermark": T}, "anodot30: the watermark")
service.got.clear()
with open(f"{WORK}/anodot.yml", "w") as f:
    f.write(f"backends: [{{type: anodot30, url: '{service.url}', token: open sesame, access_key: open, watermark: true}}]\n")
done = run("anodot30", [sample], "--config", f"{WORK}/anodot.yml")
check(done.returncode == 0 and "watermark" not in service.got[-1][0], f"anodot30: no watermark unless it is asked for: {service.got[-1]}")
service.got.clear()
given = {"schemaId": "S9", "measurements": {"hits": 1}, "time": T}
done = run("anodot30", [given], url=service.url, env={"ANODOT_ACCESS_KEY": ""})
equal(([b for _, b in service.got], done.returncode), ([[{"schemaId": "S9", "timestamp": T, "dimensions": {}, "measurements": {"hits": 1.0}}]], 0),
      f"anodot30: a schema that is given needs no login: {done.stderr}")
done = run("anodot30", [sample], url=service.url, env={"ANODOT_ACCESS_KEY": ""})
check(done.returncode == 4 and "access_key is missing" in done.stderr, f"anodot30: and one that is not does: {done.stderr}")
done = run("anodot30", [sample, {"name": "jobs", "type": "counter", "value": 1}], "--dry-run", url=service.url)
check('"refreshToken":"***"' in done.stdout and '"schemaId":"dry-run-' in done.stdout and "open" not in done.stdout,
      f"anodot30: a dry run shows the schemas that it would make, and no key: {done.stdout}")
# A login that has ended is renewed once; one that is refused is not tried again and again.
as_usual = lambda handler, request: handler.reply(*service.accept(request))
service.script(as_usual, fake.status(401, b"expired"))
service.got.clear()
done = run("anodot30", [sample], "--json", url=service.url)
equal((done.returncode, [p.split("?")[0] for p, _ in service.got].count("/api/v2/access-token"), json.loads(done.stdout)["accepted"]), (0, 2, 1),
      f"anodot30: the bearer ends: {done.stderr}")
for status in (401, 400):
    service.script(*[fake.status(status, b"never")] * 9)
    done = run("anodot30", [sample], "--json", url=service.url)
    equal((done.returncode, len(service.tricks), json.loads(done.stdout)["unsent"]), (4, 8, 1), f"anodot30: a login refused with {status}: {done.stderr}")
    service.tricks.clear()
service.stop()

# --- Apptuit -----------------------------------------------------------------------------------------------------------

service = Fake("Bearer sesame", encoding="deflate")
got = sent(service, "apptuit", [
    {"name": "carts.open.count", "value": 4, "time": T + 10, "tags": {"svc": "cart", "zone": "b-2", "worker_id": 77, "ok": True, "no": None}},
    {"name": "7&&cpu-time/seconds", "value": "0.1", "time": T, "tags": {"a b": "c d"}},
    {"name": "s", "type": "series", "points": [[T, 1], [T + 1, 1e16]], "tags": {"k": "v"}}])
equal(got, [("/api/put?details", [
    {"metric": "carts_open_count", "timestamp": T + 10, "value": 4.0, "tags": {"svc": "cart", "zone": "b-2", "worker_id": 77, "ok": True, "no": None}},
    {"metric": "_7_cpu_time_seconds", "timestamp": T, "value": 0.1, "tags": {"a_b": "c d"}},
    {"metric": "s", "timestamp": T, "value": 1.0, "tags": {"k": "v"}}, {"metric": "s", "timestamp": T + 1, "value": 1e16, "tags": {"k": "v"}}])],
    "apptuit: points and a series; no host tag by hand")
check(all(isinstance(p["value"], float) for p in got[0][1]), "apptuit: floats")
got = sent(service, "apptuit", [{"name": "a.b", "value": 1, "time": T, "tags": {"k": "own"}}], "--set", "sanitize=apptuit",
           env={"APPTUIT_TAGS": "env: e, k: env", "APPTUIT_DISABLE_HOST_TAG": "no"}, what="apptuit: environment")
host = got[0][1][0]["tags"].pop("host", None)
equal((got[0][1], bool(host)), ([{"metric": "a.b", "timestamp": T, "value": 1.0, "tags": {"env": "e", "k": "own"}}], True), "apptuit: environment")
done = run("apptuit", [{"name": "a", "value": 1}, {"name": "b", "value": 1, "tags": {f"k{i}": "v" for i in range(26)}},
                       {"name": "c", "value": 1, "tags": {"k": "v"}}], "--json", url=service.url)
equal([(r["line"], r["by"]) for r in json.loads(done.stdout)["refusals"]], [(1, "mtxctl"), (2, "mtxctl")], f"apptuit: 0 and 26 tags: {done.stderr}")
equal((len(service.got[-1][1]), done.returncode), (1, 1), "apptuit: the other one is sent")
done = run("apptuit", [{"name": "a", "value": 1}, {"name": "c", "value": 1, "tags": {"k": "v"}}], "--strict", "--json", url=service.url)
summary = json.loads(done.stdout)
equal((done.returncode, summary["requests"], summary["refused"], summary["unsent"]), (1, 0, 1, 1), f"apptuit: strict: {done.stderr}")
service.reply = lambda path, body: (400, json.dumps({"success": 1, "failed": 1, "errors": [{"datapoint": body[0], "error": "not this one"}]}).encode(), ())
done = run("apptuit", [{"name": "a", "value": 1, "tags": {"k": "v"}}, {"name": "b", "value": 1, "tags": {"k": "v"}}], url=service.url)
check(done.returncode == 1 and "lines 1 to 2: apptuit refused 1 point: a: not this one" in done.stderr, f"apptuit: partial: {done.stderr}")
equal(done.stdout, "apptuit: 1 point accepted in 1 request, 1 refused\n", "apptuit: partial")
service.stop()

# --- What the services answer ------------------------------------------------------------------------------------------

many = [{"name": f"m{i}", "value": i, "time": T, "tags": {"k": "v"}} for i in range(40)]


def names(service):
    return sorted(p["metric"] for _, body in service.got for p in body)


service = Fake("Bearer sesame", encoding="deflate")
service.script(fake.refuse_larger_than(600))
done = run("apptuit", many, "--json", url=service.url)
equal((done.returncode, names(service)), (0, sorted(p["name"] for p in many)), f"413: halves, each point once: {done.stderr}")
service.tricks.clear()
service.got.clear()
service.script(fake.refuse_with(b'"m17"'))
done = run("apptuit", many, "--json", url=service.url)
refusals = json.loads(done.stdout)["refusals"]
equal((done.returncode, names(service)), (1, sorted(p["name"] for p in many if p["name"] != "m17")), "400: all but the poison")
equal([(r["line"], r["status"]) for r in refusals], [(18, 400)], f"400: which line it was: {refusals}")
check("there is something wrong in it" in refusals[0]["reason"], "400: in the service's words")
service.tricks.clear()
service.got.clear()
service.script(fake.status(503), fake.status(429, headers=[("Retry-After", "0")]), fake.reset)
done = run("apptuit", many[:1], "--json", url=service.url)
equal((done.returncode, len(service.got), json.loads(done.stdout)["retried"]), (0, 1, 3), f"503, 429, a reset: tried again: {done.stderr}")
for code, want in ((401, 4), (404, 4), (301, 4), (500, 3)):
    service.script(*[fake.status(code, b"because")] * 3)
    done = run("apptuit", many, "--retries", "2", "--json", url=service.url)
    summary = json.loads(done.stdout)
    equal((done.returncode, summary["unsent"], summary["accepted"]), (want, 40, 0), f"{code}: {done.stderr}")
    equal(summary["requests"], 1 if want == 4 else 3, f"{code}: tries")
    check("because" in done.stderr, f"{code}: why: {done.stderr}")
    service.tricks.clear()
service.script(fake.status(503, headers=[("Retry-After", "3600")]))
begin = time.monotonic()
done = run("apptuit", many[:1], "--timeout", "2s", url=service.url)
check(done.returncode == 3 and time.monotonic() - begin < 5, f"no wait beyond --timeout: {done.returncode}, {done.stderr}")
service.tricks.clear()
for url in ("http://127.0.0.1:9", "http://nowhere.invalid"):
    done = run("apptuit", many, "--retries", "1", "--json", url=url)
    equal((done.returncode, json.loads(done.stdout)["unsent"], json.loads(done.stdout)["state"]), (3, 40, "unreached"), f"{url}: {done.stderr}")
# A batch whose answer was lost may have been accepted: sent again, or given up for services that add up.
service.stop()
service = Fake()
service.reply = lambda path, body: (200, b'{"errors": []}', ())
service.script(fake.reset)
done = run("anodot20", [{"name": "a", "type": "counter", "value": 1}], "--set", "on_ambiguous=drop", url=service.url)
check(done.returncode == 1 and "may have been accepted" in done.stderr and len(service.got) == 0, f"ambiguous: {done.stderr}")
service.stop()

# --- Wavefront ---------------------------------------------------------------------------------------------------------


class Wavefront(Fake):
    def __init__(self, authorization="Bearer sesame"):
        super().__init__(authorization, "application/octet-stream", "gzip")

    def parse(self, r):
        return r.body.decode()

    def reply(self, path, body):
        return 202, b"", ()


hand = [
    {"name": "new-york.power.usage", "value": 42422, "time": T, "source": "src-1", "tags": {"datacenter": "dc1"}},
    {"name": "a/b é", "value": "1e16", "source": "s \"q\"\n", "tags": {"t": "c:\\dir\\"}},
    {"name": "jobs.done", "type": "delta", "value": 3, "source": "src-1"}, {"name": "∆~own", "type": "delta", "value": 1.5, "source": "src-1"},
    {"name": "Δgreek", "value": 2, "source": "src-1"}, {"name": "none", "type": "delta", "value": 0},
    {"name": "request.latency", "type": "distribution", "centroids": [[30.0, 20], [5.1, 10]], "time": T, "source": "src-1", "tags": {"region": "us-west"}},
    {"name": "both", "type": "distribution", "value": [1, 2], "granularities": ["minute", "day"], "source": "src-1"}]
metrics = ('"new-york.power.usage" 42422.0 1700000000 source="src-1" "datacenter"="dc1"\n'
           '"a-b--" 1e+16 source="s \\"q\\"" "t"="c:\\dir\\ "\n'
           '"∆jobs.done" 3.0 source="src-1"\n"∆~own" 1.5 source="src-1"\n"Δgreek" 2.0 source="src-1"\n')
distributions = ('!M 1700000000 #20 30.0 #10 5.1 "request.latency" source="src-1" "region"="us-west"\n'
                 '!M #1 1.0 #1 2.0 "both" source="src-1"\n!D #1 1.0 #1 2.0 "both" source="src-1"\n')
service = Wavefront()
got = sent(service, "wavefront", hand)
equal(got, [("/report?f=wavefront", metrics), ("/report?f=histogram", distributions)], "wavefront: lines, directly")
equal((service.summary["accepted"], service.summary["nothing"]), (7, 1), "wavefront: a delta of 0 is nothing to send")
done = run("wavefront", [{"name": "d", "type": "delta", "value": -1}], url=service.url)
check(done.returncode == 1 and "line 1: a delta counter cannot decrease" in done.stderr, f"wavefront: one below 0 is refused: {done.stderr}")
got = sent(service, "wavefront", [{"name": "d", "type": "distribution", "centroids": [[1, 2]], "source": "s"},
                                  {"name": "d", "type": "distribution", "value": [5], "source": "s"},
                                  {"name": "n", "type": "delta", "value": 2, "source": "s"}, {"name": "n", "type": "delta", "value": 3, "source": "s"}], "--aggregate")
equal([b for _, b in got], ['"∆n" 5.0 source="s"\n', '!M #2 1.0 #1 5.0 "d" source="s"\n'], "wavefront: aggregate")
equal(run("wavefront", [{"name": "g", "value": 1}], "--aggregate", url=service.url).returncode, 1, "wavefront: a gauge has no sum")
# Blanks are Unicode's; a blank source is none, a blank name is refused.
got = sent(service, "wavefront", [{"name": "n", "value": 1, "source": "\u00a0\u2003", "tags": {"a": "\u3000x \u2028y\u00a0", "b": "\u2009", "c": "é\u0085"}}],
           "--set", "source=src-1", what="wavefront: blanks")
equal(got, [("/report?f=wavefront", '"n" 1.0 source="src-1" "a"="x \u2028y" "c"="é"\n')], "wavefront: blanks")
for name in ("\u00a0", "∆\u2003"):
    done = run("wavefront", [{"name": name, "value": 1}], url=service.url)
    check(done.returncode == 1 and "its name is blank" in done.stderr, f"wavefront: a blank name is refused: {done.stderr}")
done = run("wavefront", [{"name": "n", "value": 1}], "--dry-run", "--set", "source=\u00a0", url=service.url)
check('source="\u00a0"' not in done.stdout and 'source=""' not in done.stdout, f"wavefront: a blank option: {done.stdout}")
service.script(fake.status(406))
equal(run("wavefront", [{"name": "g", "value": 1}], url=service.url).returncode, 0, "wavefront: 406 pushes back")
equal(run("wavefront", [{"name": "g", "value": 1}], url=service.url, env={"WAVEFRONT_TOKEN": "wrong"}).returncode, 1, "wavefront: a violation")
service.violations.clear()
service.script(fake.status(401), fake.status(401))
equal(run("wavefront", [{"name": "g", "value": 1}], url=service.url).returncode, 4, "wavefront: 401")
service.stop()


class Platform(Wavefront):
    """The service and the cloud-services platform at one address."""

    def accept(self, r):
        if r.path != "/csp/gateway/am/api/auth/api-tokens/authorize":
            return super().accept(r)
        need(r.body == b"api_token=open%20sesame" and "authorization" not in r.headers, f"the login: {r.body}")
        return 200, b'{"access_token": "bearer", "expires_in": 1000}', ()


with open(f"{WORK}/csp", "w") as f:
    f.write("open sesame\n")
service = Platform("Bearer bearer")
words = ["--set", f"csp_api_token_file={WORK}/csp", "--set", f"csp_url={service.url}"]
done = run("wavefront", hand, *words, url=service.url, env={"WAVEFRONT_TOKEN": ""})
equal((done.returncode, service.violations, [b for _, b in service.got]), (0, [], [metrics, distributions]), f"wavefront: a login first: {done.stderr}")
done = run("wavefront", hand, *words, "--dry-run", url=service.url, env={"WAVEFRONT_TOKEN": ""})
check("\napi_token=***\n" in done.stdout and "sesame" not in done.stdout, f"wavefront: which a dry run shows without the token: {done.stdout}")
service.stop()
service = Wavefront(None)
equal(sent(service, "wavefront", hand, "--set", "mode=proxy", env={"WAVEFRONT_TOKEN": ""}),
      [("/report?f=wavefront", metrics), ("/report?f=histogram", distributions)], "wavefront: through a proxy, without a token")
service.stop()


def listen():
    """A proxy's port: what came until the other side closed."""
    listener = socket.create_server(("127.0.0.1", 0))
    came = []

    def take():
        while True:
            connection = listener.accept()[0]
            with connection:
                data = b""
                while chunk := connection.recv(65536):
                    data += chunk
                came.append(data.decode())

    threading.Thread(target=take, daemon=True).start()
    return listener.getsockname()[1], came


(port, came), (other, more) = listen(), listen()
words = ["--set", "mode=proxy", "--set", f"tcp=127.0.0.1:{port}", "--set", f"tcp_distributions=127.0.0.1:{other}"]
done = run("wavefront", hand, *words)
check(harness.until(5, lambda: came and more), "wavefront: lines on sockets arrive")
equal((done.returncode, came, more), (0, [metrics], [distributions]), f"wavefront: lines on sockets: {done.stderr}")
dry = run("wavefront", hand, *words, "--dry-run")
equal(dry.stdout, f"tcp 127.0.0.1:{port}\n\n{metrics}\ntcp 127.0.0.1:{other}\n\n{distributions}\n", "wavefront: the dry run of it")

# --- Chouette ----------------------------------------------------------------------------------------------------------


def redis():
    if not shutil.which("redis-server"):
        print("left out: redis-server is not installed", flush=True)
        return None
    path = f"{WORK}/redis"
    process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", WORK], stdout=subprocess.DEVNULL)
    harness.until(10, lambda: os.path.exists(path))
    return process


def cli(*words):
    return subprocess.run(["redis-cli", "-s", f"{WORK}/redis", *words], capture_output=True, text=True).stdout


def records():
    """What is in the queue, in the agent's order; it is empty then."""
    script = ("local k = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') local r = {redis.call('HLEN', KEYS[2])} "
              "for i = 1, #k, 2 do r[#r + 1] = k[i + 1] r[#r + 1] = redis.call('HGET', KEYS[2], k[i]) end "
              "redis.call('DEL', KEYS[1], KEYS[2]) return r")
    out = cli("EVAL", script, "2", "chouette:metrics:raw.keys", "chouette:metrics:raw.values").splitlines()
    values = [json.loads(v) for v in out[2::2]]
    equal(int(out[0]), len(values), "chouette: no orphans")
    return values, [int(k) for k in out[1::2]]


def by_hand(*points, code=0):
    done = run("chouette", list(points), "--set", f"unix_socket={WORK}/redis", "--json")
    equal(done.returncode, code, f"chouette {points}: {done.stderr}")
    values, scores = records()
    for v, score in zip(values, scores):
        check(score <= v["timestamp"] < score + 10, f"chouette: {v} in its window {score}")
    return values


process = redis()
if process:
    def record(metric, kind, value, timestamp=T, tags=None):
        return {"metric": metric, "type": kind, "value": value, "timestamp": timestamp, "tags": tags or {}}

    equal(by_hand({"name": "my.count", "value": 1, "time": T, "tags": {"importance": "high"}}), [record("my.count", "count", 1, tags={"importance": "high"})],
          "chouette: count")
    values = by_hand(*[{"name": n, "type": n, "value": 2, "time": T} for n in ("increment", "decrement", "gauge", "rate", "histogram")])
    key = lambda r: r["metric"]
    equal(sorted(values, key=key), [record("decrement", "count", -2), record("gauge", "gauge", 2), record("histogram", "histogram", 2),
                                    record("increment", "count", 2), record("rate", "rate", 2)], "chouette: every type")
    equal(by_hand({"name": "s", "type": "set", "value": ["a", 1, "1", 0.5, "a", True], "time": T + 0.123456}),
          [record("s", "set", ["a", 1, "1", 0.5, "a", True], T + 0.123456)], "chouette: a set keeps its elements, a time its fraction")
    values = by_hand({"name": "h", "type": "histogram", "value": [1, 2.5, 1], "time": T, "tags": {"n": 5, "t": True}})
    equal(values, [record("h", "histogram", v, tags={"n": "5", "t": "True"}) for v in (1, 2.5, 1)], "chouette: a list is a record for each")
    now = by_hand({"name": "n", "value": 1})[0]["timestamp"]
    check(abs(now - time.time()) < 5, f"chouette: without a time it is now: {now}")
    # Two runs that say the same are two events; the records of a series are neighbours, whoever wrote them.
    for _ in range(2):
        run("chouette", [{"name": "a", "value": 1, "time": T}, {"name": "b", "value": 1, "time": T}, {"name": "a", "value": 1, "time": T + 1}],
            "--set", f"unix_socket={WORK}/redis")
    order = [r["metric"] for r in records()[0]]
    check(sorted(order) == ["a"] * 4 + ["b"] * 2 and order in (sorted(order), sorted(order, reverse=True)), f"chouette: two runs: {order}")
    dry = run("chouette", [{"name": "a", "value": 1, "time": T}], "--set", f"unix_socket={WORK}/redis", "--dry-run", "--json")
    commands = json.loads(dry.stdout)["dry_run"][0]["commands"]
    equal(([c[0] for c in commands], json.loads(commands[2][3]), commands[1][2]), (["MULTI", "ZADD", "HSET", "EXEC"], record("a", "count", 1), str(T)),
          "chouette: the dry run")
    equal(records()[0], [], "chouette: and nothing of it is written")
    values = by_hand(*[{"name": f"c{i % 5}", "value": 1, "time": T + i / 1000} for i in range(2500)])
    equal(len(values), 2500, "chouette: more than one transaction")
    total = run("chouette", [{"name": "c", "value": 1, "time": T + i % 3} for i in range(2500)], "--aggregate", "--period", "10s", "--set", f"unix_socket={WORK}/redis")
    equal(records()[0], [record("c", "count", 2500)], f"chouette: aggregate: {total.stderr}")
    cli("CONFIG", "SET", "requirepass", "sesame")
    for env, code in (({}, 4), ({"REDIS_PASSWORD": "wrong"}, 4), ({"REDIS_PASSWORD": "sesame"}, 0)):
        done = run("chouette", [{"name": "a", "value": 1}], "--json", "--set", f"unix_socket={WORK}/redis", env=env)
        equal((done.returncode, json.loads(done.stdout)["retried"]), (code, 0), f"chouette: password {env}: {done.stderr}")
    cli("-a", "sesame", "CONFIG", "SET", "requirepass", "")
    records()
    cli("CONFIG", "SET", "maxmemory", "1")
    done = run("chouette", [{"name": "a", "value": 1}], "--retries", "1", "--set", f"unix_socket={WORK}/redis")
    check(done.returncode == 3 and "OOM" in done.stderr, f"chouette: full: {done.stderr}")
    cli("CONFIG", "SET", "maxmemory", "0")

    # mtxctl time --send: seconds or milliseconds, also of a command that fails, whose status and output come through.
    def timed(*words, code=0):
        done = subprocess.run([harness.MTXCTL, "time", "--send", "chouette", "--set", f"unix_socket={WORK}/redis", *words], env=ENV,
                              capture_output=True, text=True)
        equal(done.returncode, code, f"time {words}: {done.stderr}")
        return done, records()[0]

    done, values = timed("job.time", "k=v", "--", "sh", "-c", "echo out; sleep 0.05; exit 3", code=3)
    equal((done.stdout, [(r["metric"], r["type"], r["tags"]) for r in values]), ("out\n", [("job.time", "histogram", {"k": "v"})]), "time: seconds")
    check(values and 0.05 <= values[0]["value"] < 5 and abs(values[0]["timestamp"] - time.time()) < 10, f"time: {values}")
    done, values = timed("--milliseconds", "--status-tag", "--tag", "dc=eu", "job.time", "--", "sleep", "0.05")
    check(values and isinstance(values[0]["value"], int) and 50 <= values[0]["value"] < 5000, f"time: milliseconds {values}")
    equal(values and values[0]["tags"], {"status": "ok", "dc": "eu"}, "time: tags")
    done, values = timed("--json", "job.time", "--", "true")
    check(json.loads(done.stderr)["sent"] is True, f"time: JSON {done.stderr}")
    process.kill()
    process.wait()
    done = subprocess.run([harness.MTXCTL, "time", "--send", "chouette", "--set", f"unix_socket={WORK}/gone", "--retries", "0", "t", "--", "sh", "-c", "exit 7"],
                          env=ENV, capture_output=True, text=True)
    check(done.returncode == 7 and "mtxctl time: chouette: " in done.stderr, f"time: no service: {done.returncode} {done.stderr}")
    done = run("chouette", [{"name": "a", "value": 1}], "--retries", "1", "--set", f"unix_socket={WORK}/gone")
    equal(done.returncode, 3, f"chouette: no service: {done.stderr}")
for words, says in [(["--milliseconds"], "need --send"), (["--send", "nowhere"], 'there is no backend "nowhere"')]:
    done = subprocess.run([harness.MTXCTL, "time", *words, "t", "--", "touch", f"{WORK}/ran"], env=ENV, capture_output=True, text=True)
    check(done.returncode == 2 and says in done.stderr and not os.path.exists(f"{WORK}/ran"), f"time {words}: {done.stderr}")

# --- At once, and signals ----------------------------------------------------------------------------------------------


def start(service, *words):
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever started the suite may ignore it
    return subprocess.Popen(preexec_fn=heard, args=[harness.MTXCTL, "send", "librato", "--set", f"url={service.url}", "--set", "retry_least=1ms", *words], env=ENV, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def feed(process, *points):
    process.stdin.write(lines(*points))
    process.stdin.flush()


service = librato()
process = start(service, "--at-once", "2")
feed(process, {"name": "a", "value": 1})
feed(process, {"name": "b", "value": 2}, {"name": "c", "value": 3})
check(harness.until(5, lambda: len(service.got) == 1), "at once: as soon as two are queued, the input still open")
equal([m["name"] for m in service.got[0][1]["gauges"]], ["a", "b"], "at once: those two")
out, err = process.communicate(timeout=10)
equal(([m["name"] for m in service.got[1][1]["gauges"]], process.returncode), (["c"], 0), f"at once: the rest at the end: {err}")
for number in (signal.SIGINT, signal.SIGTERM):
    service.got.clear()
    process = start(service)
    feed(process, {"name": "a", "value": 1}, {"name": "b", "value": 2})
    process.stdin.write('{"name": "half')
    process.stdin.flush()
    unread = lambda: struct.unpack("i", fcntl.ioctl(process.stdin, termios.FIONREAD, b"0000"))[0]
    check(harness.until(5, lambda: unread() == 0), f"{number}: all of it is read")
    process.send_signal(number)
    check(harness.until(5, lambda: service.got), f"{number}: what is queued is sent")
    check(process.wait(10) == 0, f"{number}: exit code {process.returncode}")
    equal([m["name"] for m in service.got[0][1]["gauges"]], ["a", "b"], f"{number}: whole lines only")
    process.stdin = None
    process.communicate()
# The second signal gives up a service that does not answer well.
service.script(*[fake.status(503)] * 1000)
process = start(service, "--set", "retry_least=10s", "--retries", "1000", "--timeout", "1000s")
feed(process, {"name": "a", "value": 1})
process.stdin.close()
check(harness.until(5, lambda: len(service.tricks) < 1000), "signals: it tries")
process.send_signal(signal.SIGTERM)
time.sleep(0.1)
check(process.poll() is None, "signals: after one it goes on")
check(harness.until(10, lambda: process.poll() is not None or process.send_signal(signal.SIGTERM)), "signals: more are")
equal(process.wait(10), 3, "signals: exit code")
service.stop()
shutil.rmtree(WORK)
harness.finish()
