# SPDX-License-Identifier: Apache-2.0
"""Promises: `mtxctl anodot` lists, shows, makes and deletes schemas, also those that a segment needs, sends watermarks and
checks keys, as the service's own client asks for it; what the service refuses is said in its words; bad input sends
nothing, and a dry run changes nothing."""
import json
import os
import subprocess
import tempfile

import fake
from fake import need
from harness import MTXCTL, check, equal, finish
from objects import ODD, Caller, odd_answers

WORK = tempfile.mkdtemp()


class Anodot(fake.Service):
    def __init__(self):
        super().__init__()
        self.ids, self.schemas, self.watermarks, self.topology, self.logins = 0, {}, [], [], 0

    def accept(self, r):
        body = r.json() if r.body and not r.path.startswith("/api/v2/topology") else None
        need(bool(r.body) == ("content-type" in r.headers) or r.path.startswith("/api/v2/topology"), "a type if there is a body")
        if r.path.startswith("/api/v1/"):
            need("authorization" not in r.headers, "the first API has no bearer")
            return self.first(r, body)
        if r.path == "/api/v2/access-token":
            need(set(body) == {"refreshToken"} and "authorization" not in r.headers, "a login")
            self.logins += 1
            if body["refreshToken"] != "open":
                return 401, b'{"status": 401, "name": "Unauthorized", "message": "bad key", "andtErrorCode": 1, "path": "/api/v2/access-token"}', ()
            return 200, b'"bearer"', ()
        if r.headers.get("authorization") != "Bearer bearer":
            return 401, b'{"status": 401, "name": "Unauthorized", "message": "no bearer"}', ()
        return self.second(r, body)

    def first(self, r, body):
        token, protocol = r.query.split("&")
        need(protocol == "protocol=anodot30", r.query)
        if token != "token=open%20sesame":
            return 200, b'{"errors": [{"error": "2001", "description": "token inactive"}]}', ()
        if r.path == "/api/v1/metrics":
            need(body == [], "no samples")
            return 200, b'{"errors": []}', ()
        need(r.path == "/api/v1/metrics/watermark" and set(body) == {"schemaId", "watermark"} and isinstance(body["watermark"], int), f"{body}")
        if body["schemaId"] not in self.schemas:
            return 200, b'{"errors": [{"error": 3001, "description": "no such schema"}]}', ()
        self.watermarks.append(body)
        return 200, b'{"errors": []}', ()

    def second(self, r, body):
        if r.path == "/api/v2/topology/data":
            self.topology.append((r.query, r.body))
            return 200, b"{}", ()
        if r.path == "/api/v2/stream-schemas/schemas":
            need(r.query == "excludeCubes=True" and r.method == "GET", r.query)
            return 200, json.dumps([{"streamSchemaWrapper": {"schema": s}} for s in self.schemas.values()]).encode(), ()
        if r.method == "DELETE":
            name = r.path.rsplit("/", 1)[1]
            if name not in self.schemas:
                return 404, b'{"status": 404, "name": "NotFound", "message": "no such schema"}', ()
            del self.schemas[name]
            return 200, json.dumps({"deleted": name}).encode(), ()
        need(r.method == "POST" and r.path == "/api/v2/stream-schemas", r.path)
        need(set(body) == {"id", "version", "name", "dimensions", "measurements", "missingDimPolicy"} and body["id"] is None, f"{body}")
        need(("fill" in body["missingDimPolicy"]) == (body["missingDimPolicy"]["action"] == "fill"), f"{body['missingDimPolicy']}")
        need(all(m["countBy"] == "none" and m["aggregation"] in ("sum", "average") for m in body["measurements"].values()), "measurements")
        if any(s["name"] == body["name"] and s["version"] == body["version"] for s in self.schemas.values()):
            return 409, b'{"status": 409, "name": "Conflict", "message": "a schema of that name exists"}', ()
        self.ids += 1
        self.schemas[f"S{self.ids}"] = {**body, "id": f"S{self.ids}"}
        return 200, json.dumps({"schema": self.schemas[f"S{self.ids}"]}).encode(), ()


service = Anodot()
run = Caller("anodot", {"ANODOT_TOKEN": "open sesame", "ANODOT_ACCESS_KEY": "open"}, "--set", f"url={service.url}")

# --- Schemas -------------------------------------------------------------------------------------------------------------------
words = ("schema", "create", "web traffic", "dimensions=data center,os", "measurement=hits.total sum req", "measurement=lat", "version=3")
dry = run.json(*words, "--dry-run")["dry_run"]
equal((len(dry), dry[0]["path"], dry[0]["headers"]["Authorization"], len(service.requests)), (1, "/api/v2/stream-schemas", "***", 0), "schema create: a dry run sends nothing")
made = run.json(*words)["schema"]
equal(service.schemas["S1"], {"id": "S1", "version": 3, "name": "web traffic", "dimensions": ["data_center", "os"], "missingDimPolicy": {"action": "fill", "fill": "unknown"},
                              "measurements": {"hits_total": {"aggregation": "sum", "countBy": "none", "units": "req"}, "lat": {"aggregation": "average", "countBy": "none"}}},
      "schema create")
equal(made["id"], "S1", "schema create: its id")
run("schema", "create", "strict", "measurement=a", "missing=fail")
equal((service.schemas["S2"]["missingDimPolicy"], service.schemas["S2"]["version"]), ({"action": "fail"}, 1), "schema create: a policy")
run.says("HTTP 409: Conflict: a schema of that name exists", *words, code=1)
for i in range(251):
    service.schemas[f"T{i}"] = {"id": f"T{i}", "name": f"t{i}", "dimensions": [], "measurements": {}, "missingDimPolicy": {"action": "fail"}}
equal(len(run.json("schema", "list")["schemas"]), 253, "schema list")
equal([(s["name"], s["version"]) for s in run.json("schema", "list", "t24?")["schemas"]], [(f"t24{i}", 1) for i in range(10)], "schema list GLOB: version 1 if there is none")
run.says("web traffic", "schema", "list")
equal(run.json("schema", "show", "web traffic")["id"], "S1", "schema show by name")
equal(run.json("schema", "show", "S1")["name"], "web traffic", "schema show by id")
run.says('there is no schema "Web traffic"', "schema", "show", "Web traffic", code=1)
run("schema", "delete", "t7", "--dry-run")
check("T7" in service.schemas, "schema delete: a dry run deletes nothing")
equal(run.json("schema", "delete", "t7"), {"deleted": "T7"}, "schema delete")
check("T7" not in service.schemas, "schema delete: it is gone")
run.says('there is no schema "t7"', "schema", "delete", "t7", code=1)

# --- From a segment ------------------------------------------------------------------------------------------------------------
segment = f"/dev/shm/mtx-anodot-objects-{os.getpid()}.seg"
env = {**run.env, "MTX_SEGMENT": segment}
for record in [("inc", "http.requests", "status=200"), ("gauge", "load", "3")]:
    subprocess.run([MTXCTL, *record], env=env, check=True)
service.schemas.clear()
dry = run.json("schema", "create-from-segment", "--segment", segment, "--dry-run")["dry_run"]
equal(sorted(json.loads(d["body"])["name"] for d in dry if d["path"] == "/api/v2/stream-schemas"), ["http.requests", "load"], "from a segment: a dry run")
equal(service.schemas, {}, "from a segment: a dry run makes nothing")
listed = run.json("schema", "create-from-segment", "http*", "--segment", segment)["schemas"]
equal([(s["name"], s["dimensions"]) for s in listed], [("http.requests", ["status"])], "from a segment: a pattern")
equal(sorted(s["name"] for s in run.json("schema", "create-from-segment", "--segment", segment)["schemas"]), ["http.requests", "load"], "from a segment")
ids = service.ids
run("schema", "create-from-segment", "--segment", segment)
equal(service.ids, ids, "from a segment again: nothing is made")
run.says("there is no segment", "schema", "create-from-segment", "--segment", segment + ".none", code=3)
run.says("bad key", "schema", "create-from-segment", "--segment", segment, env={"ANODOT_ACCESS_KEY": "wrong"}, code=4)
os.unlink(segment)

# --- Watermarks, keys, topology ------------------------------------------------------------------------------------------------
known = next(k for k, s in service.schemas.items() if s["name"] == "load")
run.says("watermark sent", "watermark", "load", "time=1700000060.9")
run("watermark", known, "time=2023-11-14T22:14:21Z", env={"ANODOT_ACCESS_KEY": ""})
equal(service.watermarks, [{"schemaId": known, "watermark": 1700000060}, {"schemaId": known, "watermark": 1700000061}], "watermark: by name, by id without an access key")
run.says("3001 no such schema", "watermark", "S999", "time=now", env={"ANODOT_ACCESS_KEY": ""}, code=1)
run("watermark", known, "time=now", "--dry-run")
equal(len(service.watermarks), 2, "watermark: a dry run")
equal(run.json("token", "check"), {"data collection key": "accepted", "access key": "accepted"}, "token check")
done = run("token", "check", env={"ANODOT_TOKEN": "wrong"}, code=4)
check("2001 token inactive" in done.stderr and "not accepted" in done.stdout, f"token check: a wrong key: {done}")
run.says("HTTP 401: Unauthorized: bad key", "token", "check", env={"ANODOT_ACCESS_KEY": "wrong", "ANODOT_TOKEN": ""}, code=4)
with open(f"{WORK}/topology", "wb") as f:
    f.write(b"a,b\n\xff\x00")
run("topology", "upload", "my type", f"{WORK}/topology")
equal(service.topology, [("type=my%20type", b"a,b\n\xff\x00")], "topology upload")

# --- Bad input, trouble ----------------------------------------------------------------------------------------------------------
for says, words in [("measurement is missing", ("schema", "create", "x")), ("is empty", ("schema", "create", " ", "measurement=a")), ("is not one of average, sum", ("schema", "create", "x", "measurement=a max")),
                    ("is too long", ("schema", "create", "x", "measurement=" + 51 * "a")), ("is too long", ("schema", "create", "x", "measurement=a", "dimensions=" + 51 * "d")),
                    ("missing=ignore", ("schema", "create", "x", "measurement=a", "missing=ignore", "fill=y")), ("version is an integer", ("schema", "create", "x", "measurement=a", "version=0")),
                    ("time is missing", ("watermark", "x")), ("time: ", ("watermark", "x", "time=tomorrow")), ("cannot open", ("topology", "upload", "t", f"{WORK}/none")),
                    ("did you mean schema list?", ("schema", "lsit")), ("takes NAME|ID", ("schema", "show"))]:
    run.bad(service, says, *words)
run.bad(service, "access_key is missing", "schema", "list", env={"ANODOT_ACCESS_KEY": ""})
run.bad(service, "token is missing", "watermark", "S1", "time=now", env={"ANODOT_ACCESS_KEY": "", "ANODOT_TOKEN": ""})
run.bad(service, "there is no key to check", "token", "check", env={"ANODOT_ACCESS_KEY": "", "ANODOT_TOKEN": ""})
for trick, code in [(fake.status(500), 3), (fake.status(200, b'"\\u000a"'), 4), (fake.status(200, b"{}"), 4)]:
    service.script(trick)
    run("schema", "list", code=code)
run.says("cannot be reached", "schema", "list", settings=("--set", "url=http://127.0.0.1:9"), code=3)
equal(service.violations, [], "violations")
ODD.extend([b'[{"streamSchemaWrapper": {"schema": {"name": "Shop"}}}]', b'[{"streamSchemaWrapper": {"schema": {"name": "Shop", "id": 5}}}, {"streamSchemaWrapper": 5}]'])
login = service.next_trick
service.next_trick = lambda r: None if r.path == "/api/v2/access-token" else login(r)
odd_answers(run, service, [b"schemas"], ("schema", "list"), ("schema", "delete", "Shop"), ("schema", "show", "Shop"), ("watermark", "Shop", "time=now"))
finish()
