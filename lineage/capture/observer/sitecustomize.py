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
    from collections.abc import Callable, Iterator
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from lineage.capture.observer.lineage_record import LIBRARIES, WRITES, Place, Spans, Spool, asks_model, bare, hosts

    Before = Callable[[Any, tuple[Any, ...], dict[str, Any]], None]
    Patch = Callable[[ModuleType], None]
else:
    from lineage_record import LIBRARIES, WRITES, Place, Spans, Spool, asks_model, bare, hosts  # beside it

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
    programs = [os.path.dirname(os.path.dirname(_HERE)) + "/"]
    for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix):
        if len(prefix) > 1:
            programs.append(prefix.rstrip("/") + "/")
    place = Place(spool.folder, programs)
    ignored, root, out, real = place.all, place.root, place.out, os.path.realpath
    python = (".py", ".pyc", ".pyi")
    writes, both, cut = WRITES, os.O_RDWR, os.O_TRUNC
    fsdecode, getcwd, stat, seen, say = os.fsdecode, os.getcwd, os.stat, spool.seen, spool.say
    temporary = ("/tmp/", "/var/tmp/", "/dev/shm/", os.path.expanduser("~/."))  # noqa: S108
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
        if path.startswith(ignored) and (out(path) if path.startswith(root) or not path.endswith(python) else True):
            if path.endswith(python) or path in seen:
                return
            seen.add(path)
            path = real(path)  # of a link there, and of `/proc/self/root/`, the file counts
            if out(path):
                return
        elif "/../" in path:
            path = real(path)
        if flags & writes:
            try:
                whole = flags & cut or not stat(path).st_size
            except OSError:
                whole = 1
            mark = ("W" if whole else "w") + path
            if mark not in seen:
                seen.add(mark)
                say("write", path, 1 if whole else 0)
            if whole or not flags & both:  # who adds to a file reads nothing of it
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

    def linked(arguments: tuple[Any, ...]) -> None:
        """Another name is the file itself, also when it is gone at the end."""
        opened((arguments[0], "r", 0))

    def pointed(arguments: tuple[Any, ...]) -> None:
        name, link = fsdecode(arguments[0]), fsdecode(arguments[1])
        opened((os.path.join(os.path.dirname(os.path.abspath(link)), name), "r", 0))

    def renamed(arguments: tuple[Any, ...]) -> None:
        name, target = os.path.abspath(fsdecode(arguments[0])), os.path.abspath(fsdecode(arguments[1]))
        if "W" + name not in seen and (target.startswith(temporary) or out(target)):
            opened((name, "r", 0))

    def database(arguments: tuple[Any, ...]) -> None:
        name = fsdecode(arguments[0])
        if name.startswith("file:"):
            from urllib.parse import unquote, urlsplit

            name = unquote(urlsplit(name).path)
        opened((name, "r", 0))

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
        name = os.path.basename(fsdecode(executable))
        spool.once("child", name)
        for word in bare(name, arguments):
            spool.once("word", word)
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
        "os.link": linked,
        "os.symlink": pointed,
        "os.rename": renamed,
        "sqlite3.connect": database,
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


_FORMS = ("parquet", "csv", "ndjson", "json", "ipc", "ipc_stream", "avro", "excel", "lines", "delta")


def _files(given: Any) -> Iterator[str]:
    """The files that an argument means: a path, several, a folder, a pattern; none where it is something else."""
    if isinstance(given, (list, tuple)):
        for each in given:
            yield from _files(each)
    if not isinstance(given, (str, bytes, os.PathLike)) or (isinstance(given, bytes) and len(given) > 4096):
        return  # so long, it is the content of a file
    path = os.fsdecode(given)
    if "\0" in path:
        return
    if os.path.isdir(path):
        for folder, _, names in os.walk(path):
            yield from (os.path.join(folder, name) for name in names)
    elif not os.path.exists(path) and any(sign in path for sign in "*?["):
        from glob import glob

        yield from glob(path, recursive=True)
    else:
        yield path


def _told(original: Any, before: Before) -> Any:
    """A function, with another one told of each call."""
    from functools import wraps

    @wraps(original)
    def function(*positional: Any, **named: Any) -> Any:
        try:
            before(None, positional, named)
        except Exception:
            pass
        return original(*positional, **named)

    return function


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
            host = whole.rsplit(":", 1)[0] or connection._tunnel_host or connection.host
            spool.count("request", host)
            if asks_model(positional[0] if positional else named.get("method"), url):
                spool.count("api", host)

        def header(connection: Any, positional: tuple[Any, ...], _: dict[str, Any]) -> None:
            if str(positional[0]).lower() != "host":
                return
            host = os.fsdecode(positional[1]).rsplit(":", 1)[0]  # another than the one that is connected to
            if host not in (connection.host, connection._tunnel_host):
                spool.count("request", host)

        _wrap(module.HTTPConnection, "putrequest", before)
        _wrap(module.HTTPConnection, "putheader", header)

    def httpx(module: Any) -> None:
        def before(_: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            request = positional[0] if positional else named["request"]
            host = request.url.host
            spool.count("request", host)
            if asks_model(request.method, request.url.path):
                spool.count("api", host)
            named_too = request.headers.get("host", host).rsplit(":", 1)[0]
            if named_too != host:
                spool.count("request", named_too)

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
                host = host.rsplit(":", 1)[0]
                spool.count("request", host)
                if asks_model(positional[0] if positional else named.get("method"), str(url)):
                    spool.count("api", host)
            for name, value in dict(named.get("headers") or {}).items():
                if str(name).lower() == "host":
                    spool.count("request", str(value).rsplit(":", 1)[0])

        _wrap(module.ClientSession, "_request", before)

    def spans(module: Any) -> None:
        told = Spans()

        def before(span: Any, _: tuple[Any, ...], __: dict[str, Any]) -> None:
            if span.end_time is None:
                parent = span.parent.span_id if span.parent is not None and not span.parent.is_remote else None
                found = told.ended(span.context.span_id, parent, span.attributes or {})
                if found is not None:
                    spool.count("span", found)

        _wrap(module.Span, "end", before)

    def loaded(name: str) -> Before:
        """A file that other code than Python's opens: told as Python's own `open` tells of it."""

        def before(_: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            for path in _files(positional[0] if positional else named.get(name)):
                sys.audit("open", path, "r", os.O_RDONLY)

        return before

    def opened(name: str) -> Before:
        """The same where a mode, the second argument, says what for."""

        def before(_: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            mode = positional[1] if len(positional) > 1 else named.get("mode", "r")
            for path in _files(positional[0] if positional else named.get(name)):
                sys.audit("open", path, mode, os.O_TRUNC | os.O_WRONLY if mode[:1] in "wx" else os.O_RDONLY)

        return before

    def tables(argument: str, *names: str) -> Patch:
        """Functions that read tables, each from a file, files, a folder or a pattern."""

        def patch(module: Any) -> None:
            for name in names:
                if hasattr(module, name):
                    setattr(module, name, _told(getattr(module, name), loaded(argument)))

        return patch

    def parquet(module: Any) -> None:
        _wrap(module.ParquetFile, "__init__", loaded("source"))
        _wrap(module.ParquetDataset, "__init__", loaded("path_or_paths"))

    def arrow(module: Any) -> None:
        tables("path", "memory_map")(module)
        module.OSFile = _seen(module.OSFile, opened("path"))

    def hdf(module: Any) -> None:
        _wrap(module.File, "__init__", opened("name"))

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
        "pyarrow": arrow, "pyarrow.parquet.core": parquet, "pyarrow.csv": tables("input_file", "read_csv", "open_csv"),
        "pyarrow.json": tables("input_file", "read_json", "open_json"), "pyarrow.dataset": tables("source", "dataset"),
        "pyarrow.feather": tables("source", "read_table", "read_feather"), "h5py._hl.files": hdf,
        "polars": tables("source", *(f"{does}_{form}" for does in ("read", "scan") for form in _FORMS)),
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
