# SPDX-License-Identifier: Apache-2.0
"""Promises about the log's file: a damaged one is set aside and what it held is delivered all the same; one that is
removed while in use is written anew; links on the way to it are followed; what other users put beside it is not
believed, gets nothing to read, and costs no delivery and no flood of lines."""
import glob
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../backends", HERE]
import fake  # noqa: E402
import harness  # noqa: E402
from harness import check, equal, until  # noqa: E402
from test_anodot20 import Anodot, config  # noqa: E402

PAGE, OWNER, OTHER = 16384, 1, 65534


class Service(Anodot):
    up = True

    def next_trick(self, _request):
        return None if self.up else fake.status(503)


def bench(service, **more):
    return harness.Bench(config(service, ", include: ['orders']"), interval="200ms", flush="1s", **more)


def config_seconds(b):
    b.interval = "1s"
    b.write_config()


def logs(b):
    return sorted(p for p in glob.glob(f"{b.segment}.*.log"))


def arrives(service, n):
    return until(10, lambda: service.total("orders") == n)


def queue(b, service):
    """100 are delivered, 40 wait."""
    config_seconds(b)
    b.ctl("add", "orders", "100")
    b.start()
    check(arrives(service, 100), "it delivers")
    service.up = False
    for _ in range(2):
        b.ctl("add", "orders", "20")
        time.sleep(1.2)


def damage(number):
    service = Service()
    with bench(service) as b:
        queue(b, service)
        b.stop()
        with open(logs(b)[0], "r+b") as f:
            f.seek((number - 1) * PAGE)
            f.write(b"\xff" * 4096)
        service.up = True
        b.start()
        check(arrives(service, 140), f"page {number}: {service.total('orders')} of 140 arrive")
        check("it was renamed" in b.log(), f"page {number}: it is said")
        check(os.path.exists(logs(b)[0] + ".damaged"), f"page {number}: the damaged file is kept")
        b.stop()
        b.ctl("add", "orders", "1")
        b.start()
        check(arrives(service, 141), f"page {number}: and once more")
        b.stop()
        check(b.log().count("damaged") <= 2, f"page {number}: it is said once: {b.log()}")
    service.stop()


def removed():
    for tail in ("", "-wal"):
        service = Service()
        with bench(service) as b:
            queue(b, service)
            os.unlink(logs(b)[0] + tail)
            b.ctl("add", "orders", "5")
            check(until(10, lambda: "is written again" in b.log()), f"log{tail}: its loss is noticed: {b.log()}")
            b.kill()
            service.up = True
            b.start()
            check(arrives(service, 145), f"log{tail}: {service.total('orders')} of 145 arrive after a kill")
            b.stop()
        service.stop()


def linked():
    for extra in ("", "log: {{state_dir: {}/lib/mtx}}\n"):
        service = Service()
        with bench(service) as b:
            real = b.segment + ".real"
            os.makedirs(real)
            os.makedirs(f"{b.work}/lib")
            os.makedirs(f"{b.work}/private")
            os.symlink("../private", f"{b.work}/lib/mtx")
            os.symlink(real, f"{b.work}/run")
            b.segment = b.env["MTX_SEGMENT"] = f"{b.work}/run/s.seg"
            b.extra = extra.format(b.work)
            queue(b, service)
            b.kill()
            service.up = True
            b.start()
            check(arrives(service, 140), f"a link: {service.total('orders')} of 140 arrive after a kill")
            b.stop()
            check("warn  the log" not in b.log(), f"a link: no trouble with the log: {b.log()}")
            subprocess.run(["rm", "-rf", real], check=False)
        service.stop()


def become(uid):
    return {"user": uid, "group": uid, "extra_groups": []}


def plant(path, uid, data, mode="666"):
    command = ["sh", "-c", 'umask 0; set -C; cat >"$1" && chmod "$2" "$1"', "sh", path, mode]
    subprocess.run(command, input=data, check=True, **become(uid))


class Owned(harness.Bench):
    """The exporter and the programs run as OWNER."""

    def ctl(self, *words):
        return subprocess.run([harness.MTXCTL, *words], env=self.env, check=True, capture_output=True, text=True, **become(OWNER)).stdout

    def start(self):
        os.chmod(self.work, 0o755)
        with open(self.errors, "a") as errors:
            self.exporter = subprocess.Popen([harness.EXPORTER, "--config", self.config], env=self.env, stdout=errors, stderr=errors, **become(OWNER))
        harness.children.append(self.exporter)
        until(10, lambda: self.log().count("following") > getattr(self, "starts", 0))
        self.starts = self.log().count("following")


def forged_wal():
    """A write-ahead log that says: the table of entries is empty, and its cursor is far ahead."""
    import sqlite3
    folder = tempfile.mkdtemp()
    db = sqlite3.connect(f"{folder}/x", isolation_level=None)
    for sql in ("PRAGMA page_size=16384", "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0",
                "CREATE TABLE entries(seq INTEGER PRIMARY KEY, epoch INTEGER, wall INTEGER, interval INTEGER, queued INTEGER, checksum INTEGER, bytes BLOB)",
                "CREATE TABLE cursors(name TEXT PRIMARY KEY, at INTEGER, position INTEGER, of INTEGER, base INTEGER, stamp INTEGER)",
                "CREATE TABLE accounts(name TEXT, what TEXT, n INTEGER, PRIMARY KEY(name, what))",
                "INSERT INTO cursors VALUES('anodot20', 5000, 0, 0, -1, 0)", "VACUUM"):
        db.execute(sql)
    with open(f"{folder}/x-wal", "rb") as f:
        data = f.read()
    db.close()
    return data


def planted():
    if os.geteuid():
        print("not root: what other users plant is not tried")
        return
    data = forged_wal()
    for tails in (("-wal",), ("-journal", "-shm"), ("-wal", "-wal.1", "-journal", "-shm", ".damaged", ".damaged-wal")):
        service = Service()
        with Owned(config(service, ", include: ['orders']"), flush="1s") as b:
            b.ctl("add", "orders", "100")
            b.start()
            check(arrives(service, 100), "it delivers")
            service.up = False
            b.ctl("add", "orders", "40")
            time.sleep(1.2)
            b.stop()
            log = logs(b)[0]
            for tail in tails:
                plant(log + tail, OTHER, data)
            if len(tails) > 2:
                with open(log, "r+b") as f:
                    f.seek(PAGE)
                    f.write(b"\xff" * 4096)
            b.ctl("add", "orders", "2")
            service.up = True
            b.start()
            check(arrives(service, 142), f"{tails}: {service.total('orders')} of 142 arrive")
            b.kill()
            b.ctl("add", "orders", "3")
            b.start()
            check(arrives(service, 145), f"{tails}: {service.total('orders')} of 145 arrive after a kill")
            b.stop()
            for tail in tails:
                with open(log + tail, "rb") as f:
                    check(f.read() == data, f"{tails}: nothing was written to {tail}")
            readable = [p for p in glob.glob(f"{b.segment}*") if os.stat(p).st_uid == OWNER and os.stat(p).st_mode & 0o077]
            equal(readable, [], f"{tails}: no file of ours that others may read")
        service.stop()


def touched():
    """Names of logs that other users made: one line, then at growing intervals."""
    if os.geteuid():
        return
    service = Service()
    with Owned(config(service, ", include: ['orders']")) as b:
        b.ctl("add", "orders", "100")
        plant(f"{b.segment}.0123456789abcdef.log", OTHER, b"")
        plant(f"{b.segment}.fedcba9876543210.log", OTHER, b"", "0")
        b.start()
        check(arrives(service, 100), "it delivers beside others' files")
        time.sleep(4)
        b.stop()
        equal(b.log().count("cannot be read"), 1, f"lines about others' files: {b.log()}")
    service.stop()


if __name__ == "__main__":
    with ThreadPoolExecutor(6) as pool:
        parts = [pool.submit(damage, number) for number in range(1, 7)]
        parts += [pool.submit(part) for part in (removed, linked, planted, touched)]
        for part in parts:
            part.result()
    harness.finish()
