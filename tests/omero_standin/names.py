"""Whether a query's names are in the model: asked before it runs, as Hibernate does."""

from __future__ import annotations

from typing import Any

from omero_standin.hql import Call, Path, Select
from omero_standin.schema import UnknownName, elements, interface, is_collection, named, names

OF_ALL = ("id", "version", "details")


def check_names(query: Select, outer: dict[str, str | None] | None = None) -> None:
    """Refuse a query with a name that the model lacks.

    Args:
        query: What was asked.
        outer: The kinds of the aliases of the query that this one stands in.

    Raises:
        UnknownName: a kind, an alias or a property that there is not.
    """
    interface(query.kind)
    kinds = {**(outer or {}), query.alias: query.kind}
    for join in query.joins:
        first, *rest = join.path.names
        if first not in kinds:
            raise UnknownName(f"{first} is no alias that was joined before")
        kinds[join.alias] = _end(kinds[first], rest)
    for expression in (*query.columns, query.where, *query.group, *(e for e, _ in query.order)):
        _check(expression, query, kinds)


def _check(expression: Any, query: Select, kinds: dict[str, str | None]) -> None:
    if isinstance(expression, Select):
        check_names(expression, kinds)
    elif isinstance(expression, Call):
        for operand in expression.operands:
            _check(operand, query, kinds)
    elif isinstance(expression, Path):
        first, *rest = expression.names
        if first in kinds:
            _end(kinds[first], rest)
        else:
            _end(query.kind, [first, *rest])


def _end(kind: str | None, path: list[str]) -> str | None:
    """The kind at the end of a path, None where only the stored row can tell."""
    for name in path:
        if kind is None or name in OF_ALL:
            return None
        if name not in names(kind):
            raise UnknownName(f"could not resolve property: {name} of: {kind}")
        kind = elements(kind, name)[0] if is_collection(kind, name) else named(kind, name)
    return kind
