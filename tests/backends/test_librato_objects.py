# SPDX-License-Identifier: Apache-2.0
"""Promises: `mtxctl librato` lists, shows, makes, changes and deletes what the service keeps, as the service's own client
asks for it; lists of several pages are whole; what the service refuses is said in its words; bad input is one sentence,
exit status 2, and nothing is sent; a dry run changes nothing."""
import base64
import json
import os
import pty
import subprocess
import tempfile
import urllib.parse

import fake
from fake import need
from harness import MTXCTL, check, equal, finish
from objects import Caller, odd_answers

AUTH = "Basic " + base64.b64encode(b"me@x.org:sesame").decode()
COLLECTIONS = ("metrics", "annotations", "alerts", "services", "spaces")


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


class Librato(fake.Service):
    """Keeps metrics, streams, alerts, services, spaces with charts; answers as the API's documentation says."""

    def __init__(self):
        super().__init__()
        self.ids = 1000
        self.metrics = {f"web.{i:03}": {"name": f"web.{i:03}", "type": "gauge", "period": 60, "attributes": {}} for i in range(257)}
        self.streams, self.alerts, self.spaces, self.charts = {}, {}, {}, {}
        self.services = {n: {"id": n, "title": t, "type": "mail", "settings": {"addresses": "x@y"}}
                         for n, t in [(11, "Ops mail"), (12, "Pager")]}

    def new_id(self):
        self.ids += 1
        return self.ids

    def accept(self, r):
        if r.headers.get("authorization") != AUTH:
            return 401, b'{"errors": {"request": ["Authorization Required"]}}', (("Content-Type", "application/json"),)
        need(bool(r.raw) == ("content-type" in r.headers), f"{r.method}: a type if there is a body")
        need(r.headers.get("content-type") in (None, "application/json"), "the type of the body")
        query = urllib.parse.parse_qs(r.query, keep_blank_values=True, strict_parsing=True) if r.query else {}
        parts = [urllib.parse.unquote(p) for p in r.path.split("/")]
        need(parts[:2] == ["", "v1"] and parts[2] in COLLECTIONS + ("measurements",), r.path)
        try:
            status, body = getattr(self, parts[2] + "_call")(r, parts[3:], query)
        except Refused as refused:
            status, body = refused.status, refused.body
        return status, b"" if body is None else json.dumps(body).encode(), (("Content-Type", "application/json"),)

    def page(self, name, objects, query):
        objects = [o for o in objects if query.get("name", [""])[0].lower() in o.get("name", "").lower()]
        offset, length = int(query.get("offset", ["0"])[0]), int(query.get("length", ["100"])[0])
        need(1 <= length <= 100, f"length {length}")
        part = objects[offset:offset + length]
        return 200, {"query": {"offset": offset, "length": len(part), "total": len(objects), "found": len(objects)}, name: part}

    def at(self, objects, key):
        try:
            found = objects.get(int(key) if isinstance(next(iter(objects), 0), int) else key)
        except ValueError:
            found = None
        if found is None:
            raise Refused(404, {"errors": {"request": ["Not Found"]}})
        return found

    # --- Metrics ---
    def metrics_call(self, r, rest, query):
        if r.method == "GET" and not rest:
            if "compose" in query:
                need("start_time" in query and "resolution" in query, "compose needs a time and a resolution")
                self.composed = query
                return 200, {"measurements": [{"series": [{"measure_time": 1700000000, "value": 2.5}], "source": {"name": "*"}}]}
            return self.page("metrics", list(self.metrics.values()), query)
        if r.method == "DELETE" and not rest:
            names = r.json()["names"]
            need(set(r.json()) == {"names"}, "names alone")
            for name in names:
                self.at(self.metrics, name)
            for name in names:
                del self.metrics[name]
            return 204, None
        name = rest[0]
        if r.method == "PUT":
            body = r.json()
            if body.get("type") == "composite" and "(" not in body["composite"]:
                raise Refused(422, {"errors": {"params": {"composite": ["is not an expression"]}}})
            new = name not in self.metrics
            self.metrics.setdefault(name, {"name": name, "attributes": {}}).update(body)
            return (201, self.metrics[name]) if new else (204, None)
        found = self.at(self.metrics, name)
        if r.method == "DELETE":
            del self.metrics[name]
            return 204, None
        need(r.method == "GET", r.method)
        self.asked = query
        if query:
            return 200, {**found, "resolution": 60, "measurements": {"web-1": [{"measure_time": 1700000000, "value": 1.5, "count": 1}]}}
        return 200, found

    def measurements_call(self, r, rest, query):
        need(r.method == "GET" and ("start_time" in query or "duration" in query) and "resolution" in query, f"{query}")
        self.asked = query
        if not rest:
            need("compose" in query, "an expression")
        return 200, {"name": rest[0] if rest else "", "resolution": 1,
                     "series": [{"tags": {"city": "sf"}, "measurements": [{"time": 1700000000, "value": 7}]}]}

    # --- Annotations ---
    def annotations_call(self, r, rest, query):
        if not rest:
            return self.page("annotations", [{"name": n, "display_name": s["display_name"]} for n, s in self.streams.items()], query)
        name = rest[0]
        if r.method == "POST":
            body = r.json()
            need(set(body) <= {"title", "source", "description", "start_time", "end_time", "links"}, f"{sorted(body)}")
            if "title" not in body:
                raise Refused(422, {"errors": {"params": {"title": ["can't be blank"]}}})
            stream = self.streams.setdefault(name, {"display_name": None, "events": []})
            stream["events"].append({"id": self.new_id(), **body})
            return 201, stream["events"][-1]
        stream = self.at(self.streams, name)
        if r.method == "PUT":
            body = r.json()
            need({"name", "display_name"} <= set(body), "both members are always there")
            if body["name"]:
                self.streams[body["name"]] = self.streams.pop(name)
            stream["display_name"] = body["display_name"]
            return 204, None
        if r.method == "DELETE":
            del self.streams[name]
            return 204, None
        if len(rest) > 1:
            return 200, self.at({e["id"]: e for e in stream["events"]}, rest[1])
        answer = {"name": name, "display_name": stream["display_name"]}
        if "start_time" in query:
            by = {}
            for event in stream["events"]:
                by.setdefault(event.get("source", "unassigned"), []).append(event)
            answer["events"] = [{s: e} for s, e in by.items() if s in query.get("sources[]", [s])]
        return 200, answer

    # --- Alerts and services ---
    def services_call(self, r, rest, query):
        need(r.method == "GET" and not rest, "services are only listed")
        return self.page("services", list(self.services.values()), query)

    def check_alert(self, body):
        need(set(body) == {"name", "md", "attributes", "version", "description", "rearm_seconds", "active", "services", "conditions"},
             f"an alert has all its members: {sorted(body)}")
        for s in body["services"]:
            if s not in self.services:
                raise Refused(422, {"errors": {"params": {"services": ["are unknown"]}}})
        for c in body["conditions"]:
            keys = {"type", "metric_name", "source", "tags", "summary_function", "duration"} | ({"threshold"} - ({"threshold"} if c["type"] == "absent" else set()))
            need(set(c) == keys, f"a condition: {sorted(c)}")
            need(c["type"] in ("above", "below", "absent"), c["type"])

    def alerts_call(self, r, rest, query):
        if r.method == "GET" and not rest:
            return self.page("alerts", list(self.alerts.values()), query)
        if r.method == "POST":
            body = r.json()
            self.check_alert(body)
            if any(a["name"] == body["name"] for a in self.alerts.values()):
                raise Refused(409, {"errors": {"params": {"name": ["is already taken"]}}})
            n = self.new_id()
            self.alerts[n] = {"id": n, **body, "services": [self.services[s] for s in body["services"]]}
            return 201, self.alerts[n]
        found = self.at(self.alerts, rest[0])
        if r.method == "PUT":
            body = r.json()
            self.check_alert(body)
            found.update({**body, "services": [self.services[s] for s in body["services"]]})
            return 204, None
        need(r.method == "DELETE", r.method)
        del self.alerts[found["id"]]
        return 204, None

    # --- Spaces and charts ---
    def spaces_call(self, r, rest, query):
        if not rest:
            if r.method == "GET":
                return self.page("spaces", list(self.spaces.values()), query)
            body = r.json()
            need(set(body) <= {"name", "tags"}, f"{sorted(body)}")
            if any(s["name"] == body["name"] for s in self.spaces.values()):
                raise Refused(409, {"errors": {"params": {"name": ["is already taken"]}}})
            n = self.new_id()
            self.spaces[n], self.charts[n] = {"id": n, **body}, {}
            return 201, self.spaces[n]
        space = self.at(self.spaces, rest[0])
        if len(rest) > 1:
            return self.charts_call(r, space["id"], rest[2:])
        if r.method == "GET":
            return 200, {**space, "charts": [{"id": c} for c in self.charts[space["id"]]]}
        if r.method == "PUT":
            need(set(r.json()) == {"name"}, "a space is renamed")
            space.update(r.json())
        else:
            del self.spaces[space["id"]], self.charts[space["id"]]
        return 204, None

    def charts_call(self, r, space, rest):
        charts = self.charts[space]
        if not rest and r.method == "GET":
            return 200, list(charts.values())
        if r.method in ("POST", "PUT"):
            body = r.json()
            need({"name", "type", "streams"} <= set(body), f"{sorted(body)}")
            need(body["type"] in ("line", "stacked", "bignumber"), body["type"])
            for s in body["streams"]:
                need(("metric" in s) != ("composite" in s) and not ("composite" in s and "source" in s), f"{s}")
            n = self.new_id() if r.method == "POST" else self.at(charts, rest[0])["id"]
            charts[n] = {"id": n, **body, "streams": [{"id": self.new_id(), **s} for s in body["streams"]]}
            return (201, charts[n]) if r.method == "POST" else (204, None)
        chart = self.at(charts, rest[0])
        if r.method == "DELETE":
            del charts[chart["id"]]
            return 204, None
        return 200, chart


service = Librato()
run = Caller("librato", {"LIBRATO_USER": "me@x.org", "LIBRATO_TOKEN": "sesame"}, "--set", f"url={service.url}")


def requests():
    with service.lock:
        return [(r.method, r.path, urllib.parse.unquote(r.query)) for r in service.requests]


def last(method=None):
    with service.lock:
        r = [r for r in service.requests if method in (None, r.method)][-1]
        return r.method, r.path, r.json() if r.body else None


# --- Metrics -----------------------------------------------------------------------------------------------------------
equal(len(run.json("metrics", "list")["metrics"]), 257, "metrics list: 257 of three pages")
equal([q for m, p, q in requests()], ["offset=0&length=100", "offset=100&length=100", "offset=200&length=100"], "metrics list: the pages")
run.says("web.256", "metrics", "list")
equal([m["name"] for m in run.json("metrics", "list", "web.25?")["metrics"]], [f"web.25{i}" for i in range(7)], "metrics list GLOB")
run.json("metrics", "list", "name=web.01", "orderby=name", "sort=desc")
equal(requests()[-1][2], "name=web.01&orderby=name&sort=desc&offset=0&length=100", "metrics list: fields")
equal(run.json("metrics", "show", "web.001")["type"], "gauge", "metrics show")
shown = run("metrics", "show", "web.001", "count=1", "resolution=60", "start=1699999000", "end=2023-11-14T22:13:20Z", "source=web-1,web-2",
            "summarize_sources=true").stdout
check("2023-11-14T22:13:20Z" in shown and "web-1" in shown and "1.5" in shown, f"metrics show: values: {shown}")
equal(service.asked, {"count": ["1"], "resolution": ["60"], "start_time": ["1699999000"], "end_time": ["1700000000"],
                      "sources[]": ["web-1", "web-2"], "summarize_sources": ["true"]}, "metrics show: what is asked")
equal(run.json("metrics", "show", "web.001", "start=1699999000", "tags.city=sf", "group_by=host", "group_by_function=sum",
               "summary_function=max")["series"][0]["measurements"][0]["value"], 7, "metrics show: a series with tags")
equal(service.asked, {"start_time": ["1699999000"], "tags[city]": ["sf"], "group_by": ["host"], "group_by_function": ["sum"],
                      "summary_function": ["max"], "resolution": ["1"]}, "metrics show: tags, and the resolution of 1")
run.says("HTTP 404: request: Not Found", "metrics", "show", "no.such", code=1)
run("metrics", "update", "web.001", "description=times", "period=30", "display_name=Web", "attributes.color=#f00", "attributes.display_max=100",
    "attributes.display_stacked=true")
equal(last(), ("PUT", "/v1/metrics/web.001", {"description": "times", "period": 30, "display_name": "Web",
                                              "attributes": {"color": "#f00", "display_max": 100, "display_stacked": True}}), "metrics update")
equal(run.json("metrics", "update", "new.one", "type=counter")["name"], "new.one", "metrics update makes one")
run.says("deleted 1 metric", "metrics", "delete", "new.one")
equal(last()[:2], ("DELETE", "/v1/metrics/new.one"), "metrics delete: one")
run.says("deleted 2 metrics", "metrics", "delete", "web.000", "web.001")
equal(last(), ("DELETE", "/v1/metrics", {"names": ["web.000", "web.001"]}), "metrics delete: many")
run.says("HTTP 404", "metrics", "delete", "web.000", "web.002", code=1)
run.says("give --yes", "metrics", "delete", "web.1*", code=2)
equal(len(service.metrics), 255, "metrics delete GLOB: not without being asked")
check('"names":["web.100"' in run("metrics", "delete", "web.1*", "--dry-run").stdout, "metrics delete GLOB: dry run")
equal(len(service.metrics), 255, "metrics delete GLOB: a dry run deletes nothing")
asked, answered = pty.openpty()
for answer, code in [(b"n\n", 2), (b"\n", 2)]:
    os.write(asked, answer)
    run.says("nothing was deleted", "metrics", "delete", "web.1*", stdin=answered, code=code)
equal(len(service.metrics), 255, "metrics delete GLOB: not if the answer is no")
os.write(asked, b"yes\n")
run.says("deleted 1 metric", "metrics", "delete", "web.25[6]", stdin=answered)
equal(len(service.metrics), 254, "metrics delete GLOB: if the answer is yes")
run.says("deleted 100 metrics", "metrics", "delete", "web.1*", "--yes")
equal(len(service.metrics), 154, "metrics delete GLOB")
run.says("no metric matches", "metrics", "delete", "nothing.*", "--yes", code=1)
run.says("2.5", "composites", "query", 's("web.*","*")', "start=-1h", "resolution=60")
equal(service.composed["compose"], ['s("web.*","*")'], "composites query")
run.json("composites", "query", 's("web.*",{"city":"*"})', "start=1699999000", "tagged=true")
equal(requests()[-1][1:], ("/v1/measurements", 'compose=s("web.*",{"city":"*"})&start_time=1699999000&resolution=1'), "composites query: tagged")
run("composites", "save", "web.sum", 'composite=sum(s("web.*","*"))', "description=all")
equal(last(), ("PUT", "/v1/metrics/web.sum", {"type": "composite", "composite": 'sum(s("web.*","*"))', "description": "all"}), "composites save")
run.says("HTTP 422: params: composite: is not an expression", "composites", "save", "x", "composite=y", code=1)

# --- Annotations -------------------------------------------------------------------------------------------------------
event = run.json("annotations", "post", "deploys", "title=v42 = better", "source=web-1", "description=a\nb", "start=1700000000", "end=1700000060",
                 "link=github,https://x.org/c?a=b,The change", "link=ci,https://x.org/7")
equal(last()[2], {"title": "v42 = better", "source": "web-1", "description": "a\nb", "start_time": 1700000000, "end_time": 1700000060,
                  "links": [{"rel": "github", "href": "https://x.org/c?a=b", "label": "The change"}, {"rel": "ci", "href": "https://x.org/7"}]},
      "annotations post")
for i in range(260):
    service.streams.setdefault(f"stream {i:03}", {"display_name": None, "events": []})
equal(len(run.json("annotations", "list")["annotations"]), 261, "annotations list: all pages")
run("annotations", "post", "deploys", "title=no source")
run.says("v42 = better", "annotations", "show", "deploys", "start=1699999000")
equal([list(e) for e in run.json("annotations", "show", "deploys", "start=1699999000", "source=web-1")["events"]], [["web-1"]], "annotations show: sources")
equal(run.json("annotations", "event", "deploys", str(event["id"]))["title"], "v42 = better", "annotations event")
run("annotations", "update", "deploys", "display_name=Deploys")
equal(last()[2], {"name": None, "display_name": "Deploys"}, "annotations update")
run("annotations", "delete", "deploys")
check("deploys" not in service.streams, "annotations delete")
run.says("HTTP 404", "annotations", "delete", "deploys", code=1)

# --- Alerts, services ----------------------------------------------------------------------------------------------------
equal([s["title"] for s in run.json("services", "list")["services"]], ["Ops mail", "Pager"], "services list")
alert = run.json("alerts", "create", "slow", "condition=above http.latency 0.5 duration=300 summary_function=max source=web-*",
                 "condition=absent http.count duration=60", "condition=below disk threshold=10 tags.city=sf", "services=ops mail,12",
                 "rearm_seconds=600", "description=too slow", "runbook_url=https://x.org/r")
equal(last("POST")[2], {
    "name": "slow", "md": False, "attributes": {"runbook_url": "https://x.org/r"}, "version": 2, "description": "too slow", "rearm_seconds": 600,
    "active": True, "services": [11, 12], "conditions": [
        {"type": "above", "metric_name": "http.latency", "threshold": 0.5, "duration": 300, "summary_function": "max", "source": "web-*", "tags": {}},
        {"type": "absent", "metric_name": "http.count", "duration": 60, "source": "*", "tags": {}, "summary_function": None},
        {"type": "below", "metric_name": "disk", "threshold": 10, "tags": {"city": "sf"}, "source": "*", "duration": None, "summary_function": "average"}]},
      "alerts create")
run.says("HTTP 409: params: name: is already taken", "alerts", "create", "slow", "condition=above x 1", code=1)
run.says('there is no service "nobody"', "alerts", "create", "other", "condition=above x 1", "services=nobody", code=1)
run("alerts", "update", "SLOW", "active=false", "services=12")
equal((service.alerts[alert["id"]]["active"], service.alerts[alert["id"]]["services"][0]["id"], len(service.alerts[alert["id"]]["conditions"])),
      (False, 12, 3), "alerts update keeps the rest")
equal(run.json("alerts", "show", "slow")["description"], "too slow", "alerts show by name")
equal(run.json("alerts", "show", str(alert["id"]))["name"], "slow", "alerts show by id")
for i in range(251):
    service.alerts[5000 + i] = {"id": 5000 + i, "name": f"a{i}", "conditions": [], "services": []}
equal(len(run.json("alerts", "list")["alerts"]), 252, "alerts list: all pages")
run("alerts", "delete", "slow", "--dry-run")
check(alert["id"] in service.alerts, "alerts delete: a dry run deletes nothing")
run("alerts", "delete", "slow")
check(alert["id"] not in service.alerts, "alerts delete")
run.says('there is no alert "slow"', "alerts", "delete", "slow", code=1)

# --- Spaces and charts ---------------------------------------------------------------------------------------------------
for i in range(255):
    service.spaces[3000 + i], service.charts[3000 + i] = {"id": 3000 + i, "name": f"space {i}"}, {}
space = run.json("spaces", "create", "Shop", "tags=true")
equal((last()[2], space["name"]), ({"name": "Shop", "tags": True}, "Shop"), "spaces create")
run.says("HTTP 409", "spaces", "create", "Shop", code=1)
equal(len(run.json("spaces", "list")["spaces"]), 256, "spaces list: all pages")
equal(run.json("spaces", "show", "shop")["id"], space["id"], "spaces show: any case")
service.spaces[2999], service.charts[2999] = {"id": 2999, "name": "sHOp"}, {}
equal((run.json("spaces", "show", "Shop")["id"], run.json("spaces", "show", "sHOp")["id"]), (space["id"], 2999), "spaces show: the exact name first")
del service.spaces[2999]
chart = run.json("charts", "create", "Shop", "Orders", "type=stacked", "stream=orders source=web-* group_function=sum units_short=o",
                 'stream=summary_function=max composite=s("x", "*")', "min=0", "max=1.5", "label=per second", "use_log_yaxis=true", "related_space=7")
equal(last()[2], {"name": "Orders", "type": "stacked", "min": 0, "max": 1.5, "label": "per second", "use_log_yaxis": True, "related_space": 7,
                  "streams": [{"metric": "orders", "source": "web-*", "group_function": "sum", "units_short": "o"},
                              {"summary_function": "max", "composite": 's("x", "*")'}]}, "charts create")
run("charts", "create", "Shop", "Now", "type=bignumber", "stream=orders")
equal(last()[2], {"name": "Now", "type": "bignumber", "use_last_value": True,
                  "streams": [{"metric": "orders", "source": "*", "group_function": "average", "summary_function": "average"}]}, "charts create: bignumber")
equal([c["name"] for c in run.json("charts", "list", str(space["id"]))], ["Orders", "Now"], "charts list")
run("charts", "rename", "Shop", "orders", "All orders")
equal((last()[2]["name"], len(last()[2]["streams"])), ("All orders", 2), "charts rename keeps the streams")
run("charts", "add-stream", "Shop", "All orders", "stream=returns")
equal(len(service.charts[space["id"]][chart["id"]]["streams"]), 3, "charts add-stream")
run("charts", "update", "Shop", "All orders", "type=line", "label=x")
equal((last()[2]["type"], last()[2]["label"], last()[2]["min"]), ("line", "x", 0), "charts update")
equal(run.json("charts", "show", "Shop", "All orders")["label"], "x", "charts show")
run.says('the space "Shop" has no chart "gone"', "charts", "show", "Shop", "gone", code=1)
run("charts", "delete", "Shop", "Now")
equal(len(service.charts[space["id"]]), 1, "charts delete")
run("spaces", "rename", "Shop", "Store")
equal(service.spaces[space["id"]]["name"], "Store", "spaces rename")
run("spaces", "delete", "Store")
check(space["id"] not in service.spaces, "spaces delete")

# --- apply and generate ----------------------------------------------------------------------------------------------------
work = tempfile.mkdtemp()
DECLARED = """
spaces:
  - name: Shop
    charts:
      - name: Orders
        streams:
          - {metric: orders, group_function: sum, summary_function: sum}
          - {composite: 's("x", "*")', name: both}
      - {name: Now, type: bignumber, streams: [{metric: orders}], min: 0}
alerts:
  - name: slow orders
    description: "yes"
    services: [Pager, 11]
    attributes: {runbook_url: https://x.org}
    conditions:
      - {type: above, metric_name: http.latency, threshold: 0.5, duration: 300}
      - {type: absent, metric_name: orders, duration: 600}
"""


def declare(text, name="d.yml"):
    with open(f"{work}/{name}", "w") as f:
        f.write(text)
    return f"{work}/{name}"


def changes():
    return [m for m, _, _ in requests() if m != "GET"]


path = declare(DECLARED)
before = len(changes())
dry = run("apply", path, "--dry-run").stdout
check("+ space Shop\n+ chart Shop / Orders\n+ chart Shop / Now\n+ alert slow orders\n" in dry and "POST /v1/spaces/NEW/charts" in dry, f"apply: dry run: {dry}")
equal(len(changes()), before, "apply: a dry run changes nothing")
run.says("4 changed, 0 as declared", "apply", path)
shop = next(s for s in service.spaces.values() if s["name"] == "Shop")
equal([(c["name"], c["type"], len(c["streams"])) for c in service.charts[shop["id"]].values()], [("Orders", "line", 2), ("Now", "bignumber", 1)], "apply: charts")
made = next(a for a in service.alerts.values() if a["name"] == "slow orders")
equal(([s["id"] for s in made["services"]], made["description"], made["attributes"], made["conditions"][0]["summary_function"]),
      ([12, 11], "yes", {"runbook_url": "https://x.org"}, "average"), "apply: an alert")
before = len(changes())
run.says("0 changed, 4 as declared", "apply", path)
equal(len(changes()), before, "apply again: nothing is sent")
run("charts", "update", "Shop", "Orders", "label=by hand")
changed = run("apply", declare(DECLARED.replace("min: 0", "min: 5").replace("0.5", "0.75").replace("group_function: sum, ", "group_function: max, "))).stdout
for line in ["~ chart Shop / Orders\n    streams[0].group_function: sum -> max\n", "~ chart Shop / Now\n    min: 0 -> 5\n",
             "~ alert slow orders\n    conditions[0].threshold: 0.5 -> 0.75\n", "3 changed, 1 as declared\n"]:
    check(line in changed, f"apply: it shows {line!r}: {changed}")
orders = next(c for c in service.charts[shop["id"]].values() if c["name"] == "Orders")
equal((orders["label"], orders["streams"][0]["group_function"], made["conditions"][0]["threshold"]), ("by hand", "max", 0.75), "apply: what it does not declare is kept")
result = run.json("apply", declare(DECLARED))
equal((result["made"], result["same"], [c["method"] for c in result["changes"]]), (3, 1, ["PUT", "PUT", "PUT"]), "apply --json")
service.script(*[lambda h, r: h.reply(*h.server.service.accept(r))] * 3, fake.status(422, b'{"errors": {"params": {"x": ["bad"]}}}'))
run.says("0 of 2 changes were made; apply the file again", "apply", declare("spaces: [{name: Later, charts: [{name: a, streams: [{metric: b}]}]}]"), code=1)
service.script()
for says, text in [
        (":3: the chart's type", "spaces:\n  - name: a\n    charts:\n      - {name: c, type: pie}".replace("\n    charts:\n      -", "\n    charts: [").replace("pie}", "pie}]")),
        ("is given twice", "spaces: [{name: a}, {name: a}]"), ("did you mean charts?", "spaces: [{name: a, chart: []}]"),
        ("did you mean alerts?", "alert: []"), ("a space's name is empty", "spaces: [{tags: true}]"), ("has no condition", "alerts: [{name: a}]"),
        ("this is a list of maps", "alerts: {name: a}"), ("a map of spaces", "- a"), ("the file is empty", ""), (":2: ", "a: [b\n"), ("too deeply", "[" * 40 + "]" * 40),
        ("is nested too deeply", "spaces: &a [*a]"), ("is too long", "alerts: [{name: a, conditions: [{type: above, threshold: 1, metric_name: " + "x" * 10000000 + "}]}]"),
        ("the value of a tag is too long", "alerts: [{name: a, conditions: [{type: above, metric_name: x, threshold: 1, tags: {city: " + "x" * 10000000 + "}}]}]"),
        ("a condition's duration is an integer, at least 1", "alerts: [{name: a, conditions: [{type: above, metric_name: x, threshold: 1, duration: soon}]}]"),
        ("a condition's threshold is a number", "alerts: [{name: a, conditions: [{type: above, metric_name: x, threshold: high}]}]"),
        ("a condition is a map", "alerts: [{name: a, conditions: [x]}]"), ("an alert's active is true or false", "alerts: [{name: a, active: maybe}]"),
        ("an alert's conditions is a list", "alerts: [{name: a, conditions: {}}]"), ("a service is empty", "alerts: [{name: a, services: [{}]}]"),
        ("a chart's streams is a list", "spaces: [{name: a, charts: [{name: b, streams: 5}]}]"), ("a stream is a map", "spaces: [{name: a, charts: [{name: b, streams: [5]}]}]"),
        ("a chart's min is a number", "spaces: [{name: a, charts: [{name: b, min: low}]}]"), ("a stream's source is a text", "spaces: [{name: a, charts: [{name: b, streams: [{metric: c, source: 5}]}]}]"),
        ("a space's tags is true or false", "spaces: [{name: a, tags: {}}]"),
        ("is longer than", "# " + "x" * (17 << 20))]:
    run.bad(service, says, "apply", declare(text, "bad.yml"))
run.bad(service, "cannot open", "apply", f"{work}/none.yml")

segment = f"/dev/shm/mtx-objects-{os.getpid()}.seg"
record = {**run.env, "MTX_SEGMENT": segment}
for words in [("inc", "http.requests", "status=200"), ("gauge", "load", "3"), ("time", "job time", "k=v", "--", "true"), ("add", "mtx.own", "1")]:
    subprocess.run([MTXCTL, *words], env=record, check=True)
generated = run("generate", "--segment", segment, "space=Mine", env={"LIBRATO_TOKEN": "", "LIBRATO_USER": ""}).stdout
check("mtx.own" not in generated and 'metric: "job-time.p99"\n            group_function: max' in generated, f"generate: {generated}")
run.says("4 changed, 0 as declared", "apply", declare(generated))
run.says("0 changed, 4 as declared", "apply", declare(generated))
mine = next(s for s in service.spaces.values() if s["name"] == "Mine")
equal({c["name"]: sorted(s["metric"] for s in c["streams"])[:2] for c in service.charts[mine["id"]].values()},
      {"http.requests": ["http.requests"], "load": ["load"], "job time": ["job-time", "job-time.mean_rate"]}, "generate and apply")
equal([c["name"] for c in run.json("generate", "lo*", "--segment", segment)["spaces"][0]["charts"]], ["load"], "generate GLOB")
run.says("no metric of the segment matches", "generate", "nothing*", "--segment", segment, code=1)
run.says("there is no segment", "generate", "--segment", segment + ".none", code=3)
os.unlink(segment)

# --- Bad input -----------------------------------------------------------------------------------------------------------
for says, words in [
        ("title is missing", ("annotations", "post", "deploys")), ("title is empty", ("annotations", "post", "deploys", "title= ")),
        ("title is given twice", ("annotations", "post", "deploys", "title=a", "title=b")),
        ("title is too long", ("annotations", "post", "deploys", "title=" + 256 * "x")),
        ("a stream's name has no /", ("annotations", "post", "a/b", "title=x")), ("a stream's name has no /", ("annotations", "delete", "a/b")),
        ("a stream's name has no /", ("annotations", "update", "a", "name=x/y")),
        ("start: ", ("annotations", "post", "deploys", "title=x", "start=yesterday")), ("is not a time", ("metrics", "show", "x", "start=99999999999")),
        ("end is before start", ("annotations", "post", "deploys", "title=x", "start=20", "end=10")),
        ("link is REL,URL", ("annotations", "post", "deploys", "title=x", "link=y")),
        ("did you mean title?", ("annotations", "post", "deploys", "titel=x")), ("is not FIELD=VALUE", ("annotations", "post", "deploys", "title")),
        ("a control character", ("annotations", "post", "deploys", "title=a\x1bb")), ("is not UTF-8", ("annotations", "post", "deploys", "title=\udcff")),
        ('type "pie" is not one of line, stacked, bignumber', ("charts", "create", "S", "C", "type=pie", "stream=x")),
        ("did you mean stacked?", ("charts", "create", "S", "C", "type=staked", "stream=x")),
        ("either a metric or a composite", ("charts", "create", "S", "C", "stream=source=x")),
        ("did you mean summary_function?", ("charts", "create", "S", "C", "stream=x summary_functoin=max")),
        ("has one stream", ("charts", "create", "S", "C", "type=bignumber", "stream=a", "stream=b")),
        ("condition is missing", ("alerts", "create", "a")), ("is not one of above, below, absent", ("alerts", "create", "a", "condition=over x 1")),
        ("needs a threshold", ("alerts", "create", "a", "condition=above x")), ("has no threshold", ("alerts", "create", "a", "condition=absent x 5 duration=9")),
        ("the value of a tag is too long", ("alerts", "create", "a", "condition=above x 1 tags.city=" + 100000 * "x")), ("not UTF-8", ("charts", "create", "S", "C", "stream=\udcff")),
        ("needs a duration", ("alerts", "create", "a", "condition=absent x")), ("a threshold is a number", ("alerts", "create", "a", "condition=above x y")),
        ("rearm_seconds is an integer from", ("alerts", "create", "a", "condition=above x 1", "rearm_seconds=-5")),
        ("active is true or false", ("alerts", "update", "a", "active=maybe")), ("nothing to change", ("alerts", "update", "a")),
        ("period is an integer", ("metrics", "update", "a", "period=1.5")), ("needs a time", ("metrics", "show", "a", "tags.city=x")),
        ("is too long", ("metrics", "show", "a", "duration=60", "tags.city=" + 256 * "x")),
        ("is too long", ("metrics", "show", "a", "duration=60", "tags." + 65 * "k" + "=x")),
        ("leave one of them out", ("metrics", "show", "a", "start=1", "end=2", "duration=5", "group_by=x")),
        ("choose one of them", ("metrics", "show", "a", "duration=60", "count=1")), ("start is missing", ("composites", "query", "x")),
        ("metrics show takes NAME", ("metrics", "show")), ('there is no "metrics lst"; did you mean metrics list?', ("metrics", "lst")),
        ('there is no "metrix"; did you mean metrics?', ("metrix",)), ("there are: spaces list, ", ("spaces", "illuminate"))]:
    run.bad(service, says, *words)
run.bad(None, "token is missing", "services", "list", env={"LIBRATO_TOKEN": ""})

# --- Settings, trouble -----------------------------------------------------------------------------------------------------
with open(f"{work}/c.yml", "w") as f:
    f.write(f"backends:\n  - {{type: librato, name: one, url: '{service.url}', user: me@x.org, token: sesame}}\n"
            f"  - {{type: librato, name: two, url: '{service.url}', token: wrong}}\n  - {{type: console}}\n")
bare = {"LIBRATO_USER": "", "LIBRATO_TOKEN": ""}
equal(len(run.json("services", "list", "--config", f"{work}/c.yml", "--backend", "one", settings=(), env=bare)["services"]), 2, "--config, --backend")
run.says("choose one with --backend", "services", "list", "--config", f"{work}/c.yml", settings=(), env=bare, code=2)
run.says("is of type console", "services", "list", "--config", f"{work}/c.yml", "--backend", "console", settings=(), env=bare, code=2)
run.says("two: HTTP 401: request: Authorization Required", "services", "list", "--config", f"{work}/c.yml", "--backend", "two", settings=(), env=bare, code=4)
dry = run.json("annotations", "post", "my stream", "title=x", "--dry-run")["dry_run"]
equal([(d["method"], d["path"], d["headers"]["Authorization"], json.loads(d["body"])) for d in dry], [("POST", "/v1/annotations/my%20stream", "***", {"title": "x"})],
      "a dry run")
equal(run.json("metrics", "list", "--dry-run")["dry_run"][0]["path"], "/v1/metrics?offset=0&length=100", "a dry run of a list")
check("my stream" not in service.streams, "a dry run makes nothing")
before = len(service.requests)
for trick, code, says in [(fake.status(500, b"oops"), 3, "HTTP 500: oops"), (fake.status(429), 3, "HTTP 429"), (fake.reset, 3, "cannot be reached"),
                          (fake.status(403, b'{"error": "limit [measure:raw_rate]", "request_time": 1}'), 3, "HTTP 403: limit"),
                          (fake.status(403, b'{"errors": {"request": ["no"]}}'), 4, "HTTP 403: request: no"),
                          (fake.status(301, b"", (("Location", "http://x/"),)), 4, "HTTP 301"), (fake.status(400, b'{"message": "bad \\u001b[31m"}'), 1, "HTTP 400: bad  [31m"),
                          (fake.status(422, b'{"errors": ["a", "b"]}'), 1, "HTTP 422: a, b"), (fake.status(418), 1, "gives no reason")]:
    service.script(trick)
    run.says(says, "services", "list", code=code)
equal(len(service.requests) - before, 9, "each request is sent once")
run.says("cannot be reached", "services", "list", settings=("--set", "url=http://127.0.0.1:9"), code=3)
equal(service.violations, [], "violations")
odd_answers(run, service, [b"spaces", b"alerts"], ("spaces", "list"), ("spaces", "delete", "Shop"), ("charts", "delete", "Shop", "x"), ("alerts", "delete", "Shop"),
            ("metrics", "list"), ("metrics", "show", "x", "count=1"), ("annotations", "show", "x", "start=1"), ("charts", "list", "5"), ("charts", "rename", "5", "Shop", "y"))
finish()
