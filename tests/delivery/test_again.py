# SPDX-License-Identifier: Apache-2.0
"""Promise: what an exporter had sent when it was killed comes again as it was, also after an outage so long that
intervals are merged: by max_lag, or because the log is full. A service that knows a point again by its series and time
then has the exact totals. (With the first waiting interval merged like the others, 193 of 300
totals were wrong: it had the last increments twice.)"""
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../backends", HERE]
import fake  # noqa: E402
import harness  # noqa: E402
from harness import check, equal  # noqa: E402
from test_anodot20 import Anodot, config  # noqa: E402

OUTAGE = 60 if harness.LONG else 6


class Service(Anodot):
    """Up, down, or so that it takes one more request and loses the answer."""

    state = "up"

    def next_trick(self, _request):
        return {"up": None, "down": fake.status(503), "last": self.lose_answer}[self.state]

    def lose_answer(self, handler, request):
        with self.lock:
            self.accept(request)
            self.state = "down"
        time.sleep(1)
        handler.close_connection = True

    def shard(self, number):
        return self.sums.get(("load", (("shard", number),)), 0)


def play(name, backend, extra):
    service = Service()
    with harness.Bench(config(service, backend), extra=extra) as b:
        load = subprocess.Popen([f"{harness.BUILD}/tests/delivery/load", "2", "300"], env=b.env, stdout=subprocess.PIPE, text=True)
        try:
            harness.until(10, lambda: os.path.exists(b.segment))
            b.start()
            check(harness.until(10, lambda: service.shard("0") > 0), f"{name}: it is up")
            # Twice: the interval that waits first when trouble begins, and the one in which others were merged.
            for wait in (OUTAGE, 0.5):
                service.state = "down"
                time.sleep(wait)
                service.state = "last"
                check(harness.until(10, lambda: service.state == "down"), f"{name}: the last request before the kill")
                b.kill()
                time.sleep(2.5)
                b.start()
                time.sleep(1.5)
                service.state = "last"
                check(harness.until(10, lambda: service.state == "down"), f"{name}: and the first after it")
            service.state = "up"
        finally:
            load.send_signal(signal.SIGTERM)
            lines = [line.split("\t") for line in load.communicate(timeout=20)[0].splitlines()]
        ledger = b.stop()
        want = {shard: int(n) for series, shard, n in lines if series == "load"}
        wrong = [(shard, n, service.shard(shard)) for shard, n in want.items() if service.shard(shard) != n]
        check(want and not wrong, f"{name}: {len(wrong)} of {len(want)} totals are wrong: {wrong[:3]}")
        check(ledger.get("merged", 0) > 0, f"{name}: intervals were merged: {ledger}")
        check(service.duplicates > 0, f"{name}: something came again: {service.duplicates}")
    equal(service.violations[:3], [], f"{name}: violations")
    service.stop()


CASES = [("max_lag", ", max_lag: 2s, exclude: ['mtx.*']", ""), ("a full log", ", exclude: ['mtx.*']", "log: {size: 64KiB}\n")]
if __name__ == "__main__":
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(play, *case) for case in CASES]:
            done.result()
    harness.finish()
