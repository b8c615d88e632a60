"""The lines that a process writes of what it does, and what is told apart while it runs.

For the observer of Python processes (`sitecustomize`) and the reader of a trace of all (`lineage.capture.trace`).
The standard library alone, any Python from 3.8 on.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` costs milliseconds
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

LIBRARIES = frozenset(
    ("transformers", "vllm", "llama_cpp", "onnxruntime", "ctranslate2", "sentence_transformers", "mlx_lm", "exllamav2",
     "gpt4all", "ollama", "sglang", "diffusers", "optimum", "auto_gptq", "llamafile", "openvino")
)  # fmt: skip
"""What runs models on this machine."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def quoted(text: str) -> str:
    """A JSON string."""
    if text.isprintable() and text.isascii() and '"' not in text and "\\" not in text:
        return '"' + text + '"'
    out = []
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif 31 < code < 127:
            out.append(char)
        elif code < 0x10000:
            out.append(f"\\u{code:04x}")
        else:
            code -= 0x10000
            out.append(f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}")
    return '"' + "".join(out) + '"'


class Spool:
    """The file of this process. A forked child begins its own."""

    lock: Any
    busy: bool
    file: int | None
    number: int
    chain: str
    counts: dict[tuple[str, str], int]
    written: dict[tuple[str, str], int]

    def __init__(self, folder: str) -> None:
        from _thread import RLock

        try:
            from _sha256 import sha256  # type: ignore[import-not-found]  # `hashlib` loads OpenSSL
        except ImportError:
            try:
                from _sha2 import sha256  # type: ignore[import-not-found]
            except ImportError:
                from hashlib import sha256
        self.folder = folder
        self.new_lock = RLock
        self.sha256 = sha256
        self.seen: set[Any] = set()
        self.begin()

    def begin(self) -> None:
        """Begin a file of its own, at the first line."""
        self.lock = self.new_lock()
        self.busy = False
        self.file = None
        self.number = 0
        self.chain = ""
        self.counts = {}
        self.written = {}

    def say(self, kind: str, value: str, count: int = 0) -> None:
        """Write one line. Never raises, and never sees itself."""
        with self.lock:
            if self.busy:
                return
            self.busy = True
            try:
                if self.file is None:
                    self.open()
                self.line(kind, value, count)
            except Exception:
                self.file = -1
            finally:
                self.busy = False

    def open(self) -> None:
        """Make the file, and name it in the journal."""
        import time

        name = f"{os.getpid()}-{time.time_ns()}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        self.file = os.open(self.folder + "/" + name, flags, 0o600)
        above, _, own = self.folder.rpartition("/")
        journal = os.open(above + "/journal", os.O_WRONLY | os.O_APPEND)
        os.write(journal, f"process {own} {name}\n".encode())  # so that a file that is gone is missed
        os.close(journal)
        self.line("process", program(), os.getppid())

    def line(self, kind: str, value: str, count: int) -> None:
        """One line of the chain."""
        if self.file is None or self.file < 0:
            return
        self.number += 1
        body = f'{{"n":{self.number},"k":"{kind}","v":{quoted(value)}'
        if count:
            body += f',"c":{count}'
        self.chain = str(self.sha256((self.chain + body).encode()).hexdigest())[:16]
        os.write(self.file, (body + ',"h":"' + self.chain + '"}\n').encode())

    def once(self, kind: str, value: str) -> None:
        """A thing, the first time."""
        mark = (kind, value)
        if mark not in self.seen:
            self.seen.add(mark)
            self.say(kind, value)

    def count(self, kind: str, value: str) -> None:
        """One more of something."""
        mark = (kind, value)
        number = self.counts[mark] = self.counts.get(mark, 0) + 1
        if number & (number - 1) == 0:
            self.written[mark] = number
            self.say(kind, value, number)

    def numbers(self) -> None:
        """Write the numbers that are not written yet."""
        for mark, number in list(self.counts.items()):
            if self.written.get(mark) != number:
                self.written[mark] = number
                self.say(mark[0], mark[1], number)

    def end(self) -> None:
        """Write the last line."""
        self.numbers()
        if self.file is not None:
            self.say("end", "")


SYSTEM = ("/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/proc/", "/sys/", "/dev/", "/etc/", "/run/")
"""Folders of the system."""
_MOUNTED = ("/dev/shm/", "/run/media/", "/run/user/")  # noqa: S108 - named, not used
"""Among them, folders in which people's files lie."""


class Place:
    """Which files are left out: those of the system and of programs, unless the project lies among them.

    Args:
        folder: of the record; the project is three above.
        programs: folders, each with a slash at its end.
    """

    def __init__(self, folder: str, programs: Iterable[str]) -> None:
        self.root = folder.rsplit("/", 3)[0] + "/"
        self.all = (*SYSTEM, *programs, folder + "/")
        self.own = (*_MOUNTED, self.root)

    def out(self, path: str) -> bool:
        """Whether a file is left out: the longest of the folders that it lies in decides.

        Args:
            path: absolute.
        """
        kept, left = ([len(each) for each in some if path.startswith(each)] for some in (self.own, self.all))
        return max(left, default=0) > max(kept, default=0)


def program() -> str:
    """What runs: a script, a module or ``-c``; no arguments, which may hold secrets."""
    arguments = list(getattr(sys, "orig_argv", ()))
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "-m":
            return "-m " + next(rest, "")
        if argument == "-c" or not argument.startswith("-"):
            return str(argument)
    return str(arguments[0]) if arguments else ""


_CALLERS = frozenset(
    ("curl", "wget", "http", "https", "xh", "aria2c", "nc", "ncat", "telnet", "openssl", "socat", "websocat", "grpcurl")
)  # fmt: skip


def bare(program: str, arguments: Iterable[Any]) -> Iterator[str]:
    """What may be a host without ``https://`` before it, among the arguments of a program that calls one.

    Args:
        program: its name.
        arguments: those of its command line.
    """
    if program not in _CALLERS:
        return
    for argument in arguments:
        word = os.fsdecode(argument).split("/", 1)[0].rpartition("@")[2].partition(":")[0].rstrip(".")
        labels = word.split(".")
        named = labels[-1].isalpha() and all(one.replace("-", "a").isalnum() for one in labels)
        if named and len(labels) > 1 and len(word) < 100:
            yield word


_API = (
    "/chat/completions", "/completions", "/completion", "/v1/complete", "/v1/messages", "/v1/responses", "/api/chat",
    "/openai/responses", "/api/generate", "/v1/chat", "/v2/chat", "/converse", "/converse-stream", ":generateContent",
    ":streamGenerateContent",
)  # fmt: skip


def asks_model(method: Any, path: Any) -> bool:
    """Whether a request has the shape in which models are asked, whoever answers: OpenAI's, Anthropic's, Google's …

    Args:
        method: of HTTP.
        path: of the URL, or all of it.
    """
    if method != "POST" or not isinstance(path, str):
        return False
    path = path.partition("?")[0].rstrip("/")
    return path.endswith(_API) or ("/model/" in path and path.endswith(("/invoke", "/invoke-with-response-stream")))


def hosts(arguments: Iterable[Any]) -> Iterator[str]:
    """The hosts in URLs among the arguments of a command."""
    for argument in arguments:
        try:
            text = os.fsdecode(argument)
        except TypeError:
            continue
        for piece in text.split("://")[1:]:
            authority = piece.split("/", 1)[0].split("?", 1)[0].split()[:1]
            host = authority[0].rpartition("@")[2].strip("\"'`;|&()<>,$") if authority else ""
            if host:
                yield host


_KINDS = ("mlflow.spanType", "openinference.span.kind", "gen_ai.operation.name", "llm.request.type")
_CALLS = frozenset(
    ("chat", "text_completion", "generate_content", "embeddings", "chat_model", "llm", "embedding", "completion")
)  # fmt: skip
_NAMELESS = frozenset(("", "unknown", "none"))
_MODELS = (
    "gen_ai.response.model", "gen_ai.request.model", "mlflow.llm.model", "llm.response.model_name", "llm.model_name",
    "llm.request.model_name", "embedding.model_name", "llm.response.model", "llm.request.model",
)  # fmt: skip
_PROVIDERS = (
    "gen_ai.provider.name", "gen_ai.system", "mlflow.llm.provider", "llm.provider", "llm.system", "llm.vendor",
)  # fmt: skip
_ADDRESSES = ("server.address", "gen_ai.openai.api_base", "llm.openai.api_base", "net.peer.name")
_FORMATS = frozenset(("openai", "anthropic", "gemini", "groq", "mistral", "bedrock"))
_LONGEST, _OPEN = 200, 10_000


def called(attributes: Mapping[str, Any]) -> str | None:
    """What a span says of a call to a model: provider, model and host, with tabs between them, nothing else of it.

    Names are those of OpenTelemetry's conventions for generative AI, old and new, of OpenInference, of OpenLLMetry,
    and of MLflow, which writes its values as JSON.

    Args:
        attributes: of the span.

    Returns:
        None where it is about something else: an agent, a tool, a workflow.
    """

    def first(names: Iterable[str]) -> str:
        for name in names:
            value = attributes.get(name)
            if isinstance(value, str) and value.strip('" ').lower() not in _NAMELESS:
                text = " ".join(value.strip('" ').split())[:_LONGEST]
                return text.encode("utf-8", "backslashreplace").decode()
        return ""

    kind, model = first(_KINDS).lower(), first(_MODELS)
    if kind not in _CALLS and (kind or not model or "traceloop.span.kind" in attributes):
        return None
    provider, address = first(_PROVIDERS), first(_ADDRESSES)
    if not provider:
        form = first(("mlflow.message.format",))  # which client it was, where nothing says who answered
        provider = form if form in _FORMATS else ""
    return "\t".join((provider, model, next(hosts((address,)), address)))


class Spans:
    """Tells calls to models among spans as they end: a framework's span around a client's tells of the same call."""

    above: set[Any]

    def __init__(self) -> None:
        self.above = set()
        """Spans that are not over, around one that was counted."""

    def ended(self, own: Any, parent: Any, attributes: Mapping[str, Any]) -> str | None:
        """What one of them says of a call (`called`), or None.

        Args:
            own: its id.
            parent: id of the span around it; None: there is none.
            attributes: of the span.
        """
        inner = own in self.above
        self.above.discard(own)
        found = None if inner else called(attributes)
        if (inner or found is not None) and parent is not None:
            if len(self.above) >= _OPEN:
                self.above.pop()  # those above it never end, or are told elsewhere
            self.above.add(parent)
        return found
