"""`lineagegate serve` as a process, on both databases, with real clients: nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

from lineage.config import load
from lineage.gate import Gate

COMMAND = [sys.executable, "-c", "import sys; from lineage.cli.main import main; sys.exit(main())"]


class Served(NamedTuple):
    """A running server."""

    url: str
    process: subprocess.Popen[str]
    directory: Path
    administrator: str
    log: Path

    def headers(self, token: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {token or self.administrator}"}

    def token(self, role: str, name: str, *namespaces: str) -> str:
        """Make a token over HTTP."""
        body = {"name": name, "role": role, "namespaces": namespaces}
        answer = httpx2.post(f"{self.url}/api/v1/tokens", json=body, headers=self.headers())
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret"])

    def stop(self) -> None:
        """As an operating system does it."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(40) == 0, self.log.read_text()[-2_000:]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def served(directory: Path, *options: str, verify: Any = True, port: int = 0) -> Iterator[Served]:
    """A server in a directory, until the end of the block at the latest."""
    port = port or free_port()
    log = directory / "server.log"
    scheme = "https" if "--tls-cert" in options else "http"
    with log.open("a") as stream:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port), "--log-format", "json", *options],
            cwd=directory, stdout=subprocess.PIPE, stderr=stream, text=True,
        )  # fmt: skip
    assert process.stdout
    try:
        url = f"{scheme}://127.0.0.1:{port}"
        for _ in range(300):
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"{url}/ready", verify=verify).status_code == 200:
                    break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        lines = process.stdout.readline() and process.stdout.readline() if not (directory / "known").exists() else ""
        (directory / "known").touch()
        yield Served(url, process, directory, lines.strip(), log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def directory(tmp_path: Path, store_url: str) -> Path:
    """A project of each database, not set up."""
    if "://" in store_url:
        (tmp_path / "lineage.toml").write_text(f'project = "p"\nstore = {json.dumps(store_url)}\n')
        (tmp_path / "lineage.policy.yaml").write_text("mode: enforce\ndefault: allow\nrules: []\n")
    return tmp_path


def emitter(url: str, token: str) -> OpenLineageClient:
    return OpenLineageClient(transport=HttpTransport(HttpConfig(url=url, auth=ApiKeyTokenProvider({"apiKey": token}))))


def run_event(state: RunState, run: str, job: str, inputs: list[str], outputs: list[str]) -> RunEvent:
    return RunEvent(
        eventType=state, eventTime="2024-05-01T10:00:00Z", run=Run(runId=run), job=Job(namespace="airflow", name=job),
        producer="https://example.com/p", inputs=[InputDataset(namespace="s3://lake", name=name) for name in inputs],
        outputs=[OutputDataset(namespace="s3://lake", name=name) for name in outputs],
    )  # fmt: skip


def recorded(directory: Path) -> list[bytes]:
    """Every entry, read without the server."""
    with Gate.open(load(directory)) as gate:
        return [gate.graph.event(position).data for position in range(gate.graph.position())]


def test_one_command_gives_a_server_that_openlineage_clients_talk_to(directory: Path) -> None:
    with served(directory) as server:
        assert server.administrator.startswith("lgt_")
        producer = server.token("producer", "Airflow", "airflow", "s3://lake")
        reader = server.token("reader", "Lee <lee@example.com>")
        client, run = emitter(server.url, producer), str(uuid.uuid4())
        client.emit(run_event(RunState.START, run, "dag.load", ["raw/a.csv"], []))
        client.emit(run_event(RunState.COMPLETE, run, "dag.load", [], ["clean/a.csv"]))
        why = httpx2.get(
            f"{server.url}/api/v1/why", params={"target": "s3://lake/clean/a.csv"}, headers=server.headers(reader)
        )
        assert why.status_code == 200, why.text
        assert [label["origin"]["kind"] for label in why.json()["labels"]] == ["undeclared"]
        job = httpx2.get(f"{server.url}/api/v1/namespaces/airflow/jobs/dag.load", headers=server.headers(reader)).json()
        assert job["latestRun"]["state"] == "COMPLETED" and job["inputs"][0]["name"] == "raw/a.csv"
        assert httpx2.get(f"{server.url}/api/v1/jobs", headers=server.headers(producer)).status_code == 403
        server.stop()
        log = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        assert any(entry.get("route") == "/api/v1/why" and entry["status"] == 200 for entry in log)
        for token in (producer, reader, server.administrator):
            assert token not in server.log.read_text() and token.split("_")[2] not in server.log.read_text()
    with served(directory) as again:  # nobody gets a second administrator
        assert again.administrator == ""
        assert httpx2.get(f"{again.url}/api/v1/me", headers=server.headers(reader)).status_code == 200
        again.stop()


def test_what_was_acknowledged_before_the_end_is_there(directory: Path) -> None:
    acknowledged: list[str] = []
    refused: list[int] = []
    with served(directory) as server:
        token = server.token("producer", "Load", "*")

        def send(batch: bool) -> None:
            with contextlib.suppress(httpx2.TransportError), httpx2.Client(headers=server.headers(token)) as client:
                while True:
                    runs = [str(uuid.uuid4()) for _ in range(10 if batch else 1)]
                    events = [event(run) for run in runs]
                    answer = (
                        client.post(f"{server.url}/api/v1/lineage/batch", json=events)
                        if batch
                        else client.post(f"{server.url}/api/v1/lineage", json=events[0])
                    )
                    if answer.is_success:
                        acknowledged.extend(runs)
                    else:
                        refused.append(answer.status_code)
                        return

        threads = [threading.Thread(target=send, args=(n % 2 == 0,)) for n in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        server.stop()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    assert len(acknowledged) > 50 and set(refused) <= {503}
    runs = [json.loads(data)["run"]["runId"] for data in recorded(directory) if b'"load"' in data]
    assert set(acknowledged) <= set(runs) and len(runs) == len(set(runs))


def event(run: str) -> dict[str, Any]:
    return {
        "eventType": "COMPLETE", "eventTime": "2024-05-01T10:00:00Z", "producer": "https://example.com/p",
        "schemaURL": "https://example.com/s", "run": {"runId": run}, "job": {"namespace": "n", "name": "load"},
        "inputs": [{"namespace": "s3://lake", "name": "in"}], "outputs": [{"namespace": "s3://lake", "name": run}],
    }  # fmt: skip


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for this machine, signed by itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    cert, private = directory / "server.pem", directory / "server.key"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, private


def test_tls_and_slow_clients(tmp_path: Path) -> None:
    Gate.init(tmp_path)[0].close()
    (tmp_path / "lineage.toml").write_text('project = "p"\n[server]\npatience = 1\n')
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(cert))
    with served(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key), verify=context) as server:
        answer = httpx2.get(f"{server.url}/health", verify=context)
        assert answer.status_code == 200 and "strict-transport-security" in answer.headers
        host, port = server.url.removeprefix("https://").split(":")

        def slow(*pieces: bytes) -> bytes:
            with context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host) as connection:
                connection.settimeout(8)
                found = b""
                with contextlib.suppress(OSError):
                    for piece in pieces:
                        connection.sendall(piece)
                        time.sleep(0.4)
                    while data := connection.recv(4096):
                        found += data
                return found

        began = time.monotonic()
        assert slow() == b""  # says nothing
        assert slow(b"GET / HT", *[b"T"] * 5) == b""  # a header, letter by letter
        token = server.administrator
        head = f"POST /api/v1/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 9\r\n\r\n"
        assert slow(head.encode(), b"{").startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 20
        assert httpx2.get(f"{server.url}/health", verify=context).status_code == 200
        server.stop()


@pytest.mark.parametrize("options", [["--host", "0.0.0.0"], ["--tls-cert", "missing.pem"]])
def test_what_is_refused_before_anything_listens(tmp_path: Path, options: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, "serve", *options, "--format", "json"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] in ("HOST_REFUSED", "TLS_INCOMPLETE")


def test_a_server_that_could_answer_nothing_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "lineage.toml").write_text('project = "p"\n')  # written by hand, as the how-to says for PostgreSQL
    command = [*COMMAND, "serve", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and json.loads(done.stdout)["error"]["code"] == "POLICY_MISSING"
    assert "lineagegate init" in json.loads(done.stdout)["error"]["hint"]
