"""Which QuPath classes say "this is tumor" and which "this is not"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Label

FOREGROUND = ("Tumor",)
BACKGROUND = ("Normal", "Stroma", "Other", "Background", "Ignore*")


def names_of(class_name: str) -> tuple[str, ...]:
    """The full name of a class and, of a derived one such as "Tumor: Positive", its base."""
    return tuple(dict.fromkeys((class_name, class_name.split(": ")[0])))


def matches(class_name: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern (`*`, `?`, `[...]`; case counts) matches a class or its base class."""
    return any(fnmatchcase(name, pattern) for name in names_of(class_name) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class StrokeClasses:
    """Patterns (`*`, `?`, `[...]`; upper and lower case differ) over names of classes.

    A derived class such as "Tumor: Positive" is matched by its full name first, then by its
    base class.
    """

    foreground: tuple[str, ...] = FOREGROUND
    background: tuple[str, ...] = BACKGROUND

    @classmethod
    def chosen(
        cls, foreground: Sequence[str] = (), background: Sequence[str] = ()
    ) -> StrokeClasses:
        """Patterns given by the user replace the defaults of their side.

        A default of the other side yields to them: with "Stroma" as foreground it is no longer
        background.

        Raises:
            InvalidInput: a pattern is given for both.
        """
        for name in foreground:
            if name in background:
                raise _both(name)
        return cls(
            tuple(foreground) or tuple(name for name in FOREGROUND if name not in background),
            tuple(background) or tuple(name for name in BACKGROUND if name not in foreground),
        )

    def label(self, class_name: str) -> Label | None:
        """What a stroke of this class says; None if its class says nothing.

        Raises:
            InvalidInput: the class is matched as foreground and as background.
        """
        for name in names_of(class_name):
            if not name:
                continue
            foreground = any(fnmatchcase(name, pattern) for pattern in self.foreground)
            background = any(fnmatchcase(name, pattern) for pattern in self.background)
            if foreground and background:
                raise _both(name)
            if foreground or background:
                return Label.FOREGROUND if foreground else Label.BACKGROUND
        return None


def _both(name: str) -> InvalidInput:
    return InvalidInput("classes", f"{name!r} is named as foreground and as background; choose one")
