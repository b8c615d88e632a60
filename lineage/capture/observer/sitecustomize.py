"""Sees what a Python process of a stage opens, calls and starts, and writes it to the spool as it happens.

Its folder stands first in PYTHONPATH, so ``site`` imports it in place of a ``sitecustomize`` of the user's, which it
then runs under its own name. It needs the standard library alone and any Python from 3.8 on: a stage's environment
need not have this package. Nothing here may disturb the program: what fails is written down once and forgotten.

One file for each process, one JSON object a line: ``n`` counts, ``k`` is what kind of thing, ``v`` the thing, ``c`` how
often by now, ``h`` the chain: sha256 over the chain before and this line, 16 digits. Every thing is written the first
time; a number is written again whenever it doubled, and at the end.

What this cannot see is said in docs/explanation/observation.md.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` costs milliseconds
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from lineage.capture.observer.lineage_record import LIBRARIES, WRITES, Spool, called, hosts

    Before = Callable[[Any, tuple[Any, ...], dict[str, Any]], None]
    Patch = Callable[[ModuleType], None]
else:
    from lineage_record import LIBRARIES, WRITES, Spool, called, hosts  # beside it

_HERE = os.path.dirname(os.path.abspath(__file__))


def _is_dvc(arguments: list[str]) -> bool:
    """Whether a command line is DVC's own process: it runs stages, and reads everything without using it."""
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "-m":
            return next(rest, "").split(".")[0] == "dvc"
        if not argument.startswith("-"):
            return os.path.basename(argument) in ("dvc", "dvc.exe")
        if argument == "-c":
            return False
    return False


def _hook(spool: Spool) -> Callable[[str, tuple[Any, ...]], None]:
    """The audit hook: one function by the name of the event."""
    ours = spool.folder + "/"
    kept_out = [
        os.path.dirname(os.path.dirname(_HERE)) + "/",
        ours,
        "/usr/",
        "/lib/",
        "/lib64/",
        "/proc/",
        "/sys/",
        "/dev/",
        "/etc/",
        "/run/",
    ]
    for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix):
        if len(prefix) > 1:
            kept_out.append(prefix.rstrip("/") + "/")
    ignored = tuple(kept_out)
    python = (".py", ".pyc", ".pyi")
    writes, both = WRITES, os.O_RDWR
    append, cut = os.O_APPEND, os.O_TRUNC
    fsdecode, getcwd, stat, seen, say = os.fsdecode, os.getcwd, os.stat, spool.seen, spool.say
    from _stat import S_ISREG

    def opened(arguments: tuple[Any, ...]) -> None:
        path, _, flags = arguments
        if spool.busy:
            return
        if type(path) is not str:
            if type(path) is int:
                return
            path = fsdecode(path)
        if path[:1] != "/":
            path = getcwd() + "/" + path
        if path.startswith(ignored):
            return
        if flags & writes:
            mark = "w" + path
            if mark not in seen:
                seen.add(mark)
                say("write", path)
            # what is opened for both, or to be added to, has its content before in it
            if flags & cut or not flags & (both | append):
                return
        if path not in seen:
            try:
                if not S_ISREG(stat(path).st_mode):
                    return
            except OSError:  # it does not exist, and may do so later
                return
            seen.add(path)
            if not (path.endswith(python) and "/site-packages/" in path):
                say("read", path)

    def resolved(arguments: tuple[Any, ...]) -> None:
        host = arguments[0]
        if host:
            spool.once("host", fsdecode(host))

    def connected(arguments: tuple[Any, ...]) -> None:
        address = arguments[1]
        if type(address) is tuple and address:
            spool.once("connect", str(address[0]))

    def imported(arguments: tuple[Any, ...]) -> None:
        if arguments[0] in LIBRARIES:
            spool.once("library", arguments[0])

    def started(executable: Any, arguments: list[Any]) -> None:
        if executable is None:
            executable = arguments[0] if arguments else ""
        spool.once("child", os.path.basename(fsdecode(executable)))
        for host in hosts(arguments):
            spool.once("argument", host)

    def popen(arguments: tuple[Any, ...]) -> None:
        given = arguments[1]
        started(arguments[0], [given] if isinstance(given, (str, bytes)) else list(given))

    def executed(arguments: tuple[Any, ...]) -> None:
        started(arguments[0], list(arguments[1]))

    def system(arguments: tuple[Any, ...]) -> None:
        started("sh", [arguments[0]])

    def asked(_: tuple[Any, ...]) -> None:
        spool.numbers()
        spool.say("asked", "")

    handlers = {
        "open": opened,
        "lineage.write": asked,
        "import": imported,
        "socket.getaddrinfo": resolved,
        "socket.gethostbyname": resolved,
        "socket.connect": connected,
        "subprocess.Popen": popen,
        "os.exec": executed,
        "os.posix_spawn": executed,
        "os.system": system,
    }
    handler = handlers.get

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        found = handler(event)
        if found is not None:
            try:
                found(arguments)
            except Exception:
                try:
                    spool.once("broken", event)
                except Exception:
                    return

    return hook


class _Patches:
    """Finds nothing itself; wraps what it counts right after some modules were executed."""

    def __init__(self, patches: dict[str, Patch]) -> None:
        self.patches = patches

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        patch = self.patches.pop(name, None)
        if patch is None:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self.wrap(spec, patch)
                return spec
        return None

    def wrap(self, spec: Any, patch: Patch) -> None:
        execute = getattr(spec.loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module: ModuleType) -> None:
            execute(module)
            try:
                patch(module)
            except Exception:
                return

        try:
            spec.loader.exec_module = exec_module
        except AttributeError:
            return


def _wrap(owner: Any, name: str, before: Before) -> None:
    """Have a function told of each call before a method runs."""
    from functools import wraps

    original = getattr(owner, name)

    @wraps(original)
    def method(self: Any, *positional: Any, **named: Any) -> Any:
        try:
            before(self, positional, named)
        except Exception:
            pass
        return original(self, *positional, **named)

    setattr(owner, name, method)


def _seen(original: Any, before: Before) -> Any:
    """A class that cannot be changed, as it is, with a function told of each call of it."""

    class Kind(type):
        def __call__(cls, *positional: Any, **named: Any) -> Any:
            try:
                before(None, positional, named)
            except Exception:
                pass
            return original(*positional, **named)

        def __instancecheck__(cls, one: Any) -> bool:
            return isinstance(one, original)

        def __getattr__(cls, name: str) -> Any:
            return getattr(original, name)

    return Kind(original.__name__, (), {"__doc__": original.__doc__, "__module__": original.__module__})


def _patches(spool: Spool) -> dict[str, Patch]:
    """Server names of TLS, requests of the usual clients (several go over one connection), spans, files of models."""

    def tls(place: int) -> Before:
        def before(_: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            host = named.get("server_hostname") or (positional[place] if len(positional) > place else None)
            if host:
                spool.count("tls", os.fsdecode(host))

        return before

    def ssl(module: Any) -> None:
        _wrap(module.SSLContext, "wrap_socket", tls(4))
        _wrap(module.SSLContext, "wrap_bio", tls(3))

    def http(module: Any) -> None:
        def before(connection: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            url = positional[1] if len(positional) > 1 else named.get("url", "")
            whole = next(hosts([url]), "")  # through a proxy, without TLS
            spool.count("request", whole.rsplit(":", 1)[0] or connection._tunnel_host or connection.host)

        _wrap(module.HTTPConnection, "putrequest", before)

    def httpx(module: Any) -> None:
        def before(_: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            spool.count("request", (positional[0] if positional else named["request"]).url.host)

        for client in (module.Client, module.AsyncClient):
            _wrap(client, "_send_single_request", before)

    def aiohttp(module: Any) -> None:
        def before(session: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            url = positional[1] if len(positional) > 1 else named.get("str_or_url") or named.get("url")
            host = getattr(url, "host", None) or next(hosts([str(url)]), "")
            base = getattr(session, "_base_url", None)
            if not host and base is not None:
                host = base.host
            if host:
                spool.count("request", host.rsplit(":", 1)[0])

        _wrap(module.ClientSession, "_request", before)

    def spans(module: Any) -> None:
        above: set[int] = set()
        """Spans that are not over and around one that was counted: they tell of the same call."""

        def before(span: Any, _: tuple[Any, ...], __: dict[str, Any]) -> None:
            if span.end_time is not None:
                return
            inner = span.context.span_id in above
            above.discard(span.context.span_id)
            found = None if inner else called(span.attributes or {})
            if found is not None:
                spool.count("span", found)
            if (inner or found is not None) and span.parent is not None and not span.parent.is_remote:
                above.add(span.parent.span_id)

        _wrap(module.Span, "end", before)

    def loaded(name: str) -> Before:
        """A model's file that other code than Python's opens: told as Python's own `open` tells of it."""

        def before(_: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            path = positional[0] if positional else named.get(name)
            if isinstance(path, (str, os.PathLike)):
                sys.audit("open", os.fspath(path), "r", os.O_RDONLY)

        return before

    def safetensors(module: Any) -> None:
        module.safe_open = _seen(module.safe_open, loaded("filename"))

    def onnxruntime(module: Any) -> None:
        _wrap(module.InferenceSession, "__init__", loaded("path_or_bytes"))

    def llama(module: Any) -> None:
        _wrap(module.Llama, "__init__", loaded("model_path"))

    return {
        "ssl": ssl, "http.client": http, "httpx": httpx, "httpx2": httpx, "aiohttp.client": aiohttp,
        "opentelemetry.sdk.trace": spans, "safetensors": safetensors, "llama_cpp.llama": llama,
        "onnxruntime.capi.onnxruntime_inference_collection": onnxruntime,
    }  # fmt: skip


def _note_end(spool: str) -> None:
    """Have the journal say when a process of DVC is over: what was recorded until then, it recorded."""
    import atexit
    import time

    process = os.getpid()

    def over() -> None:
        if os.getpid() != process:
            return
        try:
            file = os.open(spool + "/journal", os.O_WRONLY | os.O_APPEND)
            os.write(file, f"over {process} {time.time_ns()}\n".encode())
            os.close(file)
        except OSError:
            return

    atexit.register(over)


def _observe() -> None:
    environment = os.environ
    arguments = list(getattr(sys, "orig_argv", ()))
    if _is_dvc(arguments):
        if environment.get("LINEAGE_HOOK"):
            environment["SHELL"] = environment["LINEAGE_HOOK"]  # also for DVC inside a stage, which has the real shell
            _note_end(environment["LINEAGE_SPOOL"])
        if not environment.get("DVC_STAGE"):
            return
    folder = environment.get("LINEAGE_EXECUTION")
    if not folder or not os.path.isdir(folder):
        return
    spool = Spool(folder)
    spool.say("begin", "")
    patches = _patches(spool)
    for name in [name for name in patches if name in sys.modules]:
        patches.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, _Patches(patches))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=spool.begin)
    import atexit

    atexit.register(spool.end)
    sys.addaudithook(_hook(spool))


def _next() -> None:
    """The ``sitecustomize`` that ours stands in front of."""
    try:  # importlib's own parts, which are loaded already: `importlib.util` costs milliseconds
        from _frozen_importlib import module_from_spec
        from _frozen_importlib_external import PathFinder
    except ImportError:
        from importlib.machinery import PathFinder
        from importlib.util import module_from_spec

    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    _observe()
except Exception:  # the program comes first
    pass
_next()
