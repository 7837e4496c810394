# SPDX-License-Identifier: Apache-2.0
"""Promises: the documentation says of answers what the tests of the backends have seen; every backend that pushes over
a network is in that table."""
import os
import re

import answers
import harness

# Backends without a service: files, terminals, and pages that are fetched.
SILENT = {"console", "file", "prometheus"}

with open(os.path.join(os.path.dirname(answers.__file__), "../../exporters/backends.def")) as f:
    known = set(re.findall(r"^BACKEND\((\w+)\)", f.read(), re.M)) - SILENT
harness.equal(known - {*answers.HTTP, "chouette"}, set(), "backends without a column in answers.py")
for backend in answers.HTTP:
    harness.check(len(answers.cases(backend)) > 15, f"{backend}: {len(answers.cases(backend))} answers")
found = answers.documented()
harness.check(found, "docs/backends/index.md has a place for the table")
harness.equal(found and found[1], answers.render(), "docs/backends/index.md: run tests/backends/answers.py --write")
harness.finish()
