# SPDX-License-Identifier: Apache-2.0
"""Promise: series of the same name and tags in several segments are as many series at every receiver, told apart by the
tag `segment`; none replaces another or is added to it. --check says beforehand which these are, and explain agrees."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request

from lives import check, equal, fake, harness, until

need = fake.need


class Apptuit(fake.Service):
    """Running totals; a second point with the metric, tags and time of another would replace it."""

    def __init__(self):
        super().__init__()
        self.seen, self.last = set(), {}

    def accept(self, r):
        for p in r.json():
            tags = tuple(sorted((k, v) for k, v in p["tags"].items() if k != "host"))
            key = p["metric"], tags, p["timestamp"]
            need(key not in self.seen, f"{key} comes twice")
            self.seen.add(key)
            self.last[p["metric"], tags] = p["value"]
        return 200, b"", ()

    def totals(self):
        with self.lock:
            return {dict(tags).get("segment"): v for (name, tags), v in self.last.items() if name == "jobs_count"}


class Librato(fake.Service):
    """Increments; a second measurement with the name, tags and time of another would be lost."""

    def __init__(self):
        super().__init__()
        self.seen, self.sums = set(), {}

    def accept(self, r):
        for m in r.json()["measurements"] if r.method == "POST" else ():
            tags = tuple(sorted((k, v) for k, v in m["tags"].items() if k != "host"))
            key = m["name"], tags, m["time"]
            need(key not in self.seen, f"{key} comes twice")
            self.seen.add(key)
            self.sums[m["name"], tags] = self.sums.get((m["name"], tags), 0) + m.get("value", m.get("sum", 0))
        return 200, b"", ()

    def totals(self):
        with self.lock:
            return {dict(tags).get("segment"): v for (name, tags), v in self.sums.items() if name == "jobs"}


def page(address):
    """{labels of jobs_total: value}; a label set that comes twice would fail a scrape."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
        lines = [line for line in answer.read().decode().splitlines() if line and line[0] != "#"]
    series = [line.rsplit(" ", 1)[0] for line in lines]
    equal(sorted(set(series)), sorted(series), "no series is on the page twice")
    return {m.group(1): int(m.group(2)) for m in (re.fullmatch(r"jobs_total(.*) (\d+)", line) for line in lines) if m}


folder = tempfile.mkdtemp(dir="/dev/shm", prefix="mtx-common-")
apptuit, librato = Apptuit(), Librato()
env = {k: v for k, v in os.environ.items() if not k.startswith(("LIBRATO", "APPTUIT", "OTEL"))}


def add(segment, n, *words):
    subprocess.run([harness.MTXCTL, "add", "jobs", str(n), *words], env=dict(env, MTX_SEGMENT=f"{folder}/{segment}"), check=True)


def configure(segments):
    with open(f"{folder}/config.yml", "w") as f:
        f.write(f"segment: {segments}\ninterval: 1s\nlog: memory\nhttp: '127.0.0.1:0'\nbackends:\n  - {{type: prometheus, include: [jobs]}}\n"
                f"  - {{type: apptuit, include: [jobs], url: '{apptuit.url}', token: x, retry_least: 10ms, retry_most: 50ms}}\n"
                f"  - {{type: librato, include: [jobs], url: '{librato.url}', user: u, token: x, retry_least: 10ms, retry_most: 50ms}}\n")


def run(*words):
    done = subprocess.run([*words], env=env, capture_output=True, text=True, timeout=60)
    equal(done.returncode, 0, f"{words[1:]}: {done.stderr}")
    return done.stdout


def log():
    with open(f"{folder}/errors") as f:
        return f.read()


try:
    add("a.seg", 100)
    add("b.seg", 1000)
    add("b.seg", 7, "of=b")

    # What --check and explain say, of a pattern and of a list.
    for segments in f"'{folder}/*.seg'", f"['{folder}/a.seg', '{folder}/b.seg', '{folder}/later.seg']":
        configure(segments)
        checked = run(harness.EXPORTER, "-c", f"{folder}/config.yml", "--check")
        check(f"# segment {folder}/a.seg:" in checked and f"# segment {folder}/b.seg:" in checked, f"--check opens all: {checked}")
        check("# several segments: each series gets the tag segment, the file name of its segment\n" in checked, f"it says so: {checked}")
        check("which only that tag keeps apart:\n#   jobs: in a.seg, b.seg\n" in checked, f"and which series these are: {checked}")
        told = json.loads(run(harness.MTXCTL, "explain", "--json", "-c", f"{folder}/config.yml", "--segment", f"{folder}/b.seg", "jobs"))
        for backend in told["backends"]:
            tags = {s["as"]["tags"].get("segment") for s in backend["series"]}
            equal(tags, {"b.seg"}, f"explain agrees: {backend['backend']}")

    # One segment has no tag, until there are several.
    configure(f"'{folder}/a.seg'")
    with open(f"{folder}/errors", "w") as errors:
        exporter = subprocess.Popen([harness.EXPORTER, "-c", f"{folder}/config.yml"], env=env, stderr=errors)
    harness.children.append(exporter)
    check(until(20, lambda: "serving address" in log()), f"it serves: {log()[-500:]}")
    equal(page(re.search(r"serving address=(\S+)", log()).group(1)), {"": 100}, "the page of one segment")
    check(until(20, lambda: apptuit.totals() == librato.totals() == {None: 100}), f"one segment: {apptuit.totals()} {librato.totals()}")

    # A third series, to which somebody gave a tag of that name: it loses none.
    configure(f"'{folder}/*.seg'")
    add("c.seg", 30, "segment=b.seg")
    exporter.send_signal(1)
    check(until(20, lambda: log().count("following segment=") == 3 and log().count("serving address") == 2), f"it leads all: {log()[-500:]}")
    add("a.seg", 5)
    address = re.findall(r"serving address=(\S+)", log())[-1]
    check(until(20, lambda: page(address).get('{segment="a.seg"}') == 105), f"the page has all: {page(address)}")
    equal(page(address), {'{segment="a.seg"}': 105, '{segment="b.seg"}': 1000, '{of="b",segment="b.seg"}': 7,
                          '{mtx_segment="c.seg",segment="b.seg"}': 30}, "the page of three")
    exporter.terminate()
    equal(exporter.wait(60), 0, "it ends")
    equal({k: v for k, v in apptuit.last.items() if k[0] == "jobs_count"},
          {("jobs_count", ()): 100, ("jobs_count", (("segment", "a.seg"),)): 105, ("jobs_count", (("segment", "b.seg"),)): 1000,
           ("jobs_count", (("of", "b"), ("segment", "b.seg"))): 7, ("jobs_count", (("mtx_segment", "c.seg"), ("segment", "b.seg"))): 30},
          "what replaces is sent as many series")
    equal(sum(v for (name, _), v in librato.sums.items() if name == "jobs"), 105 + 1000 + 7 + 30, "what adds up is sent once")
    equal(librato.totals().get("a.seg"), 5, "under the tag of its segment")
    equal(apptuit.violations + librato.violations, [], "no series comes twice")

    # The same by --once. (The log was in memory, so it does not know of times that were used.)
    apptuit.seen.clear(), librato.seen.clear()
    once = run(harness.EXPORTER, "-c", f"{folder}/config.yml", "--once")
    check('jobs_total{segment="a.seg"} 105\n' in once and 'jobs_total{segment="b.seg"} 1000\n' in once, f"--once: {once}")
    equal(apptuit.violations + librato.violations, [], "nor then")
finally:
    shutil.rmtree(folder)
harness.finish()
