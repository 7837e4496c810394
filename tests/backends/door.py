# SPDX-License-Identifier: Apache-2.0
"""A door before a real Redis: passes what comes on TCP to its Unix socket, a thread for each connection. A transaction
passes as one; tricks interfere with the next exchanges."""
import socket
import threading
import time


def read_value(stream):
    """One value of Redis' protocol as (value, bytes); None at the end. https://redis.io/docs/reference/protocol-spec/"""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        return None
    kind, rest = line[:1], line[1:-2]
    if kind == b"$":
        n = int(rest)
        body = stream.read(n + 2) if n >= 0 else b""
        return (body[:-2] if n >= 0 else None), line + body
    if kind == b"*":
        items = [read_value(stream) for _ in range(max(int(rest), 0))]
        if None in items:
            return None
        return [value for value, _ in items], line + b"".join(raw for _, raw in items)
    return (int(rest) if kind == b":" else rest.decode(errors="replace")), line


class Door:
    def __init__(self, redis):
        self.redis, self.tricks = redis, []
        self.life, self.busy, self.lock = 0, 0, threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client, self.life), daemon=True).start()

    def stop(self):
        self.server.close()

    def serve(self, client, life):
        with client, socket.socket(socket.AF_UNIX) as there:
            try:
                there.connect(self.redis.path)
                self.talk(client.makefile("rb"), client, there.makefile("rb"), there, life)
            except OSError:
                pass

    def talk(self, asks, client, answers, there, life):
        for command in iter(lambda: read_value(asks), None):
            batch = [command]
            while batch[0][0][:1] == [b"MULTI"] and batch[-1][0][:1] != [b"EXEC"]:
                more = read_value(asks)
                if more is None:
                    return  # a part of a transaction is none
                batch.append(more)
            with self.lock:
                self.busy += 1
            try:
                if not self.exchange(batch, client, answers, there, life):
                    return
            finally:
                with self.lock:
                    self.busy -= 1

    def ask(self, batch, answers, there):
        there.sendall(b"".join(raw for _, raw in batch))
        return [read_value(answers) for _ in batch]

    def exchange(self, batch, client, answers, there, life):
        """One command or transaction; False to hang up. A trick gets what the Redis answered to a transaction."""
        replies = self.ask(batch, answers, there)
        raw = b"".join(raw for _, raw in replies)
        with self.lock:
            trick = self.tricks.pop(0) if self.tricks and len(batch) > 1 else None
        if trick:
            return trick(client, raw)
        client.sendall(raw)
        return True


# --- Answers that go wrong, after Redis has taken the records ---------------------------------------------------------


def reset(client, raw):
    client.sendall(raw[: len(raw) // 2])
    return False


def slow(client, raw):
    """A byte now and then, for longer than anybody waits."""
    for i in range(len(raw)):
        client.sendall(raw[i : i + 1])
        time.sleep(0.2)
    return False


def endless(client, _raw):
    client.sendall(b"$2000000000\r\n")
    for _ in range(4000):
        client.sendall(b" " * 4096)
    return False


def silent(_client, _raw):
    time.sleep(3)
    return False


def empty(_client, _raw):
    return False


def foreign(client, _raw):
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    return False


def error(text):
    def trick(client, raw):
        client.sendall(f"-{text}\r\n".encode() * 4)
        return True

    return trick
