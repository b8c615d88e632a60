"""What people write in a policy file, as pydantic models; ``schemas/policy.schema.json`` is generated from them.

Only shapes and words are checked here. What rules mean together is `lineage.policy.contradictions`; turning them into
something that decides is `lineage.policy.load`. Imported when a policy is read, not before: pydantic takes its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from lineage.policy.pattern import Pattern, instant
from lineage.vocabulary import Basis, Kind, Use

Effect = Literal["deny", "warn", "allow"]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _words(noun: str, words: list[str]) -> Callable[[list[str]], list[str]]:
    def check(value: list[str]) -> list[str]:
        for text in value:
            if not any(map(Pattern([text]).matches, words)):
                raise PydanticCustomError(
                    "unknown_word", "no {noun} is called `{word}`", {"noun": noun, "word": text, "words": words}
                )
        return value

    return check


def _date(value: str) -> str:
    try:
        instant(value, end=False)
    except ValueError as error:
        raise PydanticCustomError("date", "{problem}", {"problem": str(error)}) from None
    return value


def _one_or_many(words: list[str] | None = None) -> WithJsonSchema:
    """One pattern or a list of them; known words are offered by editors."""
    item: dict[str, Any] = {"type": "string"}
    if words:
        item = {"anyOf": [{"enum": words}, {"type": "string", "pattern": r"[*?\[]"}]}
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})


_KINDS, _USES, _BASES = ([word.value for word in words] for words in (Kind, Use, Basis))

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Date = Annotated[
    str, AfterValidator(_date), Field(examples=["2023-04-30", "2023-04-30T12:00:00Z"])
]  # a day, in UTC and whole, or a time with its zone
Listed = BeforeValidator(_listed)
Some = Field(min_length=1)
Patterns = Annotated[list[str], Listed, Some, _one_or_many()]
Kinds = Annotated[list[str], Listed, Some, AfterValidator(_words("kind", _KINDS)), _one_or_many(_KINDS)]
Uses = Annotated[list[str], Listed, Some, AfterValidator(_words("use", _USES)), _one_or_many(_USES)]
Bases = Annotated[list[str], Listed, Some, AfterValidator(_words("basis", _BASES)), _one_or_many(_BASES)]
Values = Annotated[
    list[Text],
    Listed,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Block(BaseModel):
    """A mapping in the file: unknown keys are refused, nothing is converted, null is no value."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class OriginMatch(Block):
    """Patterns over where content came from; one of a list must match. ``""`` matches what is not stated."""

    kind: Kinds = Field(default_factory=list)
    """Sort of source."""
    provider: Patterns = Field(default_factory=list)
    """Who made or owns it, through whatever channel it came."""
    service: Patterns = Field(default_factory=list)
    """The model or feed."""
    channel: Patterns = Field(default_factory=list)
    """How it was obtained."""
    reseller: Patterns = Field(default_factory=list)
    """Who sold it, as the catalogue knows from the channel."""
    terms: Patterns = Field(default_factory=list)
    """Terms it came under, as id@date."""
    licence: Patterns = Field(default_factory=list)
    """SPDX licence identifier."""
    jurisdiction: Patterns = Field(default_factory=list)
    """ISO 3166 code of where it was acquired."""
    basis: Bases = Field(default_factory=list)
    """How the origin is known."""


class ModelMatch(Block):
    """Patterns over the model that is judged; one of a list must match."""

    name: Patterns = Field(default_factory=list)
    """Registered name."""
    competes_with: Patterns = Field(default_factory=list, alias="competes-with")
    """A provider that it competes with, as stated under ``models``."""
    market: Patterns = Field(default_factory=list)
    """A market that it is for, as stated under ``models``."""
    purpose: Patterns = Field(default_factory=list)
    """What it is for, as stated under ``models``."""
    stage: Patterns = Field(default_factory=list)
    """Stage that it is moved to."""
    alias: Patterns = Field(default_factory=list)
    """Alias that it is given."""


# shared, so that the many rules that leave them out cost nothing
ANY_ORIGIN = OriginMatch.model_construct()
ANY_MODEL = ModelMatch.model_construct()


class Match(Block):
    """What a rule speaks of. Everything that is written must hold."""

    origin: OriginMatch = Field(default_factory=lambda: ANY_ORIGIN)
    use: Uses = Field(default_factory=list)
    """Role of the input in the run that read it."""
    model: ModelMatch = Field(default_factory=lambda: ANY_MODEL)


NOTHING = Match()


class TermsReference(Block):
    """The text that a rule stands on."""

    id: Text
    """As in the catalogue or in your own files."""
    name: str = ""
    clause: str = ""
    """Number of the clause."""
    url: str = ""
    dated: str = ""
    """Date that the text bears."""
    read: bool = False
    """Whether whoever wrote the rule read the text itself."""


class RuleBlock(Block):
    """One rule. Among the rules that match, deny is stricter than warn, and warn than allow."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Unique, also among the packs that are extended."""
    match: Match
    unless: Match = Field(default_factory=lambda: NOTHING)
    """Exception: what fits here the rule does not speak of."""
    effect: Effect
    """``allow`` settles a label against ``default`` only; deny and warn rules still count. Grants free."""
    reason: Text
    """Why, for the people whose registration is refused."""
    remedy: str = ""
    """What would make it pass; by default the general ways are named."""
    from_: Date = Field("", alias="from")
    """First day on which it counts."""
    until: Date = ""
    """Last day on which it counts."""
    terms: list[TermsReference] = Field(default_factory=list)
    """What it stands on."""


class RequireBlock(Block):
    """What must be known of the runs that made a model. Grants do not free from it."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Unique among rules and requirements."""
    evidence: Literal["observed", "restored"]
    """How every execution behind the model must be known: seen while it ran, or at least by DVC's run cache."""
    model: ModelMatch = Field(default_factory=lambda: ANY_MODEL)
    """The models that it is asked of; by default all."""
    effect: Literal["deny", "warn"] = "deny"
    reason: Text
    """Why, for the people whose registration is refused."""
    from_: Date = Field("", alias="from")
    """First day on which it counts."""


class ModelBlock(Block):
    """What the models of a name are for. Several entries add up; an empty list states that there are none."""

    name: Patterns
    competes_with: Values = Field(default_factory=list, alias="competes-with")
    """Providers whose products it competes with."""
    market: Values = Field(default_factory=list)
    """Markets it is for."""
    purpose: Values = Field(default_factory=list)
    """What it is for."""


class LabelBlock(Block):
    """A label of a test: an origin and its use."""

    kind: Literal[tuple(_KINDS)]  # type: ignore[valid-type]
    provider: str = ""
    service: str = ""
    channel: str = ""
    terms: str = ""
    licence: str = ""
    jurisdiction: str = ""
    acquired: str = ""
    basis: Literal[tuple(_BASES)] = "declared"  # type: ignore[valid-type]
    use: Literal[tuple(_USES)] = "content"  # type: ignore[valid-type]


class GrantBlock(Block):
    """A grant that a test supposes."""

    id: str = "grant"
    kind: str = ""
    provider: str = ""
    service: str = ""
    channel: str = ""
    terms: str = ""
    use: str = ""
    model: str = ""
    market: str = ""
    from_: Date = Field("", alias="from")
    until: Date = ""


class CaseBlock(Block):
    """A test: what the policy must say of these labels."""

    name: Text
    model: Text
    labels: Annotated[list[LabelBlock], Some]
    stage: str = ""
    alias: str = ""
    grants: list[GrantBlock] = Field(default_factory=list)
    at: Date = ""
    """When it is decided; by default now."""
    evidence: Literal["observed", "restored", "asserted"] = "observed"
    """How the executions behind the model are known."""
    expect: Effect
    rule: str = ""
    """Id of a rule that must have fired."""


class ThresholdBlock(Block):
    """How much of a dataset has to be found before it carries an origin; both must be reached."""

    share: float = Field(default=0.0003, ge=0, le=1)
    """Of its records."""
    records: int = Field(default=3, ge=1)
    """So many records; of a dataset that has fewer, all of them."""


class ContentBlock(Block):
    """Whether the gate searches inputs for content of restricted sources before it decides."""

    check: Literal["never", "undeclared", "clean", "always"] = "never"
    """Which inputs: none, those that nobody declared, those also that are declared clean, every one."""
    threshold: ThresholdBlock = Field(default_factory=ThresholdBlock)


class PolicyFile(Block):
    """A policy of lineagegate: which origins may reach which models, and in which use."""

    mode: Literal["enforce", "warn", "audit"] = "enforce"
    """What becomes of a refusal: it stands, is shown, or is only recorded."""
    undeclared: Effect = "deny"
    """Effect for sources that nobody spoke for and no rule names."""
    default: Effect = "allow"
    """Effect for declared origins that no rule speaks of."""
    extends: Values = Field(default_factory=list)
    """Packs (``lineagegate/packs/openai``) and files beside this one, whose rules and models are added."""
    providers: Values = Field(default_factory=list)
    """Providers that the catalogue does not know and that rules and models name."""
    content: ContentBlock = Field(default_factory=ContentBlock)
    """Search inputs by content."""
    models: list[ModelBlock] = Field(default_factory=list)
    rules: list[RuleBlock] = Field(default_factory=list)
    require: list[RequireBlock] = Field(default_factory=list)
    """What must be known of the runs that made a model."""
    tests: list[CaseBlock] = Field(default_factory=list)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, for editors; `lineage.schemas` publishes it."""
    schema: dict[str, Any] = _plain(PolicyFile.model_json_schema(by_alias=True))
    return schema


def _plain(schema: Any) -> Any:
    """Without the titles and empty defaults that pydantic writes from the names: they say nothing."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    named = isinstance(schema.get("properties"), dict)
    kept = {
        key: _plain(value)
        for key, value in schema.items()
        if key != "default" or (not isinstance(value, list | dict) and value != "")
    }
    if isinstance(kept.get("title"), str) and kept["title"] != "PolicyFile":
        del kept["title"]
    if named:
        kept["properties"] = {key: _plain(value) for key, value in schema["properties"].items()}
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].replace("``", "`").split())
    return kept
