#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lengths of functions: lengths.py [TREE]. Prints them per folder. Fails if half of all are longer than 10 lines, a
tenth longer than 20, or one longer than 50. A function is counted from its first line to its closing brace.
"""
import pathlib
import re
import sys

FOLDERS = ["shm", "registry", "exporters", "tools", "examples"]
LIMITS = {"median": 10, "p90": 20, "max": 50}


def functions(path):
    """Yields (name, first line, lines). clang-format puts only a function's braces alone in the first column."""
    start = name = None
    inside = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == "{" and name:
            inside = True
        elif line.startswith("}"):
            if inside:
                yield name, start, number - start + 1
            inside, name = False, None
        elif not inside and re.match(r"[A-Za-z_]", line):
            start = number
            call = re.search(r"(\w+)\(", re.sub(r"__attribute__\(\(.*?\)\)\)?", "", line))
            name = call and call[1]


def figures(lengths):
    def at(share):
        return lengths[min(len(lengths) - 1, int(len(lengths) * share))]

    lengths = sorted(lengths)
    return {"median": at(0.5), "p90": at(0.9), "max": lengths[-1]}


def main():
    tree = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    everything, failed = [], 0
    for folder in FOLDERS:
        found = [(lines, f"{path.relative_to(tree)}:{start}: {name}")
                 for path in sorted((tree / folder).rglob("*.[ch]")) for name, start, lines in functions(path)]
        if found:
            text = ", ".join(f"{what} {value}" for what, value in figures([lines for lines, _ in found]).items())
            print(f"{folder:10} {len(found):5} functions, {text}")
        everything += found
    for lines, place in sorted(everything, reverse=True)[:5]:
        print(f"{lines:3} lines  {place}")
    for what, value in figures([lines for lines, _ in everything]).items():
        if value > LIMITS[what]:
            failed += 1
            print(f"lengths of functions: the {what} is {value} lines; at most {LIMITS[what]} are allowed")
    print(f"{len(LIMITS) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
