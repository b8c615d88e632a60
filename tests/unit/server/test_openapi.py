"""The OpenAPI document against the server: schemathesis makes requests from it, right and wrong ones, as each role."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import httpx2
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from tests.unit.server.conftest import House

EXAMPLES = max(2, int(os.environ.get("LAWS", "0")) // 20)
"""Requests of each operation and mode; `LAWS=1000` makes more and others."""
OWN = ("POST /api/v1/lineage/batch", "POST /api/v1/acts")
"""Answer failures event by event, in a document of their own."""
WHO = {"POST /api/v1/lineage": "producer", "POST /api/v1/lineage/batch": "producer", "POST /api/v1/decide": "gate"}


def test_no_request_makes_the_server_fail(house: House) -> None:
    document = house("GET", "/openapi.json", None).json()
    schema = schemathesis.openapi.from_dict(document)
    found: Counter[int] = Counter()
    asked = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        key = f"{operation.method.upper()} {operation.path}"
        who = WHO.get(key) or next(
            role for role in ("reader", "steward", "administrator", "gate")
            if house(operation.method.upper(), operation.path, role).status_code != 403
        )  # fmt: skip
        asked.add(key)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                check(house, operation.as_strategy(generation_mode=mode), key, who, found)
            except Unsatisfiable:  # nothing about it can be wrong
                assert mode is GenerationMode.NEGATIVE, key
    assert len(asked) > 40 and found[200] > 20 and found[400] > 60


def check(house: House, cases: st.SearchStrategy[Any], key: str, who: str, found: Counter[int]) -> None:
    """Some requests of one operation."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=cases)
    def ask(case: Any) -> None:
        found[sent(house, case, key, who)] += 1

    ask()


def sent(house: House, case: Any, key: str, who: str) -> int:
    """Send a request, and hold the answer to what every answer must be."""
    kwargs = case.as_transport_kwargs(base_url="http://testserver") if hasattr(case, "as_transport_kwargs") else {}
    kwargs.pop("cookies", None)
    if isinstance(kwargs.get("data"), bytes):
        kwargs["content"] = kwargs.pop("data")
    kwargs["headers"] = {k: v for k, v in dict(kwargs.get("headers") or {}).items() if k.lower() != "authorization"}
    try:
        answer = house(kwargs.pop("method"), kwargs.pop("url"), who, **kwargs)
    except httpx2.InvalidURL:  # no client sends it
        return 0
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert answer.status_code < 500, (key, kwargs, answer.text)
    assert answer.status_code < 400 or key in OWN or kind == "application/problem+json", (key, answer.text)
    assert "Traceback" not in answer.text
    return answer.status_code
