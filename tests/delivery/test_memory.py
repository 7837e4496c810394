# SPDX-License-Identifier: Apache-2.0
"""Promises: the segment remembers what was sent, so a log that is older is not continued as if nothing had been: nothing is
sent twice, what waits in it is sent still, and what cannot be known counts as zero and is said. Lives with the log in a
file, in memory, in another folder; with the file put back, lost, or not writable."""
import os
import shutil
import subprocess

from lives import World, check, harness, until

ANEW = "its next interval counts as zero"


def file_memory_file():
    with World("file, memory, file") as w:
        w.add(100)
        with w.life():
            w.all_sent(100)
        with w.life("--log", "memory"):
            w.intervals(1)
            w.add(1000)
            w.all_sent(1100)
        with w.life():
            w.all_sent(1100)
            w.add(10)
            w.all_sent(1110)
        check(ANEW in w.bench.log(), "and it is said")


def queue_then_memory():
    """What waits in the file when another log is used is sent by the next life with the file."""
    with World("a queue in the file, memory, file") as w:
        w.add(100)
        with w.life():
            w.all_sent(100)
            w.receiver.down = True
            w.add(1000)
            w.intervals(2)
        w.receiver.down = False
        for n in range(2):
            with w.life("--log", "memory"):
                w.intervals(1)
                w.add(20)
                w.all_sent(120 + 20 * n)
        with w.life(end="KILL"):
            w.all_sent(1140)
        with w.life():
            w.add(3)
            w.all_sent(1143)


def queue_in_two_lives():
    """The backend is down in the file's second life, too: the place between the two queues is in the file."""
    with World("queues of two lives") as w:
        w.add(100)
        with w.life():
            w.all_sent(100)
            w.receiver.down = True
            w.add(1000)
            w.intervals(2)
        w.receiver.down = False
        with w.life("--log", "memory"):
            w.intervals(1)
            w.add(20)
            w.all_sent(120)
            w.intervals(1)
        w.receiver.down = True
        with w.life():
            w.intervals(1)
            w.add(5000)
            w.intervals(2)
        w.receiver.down = False
        with w.life("--log", "memory"):
            w.intervals(1)
            w.add(7)
            w.all_sent(127)
        with w.life():
            w.all_sent(6127)
            w.add(1)
            w.all_sent(6128)


def folders():
    with World("a state_dir, another, and back") as w:
        a, b = f"log: {{state_dir: {w.bench.work}/a}}\n", f"log: {{state_dir: {w.bench.work}/b}}\n"
        os.mkdir(f"{w.bench.work}/a"), os.mkdir(f"{w.bench.work}/b")
        w.add(100)
        with w.life(extra=a):
            w.all_sent(100)
        with w.life(extra=b):
            w.intervals(1)
            w.add(1000)
            w.all_sent(1100)
        with w.life(extra=a):
            w.all_sent(1100)


def put_back():
    """A copy of the folder from before is put back, as from a backup."""
    with World("an old copy of the log") as w:
        where = f"{w.bench.work}/a"
        os.mkdir(where)
        w.add(100)
        with w.life(extra=f"log: {{state_dir: {where}}}\n"):
            w.all_sent(100)
        shutil.copytree(where, f"{where}.copy")
        with w.life(end="KILL"):
            w.add(1000)
            w.all_sent(1100)
        shutil.rmtree(where)
        os.rename(f"{where}.copy", where)
        with w.life():
            w.all_sent(1100)
            w.add(10)
            w.all_sent(1110)
        check("lacks the last intervals" in w.bench.log() and ANEW in w.bench.log(), "and it is said")


def lost():
    with World("a lost file") as w:
        w.add(100)
        with w.life():
            w.all_sent(100)
        subprocess.run(f"rm {w.bench.segment}.*log*", shell=True, check=True)
        with w.life():
            w.all_sent(100)
            w.add(10)
            w.all_sent(110)
        check("from a log that is not here" in w.bench.log(), "and it is said")


def unwritable():
    """The log's folder cannot be written in one life: it is in memory."""
    with World("memory because the file cannot be used") as w:
        where = f"{w.bench.work}/a"
        os.mkdir(where)
        w.add(100)
        with w.life(extra=f"log: {{state_dir: {where}}}\n"):
            w.all_sent(100)
        os.rename(where, f"{where}.away")
        with w.life():
            w.intervals(1)
            w.add(1000)
            w.all_sent(1100)
        os.rename(f"{where}.away", where)
        with w.life():
            w.all_sent(1100)


for case in (file_memory_file, queue_then_memory, queue_in_two_lives, folders, put_back, lost, unwritable):
    case()
harness.finish()
