# SPDX-License-Identifier: Apache-2.0
"""Promises: anodot30 logs in, finds or makes the schemas that its samples need, renews its login, and sends watermarks
after the last chunk of an interval."""
import json

import fake
import harness
from fake import need


class Anodot(fake.Service):
    def __init__(self, context=None):
        super().__init__(context)
        self.schemas, self.sums, self.seen, self.duplicates = {}, {}, {}, 0
        self.logins, self.bearer, self.newest, self.watermarks = 0, None, {}, {}

    def is_data(self, r):
        return r.path == "/api/v1/metrics"

    def accept(self, r):
        if r.path.startswith("/api/v1/"):
            need(r.query == "token=sesame&protocol=anodot30", f"query {r.query}")
            need("authorization" not in r.headers, "no bearer here")
            return (self.watermark if r.path.endswith("/watermark") else self.samples)(r.json())
        if r.path == "/api/v2/access-token":
            need(r.json() == {"refreshToken": "open"}, "the access key")
            self.logins += 1
            self.bearer = f"bearer-{self.logins}"
            return 200, json.dumps(self.bearer).encode(), ()
        if r.headers.get("authorization") != f"Bearer {self.bearer}":
            return 401, b'{"status": 401, "name": "expired"}', ()
        if r.method == "GET":
            need(r.path == "/api/v2/stream-schemas/schemas" and r.query == "excludeCubes=True", f"{r.path}?{r.query}")
            return 200, json.dumps([{"streamSchemaWrapper": {"schema": s}} for s in self.schemas.values()]).encode(), ()
        need(r.method == "POST" and r.path == "/api/v2/stream-schemas", r.path)
        s = r.json()
        need(set(s) == {"id", "version", "name", "dimensions", "measurements", "missingDimPolicy"} and s["id"] is None, f"{s}")
        for m in s["measurements"].values():
            need(set(m) - {"units"} == {"aggregation", "countBy"} and m.get("units", "u"), f"{m}")
            need(m["aggregation"] in ("sum", "average") and m["countBy"] == "none", f"{m}")
        need(s["missingDimPolicy"] == {"action": "fill", "fill": "unknown"}, f"{s['missingDimPolicy']}")
        need(not any(s["name"] == o["name"] and s["version"] == o["version"] for o in self.schemas.values()), "it is new")
        s["id"] = f"S{len(self.schemas) + 1}"
        self.schemas[s["id"]] = s
        return 200, json.dumps({"schema": s}).encode(), ()

    def samples(self, samples):
        need(0 < len(samples) <= 1000, "1 to 1000 samples")
        for s in samples:
            need(set(s) == {"schemaId", "timestamp", "dimensions", "measurements"} and isinstance(s["timestamp"], int), f"{s}")
            need(all(isinstance(v, str) and v for v in s["dimensions"].values()), f"{s}")
            schema = self.schemas.get(s["schemaId"])
            need(schema, f"there is no schema {s['schemaId']}")
            need(set(s["dimensions"]) <= set(schema["dimensions"]), f"dimensions {s['dimensions']}: {schema['dimensions']}")
            need(s["measurements"] and set(s["measurements"]) <= set(schema["measurements"]), f"{s['measurements']}")
            self.newest[s["schemaId"]] = max(self.newest.get(s["schemaId"], 0), s["timestamp"])
            need(s["timestamp"] >= self.watermarks.get(s["schemaId"], 0), "nothing comes behind a watermark")
            for name, value in s["measurements"].items():
                need(isinstance(value, float), f"{name} is a float")
                key = name, tuple(sorted(s["dimensions"].items()))
                if (key, s["schemaId"], s["timestamp"]) in self.seen:
                    need(self.seen[key, s["schemaId"], s["timestamp"]] == value, f"sent again with another number: {s}")
                    self.duplicates += 1
                    continue
                self.seen[key, s["schemaId"], s["timestamp"]] = value
                if schema["measurements"][name]["aggregation"] == "sum":
                    self.sums[key] = self.sums.get(key, 0) + value
        return 200, b'{"errors": []}', ()

    def watermark(self, w):
        need(set(w) == {"schemaId", "watermark"} and w["schemaId"] in self.schemas, f"{w}")
        need(isinstance(w["watermark"], int) and w["watermark"] >= self.newest.get(w["schemaId"], 0), f"{w}")
        self.watermarks[w["schemaId"]] = w["watermark"]
        return 200, b'{"errors": []}', ()

    def total(self, name):
        with self.lock:
            return self.sums.get((name, ()))


def config(service, extra=""):
    url = service if isinstance(service, str) else service.url
    return (f"{{type: anodot30, url: '{url}', token: sesame, access_key: open, timeout: 2s, connect_timeout: 2s, "
            f"retry_least: 10ms, retry_most: 50ms{extra}}}")


def totals(service, want):
    clean = lambda text: text.replace(" ", "_").replace(".", "_")
    for (name, tags), count in want.items():
        tags = tuple(sorted((clean(k), clean(v)) for k, v in tags))
        got = service.sums.get((clean(name), tags), service.sums.get((clean(name) + "_count", tags), 0))
        harness.equal(got, count, f"{name} {tags}")


def main():
    harness.answers("anodot30", Anodot, config, lambda s, name: s.total(name))
    harness.example_server(Anodot, config, totals, seconds=5)

    # A schema that is there is used; a tag that it does not know makes a newer version; the bearer ends and is renewed.
    service = Anodot()
    service.schemas["old"] = {"id": "old", "name": "jobs", "version": 4, "dimensions": [],
                              "measurements": {"jobs": {"aggregation": "sum", "countBy": "none"}}}
    with harness.Bench(config(service, ", exclude: ['mtx.*']")) as b:
        b.ctl("add", "jobs", "1")
        b.start()
        harness.check(harness.until(10, lambda: service.total("jobs") == 1), "an old schema is found")
        harness.equal(list(service.schemas), ["old"], "and no other made")
        harness.check(harness.until(10, lambda: "old" in service.watermarks), "and its watermark is sent")
        with service.lock:
            service.bearer = "another"
        b.ctl("add", "jobs", "2", "city=nyc")
        harness.check(harness.until(15, lambda: service.sums.get(("jobs", (("city", "nyc"),))) == 2), "a tag more")
        newer = [s for s in service.schemas.values() if s["name"] == "jobs" and s["version"] == 5]
        harness.equal(newer[0]["dimensions"] if newer else None, ["city"], "makes a newer version")
        harness.check(service.logins >= 2, f"after another login: {service.logins}")
        b.stop()
    harness.equal(service.violations[:3], [], "schemas: violations")
    service.stop()

    # An error in the 200 of a watermark.
    service = Anodot()
    service.watermark = lambda w: (200, b'{"errors": [{"error": 2009, "description": "no such schema", "index": "0"}]}', ())
    with harness.Bench(config(service, ", exclude: ['mtx.*']")) as b:
        b.ctl("add", "jobs", "1")
        b.start()
        harness.check(harness.until(10, lambda: "the backend refuses metadata" in b.log() and "2009 no such schema" in b.log()),
                      f"an error in a watermark's 200 is reported: {b.log()}")
        harness.equal(service.total("jobs"), 1, "and the samples are delivered")
        b.stop()
    service.stop()
    harness.finish()


if __name__ == "__main__":
    main()
