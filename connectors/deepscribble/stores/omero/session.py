"""A session on an OMERO server: queries, saves, deletions, and one new login when it is gone."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, TypeVar

import omero
import omero.callbacks
import omero.cmd
import omero.sys
from omero.rtypes import rlong, rstring

from deepscribble.errors import (
    DeepScribbleError,
    InvalidInput,
    LoginRefused,
    OutputRefused,
    SessionEnded,
    StoreUnavailable,
)
from deepscribble.stores.omero.address import Address
from deepscribble.stores.omero.credentials import Credentials
from deepscribble.stores.omero.login import (
    FAILED,
    LOST,
    Connection,
    close_client,
    drop_client,
    first_line,
    log_in,
    said,
    unavailable,
)

Answer = TypeVar("Answer")

ALL_GROUPS = {"omero.group": "-1"}
"""The context of reading: whatever group an image is in."""

REFUSED_SECONDS = 900.0
"""How long no login is tried after one was refused: directories lock a user out who tries often."""

DELETE_SECONDS = 60
"""How long a deletion may take."""

DELETE_LOOK_MS = 100


class Login:
    """An `omero.client` that is logged in, and services of its session, asked for once."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @cached_property
    def queries(self) -> Any:
        """The service that reads."""
        return self.client.sf.getQueryService()

    @cached_property
    def updates(self) -> Any:
        """The service that saves."""
        return self.client.sf.getUpdateService()

    @cached_property
    def pixels(self) -> Any:
        """The service that knows how pixels are shown."""
        return self.client.sf.getPixelsService()


@dataclass(frozen=True, slots=True)
class Refused:
    """A login that the server refused.

    Args:
        text: What it said.
        until: When it may be asked again, by the monotonic clock.
        is_over: Whether it will never be accepted.
    """

    text: str
    until: float
    is_over: bool

    def error(self) -> StoreUnavailable:
        """What to raise."""
        return SessionEnded(self.text) if self.is_over else StoreUnavailable(self.text)


class Session(AbstractContextManager["Session"]):
    """A session that logs in anew, once for each call, when the server has ended it.

    Calls may come from several threads.

    Args:
        address: The server.
        credentials: Who logs in.
        connection: How.

    Raises:
        InvalidInput: the server refuses who logs in, or its certificate is refused here.
        StoreUnavailable: nobody answers there in time.
    """

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        connection: Connection = Connection(),  # noqa: B008 - frozen
    ) -> None:
        self.address = address
        self._credentials = credentials
        self._connection = connection
        self._lock = threading.Lock()
        self._refused: Refused | None = None
        self._login = Login(log_in(address, credentials, connection))
        try:
            self.user = self._read(_user_id)
        except BaseException:
            self.close()
            raise

    def call(self, work: Callable[[Login], Answer], *, is_repeatable: bool = True) -> Answer:
        """Work with the login; after a new one once more if the session was gone.

        Args:
            work: What to do. It raises what Ice raises.
            is_repeatable: Whether it may run twice; if not, the session is renewed all the same.

        Raises:
            SessionEnded: the session that was joined is over; so says every call from then on.
            StoreUnavailable: the server went away, or does not let us in again; or the work was
                cut off and is not repeatable, so that what became of it is not known.
            DeepScribbleError: as the work raises.
        """
        self._check_refused()
        login = self._login
        try:
            return work(login)
        except LOST as error:
            self._renew(login)
            if not is_repeatable:
                raise unavailable(self.address, error) from error
        try:
            return work(self._login)
        except LOST as error:
            raise unavailable(self.address, error) from error

    def query(self, hql: str, id: int, **texts: str) -> list[Any]:
        """Objects by an HQL query with the parameter `id` and others that are texts.

        Raises:
            InvalidInput: the server cannot answer it.
            StoreUnavailable: it went away.
        """
        parameters = omero.sys.ParametersI()
        parameters.addId(rlong(id))
        for name, text in texts.items():
            parameters.addString(name, rstring(text))
        return self._read(lambda login: login.queries.findAllByQuery(hql, parameters, ALL_GROUPS))

    def find(self, kind: str, id: int) -> Any | None:
        """An object of a kind, or None if it is not there, or not for this user."""
        return self._read(lambda login: login.queries.find(kind, id, ALL_GROUPS))

    def rendering(self, pixels: int) -> Any | None:
        """The `RenderingDef` with which viewers show pixels, or None if nobody has looked yet."""
        return self._read(lambda login: login.pixels.retrieveRndSettings(pixels, ALL_GROUPS))

    def raw_store(self, pixels: int) -> Any:
        """A `RawPixelsStore` of its own on pixels; whoever asks for it closes it.

        Raises:
            InvalidInput: the server has no such pixels, as while an import runs.
            StoreUnavailable: it went away.
        """

        def opened(login: Login) -> Any:
            store = login.client.sf.createRawPixelsStore(ALL_GROUPS)
            try:
                store.setPixelsId(pixels, False, ALL_GROUPS)
            except BaseException:
                store.close()
                raise
            return store

        return self._read(opened)

    def save(self, objects: Sequence[Any], group: int) -> list[Any]:
        """Save objects, all or none, into a group; returns them as saved. Never done twice.

        Raises:
            OutputRefused: the server refuses; nothing was saved.
            StoreUnavailable: the connection was lost; whether they were saved is not known.
        """
        context = {"omero.group": str(group)}
        try:
            return list(
                self.call(
                    lambda login: login.updates.saveAndReturnArray(list(objects), context),
                    is_repeatable=False,
                )
            )
        except FAILED as error:
            raise self._refusal("save", error) from error

    def delete(self, targets: Mapping[str, Sequence[int]], group: int) -> None:
        """Delete objects by kind and number, all or none, with what hangs on them alone.

        Raises:
            OutputRefused: the server refuses; nothing was deleted.
            StoreUnavailable: the connection was lost, or it takes too long; whether they were
                deleted is not known.
        """
        request = omero.cmd.Delete2(
            targetObjects={kind: list(ids) for kind, ids in targets.items()}
        )
        context = {"omero.group": str(group)}

        def deleted(login: Login) -> Any:
            handle = login.client.sf.submit(request, context)
            callback = omero.callbacks.CmdCallbackI(login.client, handle)
            try:
                callback.loop(DELETE_SECONDS * 1000 // DELETE_LOOK_MS, DELETE_LOOK_MS)
                return callback.getResponse()
            finally:
                callback.close(True)

        try:
            answer = self.call(deleted, is_repeatable=False)
        except omero.LockTimeout as error:
            raise StoreUnavailable(
                f"{self.address.server}: the OMERO server was still deleting after "
                f"{DELETE_SECONDS} s; run again to see what became of it"
            ) from error
        except FAILED as error:
            raise self._refusal("delete", error) from error
        if isinstance(answer, omero.cmd.ERR):
            said = answer.parameters.get("message") or answer.name
            raise OutputRefused(
                f"{self.address.server}: the OMERO server refuses to delete ({first_line(said)}); "
                "see that the user may delete in this group"
            )

    def close(self) -> None:
        """End the session; one that was joined by its key goes on."""
        with self._lock:
            close_client(self._login.client)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, work: Callable[[Any], Answer]) -> Answer:
        try:
            return self.call(work)
        except FAILED as error:
            raise InvalidInput(
                self.address.server, f"the OMERO server cannot answer ({said(error)})"
            ) from error

    def _refusal(self, what: str, error: Exception) -> DeepScribbleError:
        advice = (
            "the user may not write into the group of the image"
            if isinstance(error, omero.SecurityViolation)
            else "see the server's log"
        )
        return OutputRefused(
            f"{self.address.server}: the OMERO server refuses to {what} ({said(error)}); {advice}"
        )

    def _renew(self, failed: Login) -> None:
        """Log in anew unless another thread did so since the login that failed."""
        with self._lock:
            self._check_refused()
            if self._login is not failed:
                return
            drop_client(failed.client)
            try:
                self._login = Login(log_in(self.address, self._credentials, self._connection))
            except InvalidInput as error:
                if isinstance(error, LoginRefused):
                    # A password may be right again later, as when the directory that checks it
                    # comes back; the key of a session that is over never is.
                    is_over = bool(self._credentials.key)
                    pause = math.inf if is_over else REFUSED_SECONDS
                    self._refused = Refused(str(error), time.monotonic() + pause, is_over)
                    raise self._refused.error() from error
                raise StoreUnavailable(str(error)) from error

    def _check_refused(self) -> None:
        """Ask nothing of a server that has just refused to let us in."""
        if self._refused is not None and time.monotonic() < self._refused.until:
            raise self._refused.error()


def _user_id(login: Login) -> int:
    return int(login.client.sf.getAdminService().getEventContext().userId)
