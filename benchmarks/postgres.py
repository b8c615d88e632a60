"""A private PostgreSQL server for a benchmark, on a socket in a temporary directory, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


@contextmanager
def server() -> Iterator[str]:
    """Start a server with its default settings; yields a URL."""
    tool = shutil.which("initdb")
    folder_of_tools = Path(tool).resolve().parent if tool else sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    user = None
    if os.geteuid() == 0:  # the server refuses to run as root
        user = next(u for u in ("postgres", "nobody") if any(p.pw_name == u for p in pwd.getpwall()))
    folder = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    data = folder / "data"
    if user:
        shutil.chown(folder, user)
    run = {"check": True, "user": user, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    try:
        subprocess.run([folder_of_tools / "initdb", "-D", data, "-U", "bench", "-A", "trust"], **run)  # type: ignore[call-overload]
        subprocess.run(
            [folder_of_tools / "pg_ctl", "-D", data, "-w", "-o", f"-k {folder} -c listen_addresses=''", "start"], **run
        )  # type: ignore[call-overload]
        try:
            yield f"postgresql://bench@/postgres?host={folder}"
        finally:
            subprocess.run([folder_of_tools / "pg_ctl", "-D", data, "-m", "fast", "stop"], **run)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parts(url: str) -> dict[str, str]:
    """Arguments of a pg8000 connection."""
    split = urlsplit(url)
    host = parse_qs(split.query)["host"][0]
    return {"user": "bench", "database": "postgres", "unix_sock": f"{host}/.s.PGSQL.5432"}
