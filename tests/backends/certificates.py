# SPDX-License-Identifier: Apache-2.0
"""Certificates made on the spot: a good one for 127.0.0.1, and three that must be refused."""
import os
import ssl
import subprocess
import tempfile

CONFIG = """
[ca]
default_ca = here
[here]
dir = .
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
[any]
commonName = supplied
"""
BAD = ("expired", "self-signed", "wrong host")


class Certificates:
    """In a folder of its own: ca.pem, and for each name NAME.pem and NAME.key."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.write("config", CONFIG)
        self.write("index.txt", "")
        self.write("serial", "01\n")
        self.new_key("ca")
        self.openssl("req", "-x509", "-new", "-key", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=test authority")
        self.sign("good", "IP:127.0.0.1,DNS:localhost")
        self.sign("expired", "IP:127.0.0.1", "20200101000000Z", "20200201000000Z")
        self.sign("wrong host", "DNS:elsewhere.example")
        self.new_key("self-signed")
        self.openssl("req", "-x509", "-new", "-key", "self-signed.key", "-out", "self-signed.pem", "-days", "3650",
                     "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder.name, check=True, capture_output=True)

    def new_key(self, name):
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")

    def sign(self, name, subjects, start="20200101000000Z", end="20491231235959Z"):
        self.new_key(name)
        self.write("extensions", f"subjectAltName={subjects}\n")
        self.openssl("req", "-new", "-key", f"{name}.key", "-out", "request", "-subj", f"/CN={name}")
        self.openssl("ca", "-batch", "-notext", "-config", "config", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", "request",
                     "-out", f"{name}.pem", "-startdate", start, "-enddate", end, "-extfile", "extensions")

    def context(self, name):
        """For a server. load() puts another certificate in its place, from the next connection on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.load(context, name)
        return context

    def load(self, context, name):
        context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
