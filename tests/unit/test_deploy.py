"""The files under docs/deploy say what they must, in the words of the tools that read them, and of ours."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lineage.cli.serve import serve
from lineage.cli.settings import Settings
from lineage.server.room import STOP
from lineage.server.run import GRACE, Where, check_where

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"


def options(arguments: list[str]) -> dict[str, Any]:
    """What `serve` makes of a command line."""
    assert arguments[0] == "serve"
    assert isinstance(serve, click.Command)
    return serve.make_context("serve", arguments[1:], obj=Settings()).params


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def test_the_image() -> None:
    found = instructions()
    known = "FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD"
    assert {name for name, _ in found} <= set(known.split())
    last = [name for name, _ in found].index("FROM", 1)
    final = dict(found[last:])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", final["USER"]) and final["STOPSIGNAL"] == "SIGTERM"
    assert final["VOLUME"] == final["WORKDIR"] == "/var/lib/lineagegate"
    check = json.loads(final["HEALTHCHECK"].partition("CMD ")[2])
    assert "/health" in check[-1] and check[0] == "python"
    compile(check[-1], "HEALTHCHECK", "exec")
    assert json.loads(final["ENTRYPOINT"]) == ["lineagegate"]
    assert options(json.loads(final["CMD"]))["host"] == "127.0.0.1"  # nobody is let in who did not ask for it
    for name, rest in found[:last]:
        if name == "COPY":
            assert all((ROOT / part).exists() for part in rest.split()[:-1])
    extras = re.search(r"\.\[([a-z,]+)\]", dict(found[:last])["RUN"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert extras and set(extras[1].split(",")) <= set(project["project"]["optional-dependencies"])


def test_compose() -> None:
    file = DEPLOY / "compose.yaml"
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    services = found["services"]
    assert set(found) == {"name", "services", "networks", "volumes"}
    server = services["server"]
    assert server["read_only"] and server["user"] == "10001:10001" and server["cap_drop"] == ["ALL"]
    assert server["security_opt"] == ["no-new-privileges:true"] and "/ready" in server["healthcheck"]["test"][-1]
    assert "ports" not in server and "ports" not in services["database"]  # the proxy alone is reached from outside
    assert (file.parent / server["build"]["context"] / server["build"]["dockerfile"]).is_file()
    given = options(server["command"])
    proxy = services["proxy"]["networks"]["front"]["ipv4_address"]
    assert given["proxies"] == (proxy,)
    check_where(Where(given["host"], given["port"], proxies=given["proxies"]), tokens=1)
    assert int(server["stop_grace_period"].removesuffix("s")) >= GRACE + STOP
    for service in services.values():
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in found["volumes"]
        assert set(service.get("depends_on", {})) <= set(services)
        assert set(service["networks"]) <= set(found["networks"])
        assert not re.search(r"PASSWORD: \w", str(service))  # no secret stands in it
    assert found["networks"]["inside"] == {"internal": True}
    if shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "POSTGRES_PASSWORD": "x", "LINEAGE_HOST": "x.example"}
        command = ["docker", "compose", "-f", str(file), "config", "--quiet"]
        subprocess.run(command, check=True, env=environment, timeout=60)


def test_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "lineagegate.service").read_text(encoding="utf-8")
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    service = unit["Service"]
    assert service["User"] not in ("", "root") and service["NoNewPrivileges"] == "yes"
    assert (
        service["ProtectSystem"] == "strict" and service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    )
    program, *arguments = shlex.split(service["ExecStart"])
    assert program.endswith("/lineagegate") and options(arguments)["host"] == "127.0.0.1"
    assert service["KillSignal"] == "SIGTERM" and int(service["TimeoutStopSec"]) >= GRACE + STOP
    if shutil.which("systemd-analyze"):
        here = tmp_path / "lineagegate.service"  # what it names is not installed where the tests run
        here.write_text(text.replace(service["ExecStart"], "/bin/true").replace("User=lineagegate", "User=root")
                        .replace("Group=lineagegate", "Group=root"))  # fmt: skip
        done = subprocess.run(["systemd-analyze", "verify", str(here)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "lineagegate.service" not in done.stderr, done.stderr


@pytest.mark.parametrize("file", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_no_secret_and_no_machine_of_ours(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"lgt_[0-9A-Z]|/(home|root)/", text)
    assert text.isascii() or "…" in text
