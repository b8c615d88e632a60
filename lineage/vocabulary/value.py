"""The base of every value here: immutable, comparable, hashable, and at the same time its own JSON form.

msgspec structs are used so that a value has one definition: the class is what code passes round, what events carry and
what the JSON Schemas in ``schemas/`` are generated from. Field names are camel case in JSON, as OpenLineage's are;
fields at their default are left out.
"""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", gc=False):
    """An immutable value. `msgspec.structs.replace` makes a changed copy."""
