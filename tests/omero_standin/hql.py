"""HQL as OMERO's clients write it: text to a tree. What it cannot read, it refuses by name.

    [select [distinct] expression, …] from Kind [as] alias
        {[left [outer] | inner] join [fetch] path [[as] alias]}
        [where condition] [group by path, …] [order by expression [asc | desc], …]

`select new map(…)`, arithmetic, case, having and more than one kind after `from` are not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.\d+|\d+)[lL]?\b|(?P<text>'(?:[^']|'')*')|(?P<param>:\w+)
    |(?P<name>[A-Za-z_]\w*(?:\.\w+)*)|(?P<sign><=|>=|!=|<>|[=<>(),*]))""",
    re.VERBOSE,
)
# fmt: off
KEYWORDS = frozenset((
    "select", "distinct", "from", "as", "join", "fetch", "left", "outer", "inner", "where",
    "and", "or", "not", "in", "is", "null", "like", "exists", "group", "order", "by", "asc",
    "desc", "true", "false",
))
# fmt: on
FUNCTIONS = frozenset(("lower", "upper", "count", "max", "min", "sum", "index", "size"))


class Unreadable(Exception):
    """A query that the stand-in cannot read."""


@dataclass(frozen=True)
class Path:
    """A dotted name, such as roi.image.id."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Literal:
    """A constant."""

    value: Any


@dataclass(frozen=True)
class Param:
    """A named parameter."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function, or an operator."""

    name: str
    operands: tuple[Any, ...]


@dataclass(frozen=True)
class Join:
    """One join: from a path to an alias."""

    path: Path
    alias: str
    outer: bool
    fetch: bool


@dataclass(frozen=True)
class Select:
    """A whole query."""

    columns: tuple[Any, ...]
    distinct: bool
    kind: str
    alias: str
    joins: tuple[Join, ...]
    where: Any
    group: tuple[Any, ...]
    order: tuple[tuple[Any, bool], ...]


def parse(text: str) -> Select:
    """Read a query.

    Raises:
        Unreadable: it has what the stand-in does not serve.
    """
    reader = _Reader(text)
    query = reader.select()
    reader.end()
    return query


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        place = 0
        stripped = text.rstrip()
        while place < len(stripped):
            match = TOKEN.match(stripped, place)
            if match is None:
                raise Unreadable(f"unexpected {stripped[place:].strip()[:20]!r} in: {text}")
            kind = str(match.lastgroup)
            self.tokens.append((kind, match.group(kind)))
            place = match.end()
        self.place = 0
        self.unnamed = 0

    def peek(self, *words: str) -> bool:
        if self.place >= len(self.tokens):
            return False
        kind, token = self.tokens[self.place]
        return kind in ("name", "sign") and token.lower() in words

    def take(self, *words: str) -> bool:
        found = self.peek(*words)
        self.place += found
        return found

    def need(self, word: str) -> None:
        if not self.take(word):
            raise self.wrong(f"expected {word!r}")

    def wrong(self, reason: str) -> Unreadable:
        seen = self.tokens[self.place][1] if self.place < len(self.tokens) else "the end"
        return Unreadable(f"{reason} before {seen!r} in: {self.text}")

    def end(self) -> None:
        if self.place < len(self.tokens):
            raise self.wrong("the stand-in does not read what comes")

    def name(self) -> str:
        if self.place < len(self.tokens):
            kind, token = self.tokens[self.place]
            if kind == "name" and token.lower() not in KEYWORDS:
                self.place += 1
                return token
        raise self.wrong("expected a name")

    def alias(self) -> str | None:
        if self.take("as"):
            return self.name()
        if self.place < len(self.tokens) and self.tokens[self.place][0] == "name":
            token = self.tokens[self.place][1]
            if token.lower() not in KEYWORDS and "." not in token:
                return self.name()
        return None

    def select(self) -> Select:
        columns: list[Any] = []
        distinct = False
        if self.take("select"):
            distinct = self.take("distinct")
            columns = [self.expression()]
            self.alias()
            while self.take(","):
                columns.append(self.expression())
                self.alias()
        self.need("from")
        kind = self.name()
        alias = self.alias() or "this"
        joins = []
        while self.peek("join", "left", "inner"):
            joins.append(self.join())
        where = self.condition() if self.take("where") else None
        group: list[Any] = []
        if self.take("group"):
            self.need("by")
            group.append(self.expression())
            while self.take(","):
                group.append(self.expression())
        order: list[tuple[Any, bool]] = []
        if self.take("order"):
            self.need("by")
            order.append(self.ordering())
            while self.take(","):
                order.append(self.ordering())
        return Select(
            tuple(columns) or (Path((alias,)),),
            distinct,
            kind,
            alias,
            tuple(joins),
            where,
            tuple(group),
            tuple(order),
        )

    def join(self) -> Join:
        outer = self.take("left")
        self.take("outer") or self.take("inner")
        self.need("join")
        fetch = self.take("fetch")
        path = Path(tuple(self.name().split(".")))
        alias = self.alias()
        if alias is None:
            self.unnamed += 1
            alias = f"<join {self.unnamed}>"
        return Join(path, alias, outer, fetch)

    def ordering(self) -> tuple[Any, bool]:
        expression = self.expression()
        descending = self.take("desc")
        if not descending:
            self.take("asc")
        return expression, descending

    def condition(self) -> Any:
        parts = [self.conjunction()]
        while self.take("or"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Call("or", tuple(parts))

    def conjunction(self) -> Any:
        parts = [self.negation()]
        while self.take("and"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else Call("and", tuple(parts))

    def negation(self) -> Any:
        if self.take("not"):
            return Call("not", (self.negation(),))
        if self.take("exists"):
            self.need("(")
            query = self.select()
            self.need(")")
            return Call("exists", (query,))
        return self.comparison()

    def comparison(self) -> Any:
        if self.peek("(") and not self._subquery_follows():
            self.take("(")
            inside = self.condition()
            self.need(")")
            return inside
        left = self.expression()
        if self.take("is"):
            negated = self.take("not")
            self.need("null")
            test: Any = Call("null", (left,))
            return Call("not", (test,)) if negated else test
        negated = self.take("not")
        if self.take("in"):
            test = Call("in", (left, *self.collection()))
        elif self.take("like"):
            test = Call("like", (left, self.expression()))
        elif not negated and self.peek("=", "!=", "<>", "<", ">", "<=", ">="):
            sign = self.tokens[self.place][1]
            self.place += 1
            test = Call("!=" if sign == "<>" else sign, (left, self.operand()))
        else:
            raise self.wrong("expected a comparison")
        return Call("not", (test,)) if negated else test

    def _subquery_follows(self) -> bool:
        following = self.tokens[self.place + 1 : self.place + 2]
        return bool(following) and following[0][1].lower() in ("select", "from")

    def operand(self) -> Any:
        if self.take("("):
            inside = self.expression()
            self.need(")")
            return inside
        return self.expression()

    def collection(self) -> tuple[Any, ...]:
        if not self.take("("):
            return (self.expression(),)
        if self.peek("select", "from"):
            items: list[Any] = [self.select()]
        else:
            items = [self.expression()]
            while self.take(","):
                items.append(self.expression())
        self.need(")")
        return tuple(items)

    def expression(self) -> Any:
        if self.place >= len(self.tokens):
            raise self.wrong("expected an expression")
        kind, token = self.tokens[self.place]
        self.place += 1
        if kind == "number":
            return Literal(float(token) if "." in token else int(token))
        if kind == "text":
            return Literal(token[1:-1].replace("''", "'"))
        if kind == "param":
            return Param(token[1:])
        word = token.lower()
        if word in ("true", "false"):
            return Literal(word == "true")
        if word in FUNCTIONS and self.take("("):
            if self.take("*"):
                operand: Any = Literal("*")
            elif self.take("distinct"):
                operand = Call("distinct", (self.operand(),))
            else:
                operand = self.operand()
            self.need(")")
            return Call(word, (operand,))
        if kind == "name" and word not in KEYWORDS:
            return Path(tuple(token.split(".")))
        self.place -= 1
        raise self.wrong("the stand-in does not read this expression")
