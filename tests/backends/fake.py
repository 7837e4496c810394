# SPDX-License-Identifier: Apache-2.0
"""A strict HTTP service on loopback for tests of backends.

It reads requests as the real one documents (a subclass says how), notes every violation, adds up what it accepts, and
can refuse, stall, answer in part or break off: script() queues answers for the next requests.
"""
import gzip
import json
import socket
import struct
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Violation(Exception):
    """What the real service would refuse or misread."""


def need(condition, text):
    if not condition:
        raise Violation(text)


class Request:
    def __init__(self, handler):
        self.time = time.monotonic()
        self.method = handler.command
        self.path, _, self.query = handler.path.partition("?")
        self.headers = {k.lower(): v for k, v in handler.headers.items()}
        length = int(self.headers.get("content-length", 0))
        self.raw = handler.rfile.read(length)
        encoding = self.headers.get("content-encoding")
        if encoding == "gzip":
            self.body = gzip.decompress(self.raw)
        elif encoding == "deflate":
            self.body = zlib.decompress(self.raw)
        else:
            need(encoding is None, f"Content-Encoding {encoding}")
            self.body = self.raw

    def json(self):
        def constant(text):
            raise Violation(f"{text} is not JSON")

        return json.loads(self.body.decode("utf-8"), parse_constant=constant)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer takes 40 ms

    def setup(self):
        super().setup()
        service = self.server.service
        with service.lock:
            self.life = service.life
            service.open.add(self.client_address[1])
            service.met.add(self.client_address[1])

    def finish(self):
        try:
            super().finish()
        finally:
            with self.server.service.lock:
                self.server.service.open.discard(self.client_address[1])

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self):
        service = self.server.service
        request = Request(self)
        with service.lock:
            service.busy += 1
            service.requests.append(request)
            trick = service.next_trick(request)
        try:
            if trick:
                trick(self, request)
                return
            with service.lock:
                status, body, headers = service.accept(request)
            self.reply(status, body, headers)
        except Violation as violation:
            with service.lock:
                service.violations.append(f"{request.method} {request.path}: {violation}")
            self.reply(400, b'{"error": "violation"}')
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with service.lock:
                service.busy -= 1

    do_GET = do_POST = do_PUT = do_DELETE = answer


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        """A client that breaks off is expected; anything else is printed, and fails the test."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, address)


class Service:
    """Subclasses override accept(request) -> (status, body, headers), called under the lock."""

    def __init__(self, context=None):
        self.lock = threading.Lock()
        self.requests, self.violations, self.tricks = [], [], []
        self.life = 0  # which run of the exporter: a connection belongs to the one that was there when it was made
        self.busy = 0  # requests that are being answered
        self.open, self.met = set(), set()  # the clients' ports: of connections that are open; of all
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.service = self
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.scheme = "https" if context else "http"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def is_data(self, request):
        """Whether a queued answer may go to this request (logins and the like are left alone)."""
        return True

    def next_trick(self, request):
        """What answers this request, in place of accept(); None: accept() does. Called under the lock."""
        return self.tricks.pop(0) if self.tricks and self.is_data(request) else None

    def has_heard_all(self, patience):
        """Waits until all that clients which have ended had sent was read: connections are accepted in turn, and end after
        their last request. False if some client is still there."""
        with socket.create_connection(("127.0.0.1", self.port)) as probe:
            mine = probe.getsockname()[1]
            patience(lambda: mine in self.met)
        return patience(lambda: not self.open)

    def script(self, *tricks):
        with self.lock:
            self.tricks.extend(tricks)

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"


# --- Answers that go wrong -----------------------------------------------------------------------------------------


def status(code, body=b"", headers=()):
    return lambda handler, request: handler.reply(code, body, headers)


def reset(handler, _request):
    """The request was read; the connection breaks in the middle of the answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def slow(handler, _request):
    """A byte now and then, for longer than anybody waits."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(50):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)
    handler.close_connection = True


def endless(handler, _request):
    """A body that has no end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
    for _ in range(4000):
        handler.wfile.write(b" " * 4096)
    handler.close_connection = True


def silent(handler, _request):
    """No answer at all."""
    time.sleep(3)
    handler.close_connection = True


def refuse_larger_than(limit):
    """413 for every body that is longer, for the rest of the test."""

    def trick(handler, request):
        service = handler.server.service
        with service.lock:
            service.tricks.insert(0, trick)
        if len(request.body) > limit:
            handler.reply(413)
            return
        with service.lock:
            code, body, headers = service.accept(request)
        handler.reply(code, body, headers)

    return trick


def refuse_with(text):
    """400 for every body that holds the text: one point in it is poison."""

    def trick(handler, request):
        service = handler.server.service
        with service.lock:
            service.tricks.insert(0, trick)
        if text in request.body:
            handler.reply(400, b"there is something wrong in it")
            return
        with service.lock:
            code, body, headers = service.accept(request)
        handler.reply(code, body, headers)

    return trick
