# SPDX-License-Identifier: Apache-2.0
"""Promises: the lines that wavefront is sent can be read, are within its limits, and add up; over HTTP and over a
socket whose other end hangs up now and then."""
import base64
import json
import os
import re
import socketserver
import subprocess
import threading
import urllib.parse

import fake
import harness
from fake import Violation, need

TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(?=$| |=)')


def read_text(line, at):
    match = TOKEN.match(line, at)
    need(match, f"a quoted text at {at} of {line!r}")
    return match.group(1).replace('\\"', '"'), match.end()


def read_tail(line, at):
    need(line.startswith(' source="', at), f"the source of {line!r}")
    source, at = read_text(line, at + 8)
    tags = {}
    while at < len(line):
        need(line[at] == " ", f"a blank at {at} of {line!r}")
        key, at = read_text(line, at + 1)
        need(line[at] == "=", f"a = at {at} of {line!r}")
        value, at = read_text(line, at + 1)
        need(re.fullmatch(r"[A-Za-z0-9,._-]{1,64}", key) and value.strip() and len(key) + len(value) < 255, f"tag {key}={value}")
        tags[key] = value
    need(len(tags) <= 20 and 0 < len(source) <= 128, f"{len(tags)} tags, source {source}")
    return tuple(sorted(tags.items()))


UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
IDS = re.compile(f" traceId=({UUID}) spanId=({UUID})((?: (?:parent|followsFrom)={UUID})*)")


def read_span(line):
    """(name, trace, span, tags) of a span's line. Repeated keys are allowed; there is one of each here."""
    name, at = read_text(line, 0)
    need(name.strip() and len(name) <= 128, f"a name of 1 to 128 characters: {line!r}")
    need(line.startswith(' source="', at), f"the source of {line!r}")
    source, at = read_text(line, at + 8)
    ids = IDS.match(line, at)
    need(ids and 0 < len(source) <= 128, f"ids in {line!r}")
    at, tags = ids.end(), {}
    while line.startswith(' "', at):
        key, at = read_text(line, at + 1)
        need(line[at] == "=", f"a = at {at} of {line!r}")
        value, at = read_text(line, at + 1)
        need(re.fullmatch(r"[A-Za-z0-9,._-]{1,128}", key) and value.strip() and not key.isdigit(), f"tag {key}={value}")
        need(key not in tags, f"{key} twice in {line!r}")
        tags[key] = value
    times = re.fullmatch(r" (\d{13}|\d{16}) (\d+)", line[at:])
    need(times and int(times.group(2)) < int(times.group(1)), f"start and duration in {line!r}")
    need(len(tags) <= 20, f"{len(tags)} tags")
    return name, ids.group(1), ids.group(2), tags


def read_event(line):
    """An @Event line as the JSON of an event."""
    match = re.match(r"@Event (\d{13}) (\d{13}) ", line)
    need(match and match.group(1) < match.group(2), f"start and end in {line!r}")
    name, at = read_text(line, match.end())
    annotations, hosts, tags = {}, [], []
    need(name.strip(), f"a name in {line!r}")
    while at < len(line):
        key = re.compile(r" ([A-Za-z0-9_]+)=").match(line, at)
        need(key, f"an annotation at {at} of {line!r}")
        value, at = read_text(line, key.end())
        need(value.strip(), f"{key.group(1)} of {line!r}")
        if key.group(1) in ("host", "tag"):
            (hosts if key.group(1) == "host" else tags).append(value)
        else:
            need(key.group(1) not in annotations, f"{key.group(1)} twice in {line!r}")
            annotations[key.group(1)] = value
    return {"name": name, "annotations": annotations, "hosts": hosts, "startTime": int(match.group(1)),
            "endTime": int(match.group(2)), "tags": tags}


class Lines:
    """What a receiver makes of lines."""

    def __init__(self):
        self.last, self.deltas, self.counts, self.seen, self.duplicates, self.violations = {}, {}, {}, {}, 0, []
        self.spans, self.span_logs, self.events, self.values = {}, {}, [], {}
        self.lock = threading.Lock()

    def once(self, key, time, value):
        if (key, time) in self.seen:
            need(self.seen[key, time] == value, f"{key} again with another number")
            self.duplicates += 1
            return False
        self.seen[key, time] = value
        return True

    def metric(self, line):
        name, at = read_text(line, 0)
        delta = name[0] in "∆Δ"
        bare = name[1:] if delta else name
        need(re.fullmatch(r"~?[A-Za-z0-9,._-]+", bare) and len(bare) <= 256, f"name {name}")
        match = re.compile(r" (-?\d+\.\d+|-?\d(?:\.\d+)?e[+-]\d\d+) (\d{10})").match(line, at)
        need(match, f"a value and a time in {line!r}")
        key, value = (bare, read_tail(line, match.end())), float(match.group(1))
        if not delta:
            self.last[key] = value
            self.values[key, int(match.group(2))] = value
        elif self.once(key, match.group(2), value):
            need(value > 0, f"a delta above zero: {line!r}")
            self.deltas[key] = self.deltas.get(key, 0) + value

    def distribution(self, line):
        match = re.match(r"!([MHD]) (\d{10})((?: #\d+ -?[0-9.e+-]+)+) ", line)
        need(match, f"a distribution: {line!r}")
        pairs = re.findall(r"#(\d+) (\S+)", match.group(3))
        need(all(0 < int(n) < 2**31 for n, _ in pairs), f"counts of 32 bits: {line!r}")
        name, at = read_text(line, match.end())
        key = name, read_tail(line, at)
        if self.once(("!" + match.group(1), key), match.group(2), match.group(3)):
            self.counts[key] = self.counts.get(key, 0) + sum(int(n) for n, _ in pairs)

    def read_span_logs(self, line):
        said = json.loads(line)
        need(set(said) == {"traceId", "spanId", "logs", "span"} and len(line) <= 32768, f"{set(said)}")
        name, trace, span, tags = read_span(said["span"].removesuffix("\n"))
        need((trace, span) == (said["traceId"], said["spanId"]) and tags["_spanLogs"] == "true", f"{said['span']}")
        for log in said["logs"]:
            need(set(log) == {"timestamp", "fields"} and 10**15 < log["timestamp"] < 10**16, f"{log}")
            need(log["fields"] and all(isinstance(v, str) for v in log["fields"].values()), f"{log}")
        self.span_logs[trace, span] = said["logs"]

    def read(self, text, kind=None):
        for line in text.split("\n"):
            if not line:
                continue
            if line.startswith("@Event "):
                need(kind in (None, "event"), f"an event among {kind}")
                self.events.append(read_event(line))
            elif kind == "trace":
                name, trace, span, tags = read_span(line)
                self.spans[trace, span] = name, tags
            elif kind == "spanLogs":
                self.read_span_logs(line)
            elif line[0] == "!":
                need(kind in (None, "histogram"), f"a distribution among metrics: {line!r}")
                self.distribution(line)
            else:
                need(kind in (None, "wavefront"), f"a metric among distributions: {line!r}")
                self.metric(line)


class Wavefront(fake.Service, Lines):
    def __init__(self, context=None):
        Lines.__init__(self)
        fake.Service.__init__(self, context)
        self.token, self.logins, self.life = "sesame", 0, 3600

    def is_data(self, r):
        return r.path in ("/report", "/api/v2/event")

    def event(self, r):
        """One event for each request."""
        need(r.headers.get("content-type") == "application/json", "the content type")
        if r.headers.get("authorization") != f"Bearer {self.token}":
            return 401, b"", ()
        e = r.json()
        need(set(e) - {"tags"} == {"name", "annotations", "hosts", "startTime", "endTime"}, f"{set(e)}")
        need(e["name"].strip() and 0 < e["startTime"] < e["endTime"], f"{e}")
        texts = [*e["annotations"].values(), *e["hosts"], *e.get("tags", [])]
        need(all(isinstance(t, str) and t.strip() for t in texts), f"{e}")
        self.events.append(e)
        return 200, b"{}", ()

    def accept(self, r):
        if r.path.startswith("/csp/"):
            need(r.headers.get("content-type") == "application/x-www-form-urlencoded", "a form")
            form = dict(urllib.parse.parse_qsl(r.body.decode(), strict_parsing=True))
            said = r.path.removeprefix("/csp/gateway/am/api/auth/"), form, r.headers.get("authorization")
            app = "Basic " + base64.b64encode(b"shop:se:same").decode()
            need(said in (("api-tokens/authorize", {"api_token": "open/up"}, None),
                          ("authorize", {"grant_type": "client_credentials", "orgId": "our org"}, app)), f"{said}")
            self.logins += 1
            self.token = f"bearer-{self.logins}"
            return 200, json.dumps({"access_token": self.token, "expires_in": self.life}).encode(), ()
        if r.path == "/api/v2/event":
            return self.event(r)
        kinds = "f=wavefront", "f=histogram", "f=trace", "f=spanLogs"
        need(r.method == "POST" and r.path == "/report" and r.query in kinds, f"{r.path}?{r.query}")
        need(r.headers.get("content-type") == "application/octet-stream", "the content type")
        need(r.headers.get("content-encoding") == "gzip", "gzip")
        if r.headers.get("authorization") != f"Bearer {self.token}":
            return 401, b"", ()
        text = r.body.decode()
        need(text.endswith("\n") and text.count("\n") <= 10000, "whole lines, 10,000 at most")
        self.read(text, r.query[2:])
        return 202, b"", ()

    def total(self, name):
        with self.lock:
            return self.last.get((f"{name}.count", ()), self.deltas.get((f"{name}.count", ())))


class Proxy(Lines):
    """Lines on a socket. Hangs up after each so many connections' worth of reads, as a proxy does when idle."""

    def __init__(self, kind=None):
        """kind: "trace" for the port of spans, where span logs are objects."""
        super().__init__()
        outer = self
        self.connections = self.hangups = 0

        class Reader(socketserver.StreamRequestHandler):
            def handle(self):
                with outer.lock:
                    outer.connections += 1
                self.connection.settimeout(1.5)
                try:
                    for line in self.rfile:
                        with outer.lock:
                            try:
                                need(line.endswith(b"\n"), "a whole line")
                                text = line.decode()
                                outer.read(text, "spanLogs" if kind and text[0] == "{" else kind)
                            except Violation as violation:
                                outer.violations.append(str(violation))
                except TimeoutError:
                    with outer.lock:
                        outer.hangups += 1  # idle: closed, without a word

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Reader)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


RETRY = "timeout: 2s, connect_timeout: 2s, retry_least: 10ms, retry_most: 50ms"


def config(service, extra=""):
    url = service if isinstance(service, str) else service.url
    return f"{{type: wavefront, url: '{url}', token: sesame, {RETRY}{extra}}}"


def deltas(service):
    return config(service, ", counters: delta")


def tcp(service):
    return f"{{type: wavefront, mode: proxy, tcp: '127.0.0.1:{service.port}', counters: delta, {RETRY}}}"


def clean(tags):
    return tuple(sorted((re.sub(r"[^A-Za-z0-9,._-]", "-", k), v) for k, v in tags if v.strip()))


def totals(found):
    def compare(service, want):
        for (name, tags), count in want.items():
            harness.equal(found(service).get((f"{name}.count", clean(tags)), 0), float(count), f"{name} {tags}")
            # A timer's distributions hold as many values as it counted.
            if name == "http.request.time":
                harness.equal(service.counts.get((name, clean(tags)), 0), count, f"distribution of {name} {tags}")

    return compare


def proxy_events():
    """Events and points to the proxy's usual port, spans to the one for them; without it they are left out, and counted."""
    service, traces = Proxy(), Proxy("trace")
    with harness.Bench(tcp(service).replace("counters: delta", f"tcp_traces: '127.0.0.1:{traces.port}', application: shop, exclude: ['mtx.*']")) as b:
        load = subprocess.Popen([f"{harness.BUILD}/tests/delivery/emit", "2", "20000"], env=b.env, stdout=subprocess.PIPE, text=True, start_new_session=True)
        harness.children.append(load)
        harness.until(10, lambda: os.path.exists(b.segment))
        b.start()
        b.intervals(2)
        load.terminate()
        n = sum(int(line.split("\t")[1]) for line in load.communicate()[0].splitlines())
        b.stop()
    harness.check(n > 20, f"there were events: {n}")
    harness.equal(len(traces.spans), n, "proxy: spans")
    harness.equal({tags["application"] + tags["cluster"] for _, tags in traces.spans.values()}, {"shopnone"}, "proxy: whose spans")
    harness.equal(len([1 for (name, _), _ in service.values if name == "load.point"]), n, "proxy: points")
    harness.check(len(service.events) >= n // 10, f"proxy: {len(service.events)} events")
    harness.equal({e["annotations"]["type"] for e in service.events}, {"load.deploys"}, "proxy: their stream")
    harness.equal(service.violations[:3] + traces.violations[:3], [], "proxy: violations")
    service.stop()
    traces.stop()

    service = Proxy()
    with harness.Bench(tcp(service).replace("counters: delta", "exclude: ['mtx.*'], events: [spans]")) as b:
        load = subprocess.Popen([f"{harness.BUILD}/tests/delivery/emit", "1", "20000"], env=b.env, stdout=subprocess.DEVNULL, start_new_session=True)
        harness.children.append(load)
        harness.until(10, lambda: os.path.exists(b.segment))
        b.start()
        harness.check(harness.until(10, lambda: "events are left out" in b.log()), "proxy: spans without a port for them are reported")
        load.terminate()
        load.wait()
        b.stop()
        harness.check(re.search(r"delivered=0 merged=0 dropped=[1-9]\d* signal=spans", b.log()), f"and counted: {b.log()[-300:]}")
        harness.check("signal=points" not in b.log(), "nothing but spans was taken")
    harness.equal(service.violations[:3], [], "proxy: nothing wrong was sent")
    service.stop()


def main():
    harness.answers("wavefront", Wavefront, config, lambda s, name: s.total(name))
    harness.split_and_poison(Wavefront, config, lambda s, name: s.total(name))
    harness.too_many_tags(Wavefront, config, lambda s, name: s.total(name))
    harness.example_server(Wavefront, config, totals(lambda s: s.last), seconds=4)
    harness.example_server(Wavefront, deltas, totals(lambda s: s.deltas), seconds=4)
    harness.example_server(Proxy, tcp, totals(lambda s: s.deltas), seconds=4)

    proxy_events()

    # The proxy closes an idle connection; what comes next is not lost.
    service = Proxy()
    with harness.Bench(tcp(service).replace("counters: delta", "counters: delta, exclude: ['mtx.*'], attributes: []")) as b:
        b.ctl("add", "jobs", "1")
        b.start()
        for i in range(4):
            want = 2**i
            harness.check(harness.until(10, lambda: service.deltas.get(("jobs.count", ())) == 2 * want - 1), f"hang-up {i}: {service.deltas}")
            harness.check(harness.until(3, lambda: service.hangups > i), f"the proxy loses patience: {service.hangups}")
            b.ctl("add", "jobs", str(2 * want))
        harness.check(harness.until(10, lambda: service.deltas.get(("jobs.count", ())) == 31), f"hang-ups: {service.deltas}")
        harness.check(service.connections >= 4, f"there were hang-ups: {service.connections}")
        b.stop()
    harness.equal(service.violations[:3], [], "hang-up: violations")
    service.stop()

    # The login at the cloud-services platform, and another one when the token ends.
    service = Wavefront()
    with harness.Bench(config(service).replace("token: sesame", f"csp_api_token: open/up, csp_url: '{service.url}', application: shop")) as b:
        b.ctl("add", "jobs", "1")
        b.start()
        harness.check(harness.until(10, lambda: service.total("jobs") == 1), "platform: logged in")
        with service.lock:
            service.token = "another"
        b.ctl("add", "jobs", "1")
        harness.check(harness.until(10, lambda: service.total("jobs") == 2), "platform: and again")
        harness.check(service.logins == 2, f"platform: {service.logins} logins")
        beat = ("~component.heartbeat", (("application", "shop"), ("cluster", "none"), ("component", "mtx"), ("service", "none"), ("shard", "none")))
        harness.equal(service.last.get(beat), 1.0, "heartbeat")
        b.stop()
    harness.equal(service.violations[:3], [], "platform: violations")
    service.stop()

    # The same with an app's id and secret; a short bearer is renewed half a minute before it ends.
    service = Wavefront()
    service.life = 32
    keys = f"csp_app_id: shop, csp_app_secret: 'se:same', csp_org_id: our org, csp_url: '{service.url}'"
    with harness.Bench(config(service).replace("token: sesame", keys)) as b:
        b.ctl("add", "jobs", "1")
        b.start()
        harness.check(harness.until(10, lambda: service.total("jobs") == 1), "app: logged in")
        harness.check(harness.until(10, lambda: service.logins >= 2), f"app: renewed: {service.logins}")
        harness.check("logs in again" not in b.log(), f"app: before it ended: {b.log()}")
        b.stop()
    harness.equal(service.violations[:3], [], "app: violations")
    service.stop()
    harness.finish()


if __name__ == "__main__":
    main()
