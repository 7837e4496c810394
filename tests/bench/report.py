# SPDX-License-Identifier: Apache-2.0
"""Tables from the benchmark's JSON objects (one per line), for tools/bench.

    report.py peers FILE...          mtx and its peers side by side
    report.py delivery FILE          points per second and backend
    report.py docs PAGE FILE...      all tables as markdown, between the markers in PAGE, and on stdout; the first FILE
                                     is that of the peers

Ratios are medians of (operation / yardstick), both measured at the same moment, not computed from the nanoseconds.
"""
import json
import os
import platform
import sys

BEGIN = "<!-- figures: made by tools/bench --docs -->"
END = "<!-- end of figures -->"

# What is compared: the operation, then who performs it and by which figure; ratios refer to the first one, mtx.
WORK = [
    ("add one to a counter", [
        ("mtx, inline", "counter_inc"),
        ("mtx, library call", "counter_inc_call"),
        ("prometheus-cpp `Increment`", "prometheus_cpp.counter_inc"),
        ("PCP MMV `mmv_inc` (1)", "pcp_mmv.counter_inc"),
        ("PCP MMV `mmv_inc_value` (1)", "pcp_mmv.counter_inc_value"),
        ("Dropwizard `inc`", "dropwizard.counter_inc"),
        ("Python client, one process", "python.counter_inc"),
        ("Python client, multiprocess", "python_multiprocess.counter_inc"),
        ("a StatsD datagram, only sent", "statsd.counter_inc"),
    ]),
    ("mark a meter", [("mtx", "meter_mark"), ("Dropwizard `mark`", "dropwizard.meter_mark")]),
    ("set a gauge", [
        ("mtx, merge mode last", "gauge_set"),
        ("mtx, merge mode sum", "gauge_set_sum"),
        ("prometheus-cpp `Set`", "prometheus_cpp.gauge_set"),
        ("PCP MMV `mmv_set_value`", "pcp_mmv.gauge_set"),
        ("Python client, one process", "python.gauge_set"),
        ("Python client, multiprocess", "python_multiprocess.gauge_set"),
    ]),
    ("record a value in ten explicit buckets", [
        ("mtx", "histogram_explicit"),
        ("prometheus-cpp `Observe`", "prometheus_cpp.histogram_explicit"),
        ("Python client, one process", "python.histogram_explicit"),
        ("Python client, multiprocess", "python_multiprocess.histogram_explicit"),
    ]),
    ("record a value in exponential buckets", [
        ("mtx, 2.2 %", "histogram_buckets"),
        ("HdrHistogram (Java), atomic, 1 %", "hdrhistogram_java.histogram_buckets"),
    ]),
    ("record a value in a decaying sample", [
        ("mtx", "histogram_decaying"),
        ("Dropwizard `update`", "dropwizard.histogram_decaying"),
    ]),
    ("start and stop a timer", [("mtx", "timer"), ("Dropwizard `time`, `stop`", "dropwizard.timer")]),
    ("find a series", [
        ("mtx, by name and two tags", "find_hot"),
        ("mtx, one-line macro, increment included", "find_macro"),
        ("prometheus-cpp `Family::Add`, two labels", "prometheus_cpp.find"),
        ("PCP MMV, the first of 10,000 instances", "pcp_mmv.find_first"),
        ("PCP MMV, the last of 10,000 instances", "pcp_mmv.find"),
        ("Dropwizard, by one constant string (2)", "dropwizard.find"),
        ("Python client, `labels().inc()`", "python.find"),
        ("Python client, multiprocess, `labels().inc()`", "python_multiprocess.find"),
    ]),
    ("generate a line of the Prometheus page", [
        ("mtx-exporter, over HTTP, snapshot included", "page_line"),
        ("prometheus-cpp, text in memory", "prometheus_cpp.page_line"),
        ("Python client, text in memory", "python.page_line"),
        ("Python client, multiprocess, files of 2 processes", "python_multiprocess.page_line"),
    ]),
]

ADD, XADD, TWO = "x_add", "x_xadd", "x_two_rdtsc"
NAMES = {ADD: "plain add", XADD: "`lock xadd`", TWO: "two `rdtsc`"}
# The goals: description, operation, processes, yardstick (a key above, or the operation and processes to compare
# with), limit.
GOALS = [
    ("counter inc, inline", "counter_inc", 1, XADD, 0.2),
    ("", "counter_inc", 1, ADD, 3),
    ("... 2 processes, same counter", "counter_inc", 2, ("counter_inc", 1), 1.5),
    ("meter mark, inline", "meter_mark", 1, XADD, 0.2),
    ("", "meter_mark", 1, ADD, 3),
    ("... 2 processes, same meter", "meter_mark", 2, ("meter_mark", 1), 1.5),
    ("counter inc, library call", "counter_inc_call", 1, XADD, 0.5),
    ("meter mark, library call", "meter_mark_call", 1, XADD, 0.5),
    ("histogram, exponential buckets and sum", "histogram_buckets", 1, XADD, 0.5),
    ("... 2 processes", "histogram_buckets", 2, ("histogram_buckets", 1), 1.3),
    ("histogram, decaying sample", "histogram_decaying", 1, XADD, 1),
    ("... 2 processes", "histogram_decaying", 2, ("histogram_decaying", 1), 1.3),
    ("... without a leader", "histogram_decaying_no_leader", 1, XADD, 2),
    ("timer, start and stop", "timer", 1, TWO, 1.5),
    ("find, hot name and 2 tags", "find_hot", 1, XADD, 4),
    ("one-line macro form", "find_macro", 1, ("counter_inc", 1), 1.2),
    ("event of 128 bytes into a ring", "ring_put_128", 1, XADD, 2),
    ("... 2 processes", "ring_put_128", 2, ("ring_put_128", 1), 1.2),
    ("event of 512 bytes into a ring", "ring_put_512", 1, XADD, 6),
    ("event of 128 bytes, clock read and call included", "event_128", 1, XADD, 6),
    ("span, start and stop, two tags", "span_two_tags", 1, TWO, 1.75),
    ("snapshot of 10,000 counters, per series and lane", "snapshot_cell", 1, XADD, 0.5),
    ("Prometheus page, per line", "page_line", 1, XADD, 10),
]


def read(paths):
    """{(op, procs): object}, and the rows of the growth table in order."""
    figures, growth = {}, []
    for path in paths:
        for line in open(path, encoding="utf-8"):
            if not line.startswith("{"):
                continue
            row = json.loads(line)
            if row["op"] == "growth":
                growth.append(row)
            else:
                figures[row["op"], row["procs"]] = row
    return figures, growth


def digits(x):
    return f"{x:,.2f}" if x < 100 else f"{x:,.0f}"


def table(head, rows, markdown):
    """Aligned columns; the first is text, the others are numbers."""
    rows = [[str(c) for c in row] for row in rows]
    if markdown:
        rule = ["---"] + ["---:"] * (len(head) - 1)
        return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule] + rows) + "\n"
    rows = [[c.replace("`", "") for c in row] for row in rows]
    width = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    out = []
    for row in [head] + rows:
        cells = [row[0].ljust(width[0])] + [c.rjust(w) for c, w in zip(row[1:], width[1:])]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out) + "\n"


def peers(figures, markdown):
    rows, quicker = [], []
    for work, doers in WORK:
        reference = {p: figures.get((doers[0][1], p)) for p in (1, 2)}
        if not any((op, 1) in figures for _, op in doers[1:]) or not reference[1]:
            continue
        rows.append([f"**{work}**" if markdown else work + ":"] + [""] * 5)
        for who, op in doers:
            cells = []
            for procs in (1, 2):
                row = figures.get((op, procs))
                cells += [digits(row["ns"]) if row else ""]
            first = figures.get((op, 1))
            if not first:
                continue
            ratios = []
            for procs in (1, 2):
                row, ours = figures.get((op, procs)), reference[procs]
                ratios.append(row[XADD] / ours[XADD] if row and ours else None)
                cells.append(digits(ratios[-1]) if ratios[-1] else "")
            if not who.startswith("mtx") and min(r for r in ratios if r) < 1:
                beside = f" ({digits(ratios[1])} with two writers)" if ratios[1] else ""
                quicker.append(f"- {work}: {who} takes {digits(ratios[0])} of mtx's time{beside}")
            rows.append([who if markdown else "  " + who] + cells + [digits(first[XADD])])
    text = table(["", "ns", "ns, 2 writers", "x mtx", "x mtx, 2 writers", "x lock xadd"], rows, markdown)
    lost = figures.get(("pcp_mmv.lost", 2))
    if lost:
        text += f"\n(1) Not atomic: of 20 million increments by two processes, {100 * lost['ratio']:.1f} % were lost here.\n"
    if ("dropwizard.find", 1) in figures:
        text += "\n(2) The string caches its hash, there are no tags, and the map compares a single pointer.\n"
    text += "\nWhere a peer is faster:\n\n" + ("\n".join(quicker) if quicker else "- nowhere in this table") + "\n"
    return text


def speed(figures):
    rows = []
    for what, op, procs, yardstick, limit in GOALS:
        row = figures.get((op, procs))
        if not row:
            continue
        if isinstance(yardstick, tuple):
            base = figures.get(yardstick)
            if not base:
                continue
            value = row[XADD] / base[XADD]
            against = "1 process" if yardstick[0] == op else "the handle form"
        else:
            value, against = row[yardstick], NAMES[yardstick]
        rows.append([what, f"at most {limit:g} x {against}", f"{value:.2f}", "yes" if value <= limit else "**no**",
                     digits(row["ns"])])
    attach = figures.get(("clock_attach", 1))
    if attach:
        rows.append(["attach: clock calibration", "at most 1 ms", f"{attach['ns'] / 1e6:.2f} ms",
                     "yes" if attach["ns"] <= 1e6 else "**no**", digits(attach["ns"])])
    rss = figures.get(("page_rss", 1))
    if rss:
        rows.append(["page of 100,000 series: peak memory above idle", "at most 32 MiB", f"{rss['mib']:.1f} MiB",
                     "yes" if rss["mib"] <= 32 else "**no**", ""])
    for way, what in (("one", "one counter"), ("hundred", "100 counters in turn")):
        row = figures.get(("disturbance_" + way, 2))
        if row:
            rows.append([f"p99.9 of 100 updates during snapshots, {what}", "at most 1.1 x during spinning",
                         f"{row['ratio']:.2f}", "yes" if row["ratio"] <= 1.1 else "**no**", digits(row["ns_snapshot"])])
    return table(["operation", "goal", "measured", "met", "ns"], rows, True)


def everything(figures):
    names = [op for op, procs in figures if procs == 1 and "." not in op and XADD in figures[op, 1]]
    rows = []
    for op in names:
        one, two = figures[op, 1], figures.get((op, 2))
        rows.append([f"`{op}`", digits(one["ns"]), digits(two["ns"]) if two else "", digits(one[ADD]),
                     digits(one[XADD]), digits(two[XADD]) if two else "", digits(one[TWO])])
    return table(["operation", "ns", "ns, 2 processes", "x add", "x lock xadd", "x lock xadd, 2 processes",
                  "x two rdtsc"], rows, True)


def grown(rows):
    cells = []
    for r in rows:
        cells.append([r["kind"], f"{r['series']:,}", r["lanes"], r["procs"], f"{r['bytes_used']:,.0f}",
                      f"{r['bytes_used'] / r['series']:,.0f}", f"{r['register_ns']:,.0f}",
                      f"{r['snapshot_ns'] / 1e6:.3f}", f"{r['writer_kb']:,.0f}", f"{r['reader_kb']:,.0f}"])
    return table(["kind", "series", "CPU lanes", "processes", "segment, bytes", "bytes per series",
                  "registration, ns per series", "snapshot, ms", "a writer's private KiB", "a reader's private KiB"], cells, True)


def delivered(paths, markdown):
    rows = []
    for line in (line for path in paths for line in open(path, encoding="utf-8")):
        r = json.loads(line)
        if r["op"] != "delivery":
            continue
        rate = lambda key: f"{r['points'] / r[key] * 1e9:,.0f}"
        python = f"{r['python_ns'] / r['deliver_ns']:.2f}" if r["python_ns"] else ""
        rows.append([r["backend"], f"{r['points']:,}", f"{r['bytes'] / 1e6:.1f}", f"{r['requests']:,}", rate("encode_ns"),
                     rate("deliver_ns"), rate("wall_ns"), f"{r['deliver_ns'] / r['zlib_ns']:.2f}", python, r["python"]])
    return table(["backend", "points", "MB", "requests", "encoded/s", "delivered/s", "wall-clock/s", "x zlib",
                  "x faster than Python", "Python sends with"], rows, markdown)


def machine():
    model = platform.machine()
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    libc = " ".join(platform.libc_ver())
    return (f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}, {libc}; load average at the end: "
            f"{os.getloadavg()[0]:.1f}")


def docs(page, paths):
    figures, growth = read(paths)
    text = f"Generated by `tools/bench --docs` on: {machine()}.\n\n### Goals\n\n{speed(figures)}"
    text += f"\n### Compared with peers\n\nGenerated by `tools/bench --peers`.\n\n{peers(read(paths[:1])[0], True)}"
    text += f"\n### Growth\n\nGenerated by `tools/bench --growth`.\n\n{grown(growth)}"
    text += f"\n### Delivery\n\nGenerated by `tools/bench --delivery`.\n\n{delivered(paths, True)}"
    text += f"\n### All operations\n\nGenerated by `tools/bench`.\n\n{everything(figures)}"
    print(text, end="")
    whole = open(page, encoding="utf-8").read()
    before, rest = whole.split(BEGIN)
    after = rest.split(END)[1]
    with open(page, "w", encoding="utf-8") as out:
        out.write(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def main():
    if sys.argv[1] == "delivery":
        print(f"{machine()}\n\n{delivered(sys.argv[2:], False)}", end="")
    elif sys.argv[1] == "peers":
        print(f"{machine()}\n\n{peers(read(sys.argv[2:])[0], False)}", end="")
    else:
        docs(sys.argv[2], sys.argv[3:])


main()
