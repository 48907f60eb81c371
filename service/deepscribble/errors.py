"""Every error that DeepScribble raises on purpose, one small tree.

DeepScribbleError
├── InvalidInput        an argument, file or message is wrong; `field` names it
│   ├── MissingScale    no micrometres per pixel, and none was given
│   └── LoginRefused    the server does not let this user in
├── LimitExceeded       larger than a stated limit
├── Overloaded          too many requests at once; try again
│   └── Stopping        the server is about to end; try again
├── TimedOut            something did not come, or was not done, in time
├── NotFound            the thing named is not there
│   ├── RegionForgotten the server no longer has these pixels; send them again
│   ├── OutlineForgotten  the server no longer has this outline; send all strokes
│   └── UnknownModel    the registry has no such model
├── ModelRefused        a model's files do not match its card, or cannot run
├── OutputRefused       the result cannot be written where it was asked for
│   └── StoreConflict   the annotations changed since they were read
├── StoreUnavailable    the OMERO server does not answer, or it went away
│   └── SessionEnded    it does not let in any longer who was logged in; log in anew
└── ServerUnavailable   no DeepScribble server answers, or it went away

Each message says what was wrong, where, and what to do about it.
"""


class DeepScribbleError(Exception):
    """Base of all errors that DeepScribble raises on purpose."""


class InvalidInput(DeepScribbleError):
    """An argument, file or message is wrong. `field` is its path, e.g. `strokes[3].width`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.reason = message


class MissingScale(InvalidInput):
    """Micrometres per pixel are not known and were not given."""


class LoginRefused(InvalidInput):
    """A server does not know this user, or not by this password or key; asking again is no use."""


class LimitExceeded(DeepScribbleError):
    """Something is larger than a stated limit; the message names the limit."""


class Overloaded(DeepScribbleError):
    """Too many requests are waiting; the same request may succeed later."""


class Stopping(Overloaded):
    """The server was asked to stop; the same request may succeed on another, or later."""


class TimedOut(DeepScribbleError):
    """A request or a part of it took longer than it may; the message names the setting."""


class NotFound(DeepScribbleError):
    """The thing named is not there."""


class RegionForgotten(NotFound):
    """The server does not hold the pixels of this region id; send them again."""


class OutlineForgotten(NotFound):
    """The server does not hold the strokes of this outline id; send all of them."""


class UnknownModel(NotFound):
    """The registry has no model of this name and kind."""


class ModelRefused(DeepScribbleError):
    """A model's weights or card are damaged, tampered with or cannot run here."""


class OutputRefused(DeepScribbleError):
    """The result cannot be written where it was asked for."""


class StoreConflict(OutputRefused):
    """The stored annotations changed since they were read; read them again."""


class StoreUnavailable(DeepScribbleError):
    """The server that holds the images does not answer, or it went away; try again later."""


class SessionEnded(StoreUnavailable):
    """The session on the server that holds the images ended for good; log in anew."""


class ServerUnavailable(DeepScribbleError):
    """No DeepScribble server answers at the address, or it went away."""
