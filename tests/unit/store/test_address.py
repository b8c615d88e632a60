"""Addresses of stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.errors import UsageError
from lineage.store import create_store
from lineage.store.postgresql import _array, parameters, plain


def test_parts() -> None:
    found = parameters("postgresql://ann:s%40fe@db.example.com:5433/lineage?sslmode=require")
    assert (found["user"], found["password"], found["host"]) == ("ann", "s@fe", "db.example.com")
    assert (found["port"], found["database"]) == (5433, "lineage")
    assert found["ssl_context"].check_hostname
    socket = parameters("postgresql://postgres@localhost/x?host=/run/postgresql")
    assert socket["unix_sock"] == "/run/postgresql/.s.PGSQL.5432"
    assert "host" not in socket


def test_no_address() -> None:
    with pytest.raises(UsageError) as caught:
        parameters("postgresql://host:port/x")
    assert caught.value.code == "STORE_UNREACHABLE"


def test_passwords_are_not_shown() -> None:
    assert plain("postgresql://ann:safe@db/x") == "postgresql://ann@db/x"
    assert plain("postgresql://ann@db/x") == "postgresql://ann@db/x"


def test_arrays() -> None:
    assert _array([1, -2], "bigint") == "{1,-2}"
    assert _array([b"\x00\xff"], "bytea") == '{"\\\\x00ff"}'
    assert _array(['a"b\\c', "", "NULL", "x,{y}"], "text") == '{"a\\"b\\\\c","","NULL","x,{y}"}'


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "a b;c&d=e", "é☃"])
def test_a_path_with_signs_of_a_url_is_a_path(tmp_path: Path, name: str) -> None:
    place = tmp_path / name / "lineage.db"
    create_store(str(place)).close()
    assert place.is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
