# SPDX-License-Identifier: Apache-2.0
"""Promises: a service cannot silence the exporter, fill its memory, or make it reveal what is not meant for it. A pause of
more than an hour is not kept (57 years were, and 2^64 ns made it try at once); endless headers and huge or nested arrays
end the exchange; a FIFO in the place of a file for TLS, which libcurl opens itself, stops nothing; a proxy for HTTP gets
nothing of what goes to Redis or over a plain socket, where it was sent AUTH."""
import os
import re
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import fake
import harness
from harness import check, equal
from test_anodot20 import Anodot, config

RETRY = "timeout: 1s, connect_timeout: 500ms, retry_least: 10ms, retry_most: 50ms, exclude: ['mtx.*']"


class Raw:
    """Takes what comes on each connection and answers with the same bytes, over and over if they have no end."""

    def __init__(self, answer=b"", endless=False):
        self.server, self.got, self.answer, self.endless = socket.create_server(("127.0.0.1", 0)), b"", answer, endless
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                threading.Thread(target=self.serve, args=(self.server.accept()[0],), daemon=True).start()
            except OSError:
                return

    def serve(self, client):
        try:
            first = client.recv(65536)
            self.got += first
            client.sendall(self.answer)
            while self.endless:
                client.sendall(self.answer)
            while more := client.recv(65536):
                self.got += more
        except OSError:
            pass


def memory(pid):
    """MiB at most: of addresses, which also shows what was allocated and not touched; a sanitizer takes terabytes of them."""
    peak = "VmHWM" if os.environ.get("MTX_SANITIZE") else "VmPeak"
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(peak + r":\s+(\d+)", f.read()).group(1)) >> 10


def redis(name, answer):
    service = Raw(answer)
    with harness.Bench(f"{{type: chouette, host: 127.0.0.1, port: {service.port}, {RETRY}}}") as b:
        b.ctl("add", "jobs", "5")
        b.start()
        check(harness.until(15, lambda: re.search("its answer is too long|nested", b.log())), f"redis, {name}: it is refused: {b.log()}")
        size = memory(b.exporter.pid)
        check(size < 2000, f"redis, {name}: {size} MiB")
        b.kill()


def http(name, answer, reason):
    service = Raw(answer, endless=True)
    with harness.Bench(config(f"http://127.0.0.1:{service.port}")) as b:
        b.ctl("add", "jobs", "5")
        b.start()
        check(harness.until(15, lambda: reason in b.log()), f"http, {name}: {b.log()}")
        b.kill()


def pause(value, kept):
    """kept: whether it is a pause of an hour, or (almost) none."""
    service = Anodot()
    with harness.Bench(config(service)) as b:
        service.script(fake.status(429, headers=[("Retry-After", value)]))
        b.ctl("add", "jobs", "5")
        b.start()
        if kept:
            check(harness.until(10, lambda: f"(Retry-After: {value}), and gets 1h" in b.log()), f"{value}: the line says it: {b.log()}")
            before = len(service.requests)
            time.sleep(2)
            equal(len(service.requests), before, f"{value}: the service is left alone")
            b.kill()
        else:
            check(harness.until(10, lambda: service.total("jobs") == 5), f"{value}: it is not a pause: {b.log()}")
            b.stop()
    service.stop()


def fifo(name, backend):
    """A FIFO is refused as a file for TLS, also when it takes the place of one; libcurl would wait for a writer."""
    service = Raw()
    with harness.Bench("", flush="1s") as b:
        pipe, file = f"{b.work}/pipe", f"{b.work}/file"
        os.mkfifo(pipe)
        open(file, "w").close()

        def check_config(path):
            b.backend = backend.format(port=service.port, file=path)
            b.write_config()
            done = subprocess.run([harness.EXPORTER, "--check", "--config", b.config], env=b.env, capture_output=True, text=True, timeout=60)
            return done.returncode, done.stderr

        code, said = check_config(pipe)
        check(code == 1 and f"{pipe} is not a regular file" in said, f"{name}: the configuration is refused: {said}")
        code, said = check_config(f"{b.work}/none")
        check(code == 1 and f"cannot open {b.work}/none: No such file" in said, f"{name}: --check looks for the file: {said}")
        equal(check_config(file), (0, ""), f"{name}: a file is not")
        b.ctl("add", "jobs", "5")
        os.rename(pipe, f"{b.work}/moved")
        b.start()
        os.rename(f"{b.work}/moved", file)
        check(harness.until(15, lambda: f"{file} is not a regular file" in b.log()), f"{name}: it is noticed: {b.log()}")
        b.stop()
        check("did not finish" not in b.log(), f"{name}: nothing is stuck: {b.log()}")


def proxied(name, backend):
    """What goes to `name` does not go to the proxy."""
    proxy, there = Raw(), Raw()
    with harness.Bench(backend.format(port=there.port)) as b:
        for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            b.env[variable] = f"http://127.0.0.1:{proxy.port}"
        b.ctl("add", "jobs", "5")
        b.start()
        check(harness.until(15, lambda: there.got), f"{name}: it arrives in spite of http_proxy: {b.log()}")
        equal(proxy.got, b"", f"{name}: the proxy gets nothing")
        b.kill()


def shown(name, trick, hidden, seen):
    """What a service answers is in the log, but for secrets, as one line that controls no terminal."""
    service = Anodot()
    with harness.Bench(config(service)) as b:
        service.script(trick)
        b.ctl("add", "jobs", "5")
        b.start()
        check(harness.until(10, lambda: "delivers again" in b.log()), f"{name}: it is delivered: {b.log()}")
        b.stop()
        check(not re.search(hidden, b.log()) and re.search(seen, b.log()), f"{name}: {b.log()}")
    service.stop()


def checked(name, backend, env, code, says, hidden="sesame"):
    """mtx-exporter --check"""
    with harness.Bench(backend) as b:
        with open(f"{b.work}/token", "w") as f:
            f.write("sesame\nX-Injected: yes\n")
        b.backend = backend.replace("TOKEN", f"{b.work}/token")
        b.write_config()
        done = subprocess.run([harness.EXPORTER, "--check", "--config", b.config], env={**b.env, **env}, capture_output=True, text=True)
        equal(done.returncode, code, f"{name}: {done.stderr}")
        check(re.search(says, done.stdout + done.stderr), f"{name}: {done.stdout + done.stderr}")
        check(not re.search(hidden, done.stdout + done.stderr), f"{name}: no secret is shown: {done.stdout + done.stderr}")


def settings():
    newline = {"X": "sesame\r\nX-Injected: yes"}
    checked("a token's file", "{type: anodot20, url: 'http://h', token_file: TOKEN}", {}, 1, "token: byte 7 is a newline")
    checked("a variable in the file", "{type: anodot20, url: 'http://h', token: '${X}'}", newline, 1, "token: byte 7 is a newline")
    checked("the environment", "{type: anodot20, url: 'http://h'}", {"ANODOT_TOKEN": newline["X"]}, 1, "ANODOT_TOKEN is ignored: byte 7 is")
    checked("a user", "{type: librato, user: \"me\\nX: y\", token: x}", {}, 1, "user: byte 3 is a newline")
    checked("no } in a secret", "{type: anodot20, url: 'http://h', token: 'x${sesame'}", {}, 1, "without its }")
    checked("a proxy", "{type: anodot20, url: 'http://h', token: x, proxy: 'http://me:sesame@p:1'}", {}, 0, r"proxy: .*\*\*\*@p:1")
    checked("a url", "{type: anodot20, url: 'http://h/?key=sesame', token: x}", {}, 0, r"url: .*key=\*\*\*")
    kubernetes = {"REDIS_PORT": "tcp://10.0.0.11:6379"}
    checked("the file wins", "{type: chouette, port: 6380}", kubernetes, 0, "port: 6380", hidden="tcp")
    checked("a warning", "{type: chouette}", kubernetes, 0, 'REDIS_PORT is ignored: "tcp://10.0.0.11:6379" is not a whole number')
    for text in ("1", "y", "t", "True", "YES", "on"):
        checked(text, "{type: apptuit, token: x}", {"APPTUIT_DISABLE_HOST_TAG": text}, 0, "disable_host_tag: true")
    for text in ("0", "n", "f", "False", "no", "off", "perhaps"):
        checked(text, "{type: apptuit, token: x}", {"APPTUIT_DISABLE_HOST_TAG": text}, 0, "disable_host_tag: false")


if __name__ == "__main__":
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(redis, "a huge array", b"*1000000000\r\n"), pool.submit(redis, "arrays in arrays", b"*100000000\r\n" * 7),
                pool.submit(redis, "deep", b"*1\r\n" * 100000), pool.submit(redis, "a huge text", b"$1000000000\r\n"),
                pool.submit(http, "headers", b"HTTP/1.1 200 OK\r\n" + b"X: %s\r\n" % (b"y" * 8000) * 50, "headers of the response are too long"),
                pool.submit(http, "100 Continue", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "headers of the response are too long")]
        jobs += [pool.submit(pause, v, True) for v in ("1800000000", "18446744073", "99999999999999999999", "Fri, 31 Dec 2100 23:59:59 GMT")]
        jobs += [pool.submit(pause, v, False) for v in ("-5", "Fri, 31 Dec 1999 23:59:59 GMT", "soon", "")]
        jobs += [pool.submit(proxied, "redis", "{{type: chouette, host: 127.0.0.1, port: {port}, password: sesame, " + RETRY + "}}"),
                 pool.submit(proxied, "wavefront", "{{type: wavefront, mode: proxy, tcp: '127.0.0.1:{port}', " + RETRY + "}}")]
        for file in "ca_file", "client_cert", "client_key":
            other = "client_cert: /etc/hostname, " if file == "client_key" else ""
            jobs += [pool.submit(fifo, f"http, {file}", "{{type: anodot20, url: 'https://127.0.0.1:{port}', token: x, " + other + file + ": '{file}', " + RETRY + "}}"),
                     pool.submit(fifo, f"redis, {file}", "{{type: chouette, host: 127.0.0.1, port: {port}, tls: true, " + other + file + ": '{file}', " + RETRY + "}}")]
        jobs += [pool.submit(shown, "Location", fake.status(301, headers=[("Location", "http://me:secret@127.0.0.1:9/there?key=secret")]),
                             "secret", "moved to http://.*127.0.0.1:9/there"),
                 pool.submit(shown, "its words", fake.status(500, b"no ?token=open%20sesame \xff\x1b[31m\xc2\x9b"), "open%20|[\x1b\x9b]", "no .token="),
                 pool.submit(settings)]
        for job in jobs:
            job.result()
    harness.finish()
