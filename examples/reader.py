#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""reader.py [SEGMENT]: prints the values in a segment, a JSON object for each line, and no rates. It was written from
docs/format.md (a "step" is a step of that page); it and estimate.py need nothing but Python 3.9. Exit status: 0 done,
1 something was damaged and left out, 3 the segment cannot be read."""
import fcntl, json, math, os, stat, struct, sys, time

import estimate

KINDS = {1: "counter", 2: "updown", 3: "gauge", 4: "meter", 5: "histogram", 6: "timer", 7: "set", 8: "info"}
DECAYING, UNIFORM, SLIDING, SLIDING_TIME, EXPLICIT, EXPONENTIAL = range(6)
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8")
M64, ARENA = (1 << 64) - 1, 20480

class Bad(Exception):
    """What in the file cannot be used."""

def check(good, text):
    if not good: raise Bad(text)

def get(form, b, at=0):
    values = struct.unpack_from("<" + form, b, at)
    return values[0] if len(values) == 1 else values

def up(n, to): return (n + to - 1) // to * to

def checksum(b):  # step 1: XXH3 of 96 bytes
    total = 96 * 0x9E3779B185EBCA87
    for p, s in (0, 0), (80, 16), (16, 32), (64, 48), (32, 64), (48, 80):
        product = (get("Q", b, p) ^ get("Q", SECRET, s)) * (get("Q", b, p + 8) ^ get("Q", SECRET, s + 8))
        total = total + (product & M64 ^ product >> 64) & M64
    total = (total ^ total >> 37) * 0x165667919E3779F9 & M64
    return total ^ total >> 32

class Segment:
    def __init__(self, path):  # steps 1 and 2
        self.fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        info = os.fstat(self.fd)
        h = self.head = os.pread(self.fd, 4096, 0) if stat.S_ISREG(info.st_mode) else b""
        check(len(h) == 4096 and h[:8] == b"\x89MTXSEG\n", "it is not an mtx segment")
        major, self.minor, order, _, _, size, incarnation, _, created = get("HHIIIQQQQ", h, 8)
        self.cpu, self.atomic, self.slots, _, features, given = get("IIIIQQ", h, 72)
        check(order == 0x0A0B0C0D, "it was made on a machine of another byte order")
        check(major == 1, f"it has format {major}, this program reads 1")
        check(given == checksum(h), "it is damaged: its header does not match its checksum")
        check(size == info.st_size and 1 << 16 <= size <= 1 << 40, f"its header says {size} bytes: truncated?")
        check(self.cpu <= 8192 and self.atomic in (1, 2, 4, 8, 16, 32, 64) and 1 <= self.slots <= 4096
              and not features >> 32 and incarnation, "its header has values out of range")
        ends = [e for e in (*get("QQ", h, 128), size)
                if ARENA <= e <= size and (e <= 16 << 20 or e // 16 <= info.st_blocks * 512)]
        check(ends, "it is damaged: its arena has no end that can be believed")
        offset, self.end = 0, ends[0]
        if os.path.exists("/proc/self/timens_offsets"):
            with open("/proc/self/timens_offsets", encoding="ascii") as f:
                offset = sum(int(s) * 10**9 + int(ns) for name, s, ns in map(str.split, f) if name == "monotonic")
        now = (time.monotonic_ns() - offset - created) % 2**64
        self.now = now if now < 2**63 else 0
        self.tick = self.now // 125_000_000 + 1

    def at(self, offset, n, start=ARENA):
        check(offset % 8 == 0 and start <= offset <= self.end and n <= self.end - offset,
              f"{n} bytes at {offset} are not inside the arena")
        b = os.pread(self.fd, n, offset)
        check(len(b) == n, "the file was truncated")
        return b

    def entries(self):  # step 3: offsets of records, and the upper bits of their hashes
        for level, where in enumerate((12288, *get("4Q", self.head, 200))):
            for (entry,) in struct.iter_unpack("<Q", self.at(where, 8192 * 8**level, 12288) if where else b""):
                if entry and entry % 2**48 < self.end: yield entry % 2**48, entry >> 48

    def record(self, offset):  # step 4: type, kind, flags, hash, link, storage, state, key, payload
        head = get("IBBHQQQQQIIII", self.at(offset, 64))
        length, what, kind, flags, digest, _, link, *storage, state, key, payload, size = head
        check(offset % 64 == 0 and 64 <= length <= self.end - offset and key <= length - 64 and payload % 8 == 0
              and payload <= length and size <= length - payload, f"the record at {offset} is not whole")
        b = self.at(offset, min(length, 8192))
        return what, kind, flags, digest, link, storage, state, b[64:64 + key], b[payload:payload + size]

    def living(self):  # step 11: the slots that are alive, and when each polled its callbacks
        slots, ranges, base = {0}, [(1, self.slots)], 2**62 + 131072
        while ranges:
            first, last = ranges.pop()
            if first == last: continue
            lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, base + first, last - first, 0)
            kind, _, start, *_ = struct.unpack("hhqqi4x", fcntl.fcntl(self.fd, fcntl.F_OFD_GETLK, lock))
            if kind == fcntl.F_UNLCK: continue
            slots.add(s := max(start - base, first))
            ranges += [(first, s), (s + 1, last)]
        blocks = get("64Q", os.pread(self.fd, 512, 768))
        return {s: get("Q", self.at(blocks[s // 64] + s % 64 * 64, 64), 16) if blocks[s // 64] else 0
                for s in sorted(slots)}

class Family:  # step 5
    def __init__(self, seg, offset):
        what, *_, p = seg.record(offset)
        check(what == 2 and len(p) >= 80, f"there is no family at {offset}")
        (self.merge, self.persistent, self.how, self.scale, self.samples, self.alpha, self.window, self.low, self.high,
         n) = get("BBBbIddddI", p, 32)
        check(self.merge <= 5 and n <= 512 and len(p) >= 80 + 8 * n, f"the family at {offset} is damaged")
        self.bounds = struct.unpack_from(f"<{n}d", p, 80)

class Cells:  # step 7
    def __init__(self, seg, place, n):
        stride = up(n * 8, 128)
        lanes = seg.atomic + (seg.cpu if n <= 8 or stride * seg.cpu <= 1 << 20 else 0)
        b = seg.at(place, (lanes - 1) * stride + n * 8)
        self.lanes = [b[i * stride:i * stride + n * 8] for i in range(lanes)]

    def count(self, c): return sum(get("Q", lane, c * 8) for lane in self.lanes) % 2**64
    def real(self, *cells): return sum(get("d", lane, c * 8) for c in cells for lane in self.lanes)

def within(x): return x if math.isfinite(x) else -sys.float_info.max if x < 0 else sys.float_info.max  # step 7

def bucket_ends(f, timer):  # step 8: the upper end of each bucket
    if f.how == EXPLICIT:
        check(f.bounds and all(map(math.isfinite, f.bounds)) and all(a < b for a, b in zip(f.bounds, f.bounds[1:])),
              "a family has bounds that are damaged")
        return [*f.bounds, math.inf]
    low, high = (f.low, f.high) if f.low or f.high else (1e-6, 1e3) if timer else (2.0**-20, 2.0**30)
    check(f.how == EXPONENTIAL and 0 <= f.scale <= 5 and 2.0**-1022 <= low < high <= 2.0**1023, "a range is damaged")
    lo, (mantissa, hi), parts = math.frexp(low)[1] - 1, math.frexp(high), 1 << f.scale
    inner = (hi - (mantissa == 0.5) - lo) * parts
    return [math.ldexp(2 ** (i % parts / parts), lo + i // parts) for i in range(inner + 1)] + [math.inf]

def sample(seg, f, place):  # step 10: sorted values with their weights
    check(8 <= f.samples <= 65536 and 0 <= f.alpha <= 100 and 0 < f.window <= 1e8, "a sample's settings are damaged")
    banks, n = (8, up(f.samples, 8) // 8 + 1) if f.how == SLIDING_TIME else (1, f.samples)
    bits = get("Q", struct.pack("<d", f.alpha / 8 if f.how == DECAYING else 0)) + 0x80000000 >> 32 << 32
    decay, part, oldest, out = get("d", struct.pack("<Q", bits)), 0, 1, []
    if f.how == SLIDING_TIME: part, oldest = up(math.ceil(8 * f.window), 7) // 7, seg.tick - math.ceil(8 * f.window) + 1
    start = up(64 + 8 * banks * (up(n, 64) // 64), 64)
    size = up(start + 16 * banks * n, 64)
    copy, again = seg.at(place, size), seg.at(place, size)
    for bank in range(banks):
        turn, kept, full = seg.tick // part - (seg.tick // part - bank) % 8 if part else 0, [], True
        for at in range(start + 16 * n * bank, start + 16 * n * (bank + 1), 16):
            tick, noise, value = get("IId" if f.how == SLIDING else "Ifd", copy, at)
            if copy[at:at + 16] != again[at:at + 16]: continue
            if not tick or part and tick // part < turn: full = False
            elif tick > seg.tick or not math.isfinite(value): continue
            elif f.how == SLIDING:
                if (get("I", copy, 16) - noise + 2**31) % 2**32 - 2**31 <= n: out.append((value, 1.0))
            elif -64 < noise < 64 and (not part or tick // part == turn):
                kept.append((decay * tick + noise, tick, noise, value))
        if not kept: continue
        newest, lowest = max(tick for _, tick, _, _ in kept), min(kept, key=lambda slot: slot[0])
        threshold = lowest[2] - decay * (newest - lowest[1])
        for slot in kept:
            if full and slot is lowest or slot[1] < oldest: continue
            log_w = -decay * (newest - slot[1])
            x = log_w - threshold if full else math.inf
            out.append((slot[3], math.exp(log_w) if x > 5 else math.exp(threshold) if x < -30
                        else math.exp(log_w) / -math.expm1(-math.exp(x))))
    return sorted((v for v in out if 0 < v[1] < math.inf), key=lambda v: v[0])

def distribution(seg, f, timer, storage):  # step 7
    per = 1e9 if timer else 1
    if f.how < EXPLICIT:
        cells = Cells(seg, storage[0], 8)
        out = {"count": cells.count(3), "sum": within(cells.real(2) / per),
               "sum_squares": within(cells.real(0) / (per * per))}
        values = sample(seg, f, storage[1] + 128 * timer) if out["count"] else []
        return {**out, **estimate.from_sample([(v / per, w) for v, w in values])}
    ends = bucket_ends(f, timer)
    cells = Cells(seg, storage[0], 5 + len(ends))
    counts, total = [cells.count(5 + i) for i in range(len(ends))], within(cells.real(0, 1, 2, 3) / per)
    statistics = estimate.from_buckets(f.how == EXPONENTIAL, ends, counts, total)
    return {"count": sum(counts) % 2**64, "sum": total, **statistics}

def gauge(seg, f, place):  # step 11: values, each with its worker or None
    living, values = seg.living(), []
    group = seg.at(place & ~63, 640)
    for s, polled in living.items():
        block = get("Q", group, 64 + s // 64 * 8)
        if f.persistent and s or block % 64 or not ARENA <= block <= seg.end - 8192: continue
        pair = block + (s % 64 * 8 + place % 8) * 16
        stamp, value = get("Q", seg.at(pair, 16), 8), get("d", seg.at(pair, 16))  # in this order, of two copies
        fresh = not stamp & 1 or s == 0 or polled and seg.now - polled <= 30 * 10**9
        if stamp and fresh and not math.isnan(value): values.append((s, value, stamp >> 1))
    if f.merge == 5: return [(value, s) for s, value, _ in values]
    last = lambda _: max(values, key=lambda v: v[2])[1]
    merge = (last, sum, min, max, lambda v: sum(v) / len(v))[f.merge]
    return [(merge([value for _, value, _ in values]), None)] if values else []

def distinct(seg, place):  # step 12
    exported, epoch = get("Q", seg.head, 496), get("Q", seg.head, 392)
    epoch -= exported != 0 and epoch > 1
    block, bank, tag = seg.at(place, 12352), epoch % 2, epoch % 65536
    if get("Q", block, 8 * bank) != 65536 + tag:
        return len({w for w in get("256Q", block, 8256 + 2048 * bank) if w >> 48 == tag and w % 2**48})
    words = [w if w >> 48 == tag else 0 for w in get("512Q", block, 64 + 4096 * bank)]
    return estimate.from_registers([min(w >> 6 * i & 63, 37) for w in words for i in range(8)])

def attributes(seg, f, kind, storage):  # name: value, or name: [(value, worker)]
    if kind == 3: return {"value": gauge(seg, f, storage[0])}
    if kind == 7: return {"value": distinct(seg, storage[0])}
    if kind == 8: return {"value": 1}
    if kind in (5, 6): return distribution(seg, f, kind == 6, storage)
    total = Cells(seg, storage[0], 1).count(0)
    return {"value": (total + 2**63) % 2**64 - 2**63} if kind == 2 else {"count": total}

def series(seg, offset, upper):  # steps 4 to 6: its lines
    what, kind, flags, digest, link, storage, state, key, _ = seg.record(offset)
    check(digest >> 48 == upper, f"the record at {offset} is not that of its index entry")
    newer = seg.minor > 1 or get("Q", seg.head, 336) > 1
    if what != 1 or state & 1 or kind not in KINDS and newer: return
    check(kind in KINDS, f"the series at {offset} is of a kind that format 1.1 does not have")
    texts, f = key[1:].split(b"\0"), Family(seg, link)
    check(key[:1] == b"S" and texts.pop() == b"" and len(texts) % 2 and texts[0], f"the key at {offset} is damaged")
    blocks = 2 if kind in (4, 6) or kind == 5 and f.how < EXPLICIT else kind != 8
    if not all(0 < place < seg.end for place in storage[:blocks]): return
    name, *tags = (t.decode() for t in texts)
    found = attributes(seg, f, kind, storage)
    if flags & 1 and not (found.get("count") or found.get("value")): return
    for attribute, values in found.items():
        for value, worker in values if isinstance(values, list) else [(values, None)]:
            line = {"name": name, "tags": dict(zip(tags[::2], tags[1::2])), "kind": KINDS[kind], "attribute": attribute}
            yield {**line, "value": value, **({} if worker is None else {"worker": worker})}

def main(path):
    try:
        seg, damaged = Segment(path), 0
        entries = sorted(seg.entries())
    except (OSError, Bad) as e:
        print(f"reader.py: {path}: {e}", file=sys.stderr)
        return 3
    for offset, upper in entries:
        try:
            for line in series(seg, offset, upper): print(json.dumps(line))
        except (Bad, ArithmeticError, ValueError) as e:
            print(f"reader.py: {path}: left out: {e}", file=sys.stderr)
            damaged = 1
    return damaged

if __name__ == "__main__":
    sys.exit(main((sys.argv[1:] or [os.environ.get("MTX_SEGMENT") or f"/dev/shm/mtx-{os.geteuid()}.seg"])[0]))
