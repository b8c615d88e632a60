"""The acts of a model registry that are judged: a version comes into being, gets a stage or an alias, or a new name.

The lineage is recorded first, then the decision, then MLflow does what was asked; a version that exists without its
decision therefore came around the gate, and the audit says so. What takes a version out of use is only recorded.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from lineage.events.event import dataset_event
from lineage.events.facets import PRODUCER
from lineage.events.naming import model_name
from lineage.vocabulary import Artifact, ArtifactType, Content
from lineage_mlflow.session import session
from lineage_mlflow.swap import Act, guard, nested
from lineage_mlflow.verdict import (
    CONTENT,
    RESERVED,
    Asked,
    described,
    judge,
    judge_version,
    named,
    now,
    refusing,
    reserved,
    version_tags,
)
from lineage_mlflow.versions import is_prompt_model, prompt_tagged, versions

_log = logging.getLogger("lineagegate")

_DEMOTIONS = ("None", "Archived")
_LIFECYCLE = "https://openlineage.io/spec/facets/1-0-1/LifecycleStateChangeDatasetFacet.json"
_TAGS = "https://openlineage.io/spec/facets/1-0-0/TagsDatasetFacet.json"


def gated(store: Any, store_uri: str, tracking_uri: str | None) -> Any:
    """Change a registry store so that it judges.

    Args:
        store: what MLflow's builder returned.
        store_uri: registry URI.
        tracking_uri: tracking URI that MLflow passed, wrong on a server (facts/mlflow.md) and not used there.
    """
    if store_uri.startswith(("http:", "https:")) or store_uri in ("uc", "databricks", "databricks-uc"):
        from lineage_mlflow.remote import advisory

        return advisory(store, store_uri, tracking_uri)
    return guard(store, acts(tracking_uri))


def acts(tracking_uri: str | None) -> dict[str, Act]:
    """What runs in place of the methods of a registry store.

    Args:
        tracking_uri: where runs are, unless the store is a server's own.
    """

    def judging(act: Callable[[Asked], Any]) -> Act:
        def run(store: Any, original: Callable[..., Any], call: inspect.BoundArguments) -> Any:
            call.apply_defaults()
            return act(Asked(store, original, call, tracking_uri))

        return run

    return {
        "create_model_version": judging(_create),
        "transition_model_version_stage": judging(_stage),
        "set_registered_model_alias": judging(_alias),
        "rename_registered_model": judging(_rename),
        "copy_model_version": judging(_copy),
        "delete_model_version": judging(_delete_version),
        "delete_registered_model_alias": judging(_delete_alias),
        "set_model_version_tag": judging(_set_tag),
        "delete_model_version_tag": judging(_set_tag),
        "get_registered_model": judging(_get_registered_model),
    }


# -- the acts ----------------------------------------------------------------------------------------------------------


def _create(asked: Asked) -> Any:
    name, source = asked["name"], asked["source"]
    tags = {tag.key: tag.value for tag in asked["tags"] or ()}
    if prompt_tagged(tags, source) and is_prompt_model(asked.store, name):
        return asked.go_on()
    with refusing(f"registration of '{name}'"), session() as gate:
        judged = judge(
            gate, asked, source, asked["run_id"], asked["model_id"],
            model=name, subject=f"models:/{name}", artifact=model_name(name),
            action="copy" if _is_version(source) and f"models:/{name}/" not in source else "register",
        )  # fmt: skip
    from mlflow.entities.model_registry import ModelVersionTag

    kept = {key: value for key, value in tags.items() if not key.startswith(RESERVED)}
    asked.call.arguments["tags"] = [ModelVersionTag(k, v) for k, v in (kept | version_tags(judged)).items()]
    asked.call.arguments["description"] = described(asked["description"], judged.decision)
    version = asked.go_on()
    # the decision is recorded and on the version by now: what is still missing is its number in the ledger
    with _quietly(), session() as gate:
        gate.record([named(judged.ancestry.artifact, model_name(name, version.version))])
    return version


def _stage(asked: Asked) -> Any:
    stage = str(asked["stage"])
    if stage.title() in _DEMOTIONS:
        done = asked.go_on()
        _note(asked, asked["version"], "stage", stage)
        return done
    return _promotion(asked, asked["version"], "stage", stage)


def _alias(asked: Asked) -> Any:
    return _promotion(asked, asked["version"], "alias", str(asked["alias"]))


def _promotion(asked: Asked, number: Any, action: str, value: str) -> Any:
    name = asked["name"]
    version = asked.store.get_model_version(name, number)
    if prompt_tagged(version.tags, version.source):
        return asked.go_on()
    with refusing(f"{action} '{value}' for models:/{name}/{number}"), session() as gate:
        judge_version(gate, asked, version, name, action, {action: value})
    return asked.go_on()


def _rename(asked: Asked) -> Any:
    old, new = asked["name"], asked["new_name"]
    with refusing(f"renaming of '{old}' to '{new}'"), session() as gate:
        judged = {
            version.version: judge_version(gate, asked, version, new, "rename", {})
            for version in versions(asked.store, old)
            if not prompt_tagged(version.tags, version.source)
        }
    done = asked.go_on()
    from mlflow.entities.model_registry import ModelVersionTag

    own: Any = super(type(asked.store), asked.store)
    for number, one in judged.items():
        for key, value in version_tags(one).items():
            own.set_model_version_tag(new, number, ModelVersionTag(key, value))
    with _quietly(), session() as gate:
        gate.record([named(one.ancestry.artifact, model_name(new, number)) for number, one in judged.items()])
    return done


def _copy(asked: Asked) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return asked.go_on()
    except MlflowException as error:
        # MLflow wraps what create_model_version raised into an INTERNAL_ERROR, which clients repeat
        cause = error.__cause__
        if isinstance(cause, MlflowException) and cause.error_code == "PERMISSION_DENIED":
            raise cause from None
        raise


def _delete_version(asked: Asked) -> Any:
    event = None
    with _quietly():
        version = asked.store.get_model_version(asked["name"], asked["version"])
        event = _event(asked, version, {"lifecycleStateChange": _facet(_LIFECYCLE, lifecycleStateChange="DROP")})
    done = asked.go_on()
    with _quietly(), session() as gate:
        gate.record([event] if event else [])
    return done


def _delete_alias(asked: Asked) -> Any:
    number = None
    with _quietly():
        number = asked.store.get_model_version_by_alias(asked["name"], asked["alias"]).version
    done = asked.go_on()
    if number is not None:
        _note(asked, number, "alias-removed", asked["alias"])
    return done


def _set_tag(asked: Asked) -> Any:
    if not nested():
        reserved(asked["key"] or asked["tag"].key)
    return asked.go_on()


def _get_registered_model(asked: Asked) -> Any:
    from lineage_mlflow.remote import PROBE, answer

    return answer() if asked["name"] == PROBE else asked.go_on()


def _is_version(source: str) -> bool:
    return source.startswith("models:/") and "/" in source.removeprefix("models:/").strip("/")


# -- what is recorded without being judged -----------------------------------------------------------------------------


def _note(asked: Asked, number: Any, key: str, value: str) -> None:
    """Record what happened to a version. It happened already, so a failure is told and not raised."""
    with _quietly(), session() as gate:
        version = asked.store.get_model_version(asked["name"], number)
        tags = [{"key": key, "value": value, "source": "MLFLOW"}]
        altered = _facet(_LIFECYCLE, lifecycleStateChange="ALTER")
        gate.record([_event(asked, version, {"tags": _facet(_TAGS, tags=tags), "lifecycleStateChange": altered})])


def _event(asked: Asked, version: Any, facets: Mapping[str, Any]) -> bytes:
    key = version.tags.get(CONTENT, "")
    artifact = Artifact(
        asked.namespace, model_name(version.name, version.version), Content(key) if key else None, ArtifactType.MODEL
    )
    event = msgspec.json.decode(dataset_event(artifact, time=now()))
    event["dataset"].setdefault("facets", {}).update(facets)
    return msgspec.json.encode(event)


def _facet(schema: str, **fields: Any) -> dict[str, Any]:
    name = schema.rsplit("/", 1)[1].removesuffix(".json")
    return {"_producer": PRODUCER, "_schemaURL": f"{schema}#/$defs/{name}", **fields}


@contextmanager
def _quietly() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        _log.warning("lineagegate: not noted in the ledger: %s", error)
