# SPDX-License-Identifier: Apache-2.0
"""Services that fail at random and keep books: which batch came in which life of the exporter, what it brought, and
whether the exporter can know that it arrived. What comes a second time must have an excuse."""
import itertools
import random
import socket
import threading
import time

import fake


class Book:
    """Batches of one service. A batch may come again only if its answer was lost, or if it was in flight when its life
    was ended: the last ones of that life, as many as the backend makes of one stretch of readings."""

    def __init__(self, name, in_flight=1):
        self.name, self.in_flight = name, in_flight
        self.batches, self.lives, self.owner = [], {}, {}  # (life, unsure); life -> its batches; what -> who brought it
        self.repeated, self.unsure, self.violations = 0, 0, []

    def bring(self, life, what, unsure):
        number = len(self.batches)
        self.batches.append((life, unsure))
        self.lives.setdefault(life, []).append(number)
        self.unsure += unsure
        before = {self.owner[w] for w in what if w in self.owner}
        for b in before:
            self.repeated += 1
            was, lost = self.batches[b]
            if not lost and (was == life or b not in self.lives[was][-self.in_flight:]):
                self.violations.append(f"{self.name}: batch {b} of life {was}, which was answered, came again in life {life}")
        for w in what:
            self.owner[w] = number


# What goes wrong, and how often in a hundred requests. `after` = the service took what was sent.
TROUBLES = [
    (4, "500", False), (3, "503", False), (3, "429", False), (2, "401", False), (3, "413", False), (4, "reset", False),
    (4, "reset", True), (3, "cut", True), (3, "502", True), (1, "silence", True),
]
SLOW = 1.0  # seconds after which the exporter may have turned away (its timeout in these tests is longer)


def draw(dice):
    at = dice.randrange(100)
    for share, what, after in TROUBLES:
        at -= share
        if at < 0:
            return what, after
    return None, True


class Storm:
    """In front of a fake.Service: half of the trouble before, half after the service has taken the request."""

    def begin_storm(self, name, dice, in_flight=1):
        self.book, self.dice, self.calm = Book(name, in_flight), dice, False

    def next_trick(self, request):
        return self.storm if self.is_data(request) else None

    def what(self, request):
        """What a request brings, as texts that come twice only if it is sent twice."""
        raise NotImplementedError

    def splits(self, request):
        """Whether 413 is an answer to this one."""
        return len(request.body) > 2000

    def take(self, handler, request, unsure):
        code, body, headers = self.accept(request)
        if code < 300:
            self.book.bring(handler.life, self.what(request), unsure)
        return code, body, headers

    def storm(self, handler, request):
        began = time.monotonic()
        with self.lock:
            trouble, after = (None, True) if self.calm else draw(self.dice)
            if trouble == "413" and not self.splits(request):
                trouble, after = None, True
            answer = self.take(handler, request, trouble is not None) if after else None
            number = len(self.book.batches) - 1
        if trouble is None:
            handler.reply(*answer)
        elif trouble == "reset":
            fake.reset(handler, request)
        elif trouble == "cut":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            handler.close_connection = True
        elif trouble == "silence":
            time.sleep(2.5)
            handler.close_connection = True
        else:
            handler.reply(int(trouble), b"trouble", [("Retry-After", "0")] if trouble == "429" else ())
        with self.lock:
            if answer and time.monotonic() - began > SLOW:
                life, _ = self.book.batches[number]
                self.book.batches[number] = life, True


# --- Redis: a door before the real one ------------------------------------------------------------------------------


class Door:
    """Passes what comes on TCP to a real Redis' Unix socket, one thread each; transactions meet with trouble."""

    def __init__(self, redis, name, dice):
        self.redis, self.dice, self.calm = redis, dice, False
        self.book, self.life, self.busy, self.lock = Book(name), 0, 0, threading.Lock()
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

    def exchange(self, batch, client, answers, there, life):
        trouble, after = (None, True) if self.calm or len(batch) == 1 else draw(self.dice)
        if trouble and not after:
            if trouble in ("500", "503", "401"):
                return False  # hangs up
            self.redis.cli("CONFIG", "SET", "maxmemory", "1")
        began = time.monotonic()
        there.sendall(b"".join(raw for _, raw in batch))
        replies = [read_value(answers) for _ in batch]
        if trouble and not after:
            self.redis.cli("CONFIG", "SET", "maxmemory", "0")
        if len(batch) > 1 and isinstance(replies[-1][0], list):
            members = batch[1][0][3::2]
            unsure = (trouble is not None and after) or time.monotonic() - began > SLOW
            with self.lock:
                self.book.bring(life, members, unsure)
        if trouble and after:
            if trouble == "silence":
                time.sleep(2.5)
            return False
        client.sendall(b"".join(raw for _, raw in replies))
        return True


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


def dice_of(seed):
    """A stream of dice, one for each who throws."""
    return (random.Random(f"{seed}/{n}") for n in itertools.count())
