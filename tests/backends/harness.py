# SPDX-License-Identifier: Apache-2.0
"""Runs mtx-exporter against a fake service: load, outages, totals, the ledger."""
import atexit
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import answers as answers_table
import fake
from certificates import BAD, Certificates

BUILD = os.environ.get("MTX_BUILD") or sys.exit("MTX_BUILD is not set: the build directory")
EXPORTER, MTXCTL = f"{BUILD}/exporters/mtx-exporter", f"{BUILD}/tools/mtxctl"
LONG = os.environ.get("MTX_CAMPAIGN") == "long"
passed = failed = 0


children = []  # processes that must not outlive the test, however it ends


def end_children():
    for process in children:
        if process.poll() is None:
            process.kill()


atexit.register(end_children)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}", flush=True)
    return condition


def equal(got, want, what):
    return check(got == want, f"{what}: expected {want!r}, got {got!r}")


def finish():
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


# How long an event is waited for before the test gives up, however busy the machine is. A test judges what happened, or
# in which order, never how soon: `seconds` says only what an idle machine needs at most.
PATIENCE = 60


def until(seconds, condition):
    end = time.monotonic() + max(seconds, PATIENCE)
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


class Bench:
    """A segment of its own, and an exporter that reports it to one backend."""

    count = itertools.count(1)

    def __init__(self, backend, interval="1s", extra="", flush="30s"):
        """flush: how long the exporter tries to deliver at its end; little where it cannot."""
        number = next(Bench.count)
        self.work = tempfile.mkdtemp()
        self.segment = f"/dev/shm/mtx-backend-{os.getpid()}-{number}.seg"
        self.config = f"{self.work}/config.yml"
        self.backend, self.interval, self.extra, self.flush = backend, interval, extra, flush
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("LIBRATO", "ANODOT", "APPTUIT", "REDIS"))}
        self.env.update(MTX_SEGMENT=self.segment, LC_ALL="C.UTF-8")
        self.exporter, self.errors = None, f"{self.work}/errors"
        self.write_config()

    def write_config(self):
        with open(self.config, "w") as f:
            f.write(f"interval: {self.interval}\nhttp: off\nflush_timeout: {self.flush}\n{self.extra}backends:\n  - {self.backend}\n")

    def ctl(self, *words):
        done = subprocess.run([MTXCTL, *words], env=self.env, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"mtxctl {words}: {done.stderr}")
        return done.stdout

    def start(self):
        with open(self.errors, "a") as errors:
            self.exporter = subprocess.Popen([EXPORTER, "--config", self.config], env=self.env, stdout=errors, stderr=errors)
        children.append(self.exporter)
        until(10, lambda: "following" in self.log())

    def intervals(self, n):
        """Until so many more intervals are closed."""
        closed = lambda: json.loads(self.ctl("info", "--json"))["epoch"]
        want = closed() + n
        check(until(n + 10, lambda: closed() >= want), f"{n} intervals")

    def log(self):
        try:
            with open(self.errors) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def stop(self):
        """SIGTERM: what is queued is delivered. Returns the ledger that it closes with."""
        self.exporter.send_signal(signal.SIGTERM)
        check(self.exporter.wait(PATIENCE) == 0, "the exporter ends with 0")
        ended = re.findall(r"ended backend=\S+ (.*)", self.log())
        ledger = dict(re.findall(r"(\w+)=(\d+)", ended[-1])) if ended else {}
        ledger = {k: int(v) for k, v in ledger.items()}
        sums = sum(ledger.get(k, 0) for k in ("delivered", "merged", "dropped", "queued"))
        check(ledger and ledger["taken"] == sums, f"the ledger is balanced: {ledger}")
        return ledger

    def kill(self):
        self.exporter.kill()
        self.exporter.wait()

    def clean(self):
        if self.exporter and self.exporter.poll() is None:
            self.kill()
        subprocess.run(f"rm -rf {self.work} {self.segment} {self.segment}.*", shell=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clean()

    def totals(self):
        """{(name, tags): count} of the segment now, of what has a count; the exporter's own left out."""
        out = {}
        for reading in json.loads(self.ctl("get", "--json", "*"))["readings"]:
            if reading["name"].startswith("mtx."):
                continue
            for value in reading["values"]:
                if value["attribute"] == "count":
                    out[reading["name"], tuple(sorted(reading.get("tags", {}).items()))] = value["value"]
        return out


# --- Against every service ------------------------------------------------------------------------------------------


def judge_case(name, action, ledger, log):
    """Whether what the table says was done and logged."""
    logged = any(t in log for t in ("cannot deliver", "refuses metadata", "logs in again"))
    refused = "readings were refused" in log
    check(logged == (action == answers_table.RETRIED), f"{name}: {action}: trouble is logged, or there is none: {log}")
    check(refused == (action == answers_table.PARTLY), f"{name}: {action}: a refusal is logged, or there is none: {log}")
    equal(ledger.get("dropped"), 1 if action == answers_table.PARTLY else 0, f"{name}: {action}: what is dropped: {ledger}")


def answers(backend, make, config, total):
    """Each answer of the table first, then a healthy service: everything arrives, and the ledger is balanced.

    make() -> service; config(service) -> the backend's YAML; total(service, name) -> what arrived of a counter.
    """
    def one(name, trick, action, wait):
        service = make()
        with Bench(config(service)) as b:
            service.script(trick)
            b.ctl("add", "jobs", "5")
            b.start()
            good = until(15, lambda: total(service, "jobs") == 5 and not service.tricks)
            check(good, f"{name}: all of it arrives ({total(service, 'jobs')} of 5)")
            b.ctl("add", "jobs", "7")
            ledger = b.stop()
            equal(total(service, "jobs"), 12, f"{name}: and what comes later")
            judge_case(name, action, ledger, b.log())
            times = [r.time for r in service.requests if service.is_data(r)]
            check(len(times) > 1 and times[1] - times[0] >= wait * 0.95, f"{name}: it waits for {wait} s: {times[:2]}")
        equal(service.violations[:3], [], f"{name}: violations")
        service.stop()

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(one, *case) for case in answers_table.cases(backend)]:
            done.result()
    unreachable(config)
    bad_certificates(make, config, total)


def bad_certificates(make, config, total):
    """A service whose certificate is not right gets nothing; once it is, it gets everything."""
    kinds = Certificates()

    def one(name):
        context = kinds.context(name)
        service = make(context)
        with Bench(config(service, f", ca_file: {kinds.path('ca.pem')}")) as b:
            b.ctl("add", "jobs", "5")
            b.start()
            check(until(10, lambda: "cannot deliver" in b.log()), f"certificate, {name}: it is logged: {b.log()}")
            check(re.search("certificate|SSL", b.log()), f"certificate, {name}: with the reason: {b.log()}")
            equal(len(service.requests), 0, f"certificate, {name}: nothing was sent")
            kinds.load(context, "good")
            check(until(10, lambda: total(service, "jobs") == 5), f"certificate, {name}: put right, all of it arrives")
            ledger = b.stop()
            check(ledger.get("dropped") == 0, f"certificate, {name}: nothing is dropped: {ledger}")
        equal(service.violations[:3], [], f"certificate, {name}: violations")
        service.stop()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(one, name) for name in BAD]:
            done.result()


def split_and_poison(make, config, total):
    """413 until the payload is small enough; one reading that the service never takes."""
    service = make()
    with Bench(config(service)) as b:
        service.script(fake.refuse_larger_than(4000))
        for i in range(40):
            b.ctl("add", f"jobs{i}", str(i + 1))
        b.start()
        check(until(10, lambda: all(total(service, f"jobs{i}") == i + 1 for i in range(40))), "413: halves until it fits")
        check(b.stop().get("dropped") == 0, "413: nothing is dropped")
    service.stop()
    service = make()
    with Bench(config(service)) as b:
        service.script(fake.refuse_with(b"poison"))
        for i in range(40):
            b.ctl("add", "poison" if i == 17 else f"jobs{i}", str(i + 1))
        b.start()
        good = until(10, lambda: all(total(service, f"jobs{i}") == i + 1 for i in range(40) if i != 17))
        check(good, "400: all but the poison arrive")
        ledger = b.stop()
        check(ledger.get("dropped", 0) >= 1, f"400: the poison is dropped and counted: {ledger}")
        check("readings were refused" in b.log() and "failed=1" in b.log(), "400: with a line that says so")
    service.stop()


def too_many_tags(make, config, total):
    """A series with more tags than the service takes is left out: counted as dropped, with a line, and not as delivered."""
    service = make()
    with Bench(config(service, ", include: [jobs, many]")) as b:
        b.ctl("add", "jobs", "5")
        b.ctl("inc", "many", *(f"t{i}=v" for i in range(30)))
        b.start()
        check(until(10, lambda: total(service, "jobs") == 5), "too many tags: the others arrive")
        check(until(10, lambda: "readings are left out" in b.log()), f"too many tags: a line says it: {b.log()}")
        ledger = b.stop()
        equal((ledger["delivered"], ledger["dropped"]), (ledger["taken"] / 2, ledger["taken"] / 2), "too many tags: counted")
        check(re.search(r'readings are left out.* first="many.*it has 3\d (tags|dimensions)', b.log()), f"too many tags: the line has the reason: {b.log()}")
    equal(service.violations[:3], [], "too many tags: violations")
    service.stop()


def unreachable(config_at, expected="cannot deliver"):
    """Refused, unresolvable: logged, retried, and kept for the next exporter."""
    for name, url in answers_table.UNREACHABLE:
        with Bench(config_at(url), flush="1s") as b:
            b.ctl("add", "jobs", "5")
            b.start()
            check(until(10, lambda: expected in b.log()), f"{name}: it is logged")
            ledger = b.stop()
            check(ledger.get("delivered") == 0 and ledger.get("queued", 0) > 0, f"{name}: it is kept: {ledger}")


def example_server(make, config, check_totals, seconds=2):
    """A real server under load, with an exporter killed in the middle: totals there = totals in the segment."""
    service = make()
    with Bench(config(service)) as b:
        with open(f"{b.work}/server", "w") as out:
            server = subprocess.Popen([f"{BUILD}/examples/server", "--workers", "3", "--requests", "300"], env=b.env, stdout=out, stderr=out)
        try:
            listening = lambda: re.search(r"listening on 127.0.0.1:(\d+)", open(f"{b.work}/server").read())
            check(until(20, listening), "the example server listens")
            b.start()
            load = subprocess.Popen([f"{BUILD}/examples/load", "--port", listening().group(1), "--seconds", str(seconds)],
                                    env=b.env, stdout=subprocess.DEVNULL)
            for _ in range(3 if not LONG else 20):
                time.sleep(seconds / 5)
                b.kill()
                b.start()
            load.wait(PATIENCE + seconds)
        finally:
            server.terminate()
            server.wait(PATIENCE)
        b.stop()
        want = b.totals()
        check(sum(want.values()) > 500, f"there was load: {sum(want.values())}")
        check_totals(service, want)
    equal(service.violations[:3], [], "example server: violations")
    service.stop()
