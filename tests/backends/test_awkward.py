# SPDX-License-Identifier: Apache-2.0
"""Promise: whatever a registry holds (one of everything, under names, tags and values that are hard to send), each service
accepts every request, and is sent something of every series that has a number."""
import subprocess
from concurrent.futures import ThreadPoolExecutor

import harness
import test_anodot20
import test_anodot30
import test_apptuit
import test_librato
import test_wavefront

ALL = ", attributes: [sum, sum_squares, min, max, mean, stddev, quantiles, rates]"
CASES = {
    "librato": (test_librato.Librato, lambda s: test_librato.config(s, ALL)),
    "librato, metrics": (test_librato.Librato, lambda s: test_librato.config(s, ALL + ", mode: metrics, source: web-7")),
    "anodot20": (test_anodot20.Anodot, lambda s: test_anodot20.config(s, ALL)),
    "anodot20, strict": (test_anodot20.Anodot, lambda s: test_anodot20.config(s, ALL + ", strict_names: true")),
    "anodot30": (test_anodot30.Anodot, lambda s: test_anodot30.config(s, ALL)),
    "apptuit": (test_apptuit.Apptuit, lambda s: test_apptuit.config(s, ALL)),
    "wavefront": (test_wavefront.Wavefront, lambda s: test_wavefront.config(s, ALL)),
    "wavefront, deltas": (test_wavefront.Wavefront, lambda s: test_wavefront.config(s, ALL + ", counters: delta, distributions: [minute, hour, day]")),
    "wavefront, lines": (test_wavefront.Proxy, test_wavefront.tcp),
}


def run(name):
    make, config = CASES[name]
    service = make()
    with harness.Bench(config(service)) as b:
        writer = subprocess.Popen([f"{harness.BUILD}/tests/multi/awkward"], env=b.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        harness.equal(writer.stdout.readline(), "ready\n", f"{name}: the writer is ready")
        b.start()
        b.intervals(3)
        writer.stdin.close()
        writer.wait(10)
        ledger = b.stop()
        # A number that is none is left out; nothing else may be.
        lost = [line for line in b.log().splitlines() if "refused" in line and "infinite" not in line]
        harness.equal(lost[:3], [], f"{name}: readings that were refused")
        harness.check(ledger.get("delivered", 0) > 100, f"{name}: {ledger}")
    harness.equal(service.violations[:3], [], f"{name}: violations ({len(service.violations)})")
    service.stop()


with ThreadPoolExecutor(3) as pool:
    list(pool.map(run, CASES))
harness.finish()
