"""Logs and exports of providers, entry by entry: which model was called, when, by which way, and what it answered.

Read, as their documentation described them in November 2026:

``azure-openai``           Azure Monitor resource logs of Azure OpenAI, category RequestResponse ("Common and
                           service-specific schemas for Azure resource logs"), and their rows in AzureDiagnostics
``api-management``         ApiManagementGatewayLogs, resource log GatewayLogs ("Reference: Gateway log schema")
``api-management-models``  ApiManagementGatewayLlmLog ("Log token usage, prompts, and completions for LLM APIs")
``otlp``                   spans of calls as OTLP's JSON lines (OpenTelemetry, "OpenTelemetry Protocol File Exporter"),
                           with the attributes that `lineage.capture.observer.lineage_record.called` knows
``openai``                 the completions usage API of OpenAI's organisations (pages and buckets), its export as CSV,
                           and the earlier rows with ``n_requests``

Each as JSON lines, JSON, the result of a Log Analytics query, or CSV. Held at once is one entry, of a JSON document
that is one value that document. What cannot be read is counted and said. Nothing is recorded here.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from lineage.capture.observer.lineage_record import Spans
from lineage.capture.spans import told
from lineage.errors import UsageError
from lineage.policy import catalogue
from lineage.vocabulary import Kind, Origin

LONGEST = 16 << 20
"""Bytes of one entry; a longer one is counted as not read."""
WHOLE = 64 << 20
"""Bytes of a JSON document that is one value."""
_REMEMBERED = 10_000
"""Requests whose ids are kept, to count one that is logged in several entries once."""

Entry = Mapping[str, Any]


class Logged(NamedTuple):
    """One entry: a call, or what a provider counts together."""

    format: str
    start: int
    """Seconds since 1970."""
    end: int
    """Of a count, the end of its time; of a call its start."""
    requests: int
    failed: int
    channel: str
    provider: str
    service: str
    account: str
    deployment: str
    answers: tuple[str, ...]


class Tally:
    """What was read beside calls."""

    def __init__(self) -> None:
        self.entries = 0
        self.zoneless = 0
        self.left: Counter[str] = Counter()


class _Left(Exception):  # noqa: N818 - an entry that is counted
    pass


def logged(path: Path, tally: Tally) -> Iterator[Logged]:
    """The calls in a file.

    Args:
        path: of the log; gzip is read as well.
        tally: counts entries, and why some are no calls.

    Raises:
        UsageError: ``LOG_UNREADABLE``: it is none of these formats, or cannot be read on.
    """
    seen: OrderedDict[str, None] = OrderedDict()
    spans = Spans()
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw
            for entry in _entries(stream, tally):
                tally.entries += 1
                try:
                    yield from (
                        _span(entry, spans) if "resource" in entry and "span" in entry else _calls(entry, tally, seen)
                    )
                except _Left as why:
                    tally.left[str(why)] += 1
                except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
                    tally.left["a value in it cannot be understood"] += 1
    except (OSError, EOFError) as error:
        raise _unreadable(path, str(error)) from None
    except _Unreadable as error:
        raise _unreadable(path, str(error)) from None


class _Unreadable(Exception):  # noqa: N818 - becomes a UsageError
    pass


def _unreadable(path: Path, cause: str) -> UsageError:
    return UsageError(
        f"{path.name} cannot be read as a log", code="LOG_UNREADABLE", cause=cause,
        hint="formats: docs/how-to/stated-origins.md; nothing was recorded of it",
    )  # fmt: skip


# -- from bytes to entries ---------------------------------------------------------------------------------------------


def _entries(stream: IO[bytes], tally: Tally) -> Iterator[Entry]:
    first = b""
    while not first.strip():
        line = stream.readline(LONGEST + 1)
        if not line:
            return
        first = line.removeprefix(b"\xef\xbb\xbf")
    if first.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in first[:1000]:
        raise _Unreadable("it is not UTF-8 text")
    if first.lstrip()[:1] not in (b"{", b"["):
        yield from _rows(first, stream)
        return
    value = _value(first)
    if value is None and not _opens_lines(first, stream):
        data = first + stream.read(WHOLE + 1)
        if len(data) > WHOLE:
            raise _Unreadable(f"it is one JSON value of more than {WHOLE >> 20} MiB; write it as JSON lines")
        value = _value(data)
        if value is None:
            raise _Unreadable("it is neither JSON nor JSON lines")
        yield from _unfolded(value)
        return
    if value is None:
        tally.entries += 1
        tally.left["it is not JSON, or cut short"] += 1
    else:
        yield from _unfolded(value)
    for line in _lines(stream, tally):
        value = _value(line)
        if value is None:
            tally.entries += 1
            tally.left["it is not JSON, or cut short"] += 1
        else:
            yield from _unfolded(value)


def _opens_lines(first: bytes, stream: IO[bytes]) -> bool:
    """Whether a first line that is no JSON is a broken line among others, and not the beginning of a value."""
    ahead = stream.peek(4096) if isinstance(stream, io.BufferedReader) else b""
    second = ahead.partition(b"\n")[0]
    return len(first) > LONGEST or (len(first.strip()) > 1 and _value(second) is not None and second[:1] == b"{")


def _lines(stream: IO[bytes], tally: Tally) -> Iterator[bytes]:
    while line := stream.readline(LONGEST + 1):
        if len(line) > LONGEST:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LONGEST)
            tally.entries += 1
            tally.left[f"it has more than {LONGEST >> 20} MiB"] += 1
        elif line.strip():
            yield line


def _value(data: bytes) -> Any:
    """A JSON object or list; None where it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def _unfolded(value: Any) -> Iterator[Entry]:
    """The entries in a value: itself, ``records`` of an event hub, ``data`` of a page, ``tables`` of a query."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += reversed(item)
        elif not isinstance(item, dict):
            yield {"": item}
        elif isinstance(item.get("tables"), list):
            for table in item["tables"]:
                yield from _table(table)
        elif isinstance(item.get("resourceSpans"), list):
            for group in item["resourceSpans"]:
                yield from _group(group)
        else:
            inner = item.get("records") if isinstance(item.get("records"), list) else item.get("data")
            if isinstance(inner, list):
                waiting += reversed(inner)
            else:
                yield item


def _table(table: Any) -> Iterator[Entry]:
    """The rows of the result of a query."""
    columns, rows = (table.get(key) if isinstance(table, dict) else None for key in ("columns", "rows"))
    if not isinstance(columns, list) or not isinstance(rows, list):
        yield {"": table}
        return
    names = [str(column.get("name")) if isinstance(column, dict) else "" for column in columns]
    for row in rows:
        yield dict(zip(names, row, strict=False)) if isinstance(row, list) else {"": row}


def _group(group: Any) -> Iterator[Entry]:
    """The spans of one program."""
    scopes = group.get("scopeSpans") if isinstance(group, dict) else None
    if not isinstance(scopes, list):
        yield {"": group}
        return
    resource = _attributes(group.get("resource"))
    for scope in scopes:
        spans = scope.get("spans") if isinstance(scope, dict) else None
        for span in spans if isinstance(spans, list) else (scope,):
            yield {"resource": resource, "span": span}


def _attributes(holder: Any) -> dict[str, Any]:
    """Attributes as OTLP writes them, those that are text, or lists and maps of text."""
    listed = holder.get("attributes") if isinstance(holder, dict) else None
    return {str(one["key"]): _plain(one.get("value")) for one in listed or () if isinstance(one, dict) and "key" in one}


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("arrayValue"), dict):
        return [_plain(one) for one in value["arrayValue"].get("values") or ()]
    if isinstance(value.get("kvlistValue"), dict):
        return {str(one.get("key")): _plain(one.get("value")) for one in value["kvlistValue"].get("values") or ()}
    return value.get("stringValue")


def _rows(first: bytes, stream: IO[bytes]) -> Iterator[Entry]:
    def lines() -> Iterator[str]:
        line = first
        while line:
            if len(line) > LONGEST:
                raise _Unreadable(f"a line of it has more than {LONGEST >> 20} MiB")
            yield line.decode("utf-8-sig")
            line = stream.readline(LONGEST + 1)

    before = csv.field_size_limit(LONGEST)
    try:
        reader = csv.DictReader(lines(), strict=True)
        names = reader.fieldnames or []
        if len(names) < 2 or len(set(names)) != len(names):
            raise _Unreadable("it is neither JSON nor a table with names of columns")
        for row in reader:
            yield {name: text for name, text in row.items() if isinstance(name, str) and text not in (None, "")}
    except (csv.Error, UnicodeDecodeError) as error:
        raise _Unreadable(f"it is no CSV in UTF-8: {error}") from None
    finally:
        csv.field_size_limit(before)


# -- from entries to calls ---------------------------------------------------------------------------------------------


def _calls(entry: Entry, tally: Tally, seen: OrderedDict[str, None]) -> Iterator[Logged]:
    if "results" in entry and "start_time" in entry:
        for result in entry["results"]:
            yield _counted({**result, "start_time": entry["start_time"], "end_time": entry.get("end_time")})
        return
    if "num_model_requests" in entry or "n_requests" in entry:
        yield _counted(entry)
        return
    fields = _flat(entry)
    category = str(fields.get("category", "")).lower()
    if "responsemessages" in fields or "requestmessages" in fields or "completiontokens" in fields:
        if _again(fields, seen):
            yield from _more(fields, tally)
        else:
            yield _through_models(fields, tally)
    elif "backendurl" in fields or category == "gatewaylogs":
        if not _again(fields, seen):
            yield _through_gateway(fields, tally)
    elif category == "requestresponse" or ("modeldeploymentname" in fields and not category):
        yield _of_azure(fields, tally)
    elif category:
        raise _Left(f"its category is {str(fields['category'])[:60]}")
    else:
        raise _Left("it is no entry of a format that is read")


def _flat(entry: Entry) -> dict[str, Any]:
    """Fields by name in small letters, those of ``properties`` among them; units and types in names left out."""
    inner = next((entry[key] for key in ("properties", "properties_s", "Properties") if entry.get(key)), None)
    if isinstance(inner, str):
        inner = json.loads(inner)
    whole: dict[str, Any] = {**(inner if isinstance(inner, dict) else {}), **entry}
    found: dict[str, Any] = {}
    for key, value in whole.items():
        name = str(key).lower()
        if name.startswith(("time", "timegenerated")) and "[" in name and "[utc]" not in name:
            raise _Left("its times are local; export them in UTC")
        name = name.partition(" [")[0]
        name = re.sub(r"_[sdgbt]$", "", name) if name not in ("properties_s",) else name
        if value is not None and value != "":
            found.setdefault(name, value)
    return found


def _again(fields: Mapping[str, Any], seen: OrderedDict[str, None]) -> bool:
    """Whether another entry of the same request was read shortly before."""
    key = str(fields.get("correlationid", ""))
    if not key:
        return False
    known = key in seen
    seen[key] = None
    if len(seen) > _REMEMBERED:
        seen.popitem(last=False)
    return known


def _moment(fields: Mapping[str, Any], tally: Tally) -> int:
    text = str(fields.get("timegenerated") or fields.get("time") or fields.get("timestamp") or "").strip()
    if not text:
        raise _Left("it has no time")
    return _seconds(text, tally)


def _seconds(text: str, tally: Tally) -> int:
    trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text)
    trimmed = re.sub(r"\.(\d{1,5})(?=\D|$)", lambda found: "." + found[1].ljust(6, "0"), trimmed)
    trimmed = f"{trimmed[:-1]}+00:00" if trimmed[-1:] in "Zz" else trimmed
    try:
        moment = datetime.fromisoformat(trimmed)
    except ValueError:
        for shape in ("%m/%d/%Y, %I:%M:%S.%f %p", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y, %I:%M:%S %p"):
            try:
                moment = datetime.strptime(trimmed, shape)  # noqa: DTZ007 - the zone is looked at below
                break
            except ValueError:
                continue
        else:
            raise _Left("its time cannot be read") from None
    if moment.tzinfo is None:
        tally.zoneless += 1
        moment = moment.replace(tzinfo=timezone.utc)
    seconds = int(moment.timestamp())
    if not 0 < seconds < 1 << 33:
        raise _Left("its time cannot be read")
    return seconds


def _who(channel: str, service: str) -> tuple[str, str]:
    """(channel, provider) as the catalogue knows them."""
    named = catalogue().named(Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, service=service, channel=channel))
    return named.channel, named.providers[0] if named.providers else ""


def _counted(row: Entry) -> Logged:
    """A row of OpenAI's usage."""
    start = _unix(row.get("start_time", row.get("aggregation_timestamp", row.get("timestamp"))))
    end = _unix(row["end_time"]) if row.get("end_time") not in (None, "") else start + 86_400
    if end < start:
        raise _Left("it ends before it begins")
    service = str(row.get("model") or row.get("snapshot_id") or "")[:200]
    requests = int(row.get("num_model_requests", row.get("n_requests", 0)))
    if requests < 0:
        raise _Left("it counts fewer than no requests")
    account = str(row.get("project_id") or row.get("project_name") or row.get("organization_name") or "")[:200]
    return Logged("openai", start, end, requests, 0, *_who("openai", service), service, account, "", ())


def _unix(value: Any) -> int:
    if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?", value):
        return _seconds(value, Tally())
    seconds = int(float(value))
    if not 0 < seconds < 1 << 33:
        raise _Left("its time cannot be read")
    return seconds


_ANSWER = re.compile(
    r"gen_ai\.(?:output\.messages|completion(?:\.\d+\.content)?)|llm\.output_messages\.\d+\.message\.content"
)
_ERROR = (2, "STATUS_CODE_ERROR")


def _span(entry: Entry, spans: Spans) -> Iterator[Logged]:
    """A call that a program traced. Of spans inside one another that tell of one call, the innermost."""
    span, attributes = entry["span"], _attributes(entry["span"])
    found = spans.ended(span.get("spanId"), span.get("parentSpanId") or None, attributes)
    if found is None:
        raise _Left("it is no span of a call to a model, or one around such a span")
    start = int(span.get("startTimeUnixNano")) // 1_000_000_000
    if not 0 < start < 1 << 33:
        raise _Left("its time cannot be read")
    provider, model, host = found.split("\t")
    one = told(provider, model, host, catalogue())
    origin = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, one.provider, one.model, one.channel)
    owners = catalogue().named(origin).providers
    if not one.channel and not owners:
        raise _Left("it names no provider")
    failed = isinstance(span.get("status"), dict) and span["status"].get("code") in _ERROR
    answers = [text for key in sorted(attributes) if _ANSWER.fullmatch(key) for text in _said(key, attributes[key])]
    yield Logged(
        "otlp", start, start, 0 if failed else 1, int(failed), one.channel, owners[0] if owners else "", one.model,
        str(entry["resource"].get("service.name") or "")[:200], "", () if failed else tuple(answers),
    )  # fmt: skip


def _said(key: str, value: Any) -> Iterator[str]:
    """The texts of an attribute that holds an answer: the text itself, or messages, as JSON or not."""
    if key.endswith(".content"):
        yield from [value] if isinstance(value, str) and value.strip() else []
    else:
        yield from _answers(value)


_MANAGING = re.compile(r"^(list|get|delete|create(deployment|file)|deployments?_|files?_|models?_)", re.I)


def _of_azure(fields: Mapping[str, Any], tally: Tally) -> Logged:
    operation = str(fields.get("operationname", ""))
    if _MANAGING.match(operation):
        raise _Left("it manages files or deployments")
    start = _moment(fields, tally)
    service, failed = str(fields.get("modelname", "")), _failed(fields)
    return Logged(
        "azure-openai", start, start, 0 if failed else 1, int(failed), *_who("azure-openai", service), service[:200],
        _account(fields), str(fields.get("modeldeploymentname", ""))[:200], (),
    )  # fmt: skip


def _account(fields: Mapping[str, Any]) -> str:
    name = str(fields.get("resourceid") or fields.get("_resourceid") or fields.get("resource") or "")
    return name.rstrip("/").rpartition("/")[2].lower()[:200]


def _failed(fields: Mapping[str, Any]) -> bool:
    for key in ("backendresponsecode", "responsecode", "resultsignature", "statuscode", "httpstatuscode"):
        text = str(fields.get(key, "")).strip()
        if re.fullmatch(r"\d{3}(\.0)?", text):
            return int(float(text)) >= 400
    return str(fields.get("isrequestsuccess", "true")).lower() == "false"


_DEPLOYMENT = re.compile(r"/openai/deployments/([^/?]+)")


def _through_gateway(fields: Mapping[str, Any], tally: Tally) -> Logged:
    urls = [str(fields[key]) for key in ("backendurl", "url") if fields.get(key)]
    found = deployment = ""
    for url in urls:
        way = catalogue().by_host(urlsplit(url).hostname or "")
        found = found or (way.id if way else "")
        deployment = deployment or (match[1] if (match := _DEPLOYMENT.search(url)) else "")
    if not found and not deployment:
        raise _Left("it was sent to no host of the catalogue")
    start, failed = _moment(fields, tally), _failed(fields)
    request, response = (_text(fields, key) for key in ("requestbody", "responsebody"))
    service = _model(response) or _model(request)
    answers = () if failed else tuple(_answers(response))
    return Logged(
        "api-management", start, start, 0 if failed else 1, int(failed), *_who(found or "azure-openai", service),
        service, _account(fields), deployment[:200], answers,
    )  # fmt: skip


def _through_models(fields: Mapping[str, Any], tally: Tally) -> Logged:
    start, service = _moment(fields, tally), str(fields.get("modelname", ""))[:200]
    deployment = str(fields.get("deploymentname", ""))[:200]
    channel = "azure-openai" if deployment else ""
    return Logged(
        "api-management-models", start, start, 1, 0, *_who(channel, service), service, _account(fields), deployment,
        tuple(_answers(fields.get("responsemessages"))),
    )  # fmt: skip


def _more(fields: Mapping[str, Any], tally: Tally) -> Iterator[Logged]:
    """The rest of what a request was answered: large answers are split over entries."""
    found = _through_models(fields, tally)
    if found.answers:
        yield found._replace(requests=0)


# -- what was answered -------------------------------------------------------------------------------------------------


def _text(fields: Mapping[str, Any], key: str) -> Any:
    return fields.get(f"backend{key}") or fields.get(key) or ""


def _model(body: Any) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    found = re.search(r'"model"\s*:\s*"([^"\\]{1,200})"', text)
    return found[1] if found else ""


_CONTENT = re.compile(r'"(?:content|text)"\s*:\s*"((?:[^"\\]|\\.)*)')
_HALF = re.compile(r"\\u[0-9a-fA-F]{0,3}$")


def _answers(body: Any) -> Iterator[str]:
    """The texts of answers in the body of a response: JSON, a stream of events, or what is left of one that is cut."""
    if isinstance(body, str):
        if "data:" in body[:200]:
            pieces = [_value(line[5:].encode()) for line in body.splitlines() if line.startswith("data:")]
            text = "".join(part for piece in pieces if piece for part in _parts(piece))
            yield from [text] if text.strip() else []
            return
        value = _value(body.encode("utf-8", "replace"))
        if value is None:  # the log keeps a part of a large body
            for found in _CONTENT.finditer(body):
                yield json.loads('"' + _HALF.sub("", found[1]) + '"', strict=False)
            return
        body = value
    yield from (text for text in _parts(body) if text.strip())


def _parts(value: Any) -> Iterator[str]:
    """Texts of choices, messages of the assistant, and outputs; not of what was asked."""
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += reversed(item)
        elif isinstance(item, dict):
            if str(item.get("role", "assistant")).lower() not in ("assistant", "model"):
                continue
            if item.get("type") == "message" and "output" not in item and isinstance(item.get("content"), list):
                waiting.append(item["content"])
                continue
            for key in ("content", "text"):
                if isinstance(item.get(key), str):
                    yield item[key]
                elif isinstance(item.get(key), list):
                    waiting.append(item[key])
            waiting += [
                item[key]
                for key in ("output", "delta", "message", "choices", "parts")
                if isinstance(item.get(key), (dict, list))
            ]
