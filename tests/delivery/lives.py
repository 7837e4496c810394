# SPDX-License-Identifier: Apache-2.0
"""What tests of several lives share: exporters that follow each other on one segment, each with a configuration of its
own, and a receiver that adds up whatever it is sent, also what it was sent before."""
import contextlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../backends", HERE]
import fake  # noqa: E402
import harness  # noqa: E402
from harness import check, equal, until  # noqa: E402,F401


class Receiver(fake.Service):
    """Takes increments as anodot20 sends them; down while `down` is set."""

    down = False

    def __init__(self):
        super().__init__()
        self.sums = {}

    def next_trick(self, _request):
        return fake.status(503) if self.down else None

    def accept(self, request):
        for sample in request.json():
            name = sample["properties"]["what"]
            self.sums[name] = self.sums.get(name, 0) + sample["value"]
        return 200, b'{"errors": []}', ()

    def sent(self, name="orders"):
        with self.lock:
            return self.sums.get(name, 0)

    def config(self, name="anodot20"):
        return (f"{{type: anodot20, name: {name}, url: '{self.url}', token: x, include: [orders], timeout: 2s, "
                "retry_least: 10ms, retry_most: 50ms}")


class World:
    """A segment, receivers, and one life of an exporter after the other."""

    def __init__(self, title, extra="", segment=None):
        self.title, self.receiver = title, Receiver()
        self.bench = harness.Bench(self.receiver.config(), extra=extra, flush="2s")
        if segment:
            self.bench.segment = self.bench.env["MTX_SEGMENT"] = segment

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bench.clean()
        self.receiver.stop()

    def add(self, n):
        self.bench.ctl("add", "orders", str(n))

    @contextlib.contextmanager
    def life(self, *options, extra=None, end="TERM"):
        """An exporter that leads the segment; the configuration is written anew with this `extra`."""
        if extra is not None:
            self.bench.extra = extra
            self.bench.write_config()
        before = self.bench.log().count("following")
        with open(self.bench.errors, "a") as errors:
            process = subprocess.Popen([harness.EXPORTER, "--config", self.bench.config, *options], env=self.bench.env,
                                       stdout=errors, stderr=errors)
        harness.children.append(process)
        try:
            check(until(10, lambda: self.bench.log().count("following") > before), f"{self.title}: it leads the segment")
            yield process
        finally:
            process.terminate() if end == "TERM" else process.kill()
            process.wait(harness.PATIENCE)

    def once(self, *words):
        """A run of the exporter that ends by itself; its exit status and output."""
        done = subprocess.run([harness.EXPORTER, *words], env=self.bench.env, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def intervals(self, n):
        """Waits until the exporter has taken so many snapshots more."""
        first = self.epoch()
        check(until(30, lambda: self.epoch() >= first + n), f"{self.title}: {n} intervals")

    def epoch(self):
        with open(self.bench.segment, "rb") as f:
            f.seek(392)
            return int.from_bytes(f.read(8), "little")

    def all_sent(self, n):
        """The receiver is sent exactly that much, and no more afterwards."""
        got = until(10, lambda: self.receiver.sent() == n)
        self.intervals(2)
        return check(got and self.receiver.sent() == n,
                     f"{self.title}: sent {self.receiver.sent()}, to be {n}: {self.bench.log()[-1500:]}")

    def status(self, backend):
        for b in json.loads(self.bench.ctl("status", "--json"))["backends"]:
            if b["backend"] == backend:
                return b
        return {}
