# SPDX-License-Identifier: Apache-2.0
"""Services that fail at random and keep books: which batch came in which life of the exporter, what it brought, and
whether the exporter can know that it arrived. What comes a second time must have an excuse."""
import itertools
import random
import socket
import struct
import time

import door
import fake


class Book:
    """Batches of one service. A batch may come again only if its answer was lost, or if it was in flight when its life
    was ended: the last one of that life. Of a backend that sends several requests for one stretch of readings, those
    from the last one on that began a stretch."""

    def __init__(self, name):
        self.name = name
        self.batches, self.begun, self.owner = [], {}, {}  # (life, unsure); life -> its last stretch; what -> who brought it
        self.came = []  # when each batch came
        self.repeated, self.unsure, self.violations = 0, 0, []

    def bring(self, life, what, unsure, begins=True):
        number = len(self.batches)
        self.batches.append((life, unsure))
        self.came.append(time.time())
        if begins:
            self.begun[life] = number
        self.unsure += unsure
        for b in {self.owner[w] for w in what if w in self.owner}:
            self.repeated += 1
            was, lost = self.batches[b]
            if not lost and (was == life or b < self.begun.get(was, 0)):
                again = sorted(w for w in what if self.owner.get(w) == b)
                self.violations.append(f"{self.name}: batch {b} of life {was}, which was answered, came again in life {life}, "
                                       f"{self.came[number] - self.came[b]:.3f} s later at {self.came[number]:.3f}: {len(again)} of "
                                       f"{len(what)} parts, {again[:2]}")
        for w in what:
            self.owner[w] = number


# What goes wrong, and how often in a hundred requests. `after` = the service took what was sent.
TROUBLES = [
    (4, "500", False), (3, "503", False), (3, "429", False), (2, "401", False), (3, "413", False), (4, "reset", False),
    (4, "reset", True), (3, "cut", True), (3, "502", True), (1, "silence", True),
]
SPELL = 0.02  # of the requests begin a time in which the service takes nothing
SLOW = 1.0  # seconds after which the exporter may have turned away (its timeout in these tests is longer)


def waited(connection):
    """Seconds since the last byte of a request came in. The kernel knows, however late this program got to it."""
    return struct.unpack_from("I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 52)[0] / 1000


class Weather:
    """What happens to the next request, by dice."""

    def __init__(self, dice):
        self.dice, self.down_until = dice, 0

    def draw(self):
        now = time.monotonic()
        if self.dice.random() < SPELL and now > self.down_until:
            self.down_until = now + self.dice.uniform(1, 5)
        return ("503", False) if now < self.down_until else draw(self.dice)


def draw(dice):
    at = dice.randrange(100)
    for share, what, after in TROUBLES:
        at -= share
        if at < 0:
            return what, after
    return None, True


class Storm:
    """In front of a fake.Service: half of the trouble before, half after the service has taken the request."""

    def begin_storm(self, name, dice):
        self.book, self.weather, self.calm = Book(name), Weather(dice), False

    def next_trick(self, request):
        return self.storm if self.is_data(request) else None

    def what(self, request):
        """What a request brings, as texts that come twice only if it is sent twice."""
        raise NotImplementedError

    def splits(self, request):
        """Whether 413 is an answer to this one."""
        return len(request.body) > 2000

    def begins(self, _request):
        """Whether it is the first of a stretch of readings."""
        return True

    def take(self, handler, request, unsure):
        code, body, headers = self.accept(request)
        if code < 300:
            self.book.bring(handler.life, self.what(request), unsure, self.begins(request))
        return code, body, headers

    def storm(self, handler, request):
        began = time.monotonic() - waited(handler.connection)
        with self.lock:
            trouble, after = (None, True) if self.calm else self.weather.draw()
            if trouble == "413" and not self.splits(request):
                trouble, after = None, True
            answer = self.take(handler, request, trouble is not None) if after else None
            number = len(self.book.batches) - 1 if answer and answer[0] < 300 else None
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
            if number is not None and time.monotonic() - began > SLOW:
                life, _ = self.book.batches[number]
                self.book.batches[number] = life, True


class StormyDoor(door.Door):
    """Before a real Redis: it is full, or the connection breaks before or after a transaction."""

    def __init__(self, redis, name, dice):
        self.book, self.weather, self.calm = Book(name), Weather(dice), False
        super().__init__(redis)

    def exchange(self, batch, client, answers, there, life):
        trouble, after = (None, True) if self.calm or len(batch) == 1 else self.weather.draw()
        if trouble in ("500", "503", "401"):
            return False  # hangs up
        began = time.monotonic() - waited(client)
        if trouble and not after:
            self.redis.cli("CONFIG", "SET", "maxmemory", "1")
        replies = self.ask(batch, answers, there)
        if trouble and not after:
            self.redis.cli("CONFIG", "SET", "maxmemory", "0")
        lost = bool(trouble and after)
        if len(batch) > 1 and isinstance(replies[-1][0], list):
            with self.lock:
                self.book.bring(life, batch[1][0][3::2], lost or time.monotonic() - began > SLOW)
        if lost:
            time.sleep(2.5 if trouble == "silence" else 0)
            return False
        client.sendall(b"".join(raw for _, raw in replies))
        return True


def dice_of(seed):
    """A stream of dice, one for each who throws."""
    return (random.Random(f"{seed}/{n}") for n in itertools.count())
