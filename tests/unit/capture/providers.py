"""Providers of models on loopback: a proxy that answers for every host it is asked for, with a certificate for it."""

from __future__ import annotations

import datetime
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = (
    "api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "openrouter.ai", "api.mistral.ai",
    "bedrock-runtime.eu-west-1.amazonaws.com", "own.openai.azure.com", "example.com", "*.example.com",
)  # fmt: skip

ANSWERS: dict[str, Any] = {
    "chat/completions": {
        "id": "x", "object": "chat.completion", "created": 1, "model": "gpt", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "an answer"}}
        ], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    },
    "v1/messages": {
        "id": "m", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": "an answer"}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "generateContent": {"candidates": [{"content": {"role": "model", "parts": [{"text": "an answer"}]}}]},
}  # fmt: skip


class Providers(NamedTuple):
    """Where they are."""

    port: int
    certificates: Path
    asked: list[str]
    """Host and path of every request."""

    def environment(self) -> dict[str, str]:
        """What clients need to find them."""
        proxy, file = f"http://127.0.0.1:{self.port}", str(self.certificates)
        proxies = {name: proxy for low in ("http_proxy", "https_proxy") for name in (low, low.upper())}
        trust = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"), file)
        keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "not-a-key")
        return {**proxies, "NO_PROXY": "", "no_proxy": "", **trust, "NODE_EXTRA_CA_CERTS": file, **keys}


@contextmanager
def providers(folder: Path) -> Iterator[Providers]:
    """Serve until done.

    Args:
        folder: for the certificate.
    """
    context = _context(folder)
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        host = ""

        def do_CONNECT(self) -> None:
            self.host = self.path.rpartition(":")[0]
            self.send_response_only(200)
            self.end_headers()
            tls = suppress(OSError, ssl.SSLError)
            with tls, context.wrap_socket(self.connection, server_side=True) as inner:
                self.connection, self.rfile = inner, inner.makefile("rb", -1)
                self.wfile = inner.makefile("wb", 0)
                self.close_connection = False
                while not self.close_connection:
                    self.handle_one_request()
            self.close_connection = True

        def do_GET(self) -> None:
            asked.append(self.host + self.path if self.path.startswith("/") else self.path.split("://", 1)[1])
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.dumps(next((v for k, v in ANSWERS.items() if k in self.path), {"ok": True})).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *_: object) -> None:
            return

    class Proxy(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            return

    with Proxy(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield Providers(server.server_address[1], folder / "ca.pem", asked)
        server.shutdown()


def _context(folder: Path) -> ssl.SSLContext:
    now = datetime.datetime.now(datetime.timezone.utc)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a certificate authority for tests")])

    def certificate(name: x509.Name, public: ec.EllipticCurvePublicKey, *, own: bool) -> x509.Certificate:
        made = x509.CertificateBuilder().subject_name(name).issuer_name(root).public_key(public)
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        made = made.add_extension(x509.BasicConstraints(ca=own, path_length=None), critical=True)
        made = made.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        usage = x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=own, crl_sign=own, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        made = made.add_extension(usage, critical=True)
        if not own:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in NAMES]), critical=False)
        return made.sign(root_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    above = certificate(root, root_key.public_key(), own=True)
    below = certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "providers")]), key.public_key(), own=False)
    (folder / "ca.pem").write_bytes(above.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        below.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "key.pem")
    return context
