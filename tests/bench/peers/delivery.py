# SPDX-License-Identifier: Apache-2.0
"""The same delivery in Python: the points of a backend's payloads, as objects in memory, are written as the service wants
them, compressed where we compress, and sent to the same sink. Answers each line on stdin with the nanoseconds of CPU time it took.

    delivery.py BACKEND FILE PORT

With `requests` where it is installed, else with http.client, which is quicker.
"""
import gzip
import http.client
import json
import os
import re
import socket
import sys
import time
import zlib

backend, path, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.sched_setaffinity(0, {0})
try:
    import requests

    session, how = requests.Session(), "requests"

    def post(where, body, headers):
        answer = session.post(f"http://127.0.0.1:{port}{where}", data=body, headers=headers)
        assert answer.status_code == 200 and answer.content
except ImportError:
    connection, how = http.client.HTTPConnection("127.0.0.1", port), "http.client"

    def post(where, body, headers):
        connection.request("POST", where, body, headers)
        answer = connection.getresponse()
        assert answer.read() and answer.status == 200


def payloads():
    with open(path, "rb") as f:
        while head := f.readline():
            length, where = head.decode().rstrip("\n").split(" ", 1)
            yield where, f.read(int(length))


# --- Objects ---------------------------------------------------------------------------------------------------------

TAG = re.compile(r' "([^"]*)"="([^"]*)"')


def line_object(line):
    """A line of Wavefront as what it says."""
    if line[0] == "!":
        head, name, rest = line.split('"', 2)
        kind, stamp, *pairs = head.split()
        pairs = [(int(pairs[i][1:]), float(pairs[i + 1])) for i in range(0, len(pairs), 2)]
        source = re.match(r' source="([^"]*)"', rest)
        return kind, stamp, pairs, name, source.group(1), dict(TAG.findall(rest[source.end():]))
    name, rest = line[1:].split('"', 1)
    match = re.match(r' (\S+) (\d+) source="([^"]*)"', rest)
    return name, float(match.group(1)), int(match.group(2)), match.group(3), dict(TAG.findall(rest[match.end():]))


def redis_objects(body):
    """The records of a transaction, with scores and members."""
    words, at, commands = [], 0, []
    while at < len(body):
        end = body.index(b"\r\n", at)
        head, at = body[at:end], end + 2
        if head[:1] == b"*":
            words = []
            commands.append(words)
        else:
            words.append(body[at:at + int(head[1:])])
            at += int(head[1:]) + 2
    zadd, hset = commands[1], commands[2]
    return [(int(zadd[i]), zadd[i + 1].decode(), json.loads(hset[i + 1])) for i in range(2, len(zadd), 2)]


# --- Sending ---------------------------------------------------------------------------------------------------------


def write_line(point):
    if point[0][0] == "!":
        kind, stamp, pairs, name, source, tags = point
        head = f"{kind} {stamp} " + " ".join(f"#{n} {mean}" for n, mean in pairs) + f' "{name}" source="{source}"'
    else:
        name, value, stamp, source, tags = point
        head = f'"{name}" {value} {stamp} source="{source}"'
    for key, value in tags.items():
        value = value.strip().replace('"', '\\"').replace("\n", "\\n")
        head += f' "{key}"="{value}"'
    return head + "\n"


def send_lines(work):
    for where, points in work:
        body = "".join(map(write_line, points)).encode()
        if where == "/":
            lines.sendall(body)
        else:
            headers = {"Content-Type": "application/octet-stream", "Content-Encoding": "gzip", "Authorization": "Bearer t"}
            post(where, gzip.compress(body, 6), headers)


def send_json(work):
    for where, points in work:
        body = json.dumps(points).encode()
        headers = {"Content-Type": "application/json", "Authorization": "Bearer t"}
        if backend == "apptuit":
            body = zlib.compress(body)
            headers["Content-Encoding"] = "deflate"
        post(where, body, headers)


def command(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def send_redis(work):
    for _, records in work:
        zadd, hset = ["ZADD", "chouette:metrics:raw.keys"], ["HSET", "chouette:metrics:raw.values"]
        for score, member, record in records:
            zadd += (str(score), member)
            hset += (member, json.dumps(record))
        lines.sendall(command("MULTI") + command(*zadd) + command(*hset) + command("EXEC"))
        while not replies.readline().startswith(b"*"):
            pass
        replies.readline(), replies.readline()


if backend == "chouette":
    send, work = send_redis, [(where, redis_objects(body)) for where, body in payloads()]
elif backend == "wavefront":
    send, work = send_lines, [(where, [line_object(x) for x in body.decode().splitlines()]) for where, body in payloads()]
else:
    send, work = send_json, [(where, json.loads(body)) for where, body in payloads()]
if backend in ("chouette", "wavefront"):
    lines = socket.create_connection(("127.0.0.1", port))
    lines.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    replies = lines.makefile("rb")
if backend == "chouette" or any(where == "/" for where, _ in work):
    how = "socket"
send(work)  # connections, caches
print("ready", how, flush=True)
for _ in sys.stdin:
    begin = time.thread_time_ns()
    send(work)
    print(time.thread_time_ns() - begin, flush=True)
