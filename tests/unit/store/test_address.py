"""Addresses of PostgreSQL stores."""

from __future__ import annotations

import pytest

from lineage.errors import UsageError
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
