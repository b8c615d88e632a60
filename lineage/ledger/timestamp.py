"""Timestamps by an outside authority (RFC 3161): proof that some bytes were there at a time nobody here can choose.

Asked over HTTP with the standard library; read and verified with `rfc3161-client` (extra ``timestamp``). What is kept
is the authority's whole answer in DER, as ``openssl ts -verify -in`` reads it.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import datetime
from http.client import HTTPException
from types import ModuleType

from lineage.errors import CannotDecide, UsageError

TIMEOUT = 20
"""Seconds to wait for an authority."""
_MOST = 1_000_000
_KIND = "application/timestamp-query"


def ask(authority: str, data: bytes) -> bytes:
    """Ask an authority for a timestamp over some bytes; they are hashed here and stay here.

    Args:
        authority: its address, ``http://`` or ``https://``.
        data: what is stamped.

    Returns:
        The answer (TimeStampResp, DER). Whether it holds is for `verify` to say.

    Raises:
        UsageError: ``TIMESTAMP_EXTRA_MISSING``.
        CannotDecide: ``TIMESTAMP_FAILED``, the authority does not answer, or not with a timestamp over these bytes.
    """
    client = _client()
    request = client.TimestampRequestBuilder().data(data).nonce(nonce=True).cert_request(cert_request=True).build()
    question = urllib.request.Request(  # noqa: S310 - the settings allow http and https alone
        authority, data=request.as_bytes(), headers={"Content-Type": _KIND}
    )
    try:
        with urllib.request.urlopen(question, timeout=TIMEOUT) as reply:  # noqa: S310
            answer: bytes = reply.read(_MOST)
        response = client.decode_timestamp_response(answer)
        if response.status != 0:
            raise ValueError(f"it refuses with status {response.status}")
        if response.tst_info.nonce != request.nonce:
            raise ValueError("it answers another question")
        if response.tst_info.message_imprint.message != request.message_imprint.message:
            raise ValueError("its timestamp is over other bytes")
    except (OSError, HTTPException, ValueError, urllib.error.URLError) as error:
        raise CannotDecide(
            f"the timestamp authority {authority} gave no timestamp",
            code="TIMESTAMP_FAILED",
            cause=str(error),
            hint="the checkpoint is kept without one; `lineagegate ledger checkpoint` asks again",
        ) from None
    return answer


def verify(answer: bytes, data: bytes, certificates: bytes) -> datetime:
    """When an authority saw some bytes.

    Args:
        answer: as `ask` returned it.
        data: the bytes.
        certificates: PEM: the authority's root certificate, and any between it and the one that signs.

    Returns:
        The time it states, in UTC.

    Raises:
        UsageError: ``TIMESTAMP_EXTRA_MISSING``, ``TIMESTAMP_CERTIFICATE``: the certificates cannot be read.
        CannotDecide: ``TIMESTAMP_INVALID``.
    """
    client = _client()
    from cryptography.x509 import load_pem_x509_certificates

    try:
        chain = load_pem_x509_certificates(certificates)
    except ValueError as error:
        raise UsageError(
            "the certificate of the timestamp authority cannot be read",
            code="TIMESTAMP_CERTIFICATE",
            cause=str(error),
            hint="`timestamp_certificate` under [ledger] names a PEM file with its root certificate",
        ) from None
    builder = client.VerifierBuilder(
        roots=[c for c in chain if c.issuer == c.subject], intermediates=[c for c in chain if c.issuer != c.subject]
    )
    try:
        response = client.decode_timestamp_response(answer)
        builder.build().verify_message(response, data)
    except (ValueError, client.VerificationError) as error:
        raise CannotDecide(
            "a timestamp does not hold", code="TIMESTAMP_INVALID", cause=str(error) or type(error).__name__
        ) from None
    time: datetime = response.tst_info.gen_time
    return time


def _client() -> ModuleType:
    try:
        import rfc3161_client
    except ImportError as error:
        raise UsageError(
            "timestamps need another package",
            code="TIMESTAMP_EXTRA_MISSING",
            cause=str(error),
            hint="pip install 'lineagegate[timestamp]'",
        ) from None
    return rfc3161_client
