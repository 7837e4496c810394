# SPDX-License-Identifier: Apache-2.0
"""Promise: no request leaves twice unless the consumer decided so. The service accepts a request on a kept connection and
hangs up without a response, as a proxy does that is restarted. A library that sends it again by itself counts twice
there: 901 of 601, with on_ambiguous: drop. Here every request has to come once, or as often as the exporter says that it
sent it again; and so has what sessions send (logins, schemas, watermarks, descriptions) and `mtxctl send`."""
import collections
import json
import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import harness
import test_anodot20
import test_anodot30
import test_librato
import test_wavefront
from harness import check, equal

EVERY = 3  # each connection ends with its third request, which is accepted and not answered


def hangs_up(base):
    class Hanging(base):
        """Accepts everything; keeps how often each request came, and how often it hung up."""

        def __init__(self):
            super().__init__()
            self.came, self.hung, self.gone, self.well = collections.Counter(), 0, False, False

        def next_trick(self, request):
            self.came[request.method, request.path, request.query, request.raw] += 1
            return None if self.well else self.hang_up

        def hang_up(self, handler, request):
            handler.number = getattr(handler, "number", 0) + 1
            with self.lock:
                status, body, headers = self.accept(request)
                last = handler.number == EVERY and not self.well
                self.hung += last
            if last:
                handler.close_connection = True
                if self.gone:  # and nobody listens for a while
                    self.server.socket.close()
            else:
                handler.reply(status, body, headers)

        def repeats(self):
            with self.lock:
                return [(key, n) for key, n in self.came.items() if n > 1 and self.is_data_key(key)]

        def is_data_key(self, key):
            return self.is_data(collections.namedtuple("R", "method path query raw")(*key))

    return Hanging()


def wavefront(service, extra=""):
    return f"{{type: wavefront, url: '{service.url}', token: sesame, {test_wavefront.RETRY}{extra}}}"


BACKENDS = {"anodot20": (test_anodot20.Anodot, test_anodot20.config), "anodot30": (test_anodot30.Anodot, test_anodot30.config),
            "librato": (test_librato.Librato, test_librato.config), "wavefront": (test_wavefront.Wavefront, wavefront)}


def play(name, mode):
    """Counts for some intervals; the service has the truth, for it accepted every request once."""
    make, config = BACKENDS[name]
    service, what = hangs_up(make), f"{name}, {mode}"
    with harness.Bench(config(service, f", on_ambiguous: {mode}, exclude: ['mtx.*']")) as b:
        b.ctl("add", "jobs", "100")
        b.start()
        for _ in range(7):
            time.sleep(1)
            b.ctl("add", "jobs", "100")
        service.well = True
        b.ctl("add", "jobs", "1")
        ledger = b.stop()
        check(service.hung >= 2, f"{what}: it hung up {service.hung} times")
        repeats = service.repeats()
        if mode == "drop":
            equal(repeats, [], f"{what}: no payload came twice")
            check(ledger.get("dropped", 0) <= service.hung, f"{what}: what is dropped got no response: {ledger}")
            lines = [line for line in b.log().splitlines() if "because no answer came" in line]
            most = len(lines) + sum(int(n) for line in lines for n in re.findall(r"repeated=(\d+)", line))
            check(bool(lines) == bool(ledger.get("dropped")), f"{what}: it is in the log: {ledger}")
            check(most <= ledger.get("dropped", 0), f"{what}: the log has no more than the ledger: {lines}, {ledger}")
        said = len(re.findall("cannot deliver|delivers again|because no answer came|logs in again", b.log()))
        check(said or not service.hung, f"{what}: the log tells of it: {b.log()}")
        retries = int(b.ctl("get", "--value", "mtx.exporter.send.retries").split()[0])
        more = sum(n - 1 for n in service.came.values())
        check(more <= retries, f"{what}: {more} requests came again, the exporter says {retries}: {repeats}")
        equal(service.total("jobs"), 801, f"{what}: the service has the truth")
    equal(service.violations[:3], [], f"{what}: violations")
    service.stop()


def by_hand(mode):
    """Many payloads of one mtxctl on one connection."""
    service = hangs_up(test_anodot20.Anodot)
    lines = "".join(json.dumps({"name": f"jobs{i}", "type": "counter", "value": i, "time": 1700000000}) + "\n" for i in range(8000))
    done = subprocess.run([harness.MTXCTL, "send", "anodot20", "--json", "--set", f"url={service.url}", "--set", f"on_ambiguous={mode}",
                           "--set", "retry_least=1ms", "--set", "retry_most=5ms"],
                          input=lines, env={**os.environ, "ANODOT_TOKEN": "open sesame"}, capture_output=True, text=True, timeout=60)
    what, summary = f"mtxctl send, {mode}", json.loads(done.stdout)
    check(service.hung >= 2, f"{what}: it hung up {service.hung} times: {done.stderr}")
    more = sum(n - 1 for n in service.came.values())
    equal(more, 0 if mode == "drop" else service.hung, f"{what}: requests that came again: {summary}")
    equal(summary["requests"], sum(service.came.values()), f"{what}: it counts each request")
    equal(len(service.sums), 8000, f"{what}: all were accepted")
    service.stop()


def restarted():
    """It hangs up, and is gone when a library would try again: the request counts as one without a response all the same."""
    service = hangs_up(test_anodot20.Anodot)
    service.gone = True
    with harness.Bench(test_anodot20.config(service, ", on_ambiguous: drop, exclude: ['mtx.*']")) as b:
        b.ctl("add", "jobs", "100")
        b.start()
        for _ in range(4):
            time.sleep(1)
            b.ctl("add", "jobs", "100")
        harness.until(5, lambda: "because no answer came" in b.log())
        check(service.hung == 1 and "because no answer came" in b.log(), f"gone: it is given up: {b.log()}")
        b.kill()


if __name__ == "__main__":
    with ThreadPoolExecutor(11) as pool:
        jobs = [pool.submit(play, name, mode) for name in BACKENDS for mode in ("drop", "resend")]
        jobs += [pool.submit(by_hand, mode) for mode in ("drop", "resend")] + [pool.submit(restarted)]
        for job in jobs:
            job.result()
    harness.finish()
