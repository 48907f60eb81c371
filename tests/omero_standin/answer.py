"""HQL answered from the tables, for one caller.

Entities come distinct and in the order of their ids unless the query orders them. A path through
a collection, a name that a kind does not have and a parameter that was not given are errors, as
with Hibernate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from omero.rtypes import rbool, rdouble, rint, rlong, robject, rstring, rtime

from omero_standin.hql import Call, Join, Literal, Param, Path, Select
from omero_standin.marshal import Marshaller, follow
from omero_standin.rights import Caller
from omero_standin.schema import (
    UnknownName,
    collections,
    fields,
    is_a,
    named,
    wrapper,
)
from omero_standin.schema import names as names_of
from omero_standin.schema import table as table_of
from omero_standin.world import Quantity, Ref, Row

Binding = dict[str, Any]

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
AGGREGATES = ("count", "max", "min", "sum")


class Answer:
    """One query, evaluated.

    Args:
        caller: Who asks.
        query: What is asked.
        params: Plain values by name.
        outer: The bindings of the query that this one stands in.
    """

    def __init__(
        self, caller: Caller, query: Select, params: dict[str, Any], outer: Binding | None = None
    ) -> None:
        self.caller = caller
        self.query = query
        self.params = params
        self.outer = outer or {}

    def bindings(self) -> list[Binding]:
        """What each alias stands for, for every combination that meets the condition."""
        found: list[Binding] = [
            {**self.outer, self.query.alias: row}
            for row in self._candidates()
            if self.caller.reads(row)
        ]
        for join in self.query.joins:
            found = [extended for binding in found for extended in self._join(binding, join)]
        if self.query.where is not None:
            found = [binding for binding in found if self.test(self.query.where, binding)]
        for expression, descending in reversed(self.query.order):
            found.sort(
                key=lambda binding, e=expression: _sortable(self.value(e, binding)),
                reverse=descending,
            )
        return found

    def entities(self) -> list[Any]:
        """The objects that the query's single column selects, with what it fetches.

        Raises:
            UnknownName: the column is no entity.
        """
        if len(self.query.columns) != 1 or not isinstance(self.query.columns[0], Path):
            raise UnknownName("only one entity can be selected here; use projection")
        marshaller = Marshaller(self.caller)
        rows: dict[Ref, Row] = {}
        for binding in self.bindings():
            row = self.value(self.query.columns[0], binding)
            if row is None:
                continue
            if not isinstance(row, Row):
                raise UnknownName("only one entity can be selected here; use projection")
            rows[row.ref] = row
            for join in self.query.joins:
                if join.fetch and binding[join.path.names[0]] is not None:
                    source = binding[join.path.names[0]]
                    marshaller.connect(source, ".".join(join.path.names[1:]), binding[join.alias])
        return [marshaller.loaded(row) for row in rows.values()]

    def table(self) -> list[list[Any]]:
        """The query's columns as rows of RTypes."""
        found = self.bindings()
        columns = self.query.columns
        if self.query.group:
            groups: dict[Any, list[Binding]] = {}
            for binding in found:
                key = tuple(_key(self.value(item, binding)) for item in self.query.group)
                groups.setdefault(key, []).append(binding)
            rows = [[self.column(c, group) for c in columns] for group in groups.values()]
        elif any(isinstance(c, Call) and c.name in AGGREGATES for c in columns):
            rows = [[self.column(column, found) for column in columns]]
        else:
            rows = [[self.column(column, [binding]) for column in columns] for binding in found]
        if self.query.distinct:
            rows = list({tuple(map(str, row)): row for row in rows}.values())
        return rows

    def column(self, column: Any, group: list[Binding]) -> Any:
        """One column over the bindings of one row of a table."""
        if isinstance(column, Call) and column.name in AGGREGATES:
            return self._aggregate(column, group)
        value = self.value(column, group[0])
        if value is None:
            return None
        if isinstance(value, Row):
            return robject(Marshaller(self.caller).loaded(value))
        if isinstance(column, Path):
            return self._typed(column, value, group[0])
        return rlong(value) if isinstance(value, int) else rstring(str(value))

    def test(self, condition: Any, binding: Binding) -> bool:
        """Whether a condition holds; comparisons with null never do."""
        if not isinstance(condition, Call):
            return bool(self.value(condition, binding))
        name, operands = condition.name, condition.operands
        if name == "and":
            return all(self.test(part, binding) for part in operands)
        if name == "or":
            return any(self.test(part, binding) for part in operands)
        if name == "not":
            return not self.test(operands[0], binding)
        if name == "exists":
            return bool(Answer(self.caller, operands[0], self.params, binding).bindings())
        left = self.value(operands[0], binding)
        if name == "null":
            return left is None
        if left is None:
            return False
        if name == "in":
            return _key(left) in self._members(operands[1:], binding)
        right = self.value(operands[1], binding)
        if right is None:
            return False
        if name == "like":
            pattern = re.escape(str(right)).replace("%", ".*").replace("_", ".")
            return re.fullmatch(pattern, str(left), re.DOTALL) is not None
        return COMPARE[name](_key(left), _key(right))

    def value(self, expression: Any, binding: Binding) -> Any:
        """What an expression stands for: a row, a plain value, or None."""
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, Param):
            if expression.name not in self.params:
                raise UnknownName(f"not all named parameters have been set: [{expression.name}]")
            value = self.params[expression.name]
            return value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(expression, Path):
            return self._path(expression, binding)
        operand = self.value(expression.operands[0], binding)
        if expression.name in ("lower", "upper"):
            return None if operand is None else getattr(str(operand), expression.name)()
        if expression.name == "index" and isinstance(operand, Row):
            return self._index(operand)
        raise UnknownName(f"the stand-in does not serve {expression.name}() here")

    def _candidates(self) -> Iterator[Row]:
        """The rows to start from: by the index where the condition names an owner or an id."""
        world, query = self.caller.world, self.query
        conditions = (query.where,)
        if isinstance(query.where, Call) and query.where.name == "and":
            conditions = query.where.operands
        for condition in conditions:
            if not isinstance(condition, Call) or condition.name not in ("=", "in"):
                continue
            left, *right = condition.operands
            if not isinstance(left, Path) or left.names[0] != query.alias or left.names[-1] != "id":
                continue
            if not all(isinstance(item, Param | Literal) for item in right):
                continue
            wanted = sorted(i for i in self._members(right, {}) if isinstance(i, int))
            if len(left.names) == 2:
                found = [world.get(Ref(table_of(query.kind), id)) for id in wanted]
                return iter([r for r in found if r is not None and is_a(r.kind, query.kind)])
            target = named(query.kind, left.names[1]) if len(left.names) == 3 else None
            if target is not None:
                rows = [
                    row
                    for id in wanted
                    for row in world.referring(query.kind, left.names[1], Ref(target, id))
                ]
                return iter(sorted((r for r in rows if is_a(r.kind, query.kind)), key=_by_id))
        return world.of_kind(query.kind)

    def _join(self, binding: Binding, join: Join) -> list[Binding]:
        source = binding.get(join.path.names[0], _MISSING)
        if source is _MISSING:
            raise UnknownName(f"{join.path.names[0]} is no alias that was joined before")
        found: list[Any] = []
        if source is not None:
            found = self._steps(source, join.path.names[1:])
        if not found and (join.outer or join.path.names[1] == "details"):
            found = [None]
        return [{**binding, join.alias: other} for other in found]

    def _steps(self, row: Row, names: tuple[str, ...]) -> list[Any]:
        if names[0] == "details":
            value = self._detail(row, names[1])
            return [] if value is None else [value]
        found = follow(self.caller, row, names[0])
        for name in names[1:]:
            found = [other for row in found for other in follow(self.caller, row, name)]
        return found

    def _detail(self, row: Row, name: str) -> Any:
        world = self.caller.world
        if name == "owner":
            return world.get(Ref("Experimenter", row.owner))
        if name == "group":
            return world.get(Ref("ExperimenterGroup", row.group))
        if name == "creationEvent":
            return row.created
        if name == "updateEvent":
            return row.updated
        if name == "externalInfo":
            return None
        raise UnknownName(f"could not resolve property: details.{name}")

    def _path(self, path: Path, binding: Binding) -> Any:
        names = list(path.names)
        if names[0] not in binding:
            names.insert(0, self.query.alias)
        value = binding[names.pop(0)]
        while names and value is not None:
            name = names.pop(0)
            if isinstance(value, Ref):
                value = self.caller.world.get(value)
            if isinstance(value, Row):
                value, names = self._property(value, name, names)
            elif isinstance(value, Quantity) and name in ("value", "unit"):
                value = getattr(value, name)
            elif isinstance(value, int) and name == "id":
                continue
            elif isinstance(value, int) and name == "time":
                value = int(1000 * self.caller.world.times.get(value, 0))
            else:
                raise UnknownName(f"could not resolve property: {name} of {'.'.join(path.names)}")
        return self.caller.world.get(value) if isinstance(value, Ref) else value

    def _property(self, row: Row, name: str, names: list[str]) -> tuple[Any, list[str]]:
        if name == "id":
            return row.id, names
        if name == "version":
            return 0, names
        if name == "details":
            if not names:
                raise UnknownName("details is no value")
            return self._detail(row, names[0]), names[1:]
        if name in collections(row.kind):
            raise UnknownName(
                f"illegal attempt to dereference collection [{row.kind}.{name}] with a path"
            )
        if name not in names_of(row.ref.table):
            raise UnknownName(f"could not resolve property: {name} of: {row.kind}")
        return row.values.get(name), names

    def _members(self, items: Any, binding: Binding) -> set[Any]:
        members: set[Any] = set()
        for item in items:
            if isinstance(item, Select):
                inner = Answer(self.caller, item, self.params, binding)
                column = item.columns[0]
                members |= {_key(inner.value(column, found)) for found in inner.bindings()}
            elif isinstance(item, Param) and isinstance(self.params.get(item.name), list):
                members |= {_key(value) for value in self.params[item.name]}
            else:
                members.add(_key(self.value(item, binding)))
        return members

    def _index(self, row: Row) -> int:
        owner = row.values.get("pixels") or row.values.get("roi")
        if owner is None:
            raise UnknownName("index() is served for channels and shapes only")
        name = "pixels" if "pixels" in row.values else "roi"
        siblings = self.caller.world.referring(row.kind, name, owner)
        return [other.id for other in siblings].index(row.id)

    def _aggregate(self, column: Call, group: list[Binding]) -> Any:
        operand = column.operands[0]
        distinct = isinstance(operand, Call) and operand.name == "distinct"
        if distinct:
            operand = operand.operands[0]
        if operand == Literal("*"):
            return rlong(len(group))
        values = [_key(self.value(operand, binding)) for binding in group]
        values = [value for value in values if value is not None]
        if column.name == "count":
            return rlong(len(set(values)) if distinct else len(values))
        if not values:
            return None
        made = {"max": max, "min": min, "sum": sum}[column.name](values)
        return rlong(made) if isinstance(made, int) else rdouble(made)

    def _typed(self, path: Path, value: Any, binding: Binding) -> Any:
        last = path.names[-1]
        if last == "id":
            return rlong(value)
        if last == "time":
            return rtime(value)
        if isinstance(value, bool):
            return rbool(value)
        owner = self._path(Path(path.names[:-1]), binding) if len(path.names) > 1 else None
        if isinstance(owner, Row) and last in fields(owner.kind):
            if isinstance(value, Quantity):
                return rdouble(value.value)
            return wrapper(owner.kind, last)(value)
        if isinstance(value, float):
            return rdouble(value)
        return rint(value) if isinstance(value, int) else rstring(value)


_MISSING = object()


def _by_id(row: Row) -> int:
    return row.id


def _key(value: Any) -> Any:
    """What two values are compared by: entities by their ids."""
    return value.id if isinstance(value, Row) else value


def _sortable(value: Any) -> tuple[bool, Any]:
    key = _key(value)
    return (key is not None, "" if key is None else key)
