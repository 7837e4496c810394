# SPDX-License-Identifier: Apache-2.0
"""Promises: what librato is sent is what its service documents, in both modes; deltas add up to the exact total."""
import base64
import json
import re

import fake
import harness
from fake import need


class Librato(fake.Service):
    """POST /v1/measurements and /v1/metrics, PUT /v1/metrics/NAME."""

    def __init__(self, context=None):
        super().__init__(context)
        self.sums, self.seen, self.described = {}, {}, {}
        self.absolute, self.gauges, self.duplicates = {}, {}, 0
        self.annotations, self.values = [], {}

    def is_data(self, r):
        return r.method == "POST"

    def accept(self, r):
        need(r.headers.get("authorization") == "Basic " + base64.b64encode(b"me:sesame").decode(), "who")
        need(r.headers.get("content-type") == "application/json", "the content type")
        need("content-encoding" not in r.headers, "no compression")
        if r.method == "PUT":
            name = re.fullmatch(r"/v1/metrics/([A-Za-z0-9.:_-]{1,255})", r.path)
            need(name, r.path)
            need(self.described.setdefault(name.group(1), r.json()) == r.json(), f"{name.group(1)} is described in other words")
            return 204, b"", ()
        need(r.method == "POST", r.method)
        if r.path.startswith("/v1/annotations/"):
            return self.annotation(r.path.removeprefix("/v1/annotations/"), r.json())
        if r.path == "/v1/measurements":
            return self.measurements(r.json())
        need(r.path == "/v1/metrics", r.path)
        return self.metrics(r.json())

    ONE, SOME = {"name", "value"}, {"name", "count", "sum", "min", "max", "sum_squares"}

    def name(self, m, *others):
        """The members are those that the vendor's client sends."""
        keys = set(m) - set(others)
        need((keys == self.ONE or {"name", "sum", "count"} <= keys <= self.SOME) and len(others) == len(set(m) & set(others)), f"members of {m}")
        need(re.fullmatch(r"[A-Za-z0-9.:_-]{1,255}", m["name"]), f"name {m['name']}")
        need(("value" in m) != ("count" in m), f"value or count and sum: {m}")
        return m["name"]

    def measurements(self, body):
        need(set(body) == {"measurements"} and 0 < len(body["measurements"]) <= 300, "1 to 300 measurements")
        for m in body["measurements"]:
            name = self.name(m, "tags", "time")
            need(isinstance(m["time"], int) and "measure_time" not in m and "source" not in m, f"{m}")
            for k, v in m["tags"].items():
                need(re.fullmatch(r"[-.:_\w]{1,64}", k) and re.fullmatch(r"[-.:_\w ]{1,255}", v), f"tag {k}={v}")
            key = name, tuple(sorted(m["tags"].items()))
            if (key, m["time"]) in self.seen:
                need(self.seen[key, m["time"]] == m, f"sent again with other numbers: {m}")
                self.duplicates += 1
                continue
            self.seen[key, m["time"]] = m
            if "sum" in m:
                # A count alone is a sum of one sample; a distribution says how many samples it had.
                add = m["count"] if set(m) & {"min", "max"} else m["sum"]
                self.sums[key] = self.sums.get(key, 0) + add
                need(m.get("min", m["sum"]) <= m.get("max", m["sum"]), f"{m}")
            else:
                self.gauges[key] = m["value"]
                self.values[key, m["time"]] = m["value"]
        return 202, b'{"measurements": {"summary": {"total": 1, "accepted": 1, "failed": 0}}}', ()

    def annotation(self, stream, a):
        need(re.fullmatch(r"[A-Za-z0-9.:_-]{1,255}", stream), stream)
        need({"title"} <= set(a) <= {"title", "source", "description", "start_time", "end_time", "links"} and a["title"], f"{a}")
        need(isinstance(a["start_time"], int) and a.get("end_time", a["start_time"]) >= a["start_time"], f"{a}")
        for link in a.get("links", []):
            need({"rel", "href"} <= set(link) <= {"rel", "href", "label"} and link["href"], f"{link}")
        self.annotations.append((stream, a))
        return 201, json.dumps({"id": len(self.annotations), **a}).encode(), ()

    def metrics(self, body):
        need(set(body) == {"gauges", "counters"}, f"{set(body)}")
        need(0 < len(body["gauges"]) + len(body["counters"]) <= 300, "1 to 300 metrics")
        for m in body["gauges"] + body["counters"]:
            need(m["source"] == "web-7" and isinstance(m["measure_time"], int) and "tags" not in m, f"{m}")
            (self.absolute if m in body["counters"] else self.gauges)[self.name(m, "source", "measure_time")] = m.get("value", m.get("count"))
        return 200, b"", ()

    def total(self, name):
        with self.lock:
            return self.sums.get((name, ()), self.absolute.get(name))


def config(service, extra=""):
    url = service if isinstance(service, str) else service.url
    return (f"{{type: librato, url: '{url}', user: me, token: sesame, timeout: 2s, connect_timeout: 2s, "
            f"retry_least: 10ms, retry_most: 50ms{extra}}}")


def clean(text):
    return re.sub(r"[^A-Za-z0-9.:_-]+", "-", text)


def totals(service, want):
    for (name, tags), count in want.items():
        key = clean(name), tuple(sorted((k, clean(v)) for k, v in tags))
        harness.equal(service.sums.get(key, 0), count, f"{name} {tags}")


def main():
    harness.answers("librato", Librato, config, lambda s, name: s.total(name))
    harness.split_and_poison(Librato, config, lambda s, name: s.total(name))
    harness.example_server(Librato, config, totals, seconds=5)

    # Rather a gap than a double: what was sent and not answered is given up, and is in the ledger.
    service = Librato()
    with harness.Bench(config(service, ", on_ambiguous: drop, exclude: ['mtx.*']")) as b:
        service.script(fake.reset)
        b.ctl("add", "jobs", "5")
        b.start()
        harness.check(harness.until(10, lambda: "because no answer came" in b.log()), f"ambiguous: it is logged: {b.log()}")
        b.ctl("add", "jobs", "7")
        harness.check(harness.until(10, lambda: service.total("jobs") == 7), f"ambiguous: 7 of 12 arrive: {service.sums}")
        ledger = b.stop()
        harness.equal(ledger["dropped"], 1, f"ambiguous: one reading is dropped: {ledger}")
        dropped = b.ctl("get", "--value", "mtx.exporter.dropped", "reason=ambiguous").split()
        harness.equal(dropped[:1], ["1"], "ambiguous: and counted as that")
    harness.equal(service.violations[:3], [], "ambiguous: violations")
    service.stop()

    # The older metrics: absolute counters, a source, and tags in the name.
    service = Librato()
    with harness.Bench(config(service, ", mode: metrics, source: web-7, period: 60s")) as b:
        b.ctl("add", "jobs", "3", "city=nyc")
        b.ctl("gauge", "level", "2.5")
        b.start()
        harness.check(harness.until(10, lambda: service.total("jobs.city.nyc") == 3), "metrics: the absolute total")
        b.ctl("add", "jobs", "4", "city=nyc")
        harness.check(harness.until(10, lambda: service.total("jobs.city.nyc") == 7), "metrics: and it grows")
        harness.equal(service.gauges.get("level"), 2.5, "metrics: gauge")
        b.stop()
    harness.equal(service.violations[:3], [], "metrics: violations")
    service.stop()
    harness.finish()


if __name__ == "__main__":
    main()
