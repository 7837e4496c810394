# SPDX-License-Identifier: Apache-2.0
"""Promise: an exporter whose log's disk was full may be ended or killed: its successor sends nothing again. The disk is full
until after the end, or has room again before it, or so long before that the file was written anew.

Needs a small file system of its own: root, or a kernel that lets users have namespaces."""
import os
import subprocess
import sys
import time

from lives import World, check, harness


def fill(folder):
    fd = os.open(f"{folder}/fill", os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        os.close(fd)


def play(when, end):
    with World(f"full: {when}, {end}") as w:
        small = f"{w.bench.work}/small"
        os.mkdir(small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", small], check=True)
        try:
            w.add(100)
            with w.life(extra=f"log: {{state_dir: {small}}}\n", end=end):
                w.all_sent(100)
                fill(small)
                for n in range(1, 5):
                    w.add(1000)
                    w.intervals(1)
                w.all_sent(4100)
                check("cannot be written" in w.bench.log(), f"{w.title}: the disk is full: {w.bench.log()}")
                if when != "still":
                    os.remove(f"{small}/fill")
                if when == "wait":
                    time.sleep(33)
            if when == "still":
                os.remove(f"{small}/fill")
            if end == "TERM" and when != "still":
                w.add(1)  # with the file written at the end, this is not lost
            with w.life():
                w.all_sent(4101 if end == "TERM" and when != "still" else 4100)
                w.add(10)
                w.intervals(3)
                check(w.receiver.sent() % 100 in (10, 11), f"{w.title}: it goes on: {w.receiver.sent()}")
        finally:
            subprocess.run(["umount", "-l", small], check=False)


if len(sys.argv) < 2:
    inside = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if subprocess.run([*inside, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode:
        print("left out: this kernel lets nobody mount a small file system here")
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(0)
    os.execvp("unshare", [*inside, sys.executable, __file__, "inside"])
for case in (("still", "TERM"), ("freed", "TERM"), ("freed", "KILL")) + ((("wait", "TERM"),) if harness.LONG else ()):
    play(*case)
harness.finish()
