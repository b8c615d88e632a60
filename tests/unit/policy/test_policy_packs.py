"""Packs, catalogue, starter policy, tests beside a policy, and what a policy says for people (S12)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from lineage.policy import catalogue, explain, packs, parse_policy, run_tests, show, starter_policy
from lineage.policy.catalogue import Channel, Provider, _key
from lineage.policy.pattern import Pattern
from lineage.vocabulary import Kind, Use
from tests.unit.policy.samples import NAME, NOW, judge, of, output, own, rule, undeclared, verdict

RECOMMENDED = "extends: lineagegate/packs/recommended\n"


def models(competes_with: str) -> str:
    return f"{RECOMMENDED}providers: acme\nmodels: [{{name: '*', competes-with: {competes_with}}}]\n"


@pytest.mark.parametrize(
    ("provider", "use", "competing", "elsewhere"),
    [
        ("openai", Use.CONTENT, "deny", "allow"),
        ("openai", Use.ANNOTATION, "deny", "allow"),
        ("openai", Use.VALIDATION, "deny", "allow"),
        ("openai", Use.EVALUATION, "warn", "allow"),
        ("anthropic", Use.DISTILLATION, "deny", "deny"),
        ("anthropic", Use.EVALUATION, "warn", "allow"),
        ("google", Use.FINE_TUNING, "deny", "allow"),
        ("google", Use.EVALUATION, "warn", "allow"),
        ("mistral", Use.CONTENT, "warn", "allow"),
        ("cohere", Use.CONTENT, "warn", "allow"),
        ("alibaba", Use.CONTENT, "deny", "allow"),
        ("xai", Use.CONTENT, "deny", "deny"),
        ("deepseek", Use.DISTILLATION, "allow", "allow"),
        ("acme", Use.CONTENT, "warn", "warn"),
    ],
)
def test_recommended(provider: str, use: Use, competing: str, elsewhere: str) -> None:
    label = output(provider, use, service="some-model", channel=provider)
    assert verdict(models(provider), label) == competing
    assert verdict(models("[]"), label) == elsewhere
    assert verdict(RECOMMENDED, label) == competing, "what nobody states counts as competing"


def test_llama() -> None:
    for service, name, expected in (
        ("llama-2-70b", "seed-chat", "deny"), ("llama-3-8b-instruct", "seed-chat", "deny"),
        ("Meta-Llama-3-8B", "Llama-3-seed", "allow"), ("llama-3.1-70b", "seed-chat", "warn"),
        ("meta-llama-3.3-70b", "seed-chat", "warn"), ("llama-3.1-70b", "Llama-seed", "allow"),
        ("", "seed-chat", "deny"),
    ):  # fmt: skip
        assert verdict(models("[]"), output("meta", service=service, channel="self-hosted"), model=name) == expected
    weights = of(Kind.OPEN_LICENCE, Use.BASE_MODEL, provider="Meta", licence="llama3.1", service="llama-3.1-8b")
    assert verdict(models("[]"), weights) == "warn"
    assert verdict(models("[]"), weights, model="Llama-seed") == "allow"


def test_consumer_channels_and_resale() -> None:
    assert verdict(models("[]"), output("openai", channel="chatgpt")) == "deny"
    assert verdict(models("[]"), output("openai", channel="ChatGPT"), output("google", channel="gemini-app")) == "deny"
    fired = {f.rule for f in judge(models("microsoft"), output("openai", channel="azure-openai")).findings}
    assert fired == {"azure-openai-output-in-product-competing-with-microsoft"}
    assert verdict(models("openai"), output("microsoft", channel="azure-openai")) == "deny"
    assert verdict(models("[]"), output("", service="some", channel="")) == "deny", "nobody has said whose it is"


def test_other_sources() -> None:
    assert verdict(RECOMMENDED, own(), of(Kind.PUBLIC_DOMAIN), of(Kind.HUMAN_ANNOTATION)) == "allow"
    assert verdict(RECOMMENDED, of(Kind.OPEN_LICENCE, licence="CC-BY-4.0")) == "allow"
    assert verdict(RECOMMENDED, of(Kind.OPEN_LICENCE, licence="CC-BY-NC-SA-4.0")) == "deny"
    assert verdict(RECOMMENDED, of(Kind.OPEN_LICENCE)) == "warn"
    assert verdict(RECOMMENDED, of(Kind.LICENSED)) == "warn"
    assert verdict(RECOMMENDED, of(Kind.LICENSED, terms="contract-7")) == "allow"
    assert verdict(RECOMMENDED, of(Kind.CUSTOMER)) == "warn"
    assert verdict(RECOMMENDED, undeclared()) == "deny"


@pytest.mark.parametrize("name", packs())
def test_each_pack(name: str) -> None:
    text = files("lineage.policy").joinpath("packs", name.rsplit("/", 1)[1] + ".yaml").read_text(encoding="utf-8")
    assert "A starting point for counsel, not legal advice." in text
    policy = parse_policy(f"extends: {name}", NAME)
    assert policy.rules
    for found in policy.rules:
        for citation in found.terms:
            known = catalogue().terms[citation.id]
            assert (citation.name, citation.url, citation.dated, citation.read) == (
                known.name, known.url, known.dated, known.read,
            )  # fmt: skip
            assert not known.read or any(part in " ".join(known.clauses) for part in citation.clause.split(", "))
        if found.effect == "deny" and not found.file.endswith("/recommended"):
            assert any(citation.read for citation in found.terms), f"{found.id} refuses on a text nobody read"


def test_catalogue_is_sound() -> None:
    known = catalogue()
    assert known.version
    sellers = {**known.providers, **known.resellers}
    assert set(known.providers).isdisjoint(known.resellers)
    for terms in known.terms.values():
        assert terms.url.startswith("https://")
        assert terms.dated == "" or date.fromisoformat(terms.dated)
        assert not terms.read or (terms.dated and terms.clauses), f"{terms.id}: read, but what?"
    for entry in (*sellers.values(), *known.channels.values()):
        assert set(entry.terms) <= set(known.terms)
    for channel in known.channels.values():
        assert channel.provider in ("", *known.providers)
        assert channel.reseller in ("", *sellers)
        assert channel.provider or channel.reseller or channel.id in ("self-hosted", "unlisted")
    _check_names(sellers.values())
    _check_names(known.channels.values())
    hosts = [host for channel in known.channels.values() for host in channel.hosts]
    assert len(hosts) == len(set(hosts))
    for provider in known.providers.values():
        for service in provider.services:
            assert len(known.owners(service.replace("*", "-x"))) == 1, f"{service} is somebody else's too"


def _check_names(entries: Iterable[Provider | Channel]) -> None:
    names: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for name in (entry.id, entry.name, *entry.aliases):
            names[_key(name)].add(entry.id)
    assert not {name: ids for name, ids in names.items() if len(ids) > 1}


@pytest.mark.parametrize(
    ("host", "channel"),
    [
        ("api.openai.com", "openai"), ("API.OpenAI.com.", "openai"), ("api.openai.com:443", "openai"),
        ("eu.api.openai.com", "openai"), ("my-resource.openai.azure.com", "azure-openai"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "bedrock"), ("europe-west1-aiplatform.googleapis.com", "vertex"),
        ("generativelanguage.googleapis.com", "google"), ("openrouter.ai", "openrouter"),
        ("models.inference.ai.azure.com", "github-models"), ("s3.amazonaws.com", None),
        ("openai.com.evil.example", None),
        ("notopenai.azure.com", None), ("", None),
        ("ＡＰＩ。ｏｐｅｎａｉ．ｃｏｍ", "openai"), ("api%2eopenai%2Ecom", "openai"), ("ⓐpi.openai.com", "openai"),
        ("api.openai.com\n.example", None), ("\ud800.openai.azure.com", None), ("x" * 2000 + ".openai.azure.com", None),
        ("[2606:4700::6812:7c0]:443", None), ("162.159.140.245", None),
        ("eastus.api.cognitive.microsoft.com", "azure-openai"), ("x.services.ai.azure.com", "azure-ai-foundry"),
        ("vpce-0a1.bedrock-runtime.eu-west-1.vpce.amazonaws.com", "bedrock"), ("bedrock-mantle.us-east-1.api.aws", "bedrock"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "bedrock"), ("bedrock-data.s3.amazonaws.com", None),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", "bedrock"),
        ("bedrock.us-east-1.amazonaws.com", "bedrock"), ("bedrock-agent-runtime.us-east-1.amazonaws.com", "bedrock"),
        ("7.us-central1-42.prediction.vertexai.goog", "vertex"), ("aiplatform-psc.p.googleapis.com", "vertex"),
        ("ark.ap-southeast.bytepluses.com", "volcengine-ark"), ("dashscope-intl.aliyuncs.com", "dashscope"),
        ("inference.generativeai.eu-frankfurt-1.oci.oraclecloud.com", "oci-generative-ai"),
        ("api.individual.githubcopilot.com", "github-copilot"), ("anthropic.helicone.ai", "helicone"),
        ("gateway.ai.cloudflare.com", "cloudflare-ai-gateway"), ("api.minimax.io", "minimax"),
    ],
)  # fmt: skip
def test_hosts(host: str, channel: str | None) -> None:
    found = catalogue().by_host(host)
    assert (found.id if found else None) == channel


def test_names() -> None:
    known = catalogue()
    assert known.provider("Open-AI") is known.providers["openai"]
    assert known.provider("Hugging Face") is known.resellers["huggingface"]
    assert known.provider("nobody") is None
    assert known.channel("Azure OpenAI Service") is known.channels["azure-openai"]
    assert known.channel("") is None


def test_additions() -> None:
    more = catalogue().extended(
        {
            "providers": [{"id": "acme", "name": "Acme", "services": ["acme-*"]}],
            "channels": [{"id": "gateway", "name": "Our gateway", "provider": "openai", "hosts": ["llm.corp.example"]}],
        }
    )
    assert more.owners("acme-2") == ("acme",)
    found = more.by_host("llm.corp.example")
    assert found and found.provider == "openai"
    assert more.by_host("api.openai.com"), "what was known stays"
    with pytest.raises(ValueError, match="not a catalogue"):
        catalogue().extended({"channels": [{"id": "x"}]})


def test_the_starter_policy_passes_its_tests(golden: Callable[[str, str], None]) -> None:
    text = starter_policy("project-seed")
    results = run_tests(parse_policy(text, NAME))
    assert len(results) == 5
    assert all(result.passed for result in results), [result.message for result in results if not result.passed]
    golden("starter.yaml", text)


def test_a_project_name_cannot_break_the_starter() -> None:
    for name in ("", "a\nmode: audit", "x: y # z", "{}"):
        assert parse_policy(starter_policy(name), NAME).mode == "enforce"


def test_failing_cases_say_why() -> None:
    policy = parse_policy(
        "rules:\n" + rule("origin: {provider: openai}") + "tests:\n"
        "  - {name: one, model: m, labels: [{kind: first-party}], expect: deny}\n"
        "  - {name: two, model: m, labels: [{kind: licensed, provider: openai}], expect: deny, rule: other}\n"
        "  - {name: three, model: m, labels: [{kind: licensed, provider: openai}], expect: deny, rule: r}\n",
        NAME,
    )
    one, two, three = run_tests(policy, now=NOW)
    assert (one.passed, one.outcome, one.location) == (False, "allow", f"{NAME}:4")
    assert one.message == f"expected deny, got allow: 1 label from 1 source: nothing in {NAME} forbids them"
    assert two.message == "expected rule other to fire, but r did"
    assert (three.passed, three.message, three.rules) == (True, "", ("r",))


def test_cases_have_stage_alias_grants_and_time() -> None:
    policy = parse_policy(
        "rules:\n" + rule("origin: {kind: customer}, model: {stage: production}", more="from: 2024-01-01") + "tests:\n"
        "  - {name: a, model: m, labels: [{kind: customer}], at: 2024-01-01, expect: allow}\n"
        "  - {name: b, model: m, labels: [{kind: customer}], at: 2024-01-01, stage: production, expect: deny}\n"
        "  - {name: c, model: m, labels: [{kind: customer}], at: 2023-12-31, stage: production, expect: allow}\n"
        "  - {name: d, model: m, labels: [{kind: customer}], at: 2024-01-01, stage: production,"
        " grants: [{kind: customer}], expect: allow}\n",
        NAME,
    )
    assert all(result.passed for result in run_tests(policy))


def test_show(golden: Callable[[str, str], None]) -> None:
    policy = parse_policy(
        RECOMMENDED + "rules:\n" + rule("use: pretraining", name="own", effect="warn", more="until: 2020-12-31"), NAME
    )
    lines = [
        f"{view.effect:6}{view.id}\n      match   {view.match}\n      unless  {view.unless}\n      from    {view.from_}"
        f"\n      until   {view.until}\n      today   {view.in_force}\n      reason  {view.reason}"
        f"\n      terms   {', '.join(map(str, view.terms))}\n      at      {view.location}"
        for view in show(policy, NOW)
    ]
    golden("show.txt", "\n".join(lines) + "\n")


def test_explain() -> None:
    text = (
        "providers: acme\nmodels: [{name: seed-chat, purpose: research}]\nrules:\n"
        + rule("origin: {provider: openai}, model: {competes-with: openai}", name="a")
        + rule("origin: {provider: acme}", name="b")
        + rule("use: content, model: {purpose: sales}", name="c")
        + rule("use: content, origin: {provider: openai}", name="d", more="until: 2020-01-01")
        + "  - {id: e, match: {use: content}, unless: {model: {purpose: research}}, effect: deny, reason: x}\n"
        + rule("use: evaluation, model: {market: eu}", name="f", effect="allow")
        + rule("use: content, model: {market: eu}", name="g", effect="allow")
    )
    said = {
        found.rule: (found.applies, found.why)
        for found in explain(parse_policy(text, NAME), output("openai"), "seed-chat", {}, NOW)
    }
    assert said == {
        "a": (True, "competes-with not stated, counted as matching"),
        "b": (False, "it is for other origins or uses: provider acme"),
        "c": (False, "it is for other models: model purpose sales"),
        "d": (False, "it counts until 2020-01-01"),
        "e": (False, "its exception fits: model purpose research"),
        "f": (False, "it is for other origins or uses: use evaluation"),
        "g": (False, "market not stated, and nothing is allowed by silence"),
    }


def test_the_example_in_the_guide_holds() -> None:
    """Every YAML block of the guide and the reference that is a whole policy is valid, and its tests pass."""
    count = 0
    for page in ("how-to/write-a-policy.md", "reference/policy.md"):
        text = (Path(__file__).parents[3] / "docs" / page).read_text(encoding="utf-8")
        for block in text.split("```yaml\n")[1:]:
            policy = parse_policy(block.split("```")[0], page)
            assert all(result.passed for result in run_tests(policy)), page
            count += 1
    assert count > 3


def test_patterns_are_shell_patterns() -> None:
    assert Pattern(["gpt-4*", "o1"]).matches("gpt-4o") and not Pattern(["gpt-4"]).matches("gpt-4o")
