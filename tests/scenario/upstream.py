"""The fault server as pytest scenarios use it.

    server = FaultServer()                 # plain HTTP on a free port
    config: base_url: {server.base_url}, model_id: cut-after-3
    server.stats("cut-after-3")["requests"]
    server.last()["headers"]
    server.stop()

Behaviours: `fault_server --list` and tests/support/README.md. The program is looked for in
$REMORA_BUILD (default: build/ of the repository) under tests/support.
"""
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build_dir():
    return pathlib.Path(os.environ.get("REMORA_BUILD", ROOT / "build"))


def make_ca(directory, name="Fault CA", subject="localhost", hosts="DNS:localhost,IP:127.0.0.1", valid=None):
    """A CA and a certificate for the hosts in `directory`: ca.pem, cert.pem, key.pem. valid: from and until ("20200101000000Z")."""
    directory = pathlib.Path(directory)
    extensions = directory / "extensions.cnf"
    extensions.write_text(
        f"subjectAltName={hosts}\nbasicConstraints=critical,CA:FALSE\n"
        "extendedKeyUsage=serverAuth,clientAuth\n"
    )
    run = lambda *arguments: subprocess.run(["openssl", *arguments], check=True, cwd=directory, capture_output=True)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", f"/CN={name}",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    run("req", *key, "-keyout", "key.pem", "-out", "cert.csr", "-subj", f"/CN={subject}")
    if valid:  # which `openssl x509` cannot say before 3.4
        (directory / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
                                          "policy=p\n[p]\ncommonName=supplied\n")
        (directory / "index").write_text("")
        (directory / "serial").write_text("01\n")
        run("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", "cert.csr", "-out", "cert.pem",
            "-startdate", valid[0], "-enddate", valid[1], "-extfile", "extensions.cnf")
        return directory
    run("x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-out", "cert.pem", "-extfile", "extensions.cnf")
    return directory


def make_self_signed(directory):
    """A certificate for localhost that nobody else has signed: cert.pem, key.pem."""
    directory = pathlib.Path(directory)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem",
                    "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-addext", "basicConstraints=critical,CA:FALSE"], check=True, cwd=directory, capture_output=True)
    return directory


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class FaultServer:
    """tls: a directory made by make_ca(). unix: a socket path. text: the words of `ok`."""

    def __init__(self, tls=None, unix=None, text=None, port=0, client_ca=None):
        self.tls = pathlib.Path(tls) if tls else None
        self.unix = str(unix) if unix else None
        command = [str(build_dir() / "tests/support/fault_server"), "--port", str(port)]
        if self.tls:
            command += ["--cert", str(self.tls / "cert.pem"), "--key", str(self.tls / "key.pem")]
        if client_ca:
            command += ["--client-ca", str(client_ca)]
        if self.unix:
            command += ["--unix", self.unix]
        if text:
            command += ["--text", text]
        self.client_ca = client_ca
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().split()
        if not line or line[0] != "listening":
            raise RuntimeError("fault_server did not start")
        self.port = None if self.unix else int(line[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def base_url(self):
        """For a provider's base_url; the model then chooses the behaviour."""
        return self.url("v1")

    def url(self, path):
        if self.tls:
            return f"https://localhost:{self.port}/{path}"
        return f"http://127.0.0.1:{self.port}/{path}"

    def base_url_of(self, behaviour):
        """A base_url that chooses the behaviour by itself, whatever the model."""
        return self.url(f"{behaviour}/v1")

    def _connection(self):
        if self.unix:
            return _UnixConnection(self.unix)
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        context = ssl._create_unverified_context()
        if self.client_ca:
            context.load_cert_chain(self.tls / "cert.pem", self.tls / "key.pem")
        return http.client.HTTPSConnection("localhost", self.port, timeout=10, context=context)

    def _ask(self, method, path):
        connection = self._connection()
        try:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def stats(self, name=None):
        """All counters; with a name those of one behaviour (zeros when it was never asked for)."""
        stats = self._ask("GET", "/__stats")
        if name is None:
            return stats
        zeros = dict.fromkeys(
            "requests received complete cut aborted fresh reused bytes_sent open max_open".split(), 0)
        zeros.update(last_arrived_ms=None, last_aborted_ms=None)
        return stats["behaviours"].get(name, zeros)

    def requests(self, name=None):
        """The last 100 requests, oldest first; body as bytes, headers as (name, value) pairs."""
        return [self._decoded(each) for each in self._ask("GET", "/__requests")
                if name is None or each["behaviour"] == name]

    def last(self):
        """The last request, or None."""
        return self._decoded(self._ask("GET", "/__last"))

    @staticmethod
    def _decoded(record):
        if record is not None:
            record["body"] = record["body"].encode("latin-1")
            record["header"] = {name.lower(): value for name, value in record["headers"]}
            try:
                record["json"] = json.loads(record["body"])
            except ValueError:
                record["json"] = None
        return record

    def reset(self):
        """Zeroes counters and the list of requests; what is open stays counted as open."""
        self._ask("POST", "/__reset")

    def release(self):
        """Lets every answer that is held (`hold`, `hold-after-N`) go on."""
        self._ask("POST", "/__release")

    def close_idle(self):
        """Closes the idle keep-alive connections, as an upstream does after its time-out."""
        self._ask("POST", "/__close")

    def now_ms(self):
        """The server's clock, for comparison with the *_ms values of its records."""
        return time.monotonic() * 1000 - self.stats()["start_monotonic_ns"] / 1e6

    def wait(self, condition, timeout=5):
        """Asks until condition(stats) holds; returns those stats."""
        deadline = time.monotonic() + timeout
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            if time.monotonic() > deadline:
                used = {name: each for name, each in stats["behaviours"].items() if each["requests"] or each["open"]}
                raise AssertionError(f"not reached: {json.dumps(used)}")
            time.sleep(0.005)

    def wait_open(self, name, count, timeout=5):
        """Until `count` requests of that name are being answered (or held)."""
        return self.wait(lambda stats: stats["behaviours"].get(name, {"open": 0})["open"] == count, timeout)

    def wait_aborted(self, name, count, timeout=5):
        """Until the peer has left `count` requests of that name unfinished."""
        return self.wait(lambda stats: stats["behaviours"].get(name, {"aborted": 0})["aborted"] >= count, timeout)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
