"""Which versions a registry holds, and which of them are prompts.

One version with a prompt tag hides every version of its model from MLflow's searches (facts/mlflow.md), so searching is
not enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

PROMPT = "mlflow.prompt.is_prompt"


def names(store: Any) -> list[str]:
    """Every registered model, those marked as prompts too."""
    found = {
        model.name: None
        for text in ("", f"tags.`{PROMPT}` = 'true'")
        for model in _pages(store.search_registered_models, text)
    }
    return sorted(found)


def versions(store: Any, name: str) -> list[Any]:
    """Every version of a model with its aliases, those too that a prompt tag hides from searches, oldest first."""
    from mlflow.exceptions import MlflowException

    found = {
        str(version.version): version
        for hidden in ("", f" and tags.`{PROMPT}` = 'true'")
        for version in _pages(store.search_model_versions, f"name = '{_quoted(name)}'" + hidden)
    }
    model = store.get_registered_model(name)
    last = max((int(v.version) for v in model.latest_versions or ()), default=0)
    if any(PROMPT in version.tags for version in found.values()) or not found:
        # one tagged version hides every other one: go through the numbers
        for number in map(str, range(1, last + 1)):
            if number not in found:
                try:
                    found[number] = store.get_model_version(name, number)
                except MlflowException as error:
                    if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                        raise
    aliases = defaultdict(list)
    for alias, number in (model.aliases or {}).items():
        aliases[str(number)].append(alias)
    for number, version in found.items():
        version.aliases = sorted(aliases[number])  # a search leaves them out
    return sorted(found.values(), key=lambda version: int(version.version))


def _pages(search: Callable[..., Any], text: str) -> Iterator[Any]:
    token = None
    while True:
        page = search(text, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _quoted(name: str) -> str:
    return name.replace("'", "\\'")


def prompt_tagged(tags: Mapping[str, str], source: str) -> bool:
    """Whether a version is a prompt: the tag and the placeholder source, nothing by the tag alone."""
    from mlflow.prompt.constants import _PROMPT_SOURCE_PLACEHOLDERS

    return tags.get(PROMPT, "false").lower() == "true" and source in _PROMPT_SOURCE_PLACEHOLDERS


def is_prompt_model(store: Any, name: str) -> bool:
    """Whether the model is one for prompts; a prompt among real versions would hide them from every search."""
    return bool(store.get_registered_model(name)._is_prompt())  # noqa: SLF001
