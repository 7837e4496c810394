# SPDX-License-Identifier: Apache-2.0
"""Promises: what anodot20 sends is protocol 2.0; deltas add up; errors by index inside a 200 are counted and logged."""
import json
from urllib.parse import parse_qsl

import fake
import harness
from fake import need


class Anodot(fake.Service):
    def __init__(self, context=None):
        super().__init__(context)
        self.sums, self.gauges, self.seen, self.last, self.duplicates = {}, {}, {}, {}, 0
        self.refuse = set()

    def accept(self, r):
        need(r.method == "POST" and r.path == "/api/v1/metrics", f"{r.method} {r.path}")
        need(parse_qsl(r.query) == [("token", "open sesame"), ("protocol", "anodot20")], f"query {r.query}")
        need("authorization" not in r.headers and "content-encoding" not in r.headers, "plain, with the key alone")
        need(r.headers.get("content-type") == "application/json", "the content type")
        samples, errors = r.json(), []
        need(isinstance(samples, list) and 0 < len(samples) <= 1000, "1 to 1000 samples")
        for i, s in enumerate(samples):
            need(set(s) <= {"value", "timestamp", "properties", "tags"}, f"members {set(s)}")
            need(isinstance(s["value"], float) and isinstance(s["timestamp"], int), f"{s}")
            for values in s.get("tags", {"none": ["t"]}).values():
                need(values and isinstance(values, list) and all(isinstance(v, str) for v in values), f"tags {s}")
            p = dict(s["properties"])
            need(len(p) <= 20 and isinstance(p["ver"], int) and p["target_type"] in ("gauge", "counter"), f"{p}")
            for k, v in p.items():
                need(k == "ver" or (isinstance(v, str) and 0 < len(v) <= 150), f"{k}={v}")
                need(not set(f"{k}{v if k != 'ver' else ''}") & set(" ."), f"{k}={v} holds a blank or a point")
            if p["what"] in self.refuse:
                errors.append({"error": "2008", "description": "property value is empty", "index": str(i)})
                continue
            kind = p.pop("target_type")
            key = p.pop("what"), tuple(sorted((k, v) for k, v in p.items() if k != "ver"))
            if (key, kind, s["timestamp"]) in self.seen:  # all properties together are the identity
                need(self.seen[key, kind, s["timestamp"]] == s["value"], f"sent again with another number: {s}")
                self.duplicates += 1
                continue
            need(self.last.get(key, 0) <= s["timestamp"], f"{key} goes back in time: {s}")
            self.last[key] = s["timestamp"]
            self.seen[key, kind, s["timestamp"]] = s["value"]
            if kind == "counter":
                self.sums[key] = self.sums.get(key, 0) + s["value"]
            else:
                self.gauges[key] = s["value"]
        return 200, json.dumps({"errors": errors}).encode(), ()

    def total(self, name):
        with self.lock:
            return self.sums.get((name, ()))


def config(service, extra=""):
    url = service if isinstance(service, str) else service.url
    return (f"{{type: anodot20, url: '{url}', token: open sesame, timeout: 2s, connect_timeout: 2s, "
            f"retry_least: 10ms, retry_most: 50ms{extra}}}")


def totals(service, want):
    clean = lambda text: text.replace(" ", "_").replace(".", "_")
    for (name, tags), count in want.items():
        tags = tuple(sorted((clean(k), clean(v)) for k, v in tags))
        got = service.sums.get((clean(name), tags), service.sums.get((clean(name) + "_count", tags), 0))
        harness.equal(got, count, f"{name} {tags}")


def main():
    harness.answers("anodot20", Anodot, config, lambda s, name: s.total(name))
    harness.split_and_poison(Anodot, config, lambda s, name: s.total(name))
    harness.too_many_tags(Anodot, config, lambda s, name: s.total(name))
    harness.example_server(Anodot, config, totals, seconds=5)

    service = Anodot()
    service.refuse = {"bad"}
    with harness.Bench(config(service, ", exclude: ['mtx.*'], labels: {owner: ops team}, strict_names: true")) as b:
        b.ctl("add", "bad", "1")
        b.ctl("add", "good", "2", "what=x=é")
        b.start()
        harness.check(harness.until(10, lambda: service.sums.get(("good", (("tag_what", "x__"),))) == 2), f"strict: {service.sums}")
        ledger = b.stop()
        harness.check(ledger["dropped"] >= 1 and ledger["delivered"] >= 1, f"by index: one of two is refused: {ledger}")
        harness.check("2008 property value is empty" in b.log(), "by index: the service's words are logged")
    harness.equal(service.violations[:3], [], "by index: violations")
    service.stop()

    # An error about the whole request beside one about a sample: the operator is told both.
    service = Anodot()
    service.script(fake.status(200, b'{"errors": [{"error": "2028", "description": "name too long", "index": "0"}, '
                                    b'{"error": "2003", "description": "metrics per second"}]}'))
    with harness.Bench(config(service, ", exclude: ['mtx.*']")) as b:
        b.ctl("add", "jobs", "1")
        b.start()
        harness.check(harness.until(10, lambda: "2003 metrics per second; 2028 name too long" in b.log()), f"both: {b.log()}")
        b.stop()
    service.stop()
    harness.finish()


if __name__ == "__main__":
    main()
