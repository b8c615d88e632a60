"""What a server says of itself to whoever runs it: metrics and logs. Their routes are `lineage.server.operations`'s."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import datetime, timezone

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from lineage.errors import printable

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters of one server; names are Prometheus'. No label holds a name that somebody outside chose."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lineagegate_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "lineagegate_request_seconds", "Time to answer.", ("route",), buckets=_BUCKETS, registry=self.registry
        )
        self.events = Counter(
            "lineagegate_events", "Events by what became of them.", ("result",), registry=self.registry
        )
        self.decisions = Counter("lineagegate_decisions", "Decisions by outcome.", ("outcome",), registry=self.registry)
        self.refused = Counter("lineagegate_refused", "Requests refused, by code.", ("code",), registry=self.registry)

    def text(self, **gauges: float) -> bytes:
        """The exposition format, with what is true at this moment."""
        lines = [f"# TYPE lineagegate_{name} gauge\nlineagegate_{name} {value:g}\n" for name, value in gauges.items()]
        return bytes(generate_latest(self.registry)) + "".join(lines).encode()


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the fields of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as a line."""
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=True)


class TextLines(logging.Formatter):
    """For people: a request is one line, and nobody's name can break it."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as a line; below it the traceback, where there is one."""
        fields = " ".join(f"{k}={v}" for k, v in getattr(record, "fields", {}).items())
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        line = printable(f"{when} {record.levelname.lower():<7} {record.getMessage()} {fields}".rstrip())
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_to_stderr(form: str) -> None:
    """Log to standard error.

    Args:
        form: ``json`` or ``text``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    for name in ("lineagegate", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
