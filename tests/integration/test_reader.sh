#!/bin/bash
# Promise: docs/format.md describes the format that mtx writes. examples/reader.py, which was written from that page alone,
# prints what mtxctl prints: integers and gauges exactly, the rest to within the rounding of doubles; and it says in one
# line what is wrong with a file that is foreign, truncated or damaged.
set -u
. "${MTX_SOURCE:?}/tests/cli/lib.sh"
export PYTHONDONTWRITEBYTECODE=1
reader=$MTX_SOURCE/examples/reader.py
mkfifo "$work/stay" && exec 9<>"$work/stay"

# zoo FIRST PROCESSES [FILL [LANES]]: records, and keeps its processes; see tests/multi/zoo.c. $zoo: its process id.
zoo() {
    : >"$work/said"
    "$MTX_BUILD/tests/multi/zoo" "$@" <"$work/stay" >"$work/said" 9<&- &
    zoo=$!
    started+=($zoo)
    wait_until 60 grep -q ready "$work/said"
}
# The values of both, compared. Those of a window are as of now and may change between two looks, so mtxctl looks before
# and after: what it says twice alike, the reader must say, too.
cat >"$work/compare.py" <<'PYTHON'
import json, math, sys
def key(r, v):
    return r["name"], json.dumps(r["tags"], sort_keys=True), r["kind"], v["attribute"], v.get("worker")
def mtxctl(path):
    with open(path) as f:
        return {key(r, v): v["value"] for r in json.load(f)["readings"] for v in r["values"]
                if not v["attribute"].endswith("_rate")}
before, after = mtxctl(sys.argv[1]), mtxctl(sys.argv[2])
with open(sys.argv[3]) as f:
    lines = [json.loads(line) for line in f]
got = {key(line, line): line["value"] for line in lines}
if before != after: sys.exit("the segment's values change")
groups, wrong = {}, 0
for k in sorted(before.keys() | got.keys(), key=str):
    a, b = before.get(k), got.get(k)
    exact = isinstance(a, int) or k[2] in ("gauge", "counter", "updown", "meter")
    off = abs(a - b) / max(abs(a), abs(b)) if None not in (a, b) and a != b else 0
    same = a is not None and b is not None and (off <= 1e-11 if not exact else a == b)
    how = k[2] if k[2] not in ("histogram", "timer") else \
        "bucketed " + k[2] if (*k[:3], "sum_squares", None) not in before else "sampled " + k[2]
    n, most = groups.get(how, (0, 0))
    groups[how] = n + 1, max(most, off)
    if not same:
        wrong += 1
        print(f"FAIL {how} {k[0]} {k[1]} {k[3]} {k[4] if k[4] is not None else ''}: mtxctl {a!r}, reader {b!r}")
if len(lines) != len(got):
    wrong += 1
    print(f"FAIL the reader says {len(lines) - len(got)} values twice")
for how, (n, most) in sorted(groups.items()):
    print(f"{how}: {n} values, " + (f"largest relative difference {most:.1e}" if most else "all exact"))
sys.exit(wrong > 0)
PYTHON
end_zoo() { # with its processes
    kill -KILL "$zoo" && wait "$zoo" 2>/dev/null
    started=()
}
nobody() { ! mtxctl get gauge.all; }
look() { # look FILE: of mtxctl
    mtxctl get --json '*' >"$work/$1" || failed=$((failed + 1))
}
# alike WHAT: what the reader says is what mtxctl says.
alike() {
    local try result
    for try in 1 2 3 4 5; do
        look before
        expect 0 python3 "$reader"
        cp "$work/out" "$work/got"
        is "$1: nothing was left out" "" "$(cat "$work/err")"
        look after
        python3 "$work/compare.py" "$work/before" "$work/after" "$work/got" >"$work/compared" 2>&1
        result=$?
        grep -q 'values change' "$work/compared" || break
    done
    echo "$1:"
    sed 's/^/  /' "$work/compared"
    verdict "$1" "the reader and mtxctl agree" "$(grep -c FAIL "$work/compared") that differ" $result
}
value() { # value FILTER: what the reader said of one series
    jq -c "select($1) | .value" "$work/got" | paste -sd' '
}

# --- Processes with and without restartable sequences; three of them live on ---
GLIBC_TUNABLES=glibc.pthread.rseq=0 "$MTX_BUILD/tests/multi/zoo" 10 2 </dev/null >"$work/said" || failed=$((failed + 1))
zoo 0 4 1500 || failed=$((failed + 1))
alike "six processes, three of them alive"
is "gauges of all living processes" "-1 0.25 1.5" "$(value '.name == "gauge.all"')"
is "the last value set" 1.5 "$(value '.name == "gauge.last"')"
is "a total of six processes" $((6 * 700)) "$(value '.name == "counter.tagged"' | tr ' ' '\n' | awk '{n += $1} END {print n}')"
is "what is retired is not shown" "" "$(value '.name == "counter.retired"')"
is "a gauge that nobody has" "" "$(value '.name == "gauge.absent"')"
mtxctl gauge backup.age 12.5 host=db1 && mtxctl add counter.tagged 3 n=0 && mtxctl time mtxctl.time -- true
expect 0 python3 "$reader"
cp "$work/out" "$work/got"
is "what mtxctl set" 12.5 "$(value '.name == "backup.age" and .tags.host == "db1"')"
end_zoo
wait_until 10 nobody && alike "nobody is alive"
is "gauges end with their processes" "" "$(value '.name == "gauge.sum"')"
rm -f "$segment"

# --- A machine of 3000 CPUs: long series go without CPU lanes ---
zoo 0 3 0 3000 || failed=$((failed + 1))
alike "3000 lanes"
end_zoo
rm -f "$segment"

# --- What cannot be read is refused in one line ---
zoo 0 1 || failed=$((failed + 1))
end_zoo
refused() { # refused WHY: $work/bad.seg
    expect 3 python3 "$reader" "$work/bad.seg"
    err "^reader.py: $work/bad.seg: .*$1"
    is "one line of it" 1 "$(wc -l <"$work/err")"
    no_out .
}
damage() { # damage OFFSET BYTES-AS-ESCAPES
    cp --sparse=always "$segment" "$work/bad.seg"
    printf "$2" | dd of="$work/bad.seg" bs=1 seek="$1" conv=notrunc status=none
}
refused 'No such file'
echo "this is text" >"$work/bad.seg"
refused 'not an mtx segment'
: >"$work/bad.seg"
refused 'not an mtx segment'
head -c 5000 /dev/urandom >"$work/bad.seg"
refused 'not an mtx segment'
rm -f "$work/bad.seg" && mkdir "$work/bad.seg"
refused 'not an mtx segment'
rmdir "$work/bad.seg" && ln -s "$segment" "$work/bad.seg"
refused 'symbolic link'
rm -f "$work/bad.seg"
damage 8 '\x02\x00'
refused 'format 2, this program reads 1'
damage 12 '\x0a\x0b\x0c\x0d'
refused 'byte order'
damage 72 '\x07'
refused 'checksum'
damage 0 ''
truncate -s 1M "$work/bad.seg"
refused 'truncated'
damage 12288 '' && python3 -c "import os, sys; os.truncate(sys.argv[1], 100)" "$work/bad.seg"
refused 'not an mtx segment'
# An index of nothing but entries that lead to no record costs what they hit, and says so.
damage 12288 "$(printf '\\x40\\x50\\x00\\x00\\x00\\x00\\x34\\x12%.0s' {1..64})"
expect 1 python3 "$reader" "$work/bad.seg"
err '^reader.py: .*left out: the record at'
out '"name"'

# --- Wrong bytes anywhere: never a traceback, never long ---
cat >"$work/mutate.py" <<'PYTHON'
import contextlib, io, os, random, shutil, struct, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import reader
source, copy, rounds = sys.argv[2], sys.argv[3], int(sys.argv[4])
with open(source, "rb") as f:
    sound = f.read(struct.unpack("<Q", os.pread(f.fileno(), 8, 128))[0])
records = [offset for offset, _ in reader.Segment(source).entries()]
chance, wrong = random.Random(5), 0
for n in range(rounds):
    at = chance.choice([chance.randrange(128, 1280), chance.choice(records) + chance.randrange(192),
                        12288 + chance.randrange(8192), chance.randrange(20480, len(sound))])
    bytes_ = chance.choice([b"\xff" * 8, b"\0" * 8, chance.randbytes(8), struct.pack("<Q", chance.choice(records))])
    with open(copy, "r+b") as f:
        f.write(sound)
        f.seek(at)
        f.write(bytes_[:chance.choice((1, 2, 4, 8))])
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert reader.main(copy) in (0, 1, 3)
    except Exception as e:
        wrong += 1
        print(f"FAIL {bytes_.hex()} at {at}: {type(e).__name__}: {e}")
print(f"{rounds - wrong} of {rounds} damaged files were read or refused")
sys.exit(wrong > 0)
PYTHON
damage 0 ''
python3 "$work/mutate.py" "$reader" "$segment" "$work/bad.seg" 60
verdict "wrong bytes" "no exception" "some" $?
finish
