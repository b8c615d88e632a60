"""The acts of a model registry: those that are judged, and those that are only recorded.

A version comes into being, gets a stage, an alias or a new name: the lineage is recorded first, then the decision, then
MLflow does what was asked; a version that exists without its decision therefore came around the gate, and the audit
says so. What takes a version out of use is never refused. Whatever MLflow did is recorded afterwards.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from lineage.events.naming import model_name
from lineage.vocabulary import Happening
from lineage_mlflow.changes import UNUSED, change, record, told
from lineage_mlflow.description import described
from lineage_mlflow.recall import REFUSALS, own, recall
from lineage_mlflow.session import session, using
from lineage_mlflow.swap import Act, guard, nested
from lineage_mlflow.verdict import (
    BETWEEN,
    CHECKPOINT,
    RECALL_REASON,
    RECALLED,
    RESERVED,
    Asked,
    Underway,
    denied,
    judge,
    judge_version,
    named,
    patience,
    refusing,
    reserved,
    version_tags,
)
from lineage_mlflow.versions import is_prompt_model, prompt_tagged, versions


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
        "delete_registered_model": judging(_delete_model),
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
    action = "copy" if _is_version(source) and f"models:/{name}/" not in source else "register"
    judged, began = None, time.monotonic()
    while judged is None:
        with suppress(Underway), refusing(f"registration of '{name}'"), session() as gate:
            judged = judge(
                gate, asked, source, asked["run_id"], asked["model_id"], model=name, subject=f"models:/{name}",
                artifact=model_name(name), action=action, wait=time.monotonic() - began < patience(gate.config),
            )  # fmt: skip
            page = gate.page(judged.decision)
        if judged is None:
            time.sleep(BETWEEN)  # others are judged meanwhile
    from mlflow.entities.model_registry import ModelVersionTag

    kept = {key: value for key, value in tags.items() if not key.startswith(RESERVED)}
    witnessed = {CHECKPOINT: judged.checkpoint} if judged.checkpoint else {}
    ours = kept | version_tags(judged) | witnessed
    asked.call.arguments["tags"] = [ModelVersionTag(key, value) for key, value in ours.items()]
    asked.call.arguments["description"] = described(asked["description"], judged.decision, page)
    version = asked.go_on()
    # the decision is recorded and on the version by now: what is still missing is its number in the ledger
    with told(asked), using(judged.config), session() as gate:
        made = change(
            asked, gate, Happening.CREATED, version=version.version, decision=judged.decision.id,
            otherwise=judged.ancestry.user,
        )  # fmt: skip
        gate.changed(made, events=[named(judged.ancestry.artifact, model_name(name, version.version))])
    return version


def _stage(asked: Asked) -> Any:
    from mlflow.entities.model_registry.model_version_stages import STAGE_ARCHIVED, get_canonical_stage

    name, number = asked["name"], asked["version"]
    stage = get_canonical_stage(str(asked["stage"]))
    decision, archived = "", list[str]()
    if stage not in UNUSED:
        number, decision = _promotion(asked, "stage", stage)
        if asked["archive_existing_versions"]:
            others = [one for one in versions(asked.store, name) if one.current_stage == stage]
            archived = [str(one.version) for one in others if str(one.version) != number]
    done = asked.go_on()
    with told(asked), session() as gate:
        gate.changed(
            *(change(asked, gate, Happening.STAGE, version=one, value=STAGE_ARCHIVED) for one in archived),
            change(asked, gate, Happening.STAGE, version=done.version, value=stage, decision=decision),
        )
    return done


def _alias(asked: Asked) -> Any:
    alias = str(asked["alias"])
    number, decision = _promotion(asked, "alias", alias)
    done = asked.go_on()
    if decision:
        record(asked, Happening.ALIAS, version=number, value=alias, decision=decision)
    return done


def _promotion(asked: Asked, action: str, value: str) -> tuple[str, str]:
    """Judge a version's promotion. Returns its number, and the decision's id; of a prompt there is none.

    A version that was recalled needs a decision that allows it, also where the policy only warns; then its mark goes.
    """
    name = asked["name"]
    version = asked.store.get_model_version(name, asked["version"])
    number = str(version.version)
    if prompt_tagged(version.tags, version.source):
        return number, ""
    with refusing(f"{action} '{value}' for models:/{name}/{number}"), session() as gate:
        decision = judge_version(gate, asked, version, name, action, {action: value}).decision
        if RECALLED in version.tags:
            if decision.outcome in REFUSALS:
                raise denied(gate.explain(decision), decision)
            for tag in (RECALLED, RECALL_REASON):
                own(asked.store).delete_model_version_tag(name, number, tag)
    return number, decision.id


def _rename(asked: Asked) -> Any:
    old, new = asked["name"], asked["new_name"]
    with refusing(f"renaming of '{old}' to '{new}'"), session() as gate:
        before = versions(asked.store, old)
        judged = {
            version.version: judge_version(gate, asked, version, new, "rename", {})
            for version in before
            if not prompt_tagged(version.tags, version.source)
        }
    done = asked.go_on()
    if before and not judged:
        return done  # a prompt
    from mlflow.entities.model_registry import ModelVersionTag

    for version in before:
        moved = own(asked.store).get_model_version(new, version.version).tags
        ours = version_tags(judged[version.version]) if version.version in judged else {}
        for key, value in (version.tags | ours).items():
            if moved.get(key) != value:  # a file store leaves all of them behind
                own(asked.store).set_model_version_tag(new, version.version, ModelVersionTag(key, value))
    with told(asked), session() as gate:
        decisions = [one.decision.id for one in judged.values()]
        renamed = change(asked, gate, Happening.RENAMED, value=new, decision=decisions[-1] if decisions else "")
        kept = own(asked.store).get_registered_model(new).aliases  # a file store leaves them behind
        lost = [
            replace(renamed, model=new, happening=Happening.ALIAS_REMOVED, version=str(version.version), value=alias,
                    decision="")
            for version in before for alias in version.aliases or () if alias not in kept
        ]  # fmt: skip
        events = [named(one.ancestry.artifact, model_name(new, number)) for number, one in judged.items()]
        gate.changed(renamed, *lost, events=events)
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
    version = asked.store.get_model_version(asked["name"], asked["version"])
    done = asked.go_on()
    if not prompt_tagged(version.tags, version.source):
        record(asked, Happening.DELETED, version=version.version)
    return done


def _delete_model(asked: Asked) -> Any:
    prompt = is_prompt_model(asked.store, asked["name"])
    done = asked.go_on()
    if not prompt:
        record(asked, Happening.DELETED)
    return done


def _delete_alias(asked: Asked) -> Any:
    if nested():  # a file store takes the aliases of a version that it deletes
        return asked.go_on()
    model = asked.store.get_registered_model(asked["name"])
    number = model.aliases.get(asked["alias"])
    done = asked.go_on()
    if number is not None and not model._is_prompt():  # noqa: SLF001 - MLflow has no public way to ask
        record(asked, Happening.ALIAS_REMOVED, version=number, value=asked["alias"])
    return done


def _set_tag(asked: Asked) -> Any:
    if nested():  # a file store copies tags as it creates and renames; then it hands over names and fails
        return None if isinstance(asked["tag"], str) else asked.go_on()
    key = asked["key"] or asked["tag"].key
    if key == RECALLED and asked["tag"] is not None:
        return recall(asked)
    reserved(key)
    return asked.go_on()


def _get_registered_model(asked: Asked) -> Any:
    from lineage_mlflow.remote import PROBE, answer

    return answer() if asked["name"] == PROBE else asked.go_on()


def _is_version(source: str) -> bool:
    return source.startswith("models:/") and "/" in source.removeprefix("models:/").strip("/")
