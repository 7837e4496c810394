# SPDX-License-Identifier: Apache-2.0
"""Promises: `mtxctl wavefront validate` refuses the lines that a proxy refuses, with the proxy's code and the column of
what is wrong, and no others: it accepts what our own encoder sends; send, event, span, span-log, source-tag arrive as the
service or a proxy takes them, over HTTP or a socket; failures are counted; bad input sends nothing."""
import json
import os
import re
import socket
import tempfile
import threading
import time

import fake
import harness
from fake import need
from harness import check, equal, finish
from objects import Caller

WORK = tempfile.mkdtemp()
NOW = int(time.time())
UUID, OTHER = "7b3bf470-9456-11e8-9eb6-529269fb1459", "0313bafe-9457-11e8-9eb6-529269fb1459"
SOURCE = 'source="h"'


class Wavefront(fake.Service):
    """Takes what the documentation says, by path and format; keeps the lines and events."""

    def __init__(self, token="sesame"):
        super().__init__()
        self.token, self.lines, self.events = token, [], []

    def accept(self, r):
        if r.headers.get("authorization") != (f"Bearer {self.token}" if self.token else None):
            return 401, b'{"status": {"result": "ERROR", "message": "Unauthorized"}}', ()
        need(r.method == "POST", r.method)
        if r.path == "/api/v2/event":
            need(r.headers.get("content-type") == "application/json" and r.headers.get("content-encoding") is None, "one event, not compressed")
            event = r.json()
            need({"name", "annotations", "startTime", "endTime"} <= set(event) <= {"name", "annotations", "hosts", "startTime", "endTime", "tags"}, f"{event}")
            self.events.append(event)
            return 200, b'{"status": {"result": "OK"}, "response": {"id": "e1"}}', ()
        need(r.path == "/report" and r.headers.get("content-type") == "application/octet-stream", r.path)
        need(r.headers.get("content-encoding") == "gzip", "gzip")
        route = dict(p.split("=") for p in r.query.split("&"))["f"]
        need(route in ("wavefront", "histogram", "trace", "spanLogs") + (() if self.token else ("event",)), route)
        need(r.body.endswith(b"\n"), "each line ends")
        self.lines.append((route, r.body.decode().splitlines()))
        return 202, b"", ()


direct, proxy = Wavefront(), Wavefront(None)
run = Caller("wavefront", {"WAVEFRONT_TOKEN": "sesame"}, "--set", f"url={direct.url}")
bare = {"WAVEFRONT_TOKEN": ""}
through = ("--set", f"url={proxy.url}", "--set", "mode=proxy")


def write(text, name="lines"):
    with open(f"{WORK}/{name}", "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return f"{WORK}/{name}"


# --- What a proxy takes and refuses ------------------------------------------------------------------------------------------
SPAN = f'"x" {SOURCE} traceId={UUID} spanId={OTHER}'
CASES = [  # format, line, None or (code, column)
    ("metric", f'"new-york.power.usage" 42422.0 {NOW} {SOURCE} "datacenter"="dc1"', None),
    ("metric", '"a.b" 1.0 source="golden-host"', None), ("metric", "a.b 1 host=h", None), ("metric", "a/b 1", None), ("metric", "'a' 1e+16 source=h", None),
    ("metric", '"a" NaN source=h', None), ("metric", '"a" -Infinity source=h', None), ("metric", '"a" 1e-05 source=h k = v', None),
    ("metric", f'"~a" 1 {NOW * 1000} source=h', None), ("metric", f'"a" 1 {NOW * 1000000} source=h', None), ("metric", f'"∆~a" 1 {NOW}.5 source=h', None),
    ("metric", '"a" 1 source=h "k"="say \\"hi\\" = # there"', None), ("metric", '\t"a"  1\tsource=h  ', None), ("metric", '"a" 1 source=h\r', None),
    ("metric", '"a" nan source=h', (300, 5)), ("metric", '"a" inf source=h', (300, 5)), ("metric", '"a" x', (300, 5)), ("metric", '"a"', (300, 4)),
    ("metric", '"a" 1 -5 source=h', (300, 10)), ("metric", '"a" 1 source', (300, 13)), ("metric", '"a" 1 source=', (300, 14)), ("metric", '"a 1 source=h', (300, 1)),
    ("metric", '"a" 1 source=h k="c:\\dir\\"', (300, 18)), ("metric", '"a" 1 9k=v', (300, 7)), ("metric", '"a\x04" 1', (300, 3)), ("metric", b'"a\xff" 1', (300, 1)),
    ("metric", '"hello world" 1', (400, 1)), ("metric", ' "café" 1', (400, 2)), ("metric", '"∆" 1', (400, 1)), ("metric", '"a" 1 "é"="x" "k k"=v', (401, 7)),
    ("metric", '"a" 1 source=h "é"=v', (401, 16)), ("metric", f'"a" 1 {NOW + 90000} source=h', (402, 7)), ("metric", f'"a" 1 {NOW - 366 * 86400} source=h', (402, 7)),
    ("metric", '"a" 1 1700000000 source=h', (402, 7)), ("metric", '"∆a" 0 source=h', (404, 6)), ("metric", '"Δa" -1 source=h', (404, 6)), ("metric", '"a" -1 source=h', None),
    ("metric", '"a" 1 source=" "', (406, 14)), ("metric", f'"a" 1 source={129 * "h"}', (407, 14)), ("metric", f'"a" 1 source={128 * "h"}', None),
    ("metric", f'"{257 * "a"}" 1', (408, 1)), ("metric", f'"{256 * "a"}" 1', None), ("metric", '"a" 1 ' + " ".join(f"k{i}=v" for i in range(21)), (410, 117)),
    ("metric", '"a" 1 ' + " ".join(f"k{i}=v" for i in range(20)), None), ("metric", f'"a" 1 k={254 * "v"}', (411, 7)), ("metric", f'"a" 1 k={253 * "v"}', None),
    ("metric", f'"a" 1 {65 * "k"}=v', (412, 7)), ("metric", '"a" 1 k=" "', (414, 9)), ("metric", '"é" 1 k="日本"', (400, 1)), ("metric", '"a" 1 k="日本" l=""', (414, 16)),
    ("metric", f'"a" 1 k={10 ** 7 * "v"}', (300, 1)),
    # Several faults: first what cannot be parsed; then the time, the source, the name, the number of tags, each tag, the value.
    ("metric", '"b c" x', (300, 7)), ("metric", '"b c" 1 source', (300, 15)), ("metric", '"b c" 1 1700000000 source="" k=""', (402, 9)), ("metric", '"b c" 1 source="" k=""', (406, 16)),
    ("metric", '"∆b c" 0 k="" ' + " ".join(f"k{i}=v" for i in range(21)), (400, 1)), ("metric", '"∆b" 0 k="" ' + " ".join(f"k{i}=v" for i in range(20)), (410, 117)),
    ("metric", '"∆b" 0 k="" é=v', (414, 10)), ("metric", '"∆b" 0 é=v k=""', (401, 8)), ("metric", '"a" 1 ' + " ".join(f"k{i % 3}=v" for i in range(25)), None),
    ("trace", f'"{129 * "x"}" source="" traceId={UUID} spanId={UUID} é=v {NOW}000 5', (426, 140)), ("trace", SPAN + " " + " ".join("k=v" for i in range(21)) + f" {NOW}000 5", (430, 185)),
    ("histogram", '!M #0 5 "a b" source=""', (406, 22)),
    ("histogram", f'!M {NOW} #20 30.0 #10 5.1 "request.latency" {SOURCE} "region"="us-west"', None), ("histogram", '!H #1 5 "a" source=h', None),
    ("histogram", '!D #0 5 #3 -1 a', None), ("histogram", '!M #20.0 30 a', (300, 5)), ("histogram", '!M #99999999999 30 a', (300, 5)), ("histogram", '!X #1 1 a', (300, 1)),
    ("histogram", '!M "a" source=h', (300, 4)), ("histogram", '!M #0 5 #0 1 "a"', (405, 4)), ("histogram", f'!M #1 1 {257 * "a"}', (409, 9)), ("histogram", '"a" 1', (300, 1)),
    ("histogram", '!M #1 1 "a b"', (400, 9)), ("histogram", '!M #1 x a', (300, 8)),
    ("trace", SPAN + f' parent={UUID} followsFrom={UUID} "application"="W" "k"="a" "k"="a" {NOW * 1000} 5', None), ("trace", SPAN + f" {NOW * 1000} 0", None),
    ("trace", SPAN + f" {NOW * 1000}", (300, 118)), ("trace", SPAN + f" {NOW * 1000} 1.5", (300, 119)), ("trace", SPAN, (300, 104)), ("trace", SPAN + f" 404=x {NOW * 1000} 5", (300, 105)),
    ("trace", f'"x" {SOURCE} spanId={UUID} {NOW * 1000} 5', (300, 1)), ("trace", f'"x" {SOURCE} traceId={UUID} {NOW * 1000} 5', (300, 1)),
    ("trace", SPAN + f" {NOW * 1000 + 90000000} 5", (402, 105)), ("trace", SPAN + f" k=v {NOW * 1000} 5 6", (300, 125)), ("trace", f'"x" source="" traceId={UUID} spanId={UUID} {NOW}000 5', (426, 12)),
    ("trace", f'"x" source={129 * "s"} traceId={UUID} spanId={UUID} {NOW}000 5', (427, 12)), ("trace", f'"{129 * "x"}" {SOURCE} traceId={UUID} spanId={UUID} {NOW}000 5', (428, 1)),
    ("trace", SPAN + " " + " ".join(f"k{i}=v" for i in range(21)) + f" {NOW}000 5", (430, 215)), ("trace", SPAN + f' {129 * "k"}=v {NOW}000 5', (432, 105)),
    ("trace", SPAN + f' k="" {NOW}000 5', (434, 107)), ("trace", SPAN + f' "é"="v" {NOW}000 5', (416, 105)), ("trace", SPAN + f' k={200 * "v"} {NOW}000 5', None),
    ("spanLogs", json.dumps({"traceId": UUID, "spanId": OTHER, "logs": [{"timestamp": NOW * 10 ** 6, "fields": {"event": "error"}}], "span": "x\n"}), None),
    ("spanLogs", '{"traceId": 5, "spanId": "x", "logs": []}', (300, 1)), ("spanLogs", '{"traceId": "5", "spanId": "x", "logs": {}}', (300, 1)), ("spanLogs", '{"a": nope}', (300, 10)),
    ("spanLogs", '{"traceId": "5", "spanId": "x", "logs": [{"timestamp": 1, "fields": {"a": 5}}]}', (300, 1)),
    ("event", f'@Event {NOW} {NOW + 600} "deploy v1" severity="info" host="src-1" tag="env:" tag="dev"', None), ("event", f"@Event {NOW} x", None),
    ("event", '@Event soon "x"', (300, 8)), ("event", f'@Event {NOW} " "', (300, 19)), ("event", f'@Event {NOW} "x" tag', (300, 26)), ("event", f'@Event {NOW} "x" tag=""', (300, 27)),
    ("event", f'@Event {NOW} "say "hi""', (300, 27)), ("event", f'@Event {NOW} "x" a b="c"', (300, 25)),
    ("sourceTag", '@SourceTag action=add source="h" tag1 tag2', None), ("sourceTag", '@SourceDescription action=delete source="h"', None),
    ("sourceTag", '@SourceTag action=drop source="h" t', (300, 19)), ("sourceTag", '@SourceTag action=add source="h"', (300, 33)), ("sourceTag", '@SourceDescription action=add source="h" "x"', (300, 27)),
    ("sourceTag", '@SourceDescription action=save source="h"', (300, 42)), ("sourceTag", '@SourceTag source="h" action=add t', (300, 12))]
for kind in sorted({c[0] for c in CASES}):
    cases = [(line, want) for k, line, want in CASES if k == kind]
    text = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n\n" for line, _ in cases)
    result = run.json("validate", write(text, kind), f"format={kind}", code=1, settings=())
    got = {(f["line"] - 1) // 2: (int(f["code"][3:]), f["column"], f["reason"]) for f in result["faults"]}
    equal(result["lines"], len(cases), f"{kind}: empty lines do not count")
    for i, (line, want) in enumerate(cases):
        equal(got.get(i, (None,))[:2] if i in got else None, want, f"{kind}: {line[:160]!r}: {got.get(i)}")
auto = write(f'"a" 1 source=h\n!M #1 1 "a" source=h\n{SPAN} {NOW}000 5\n@Event {NOW} "x"\n@SourceTag action=add source=h t\n'
             f'{{"traceId": "a", "spanId": "b", "logs": []}}\n"b" x\n')
done = run("validate", auto, code=1, settings=())
equal(done.stdout.splitlines()[-1], "7 lines, 2 refused", "auto: the line decides")
check(f"{auto}:3:5: WF-300: " in done.stdout and "a span needs format=trace" in done.stdout and f"{auto}:7:5: WF-300: this is not a number" in done.stdout, f"auto: {done.stdout}")
equal(run("validate", settings=(), stdin='"a" 1\n"b" 2').stdout, "2 lines, 0 refused\n", "standard input, without a last newline")
equal(run.json("validate", write(f'"{300 * "a"}" 1'), "limits=fallback", settings=())["refused"], 0, "limits of a bare proxy")
with open(f"{os.path.dirname(os.path.abspath(__file__))}/../golden/wavefront.out", encoding="utf-8") as f:
    golden = [re.sub(r" 17000000\d\d", f" {NOW}", line) for line in f if line.startswith(('"', "!"))]
equal(run.json("validate", write("".join(golden)), settings=())["refused"], 0, "what our encoder sends is accepted")
check(len(golden) > 50, "and there is much of it")

# --- send --------------------------------------------------------------------------------------------------------------------
spans = write(f"{SPAN} {NOW}000 5\n\n{SPAN} {NOW}001 6\r\n")
run.says("2 lines sent in 1 requests, 0 failures", "send", "trace", spans)
equal(direct.lines.pop(), ("trace", [f"{SPAN} {NOW}000 5", f"{SPAN} {NOW}001 6"]), "send trace")
many = write("".join(f'"m{i}" {i} source=h\n' for i in range(25001)))
equal(run.json("send", "metric", many), {"lines": 25001, "unsent": 0, "requests": 3, "failures": 0}, "send metric: batches of 10000")
equal([(f, len(ls)) for f, ls in direct.lines], [("wavefront", 10000), ("wavefront", 10000), ("wavefront", 5001)], "send metric")
direct.script(fake.status(503), fake.status(406))
equal(run.json("send", "metric", many, code=3), {"lines": 5001, "unsent": 20000, "requests": 3, "failures": 2}, "failures are counted")
direct.lines.clear()
before = len(direct.requests)
bad = run("send", "metric", write('"a" 1 source=h\n"b c" 1\n'), code=2)
check(":2:1: WF-400: the name has an illegal character" in bad.stderr and "nothing was sent: 1 of 2 lines" in bad.stderr, f"send: {bad.stderr}")
run.says("go through a proxy", "send", "event", write(f'@Event {NOW} "x"\n'), code=2)
equal(len(direct.requests), before, "nothing was sent")
run("send", "event", write(f'@Event {NOW} "x"\n'), settings=through, env=bare)
equal(proxy.lines.pop(), ("event", [f'@Event {NOW} "x"']), "send event through a proxy")
run.says("HTTP 401: Unauthorized", "send", "metric", write('"a" 1\n'), env={"WAVEFRONT_TOKEN": "wrong"}, code=4)

# --- Events --------------------------------------------------------------------------------------------------------------------
words = ("event", 'deploy "v42"', "start=1700000000", "end=1700000600", "severity=info", "type=deploy", "annotations.by=me", "hosts=web-1,web-2", "tags=a,b")
run(*words)
equal(direct.events.pop(), {"name": 'deploy "v42"', "annotations": {"severity": "info", "type": "deploy", "by": "me"}, "hosts": ["web-1", "web-2"],
                            "startTime": 1700000000000, "endTime": 1700000600000, "tags": ["a", "b"]}, "event: the service itself")
run("event", "bare")
event = direct.events.pop()
check(abs(event["startTime"] / 1000 - time.time()) < harness.PATIENCE and event["endTime"] == event["startTime"] + 1 and "tags" not in event and event["annotations"] == {},
      f"event: now, and at once over: {event}")
run(*words, settings=through, env=bare)
equal(proxy.lines.pop(), ("event", ['@Event 1700000000000 1700000600000 "deploy \\"v42\\"" by="me" severity="info" type="deploy" host="web-1" host="web-2" tag="a" tag="b"']),
      "event: through a proxy, quotes escaped")
dry = run.json(*words, "--dry-run")["dry_run"][0]
equal((dry["method"], dry["path"], dry["headers"]["Authorization"]), ("POST", "/api/v2/event", "***"), "event: a dry run")

# --- Spans, logs, tags of sources ------------------------------------------------------------------------------------------------
run("span", "getOne", f"trace={UUID}", f"span={OTHER}", "start=1700000000.5", "duration=5", "source=src-1", f"parents={UUID}", f"follows={UUID},{OTHER}", "tag=application=W",
    "tag=application=W", "tag=k=a=b", "tag=k=c", "logs=true")
equal(direct.lines.pop(), ("trace", [f'"getOne" source="src-1" traceId={UUID} spanId={OTHER} parent={UUID} followsFrom={UUID} followsFrom={OTHER} '
                                     '"application"="W" "k"="a=b" "k"="c" "_spanLogs"="true" 1700000000500 5']), "span")
run("span-log", UUID, OTHER, "time=1700000000.123456", "fields.event=é\"")
equal((lambda r: (r[0], json.loads(r[1][0])))(direct.lines.pop()),
      ("spanLogs", {"traceId": UUID, "spanId": OTHER, "logs": [{"timestamp": 1700000000123456, "fields": {"event": 'é"'}}]}), "span-log")
for words, line in [(("source-tag", "add", "web 1", "tag1", "tag=2"), '@SourceTag action=add source="web 1" "tag1" "tag=2"'),
                    (("source-description", "save", "h", "a \"b\""), '@SourceDescription action=save source="h" "a \\"b\\""'),
                    (("source-description", "delete", "h"), '@SourceDescription action=delete source="h"')]:
    run(*words, settings=through, env=bare)
    equal(proxy.lines.pop(), ("event", [line]), f"{words}")


class Lines:
    """A proxy's port for plain lines."""

    def __init__(self):
        self.socket, self.got = socket.create_server(("127.0.0.1", 0)), b""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            link, _ = self.socket.accept()
            while part := link.recv(65536):
                self.got += part


port = Lines()
run("span", "x", f"trace={UUID}", f"span={OTHER}", "start=1700000000", "duration=5", "source=s",
    settings=("--set", "mode=proxy", "--set", f"tcp=127.0.0.1:{port.socket.getsockname()[1]}"), env=bare)
check(harness.until(10, lambda: port.got == f'"x" source="s" traceId={UUID} spanId={OTHER} 1700000000000 5\n'.encode()), f"a span on a socket: {port.got}")

# --- Bad input -------------------------------------------------------------------------------------------------------------------
good = (f"trace={UUID}", f"span={OTHER}", "start=now", "duration=5")
for says, words in [("is not a UUID", ("span", "x", "trace=123", *good[1:])), ("is not a UUID", ("span", "x", *good, "parents=x")), ("is not a UUID", ("span-log", "x", OTHER, "fields.a=b")),
                    ("span is missing", ("span", "x", good[0], *good[2:])), ("duration is an integer", ("span", "x", *good[:3], "duration=-1")), ("start: ", ("span", "x", *good[:2], "start=later", good[3])),
                    ("WF-402", ("span", "x", *good[:2], f"start={NOW + 100000}", good[3])), ("a tag is KEY=VALUE", ("span", "x", *good, "tag=x")), ("WF-432", ("span", "x", *good, "tag=" + 129 * "k" + "=v")),
                    ("WF-428", ("span", 129 * "x", *good)), ("fields is missing", ("span-log", UUID, OTHER)), ("end is before start", ("event", "x", "start=20", "end=10")),
                    ("is empty", ("event", " ")), ("is empty", ("event", "x", "tags=a,,b")), ("WF-300: a = is expected", ("event", "x", "annotations.a b=c")),
                    ("is not one of add, save, delete", ("source-tag", "drop", "h", "t")), ("source-tag takes", ("source-tag", "add", "h")), ("one text is expected", ("source-description", "save", "h")),
                    ("go through a proxy", ("source-tag", "add", "h", "t")), ("is not one of metric", ("send", "spans", "x")), ("cannot open", ("send", "trace", f"{WORK}/none")),
                    ("cannot open", ("validate", f"{WORK}/none")), ("did you mean validate?", ("validat",))]:
    run.bad(direct, says, *words)
big = run("send", "metric", write('"a" 1 k=' + 10 ** 7 * "v"), code=2)
check("WF-300: the line is too long: it has 10000008 bytes" in big.stderr, f"a tag of 10 MB: {big.stderr[:300]}")
run.bad(None, "url is missing", "event", "x", settings=())
run.says("cannot be reached", "event", "x", settings=("--set", "url=http://127.0.0.1:9"), code=3)
equal(direct.violations + proxy.violations, [], "violations")
finish()
