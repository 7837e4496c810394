#!/bin/bash
# Promises: clients that ask for a long page and do not read it delay neither other scrapes nor the sampling. If there
# are too many of them, the one with the oldest numbers is disconnected and can see that; the one with the newest gets its
# whole page when it reads on. All of that costs a few MiB.
set -u
top=${MTX_SOURCE:?} build=${MTX_BUILD:?}
. "$top/tools/lib.sh"
work=$(mktemp -d) || exit 1
export MTX_SEGMENT=/dev/shm/mtx-scrapers-$$.seg
pid=''
trap '[ -n "$pid" ] && stop TERM $pid; rm -rf "$work" "$MTX_SEGMENT" "$MTX_SEGMENT".*' EXIT

long=$(printf '%0240d' 0)
for i in $(seq 400); do
    "$build/tools/mtxctl" inc requests n="$i" a="$long" b="$long" c="$long" d="$long" || exit 1
done
port=$(free_port)
cat >"$work/config.yaml" <<END
interval: 1s
http: {listen: "127.0.0.1:$port"}
backends:
  - {type: prometheus}
  - {type: file, path: "$work/out", include: [requests]}
END
"$build/exporters/mtx-exporter" --config "$work/config.yaml" --log memory 2>"$work/log" &
pid=$!
wait_until 60 curl -sf -o "$work/page" "http://127.0.0.1:$port/metrics" || { cat "$work/log" && exit 1; }

python3 - "$port" "$pid" "$work/out" <<'END'
import os, socket, sys, time

port, pid, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
checks = {True: 0, False: 0}

def expect(what, good):
    checks[bool(good)] += 1
    if not good:
        print("FAIL", what)

def ask(little):
    s = socket.socket()
    s.settimeout(60)
    if little:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", port))
    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\nConnection: close\r\n\r\n")
    return s

def rest(s):
    data = b""
    try:
        while piece := s.recv(1 << 16):
            data += piece
    except OSError:
        pass
    return data

def whole(data):
    """All chunks with their end, and in them all series."""
    at, page = data.find(b"\r\n\r\n") + 4, b""
    while (end := data.find(b"\r\n", at)) > 0:
        n = int(data[at:end], 16)
        if n == 0:
            return page.endswith(b"# EOF\n") and page.count(b"\nrequests_total{") == 400
        page += data[end + 2:end + 2 + n]
        at = end + 4 + n
    return False

def memory():
    with open(f"/proc/{pid}/status") as f:
        return {line.split(":")[0]: int(line.split()[1]) for line in f if line.startswith("Vm")}

expect("a page", whole(rest(ask(False))))
before = memory()["VmHWM"]
lines = sum(1 for _ in open(out))
slow = []
for i in range(12):
    slow.append(ask(True))
    slow[-1].recv(1)
    time.sleep(0.3)  # each asks for numbers of its own
    expect(f"a page beside {i + 1} slow clients", whole(rest(ask(False))))
taken = lambda: sum(1 for _ in open(out)) > lines
end = time.monotonic() + 60
while not taken() and time.monotonic() < end:
    time.sleep(0.1)
expect("snapshots are taken all the while", taken())
grown = memory()["VmHWM"] - before
most = 65536 if "thread" in os.environ.get("MTX_SANITIZE", "") else 16384  # its shadow grows with what it watches
expect(f"little memory: {grown} KiB", grown < most)
expect("the oldest is broken off", not whole(rest(slow[0])))
expect("the newest gets its page", whole(rest(slow[-1])))
print(f"{checks[True]} passed, {checks[False]} failed")
sys.exit(checks[False] > 0)
END
status=$?
grep -q 'reads its page too slowly is disconnected' "$work/log" || { echo "FAIL it is not logged" && status=1; }
[ $status -eq 0 ]
