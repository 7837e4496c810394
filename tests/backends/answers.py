# SPDX-License-Identifier: Apache-2.0
"""What a backend's service may answer, and what is done then. This table is the test (harness.answers() plays every
row to every backend) and the documentation (docs/backends/index.md holds it; test_table.py compares).

    answers.py            prints the table
    answers.py --write    puts it into the documentation
"""
import os
import sys
import time
from email.utils import formatdate

import fake
from certificates import BAD

# What can be done. The text is what the documentation says, checks are in harness.judge_case().
ACCEPTED, RETRIED, HALVES, PARTLY = "accepted", "kept, retried", "retried in halves", "accepted, except the refused"
TLS, KEPT = "kept, retried until it is valid", "kept, retried, also by the next exporter"


def took(code, body=b""):
    """The service takes it, and answers this."""

    def trick(handler, request):
        with handler.server.service.lock:
            handler.server.service.accept(request)
        handler.reply(code, body)

    return trick


def later(seconds):
    return lambda handler, request: handler.reply(429, b"", [("Retry-After", formatdate(time.time() + seconds, usegmt=True))])


PARTS = {
    "librato": b'{"measurements": {"summary": {"total": 9, "accepted": 8, "failed": 1}}, "errors": [{"param": "sorry"}]}',
    "anodot20": b'{"errors": [{"error": 2008, "description": "sorry", "index": "0"}]}',
    "anodot30": b'{"errors": [{"error": 2008, "description": "sorry", "index": "0"}]}',
    "apptuit": b'{"success": 8, "failed": 1, "errors": [{"datapoint": {"metric": "x"}, "error": "sorry"}]}',
}
WHOLE = b'{"errors": [{"error": 2003, "description": "metrics per second"}]}'

# (answer, trick or {backend: trick}, what is done or {backend: what is done}; a backend that is in neither knows no
# such answer). The last element: seconds for which the service has asked to be left alone.
anodot = ("anodot20", "anodot30")
no_success = {"": ACCEPTED, **dict.fromkeys(anodot, RETRIED)}
CASES = [
    ("2xx, empty", took(200), no_success, 0),
    ("2xx, not JSON", took(200, b"<html>welcome</html>"), no_success, 0),
    ("2xx, partly refused", {b: took(200, body) for b, body in PARTS.items()}, PARTLY, 0),
    ("2xx, an error for the whole request", {b: fake.status(200, WHOLE) for b in anodot}, RETRIED, 0),
    ("301", fake.status(301, headers=[("Location", "http://127.0.0.1:9/elsewhere")]), RETRIED, 0),
    ("307", fake.status(307, headers=[("Location", "http://127.0.0.1:9/elsewhere")]), RETRIED, 0),
    ("400", fake.status(400, b"bad request"), HALVES, 0),
    ("401", fake.status(401, b"who are you?"), RETRIED, 0),
    ("403", fake.status(403, b'{"error": "rate limit: [measure:raw_rate]"}'), RETRIED, 0),
    ("404", fake.status(404, b"<html>nothing here</html>"), RETRIED, 0),
    ("406", fake.status(406, b"not now"), {"": HALVES, "wavefront": RETRIED}, 0),
    ("408", fake.status(408), RETRIED, 0),
    ("413", fake.status(413), HALVES, 0),
    ("422", fake.status(422, b"unprocessable"), HALVES, 0),
    ("429, Retry-After in seconds", fake.status(429, headers=[("Retry-After", "1")]), RETRIED, 1),
    ("429, Retry-After as a date", later(2), RETRIED, 1),
    ("500", fake.status(500, b"oops"), RETRIED, 0),
    ("502", fake.status(502), RETRIED, 0),
    ("503, Retry-After in seconds", fake.status(503, headers=[("Retry-After", "1")]), RETRIED, 1),
    ("504", fake.status(504), RETRIED, 0),
    ("connection reset during the response", fake.reset, RETRIED, 0),
    ("a response that comes byte by byte", fake.slow, RETRIED, 0),
    ("a response without end", fake.endless, RETRIED, 0),
    ("no response", fake.silent, RETRIED, 0),
]
UNREACHABLE = [("connection refused", "http://127.0.0.1:9"), ("unknown host", "http://nowhere.invalid")]
HTTP = ("librato", "anodot20", "anodot30", "apptuit", "wavefront")

# Redis: what happens, what is done, the words that are logged. test_chouette.py has how it is done.
REDIS = [
    ("down", RETRIED, "Couldn't connect|Failed to connect|refused"),
    ("unknown host", KEPT, "resolve"),
    ("slow (stopped)", RETRIED, "no answer in time"),
    ("full (maxmemory)", RETRIED, "OOM"),
    ("read-only (a replica)", RETRIED, "READONLY"),
    ("loading", RETRIED, "LOADING"),
    ("wrong password", RETRIED, "WRONGPASS|NOAUTH"),
    ("queue over its limit", RETRIED, "is the agent running"),
    ("hangs up without a response", RETRIED, "hung up"),
    ("connection reset during the response", RETRIED, "hung up"),
    ("a response that comes byte by byte", RETRIED, "answer in time"),
    ("a response without end", RETRIED, "too long"),
    ("no response", RETRIED, "no answer in time"),
    ("not Redis", RETRIED, "not Redis"),
]


def of(backend, column):
    """A column's value for a backend, or None if it has no such answer."""
    return column.get(backend, column.get("")) if isinstance(column, dict) else column


def cases(backend):
    """[(answer, trick, what is done, seconds to wait)]"""
    found = [(name, of(backend, trick), of(backend, action), wait) for name, trick, action, wait in CASES]
    return [case for case in found if case[1] and case[2]]


# --- The documentation ------------------------------------------------------------------------------------------------

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/backends/index.md")
BEGIN, END = "<!-- tests/backends/answers.py: begin -->\n", "<!-- tests/backends/answers.py: end -->\n"


def line(*cells):
    return "| " + " | ".join(cells) + " |\n"


def words(column):
    """A cell: what most do, then who does otherwise."""
    most = max(dict.fromkeys(column.values()), key=list(column.values()).count)
    others = {}
    for backend, action in column.items():
        if action != most:
            others.setdefault(action, []).append(f"`{backend}`")
    return "; ".join([most] + [f"{', '.join(who)}: {action}" for action, who in others.items()])


def table(head, rows):
    """Neighbours with the same cell share a line."""
    out, groups = line(*head) + line(*["---"] * len(head)), []
    for name, cell in rows:
        if groups and groups[-1][1] == cell:
            groups[-1][0].append(name)
        else:
            groups.append(([name], cell))
    return out + "".join(line("; ".join(names), cell) for names, cell in groups)


def render():
    columns = {name: {b: a for b in HTTP for n, _, a, _ in cases(b) if n == name} for name, *_ in CASES}
    rows = sorted(((name, words(column)) for name, column in columns.items()), key=lambda row: row[1])
    end = [(f"certificate: {name}", TLS) for name in BAD]
    out = table(("response", "what is done"), rows + [(name, KEPT) for name, _ in UNREACHABLE] + end)
    return out + "\n" + table(("Redis (`chouette`)", "what is done"), sorted(((n, a) for n, a, _ in REDIS), key=lambda row: row[1]) + end)


def documented():
    with open(PAGE) as f:
        text = f.read()
    before, found, rest = text.partition(BEGIN)
    inside, ended, after = rest.partition(END)
    return (before, inside, after) if found and ended else None


def main():
    if sys.argv[1:] == ["--write"]:
        before, _, after = documented()
        with open(PAGE, "w") as f:
            f.write(before + BEGIN + render() + END + after)
    else:
        print(render(), end="")


if __name__ == "__main__":
    main()
