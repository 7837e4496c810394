# SPDX-License-Identifier: Apache-2.0
"""Promises: `mtxctl apptuit query` asks as the service's own client asks, and shows the same points as a table, CSV, JSON
and a chart; encode and decode agree with the client's keys; what the service refuses is said; bad input sends nothing."""
import csv
import io
import json
import urllib.parse

import fake
from fake import need
from harness import check, equal, finish
from objects import ODD, Caller, odd_answers

T = 1700000000


class Apptuit(fake.Service):
    """Answers fetch("NAME") with the points of that name."""

    def __init__(self):
        super().__init__()
        self.series = {"cpu": [({"host": "web-7"}, [[T + 60 * i, float(i)] for i in range(-2, 13)]), ({"host": 'a,"b"'}, [[T, None], [T + 5, -2.5]])], "none": []}

    def accept(self, r):
        if r.headers.get("authorization") != "Bearer sesame":
            return 401, b'{"error": "invalid token"}', ()
        need(r.method == "GET" and r.path == "/api/query" and not r.raw, r.path)
        pairs = r.query.split("&")
        need([p.split("=")[0] for p in pairs] in (["start", "q"], ["start", "end", "q"]) and "+" not in r.query, r.query)
        query = {k: urllib.parse.unquote(v) for k, v in (p.split("=") for p in pairs)}
        need(all(query[k].isdigit() for k in ("start", "end") if k in query), "whole seconds")
        self.asked = query
        name = query["q"].split('"')[1] if '"' in query["q"] else None
        if name not in self.series:
            return 400, json.dumps({"error": {"message": f"no such metric: {name}"}}).encode(), ()
        result = [{"metric": name, "tags": t, "dps": p} for t, p in self.series[name]]
        return 200, json.dumps({"outputs": [{"id": name, "result": result}, {"id": "empty", "result": []}]}).encode(), ()


service = Apptuit()
run = Caller("apptuit", {"APPTUIT_API_TOKEN": "sesame"}, "--set", f"url={service.url}")
during = ("--start", str(T), "--end", str(T + 600))

outputs = run.json("query", 'fetch("cpu", a b)', *during)["outputs"]
equal(service.asked, {"start": str(T), "end": str(T + 600), "q": 'fetch("cpu", a b)'}, "query: what is asked")
equal([o["id"] for o in outputs], ["cpu"], "query: outputs without a result are left out")
equal([p[0] for p in outputs[0]["result"][0]["dps"]], [T + 60 * i for i in range(11)], "query: points outside of the time are left out, its ends are in")
table = run("query", 'fetch("cpu")', *during).stdout.splitlines()
equal(len(table), 14, "query: a table")
check(table[0].split() == ["OUTPUT", "METRIC", "TAGS", "TIME", "VALUE"] and "2023-11-14T22:13:20Z" in table[1] and '{"host":"web-7"}' in table[1], f"query: its lines: {table[:2]}")
rows = list(csv.DictReader(io.StringIO(run("query", 'fetch("cpu")', *during, "--csv").stdout)))
equal((len(rows), rows[12]), (13, {"output": "cpu", "metric": "cpu", "tags": '{"host":"a,\\"b\\""}', "time": str(T + 5), "value": "-2.5"}), "query --csv")
chart = run("query", 'fetch("cpu")', *during, "--chart", env={"COLUMNS": "60"}).stdout
lines = chart.splitlines()
check(all(len(line) <= 60 for line in lines) and "█" in chart and "2023-11-14T22:13:20Z" in chart and "2023-11-14T22:23:20Z" in chart, f"query --chart:\n{chart}")
equal(([line.split("|")[0].strip() for line in lines if "|" in line][0], [line for line in lines if "|" in line][0].rstrip()[-1]), ("10", "█"), "query --chart: the greatest, at the end")
equal(len([line for line in lines if line.startswith("cpu ")]), 2, "query --chart: each series")
run("query", 'fetch("cpu")', "--start", "2023-11-14T22:13:20Z")
equal(service.asked, {"start": str(T), "q": 'fetch("cpu")'}, "query: without an end")
run.says("the query has no result", "query", 'fetch("none")', *during, code=1)
run.says("HTTP 400: no such metric: x", "query", 'fetch("x")', *during, code=1)
run.says("HTTP 401: invalid token", "query", 'fetch("cpu")', *during, env={"APPTUIT_API_TOKEN": "wrong"}, code=4)
equal(run.json("query", "a b", *during, "--dry-run")["dry_run"][0]["path"], f"/api/query?start={T}&end={T + 600}&q=a%20b", "query: a dry run")
equal(len(run.json("query", 'fetch("cpu")', *during, env={"APPTUIT_API_TOKEN": "", "APPTUIT_PY_TOKEN": "sesame"})["outputs"]), 1, "the old variable")
service.series["long"] = [({}, [[T, i] for i in range(200000)])]
equal(len(run.json("query", 'fetch("long")', *during)["outputs"][0]["result"][0]["dps"]), 200000, "an answer of more than 1 MiB")

# --- Keys ----------------------------------------------------------------------------------------------------------------------
for words, key in [(("test", "tk2=tv2", "tk1=tv1"), 'test{"tk1": "tv1", "tk2": "tv2"}'), (("a",), "a{}"), (("a", "k=é=\""), 'a{"k": "\\u00e9=\\""}')]:
    equal(run("encode", *words, settings=()).stdout, key + "\n", f"encode {words}")
    back = run.json("decode", key, settings=())
    equal((back["name"], back["tags"]), (words[0], dict(w.split("=", 1) for w in words[1:])), f"decode {key}")
for key, name, tags in [('cpu {"k":"v"}', "cpu", {"k": "v"}), ('cpu{"k": "v"}  ', "cpu", {"k": "v"}), ("a{}", "a", {}), ("a}", "a}", {}), ("   ", "", {}),
                        ('{"k":"v"}', "", {"k": "v"}), ('a{"k":1,"k":2}', "a", {"k": 2}), (" cpu\t", "cpu", {})]:
    equal(run.json("decode", key, settings=()), {"name": name, "tags": tags}, f"decode {key!r}")

# --- Bad input -------------------------------------------------------------------------------------------------------------------
for key in ['a{"k":"v"}x', "a{'k':'v'}", "a{k=v}", 'a{"k":"v",}', "cpu {sjd", "", 'a{"k":{"n":1}}']:
    done = run("decode", key, settings=(), code=2)
    check(done.stderr.count("\n") == 1 and not done.stdout, f"decode {key!r}: {done.stderr}")
for says, words in [("needs its beginning", ("query", "x")), ("--start: ", ("query", "x", "--start", "lately")), ("--end: ", ("query", "x", "--start", "-1h", "--end", "99999999999")),
                    ("--end is before --start", ("query", "x", "--start", "-1h", "--end", "-2h")), ("exclude each other", ("query", "x", "--start", "-1h", "--csv", "--chart")),
                    ("is empty", ("query", " ", "--start", "-1h")), ("query takes EXPRESSION", ("query", "--start", "-1h")), ("a name with {", ("encode", "a{b")),
                    ("a tag is KEY=VALUE", ("encode", "a", "b")), ("the name is empty", ("encode", "")), ("did you mean query?", ("qeury", "x"))]:
    run.bad(service, says, *words)
run.bad(None, "token is missing", "query", "x", "--start", "-1h", env={"APPTUIT_API_TOKEN": ""})
service.script(fake.status(200, b"no JSON"), fake.status(503))
run("query", 'fetch("cpu")', *during, code=3)
run("query", 'fetch("cpu")', *during, code=3)
equal(service.violations, [], "violations")
ODD.extend([b'{"outputs": [{"id": 5, "result": [5, {"dps": [5, [], [1700000001], ["x", 1], [1700000001, {}]]}]}]}', b'{"outputs": [{"result": {"dps": 5}}]}'])
odd_answers(run, service, [b"outputs"], *[("query", "x", *during, *more) for more in [(), ("--csv",), ("--chart",), ("--json",)]])
finish()
