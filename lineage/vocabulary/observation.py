"""What was seen of one execution while it ran (issue 6): evidence, kept with the run that it is about."""

from __future__ import annotations

from lineage.vocabulary.value import Value


class Call(Value, frozen=True):
    """Calls to one host that serves models; of a host whose models are known by name, those to one model."""

    host: str
    """Empty where only a span told of it, and of no host."""
    count: int
    """At least so many: a process that is ended from outside says the last power of two."""
    counted: str
    """``requests``, ``connections``, ``spans`` that the program itself wrote, or ``mentions``: arguments of a program
    that was started, one counts."""
    channel: str = ""
    """How the catalogue calls it; empty where the host is in no catalogue."""
    use: str = ""
    """Role that somebody declared for it; empty: what it answered is content."""
    model: str = ""
    """As a span of the program names it."""
    provider: str = ""
    """Whose model it is, as a span says, where the channel does not say so."""


class Observation(Value, frozen=True):
    """What was seen of one execution."""

    executions: tuple[str, ...]
    """Its records in the spool: one for each command of the stage."""
    started: str
    """ISO 8601."""
    ended: str
    """ISO 8601; empty where nothing says that it ended."""
    status: int
    """Exit status; negative: the signal that ended it."""
    mode: str
    """``python``: Python processes were looked at; ``strace``: all were; ``off``: only that it ran."""
    programs: tuple[str, ...] = ()
    """Python programs and other children, by name."""
    calls: tuple[Call, ...] = ()
    """To hosts of the catalogue, and those that the program's own spans tell of."""
    hosts: tuple[str, ...] = ()
    """All others that were called."""
    libraries: tuple[str, ...] = ()
    """That run models on this machine."""
    undeclared: tuple[str, ...] = ()
    """Files that were read and are no dependency; those with a content are inputs of the run as well."""
    notes: tuple[str, ...] = ()
    """What does not fit the pipeline's own record: a dependency that changed, an output that nothing made."""
    faults: tuple[str, ...] = ()
    """Why the record is not whole."""
