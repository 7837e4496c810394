# SPDX-License-Identifier: Apache-2.0
"""Promises: a log belongs to one segment. That of a living segment, which cannot be opened just now or is another
exporter's with the same state_dir, is neither delivered nor deleted by anybody else, whatever the names; that of a segment
that is gone is delivered whole, however many lives that takes."""
import os
import shutil
import subprocess
import tempfile

from lives import World, check, equal, harness, until


def logs(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".log"))


def unreadable():
    """Writable for everybody, a segment is refused; it is put right while the exporter waits."""
    with World("a segment that cannot be opened at first") as w:
        os.mkdir(f"{w.bench.work}/state")
        w.add(100)
        with w.life(extra=f"log: {{state_dir: {w.bench.work}/state}}\n"):
            w.all_sent(100)
            w.receiver.down = True
            w.add(1000)
            w.intervals(2)
        w.receiver.down = False
        os.chmod(w.bench.segment, 0o666)
        process = subprocess.Popen([harness.EXPORTER, "--config", w.bench.config], env=w.bench.env, stderr=subprocess.DEVNULL)
        harness.children.append(process)
        taken = until(2.5, lambda: w.receiver.sent() > 100)
        check(not taken, "nothing is taken for what is left of a segment that is gone")
        os.chmod(w.bench.segment, 0o600)
        w.all_sent(1100)
        process.terminate()
        process.wait(20)


def neighbours(title, mine, theirs, wish):
    """My queue waits in the folder that their exporter uses, too; what they ask for might match my name."""
    root = tempfile.mkdtemp(dir="/dev/shm", prefix="mtx-owners-")
    state = tempfile.mkdtemp()
    extra = f"log: {{state_dir: {state}}}\n"
    try:
        for path in (mine, theirs):
            os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
        with World(title, extra, f"{root}/{mine}") as me, World(title, segment=f"{root}/{theirs}") as they:
            me.add(100)
            with me.life(extra=extra):
                me.all_sent(100)
                me.receiver.down = True
                me.add(1000)
                me.intervals(2)
            files = logs(state)
            they.add(5)
            with they.life(extra=f"{extra}segment: '{root}/{wish}'\n"):
                they.all_sent(5)
                they.intervals(2)
                equal(they.receiver.sent(), 5, f"{title}: they send what is theirs")
            check(set(files) <= set(logs(state)), f"{title}: my log is still there: {files}, {logs(state)}")
            me.receiver.down = False
            with me.life():
                me.all_sent(1100)
    finally:
        shutil.rmtree(root)
        shutil.rmtree(state)


def gone(state):
    """The segment is deleted while its queue waits; the backend stays down for one more life."""
    with World(f"a segment that is gone, {'state_dir' if state else 'beside'}") as w:
        extra = f"log: {{state_dir: {w.bench.work}/state}}\n" if state else ""
        os.mkdir(f"{w.bench.work}/state")
        w.add(100)
        with w.life(extra=extra):
            w.all_sent(100)
            w.receiver.down = True
            w.add(1000)
            w.intervals(2)
        os.remove(w.bench.segment)
        w.add(20)
        with w.life():
            check(until(10, lambda: "left of a segment" in w.bench.log()), f"{w.title}: its log is found")
            w.intervals(1)
        w.receiver.down = False
        with w.life():
            w.all_sent(1120)
        folder = f"{w.bench.work}/state" if state else "/dev/shm"
        mine = [name for name in logs(folder) if os.path.basename(w.bench.segment) in name]
        equal(len(mine), 1, f"{w.title}: then its file is deleted: {mine}")


unreadable()
neighbours("_ and /", "a/b.seg", "a_b.seg", "a_b.seg")
neighbours("/ and _", "a_b.seg", "a/b.seg", "a/b.seg")
neighbours("a glob", "mtx-a/b.seg", "mtx-b.seg", "mtx-*.seg")
gone(True)
gone(False)
harness.finish()
