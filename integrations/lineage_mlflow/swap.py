"""Puts methods of ours before those of a store that MLflow built, by changing the object's class.

Delegation would break MLflow's isinstance checks, and subclassing beforehand would fix one of its many store classes
(facts: workspaces, basic auth and read replicas each bring their own). Only the standard library is imported: the
refusing store must work when nothing else does.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

Act = Callable[[Any, Callable[..., Any], inspect.BoundArguments], Any]
"""Called in place of a method with the store, the store's own method and the arguments bound by name."""

_Store = TypeVar("_Store")

_depth: ContextVar[int] = ContextVar("_depth", default=0)


class Guarded:
    """Marks a store whose methods were replaced. ``isinstance(store, Guarded)`` is how the audit knows."""

    lineage_refuses = ""
    """Why this store refuses every write; empty when it judges."""


def guard(store: _Store, acts: Mapping[str, Act], *, refuses: str = "") -> _Store:
    """Change the class of a store so that each act runs in place of the method of that name.

    Args:
        store: what MLflow's own builder returned; changed in place.
        acts: by method name; names that the store lacks are left out.
        refuses: see `Guarded`.

    Returns:
        The same object.
    """
    own = type(store)
    if issubclass(own, Guarded):
        return store
    body: dict[str, Any] = {"__module__": own.__module__, "__doc__": own.__doc__, "lineage_refuses": refuses}
    for name, act in acts.items():
        original = getattr(own, name, None)
        if original is not None:
            body[name] = _method(original, act)
    store.__class__ = type(f"Gated{own.__name__}", (Guarded, own), body)
    return store


def nested() -> bool:
    """Whether the act running now was called by a store's own method, not from outside.

    The file stores write tags one by one through their public methods while they create a version or a run.
    """
    return _depth.get() > 1


def _method(original: Callable[..., Any], act: Act) -> Callable[..., Any]:
    signature = inspect.signature(original)

    # wraps: MLflow's client inspects the signature for `local_model_path`
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = _depth.set(_depth.get() + 1)
        try:
            return act(self, original, signature.bind(self, *args, **kwargs))
        finally:
            _depth.reset(token)

    return method
