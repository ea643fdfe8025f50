"""aimock (npm @copilotkit/aimock, MIT) as an upstream that we did not write.

    with Aimock(fixtures) as mock:      # a list of its fixtures; .base_url for a provider
        mock.journal()                  # the requests as the mock received them, oldest first; credentials redacted
        mock.forget()                   # empties the journal

Installed by npm into tests/aimock/node_modules on first use, at the version that tests/aimock/package.json states. Without Node
the scenarios skip with a word; under CI=true they fail. What it gets wrong and is not believed: usage details, error details of
other wires; a cut needs `latency` or nothing arrives before it.
"""
import http.client
import json
import pathlib
import subprocess
import tempfile

from clients import install
from upstream import ROOT

FOLDER = ROOT / "tests/aimock"
PROGRAM = FOLDER / "node_modules/@copilotkit/aimock/dist/cli.js"


class Aimock:
    def __init__(self, fixtures):
        install(FOLDER)
        self.folder = tempfile.TemporaryDirectory()
        (pathlib.Path(self.folder.name) / "fixtures.json").write_text(json.dumps({"fixtures": fixtures}))
        self.process = subprocess.Popen(["node", str(PROGRAM), "-p", "0", "-f", self.folder.name, "--log-level", "info"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if "listening on" in line:
                break
        assert seen and "listening on" in seen[-1], "".join(seen)
        self.port = int(seen[-1].rsplit(":", 1)[1])
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def _ask(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path)
        body = connection.getresponse().read()
        connection.close()
        return json.loads(body)

    def journal(self):
        entries = sorted(self._ask("GET", "/__aimock/journal?limit=1000"), key=lambda each: each["timestamp"])
        for entry in entries:
            entry["body"].pop("_endpointType", None)  # the mock's own note
        return entries

    def forget(self):
        self._ask("POST", "/__aimock/reset/journal")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()
