"""Calls that were seen on the network and calls that spans tell of: each once, and nothing that was seen is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

from lineage.capture.spans import Told, joined, told
from lineage.policy import catalogue
from lineage.vocabulary import Call

OPENAI, AZURE = (
    Call("api.openai.com", 5, "requests", "openai"),
    Call("own.openai.azure.com", 5, "requests", "azure-openai"),
)
ROUTER = Call("openrouter.ai", 2, "connections", "openrouter")


def join(seen: list[Call], **spans: int) -> list[Call]:
    return joined(seen, spans, catalogue(), lambda host: "evaluation" if host == "api.openai.com" else "")


@pytest.mark.parametrize(
    "value", [one.value for one in (*gen_ai_attributes.GenAiProviderNameValues, *gen_ai_attributes.GenAiSystemValues)]
)
def test_every_provider_of_the_conventions_is_in_the_catalogue(value: str) -> None:
    found = told(value, "m", "", catalogue())
    assert found.channel in catalogue().channels or found.provider in catalogue().providers


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("OpenAI", "gpt-4o", "API.openai.com:443"), Told("openai", "gpt-4o", "api.openai.com", "openai")),
        (("openai", "gpt-4o", "llm.internal"), Told("openai", "gpt-4o", "llm.internal", "")),
        (("openai", "gpt-4o", ""), Told("openai", "gpt-4o", "", "")),
        (("azure", "prod", ""), Told("", "prod", "", "azure-ai-foundry")),
        (("mistral", "m", "api.openai.com"), Told("openai", "m", "api.openai.com", "openai")),
        (("acme", "m", ""), Told("acme", "m", "", "")),
        (("vllm", "m", "localhost:8000"), Told("", "m", "localhost", "")),
        (("", "", "[::1]:8000"), Told("", "", "[::1]:8000", "")),
    ],
)
def test_what_the_catalogue_makes_of_words(words: tuple[str, str, str], found: Told) -> None:
    assert told(*words, catalogue()) == found


def test_a_call_that_both_saw_is_one() -> None:
    both = join([OPENAI], **{"openai\tgpt-4o\tapi.openai.com": 3, "openai\tgpt-4o\t": 1})
    assert [(c.host, c.count, c.counted, c.model) for c in both] == [
        ("api.openai.com", 1, "requests", ""), ("api.openai.com", 4, "requests", "gpt-4o")
    ]  # fmt: skip


def test_a_span_without_a_host_is_one_of_the_calls_to_its_provider() -> None:
    assert join([AZURE], **{"openai\tgpt-4o\t": 5}) == [
        Call("own.openai.azure.com", 5, "requests", "azure-openai", model="gpt-4o")
    ]
    # of several, one that is reached so; of a seller of anybody's models it is said whose it was
    assert {(c.host, c.model) for c in join([AZURE, OPENAI], **{"azure.ai.openai\tm\t": 5})} == {
        ("api.openai.com", ""), ("own.openai.azure.com", "m")
    }  # fmt: skip
    assert join([ROUTER], **{"openai\tm\t": 9}) == [
        Call("openrouter.ai", 9, "spans", "openrouter", model="m", provider="openai")
    ]


def test_what_only_a_span_tells_of() -> None:
    assert join([ROUTER], **{"aws.bedrock\tm\t": 2, "openai\tn\tllm.internal": 1}) == [
        Call("", 2, "spans", "bedrock", model="m"),
        Call("llm.internal", 1, "spans", model="n", provider="openai"),
        ROUTER,
    ]
    (only,) = join([], **{"openai\tm\t": 2})
    assert only.use == "evaluation"  # which somebody declared for the provider's host


def test_a_program_that_names_a_host_is_told_apart_from_a_span() -> None:
    curl = Call("api.openai.com", 1, "mentions", "openai")
    assert join([curl], **{"openai\tm\tapi.openai.com": 2}) == [
        curl, Call("api.openai.com", 2, "spans", "openai", "evaluation", "m", "openai")
    ]  # fmt: skip


_SEEN = st.lists(st.sampled_from([OPENAI, AZURE, ROUTER]), unique=True)
_SPANS = st.dictionaries(
    st.builds(
        lambda *words: "\t".join(words),
        st.sampled_from(["openai", "anthropic", "azure.ai.openai", "aws.bedrock", "acme", "vllm", ""]),
        st.sampled_from(["gpt-4o", "m", ""]),
        st.sampled_from(["api.openai.com", "openrouter.ai", "llm.internal", ""]),
    ),
    st.integers(1, 9),
)


@given(_SEEN, _SPANS)
def test_nothing_that_was_seen_is_lost(seen: list[Call], spans: dict[str, int]) -> None:
    found = join(seen, **spans)
    for call in seen:
        mine = [one for one in found if one.host == call.host]
        assert {one.channel for one in mine} == {call.channel}
        assert sum(one.count for one in mine) >= (call.count if call.counted == "requests" else 1)
    assert sum(one.count for one in found) >= sum(spans.values())
