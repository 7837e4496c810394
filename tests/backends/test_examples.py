# SPDX-License-Identifier: Apache-2.0
"""Promise: the comments of examples/exporter say of each of a backend's options what `mtx-exporter backends` says."""
import glob
import os
import re
import subprocess

import harness

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/exporter/*.yml")


def helps(backend):
    """{option: the line that explains it}"""
    done = subprocess.run([harness.EXPORTER, "backends", backend], capture_output=True, text=True, check=True)
    return {line.split()[0]: line.replace("`", "") for line in done.stdout.splitlines() if line.startswith("  ")}


def comments(lines):
    """[(option, the comment above it)]; an option that is not set is in a comment itself."""
    found, text = [], []
    for line in lines:
        option = re.match(r"    (?:# )?([a-z_0-9]+):(?: |$)", line)
        if option:
            found.append((option.group(1), " ".join(text)))
            text = []
        elif line.startswith("    # "):
            text.append(line[6:].strip())
    return found


def main():
    for path in sorted(glob.glob(EXAMPLES)):
        name = os.path.basename(path)
        with open(path, encoding="utf-8") as file:
            above, backend = file.read().split("- type: ")
        known = helps(backend.split()[0])
        found = comments(backend.splitlines()[1:])
        harness.check(len(found) > 5, f"{name}: options: {found}")
        for option, comment in found:
            harness.check(option in known and comment.replace("`", "") in known[option],
                          f"{name}: {option}: expected {known.get(option)}, got {comment}")


main()
harness.finish()
