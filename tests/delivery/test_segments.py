# SPDX-License-Identifier: Apache-2.0
"""Promise: a page has the series of every segment that is followed, however many there are; so has --once."""
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request

from lives import check, equal, harness, until

SEGMENTS = 70
folder = tempfile.mkdtemp(dir="/dev/shm", prefix="mtx-many-")
try:
    for n in range(SEGMENTS):
        env = dict(os.environ, MTX_SEGMENT=f"{folder}/{n}.seg")
        subprocess.run([harness.MTXCTL, "add", "jobs", str(n + 1), f"of={n}"], env=env, check=True)
    with open(f"{folder}/config.yml", "w") as f:
        f.write(f"segment: '{folder}/*.seg'\nlog: memory\nhttp: '127.0.0.1:0'\nbackends:\n  - {{type: prometheus}}\n")
    want = {str(n): n + 1 for n in range(SEGMENTS)}

    def jobs(page):
        return {of: int(v) for of, v in re.findall(r'^jobs_total\{of="(\d+)",segment="\1\.seg"\} (\d+)$', page, re.M)}

    with open(f"{folder}/errors", "w") as errors:
        exporter = subprocess.Popen([harness.EXPORTER, "-c", f"{folder}/config.yml"], stderr=errors)
    harness.children.append(exporter)

    def log():
        with open(f"{folder}/errors") as f:
            return f.read()

    check(until(20, lambda: log().count("following") == SEGMENTS and "serving address" in log()), f"it leads all: {log()[-500:]}")
    address = re.search(r"serving address=(\S+)", log()).group(1)
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
        page = answer.read().decode()
    equal(jobs(page), want, "the page has the series of all segments")
    check(f"mtx_segment_attached {SEGMENTS}\n" in page, "and says how many they are")
    exporter.terminate()
    exporter.wait(20)
    done = subprocess.run([harness.EXPORTER, "-c", f"{folder}/config.yml", "--once"], capture_output=True, text=True, timeout=60)
    equal(jobs(done.stdout), want, f"so has --once: {done.stderr[-500:]}")
finally:
    shutil.rmtree(folder)
harness.finish()
