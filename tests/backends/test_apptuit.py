# SPDX-License-Identifier: Apache-2.0
"""Promises: what apptuit is sent is what its service documents; nothing is lost or doubled, whatever it answers."""
import json
import re

import fake
import harness
from fake import need


class Apptuit(fake.Service):
    """POST /api/put?details, a zlib-deflated JSON array of points."""

    def __init__(self, context=None):
        super().__init__(context)
        self.last = {}  # (metric, tags) -> value
        self.values = {}  # (metric, tags, time) -> value
        self.refuse = set()

    def accept(self, r):
        need(r.method == "POST" and r.path == "/api/put" and r.query == "details", f"{r.method} {r.path}?{r.query}")
        need(r.headers.get("authorization") == "Bearer sesame", "the token")
        need(r.headers.get("content-type") == "application/json", "the content type")
        need(r.headers.get("content-encoding") == "deflate", "the content encoding")
        points, errors = r.json(), []
        need(isinstance(points, list) and 0 < len(points) <= 50000, "1 to 50,000 points")
        for p in points:
            need(set(p) == {"metric", "timestamp", "value", "tags"}, f"members {set(p)}")
            need(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", p["metric"]), f"metric {p['metric']}")
            need(isinstance(p["timestamp"], int) and 1.6e9 < p["timestamp"] < 4e9, "seconds")
            need(isinstance(p["value"], float), f"value {p['value']!r} is a float")
            need(1 <= len(p["tags"]) <= 25 and all(isinstance(v, str) for v in p["tags"].values()), "tags")
            need("host" in p["tags"], "the host tag")
            if p["metric"] in self.refuse:
                errors.append({"datapoint": p, "error": "not this one"})
                continue
            tags = tuple(sorted((k, v) for k, v in p["tags"].items() if k != "host"))
            self.last[p["metric"], tags] = p["value"]
            need(self.values.setdefault((p["metric"], tags, p["timestamp"]), p["value"]) == p["value"], f"another value at {p}")
        if errors:
            body = {"success": len(points) - len(errors), "failed": len(errors), "errors": errors}
            return 400, json.dumps(body).encode(), ()
        return 200, b"", ()

    def total(self, name):
        with self.lock:
            return self.last.get((f"{name}_count", ()))


def config(service, extra=""):
    url = service if isinstance(service, str) else service.url
    return (f"{{type: apptuit, url: '{url}', token: sesame, timeout: 2s, connect_timeout: 2s, "
            f"retry_least: 10ms, retry_most: 50ms{extra}}}")


def totals(service, want):
    for (name, tags), count in want.items():
        key = re.sub(r"[^A-Za-z0-9_]+", "_", name) + "_count"
        harness.equal(service.last.get((key, tags)), float(count), f"{name} {tags}")


def main():
    harness.answers("apptuit", Apptuit, config, lambda s, name: s.total(name))
    harness.split_and_poison(Apptuit, config, lambda s, name: s.total(name))
    harness.too_many_tags(Apptuit, config, lambda s, name: s.total(name))
    harness.example_server(Apptuit, config, totals)

    # Some points of a batch are refused: the others count, the answer's reasons are logged, and nothing is sent again.
    service = Apptuit()
    service.refuse = {"bad_count"}
    with harness.Bench(config(service, ", exclude: ['mtx.*']")) as b:
        b.ctl("add", "bad", "1")
        b.ctl("add", "good", "2")
        b.start()
        harness.check(harness.until(10, lambda: service.total("good") == 2.0), "partial: the good one arrives")
        ledger = b.stop()
        harness.check(ledger["dropped"] >= 1 and ledger["delivered"] >= 1, f"partial: one of two: {ledger}")
        harness.check("bad_count: not this one" in b.log(), "partial: the service's words are logged")
    service.stop()

    # The exporter's account of itself goes by the names that Apptuit's users know.
    service = Apptuit()
    with harness.Bench(config(service)) as b:
        b.ctl("add", "jobs", "1")
        b.start()
        timer = ("avg", "sum", "count", "max", "min", "std_dev", "15m_rate", "5m_rate", "1m_rate", "mean_rate", "50_percentile",
                 "75_percentile", "95_percentile", "99_percentile", "999_percentile")
        names = {f"apptuit_reporter_send_{n}_count" for n in ("total", "successful", "failed")}
        names |= {f"apptuit_reporter_send_time_{n}" for n in timer}
        found = lambda: {k[0] for k in service.last if k[0].startswith("apptuit_")}
        harness.check(harness.until(10, lambda: names <= found()), f"meta: {names - found()} are missing")
        harness.equal(sorted(found() - names), [], "meta: and no others of that kind")
        b.stop()
    harness.equal(service.violations[:3], [], "meta: violations")
    service.stop()
    harness.finish()


if __name__ == "__main__":
    main()
