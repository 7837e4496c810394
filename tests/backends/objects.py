# SPDX-License-Identifier: Apache-2.0
"""What the tests of mtxctl's service commands share: running a call against a fake, what must come of bad input."""
import json
import os
import subprocess

import harness
from harness import check, equal

SECRETS = ("LIBRATO", "ANODOT", "APPTUIT", "REDIS", "WAVEFRONT", "MTX_")


class Caller:
    """Calls of one command of mtxctl, with settings that lead to a fake service."""

    def __init__(self, command, env, *settings):
        self.command, self.settings = command, settings
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(SECRETS)}
        self.env.update(LC_ALL="C.UTF-8", **env)

    def __call__(self, *words, code=0, env=(), settings=None, stdin=""):
        words = [self.command, *words, *(self.settings if settings is None else settings)]
        given = {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin}
        done = subprocess.run([harness.MTXCTL, *words], env={**self.env, **dict(env)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=harness.PATIENCE, **given)
        equal(done.returncode, code, f"{words}: exit status; it said: {done.stderr[:600]}{done.stdout[:200]}")
        done.words = words
        return done

    def json(self, *words, **more):
        done = self(*words, "--json", **more)
        try:
            return json.loads(done.stdout)
        except ValueError:
            check(False, f"{words}: its output is JSON: {done.stdout[:200]}")
            return {}

    def says(self, text, *words, code=0, **more):
        done = self(*words, code=code, **more)
        check(text in done.stdout + done.stderr, f"{words}: it says {text!r}: {done.stdout[:600]}{done.stderr[:600]}")
        return done

    def bad(self, service, text, *words, **more):
        """A sentence, exit status 2, and no request."""
        before = len(service.requests) if service else 0
        done = self.says(text, *words, code=2, **more)
        equal(done.stderr.count("\n"), 1, f"{words}: one sentence: {done.stderr}")
        equal(done.stdout, "", f"{words}: nothing is printed")
        equal(len(service.requests) - before if service else 0, 0, f"{words}: nothing is sent")


ODD = [b"null", b"5", b'"x"', b"[]", b"[5, null, []]", b"{}", b"[" * 3000, b"[" * 2000 + b"]" * 2000, b"\xff\xfe", b'{"a": 1e999}', b"x" * 100000,
       b'{"NAME": 5}', b'{"NAME": {"name": "Shop"}}', b'{"NAME": [null, 5, [], {}], "query": {"length": "x", "total": []}}', b'{"NAME": [{"name": "Shop"}]}',
       b'{"NAME": [{"name": "Shop", "id": "../.."}]}', b'{"NAME": [{"name": 5, "id": {}}], "query": null}']


def odd_answers(run, service, lists, *calls):
    """A service that answers nonsense to what is read: no crash, and nothing is changed. lists: the members of its lists."""
    for body in [odd.replace(b"NAME", name) for odd in ODD for name in (lists if b"NAME" in odd else lists[:1])]:
        for words in calls:
            with service.lock:
                del service.requests[:], service.tricks[:]
            service.script(*[lambda handler, request: handler.reply(200, body)] * 50)
            done = subprocess.run([harness.MTXCTL, run.command, *words, *run.settings], env=run.env, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=harness.PATIENCE)
            check(done.returncode in (0, 1, 3, 4), f"{words}: answered {body[:60]}: exit status {done.returncode}: {done.stderr[:300]}")
            changed = [r.method for r in service.requests if r.method != "GET" and "access-token" not in r.path]
            equal(changed, [], f"{words}: answered {body[:60]}: nothing is changed")
    service.script()
    del service.tricks[:]
