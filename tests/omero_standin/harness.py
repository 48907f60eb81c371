"""The server that tests use: a stand-in of their own, or a real one that the environment names."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from omero_standin.process import HOST, Standin

URL = "DEEPSCRIBBLE_OMERO_URL"

GROUPS = MappingProxyType(
    {
        "ds-annotate": "rwra--",
        "ds-readonly": "rwr---",
        "ds-private": "rw----",
        "ds-write": "rwrw--",
        "ds-elsewhere": "rwra--",
    }
)
"""The permissions of the groups that tests use."""

MEMBERS = MappingProxyType(
    {
        "ds-ada": ("ds-annotate", "ds-readonly", "ds-private", "ds-write"),
        "ds-bob": ("ds-annotate", "ds-readonly", "ds-private", "ds-write"),
        "ds-eve": ("ds-elsewhere",),
    }
)
"""The groups of each user; the first is her default."""


@dataclass
class OmeroServer:
    """An OMERO server with the users and groups of the tests.

    Args:
        host: Where it is.
        port: The port that clients log in at.
        root_password: The administrator's.
        standin: What can be ordered of a stand-in; None for a real server.
        folder: Where files for images may be put.
        people: Passwords, by user.
        groups: Ids, by group.
        ids: Ids, by user.
        user: The one that most tests are.
    """

    host: str
    port: int
    root_password: str
    standin: Standin | None
    folder: Path
    people: dict[str, str] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    user: str = "ds-ada"

    @property
    def password(self) -> str:
        """The password of `user`."""
        return self.people[self.user]

    @contextmanager
    def gateway(
        self, user: str = "ds-ada", group: str | None = None, secure: bool = True
    ) -> Iterator[Any]:
        """A connected BlitzGateway.

        Raises:
            RuntimeError: the login failed.
        """
        import Ice
        import omero
        from omero.gateway import BlitzGateway

        password = self.root_password if user == "root" else self.people[user]
        connection = BlitzGateway(user, password, host=self.host, port=self.port, secure=secure)
        if not connection.connect():
            raise RuntimeError(f"{user} could not log in: {connection.getLastError()}")
        try:
            if group is not None:
                connection.SERVICE_OPTS.setOmeroGroup(self.groups[group])
            yield connection
        finally:
            # A server that was killed on purpose need not hear the farewell.
            with suppress(Ice.Exception, omero.ServerError, omero.ClientError):
                connection.close()

    def session_key(self, user: str = "ds-ada") -> str:
        """The key of a session that stays when this call is over."""
        import omero

        client = omero.client(self.host, self.port)
        try:
            factory = client.createSession(user, self.people[user])
            factory.detachOnDestroy()
            return str(client.getSessionId())
        finally:
            client.closeSession()

    def image(
        self,
        pixels: Any,
        *,
        name: str = "image",
        mpp: float | tuple[float, float] | None = 0.5,
        user: str = "ds-ada",
        group: str = "ds-annotate",
        dataset: int | None = None,
        levels: int = 1,
        tile: int = 256,
    ) -> int:
        """A new image; its id.

        Args:
            pixels: (h, w), (h, w, c) or (z, t, c, h, w) of an unsigned type, or a TIFF's path.
            name: What it is called.
            mpp: µm per pixel, one number or those of x and y; None leaves it unknown.
            user: The owner.
            group: Where it is.
            dataset: The dataset to put it into, if any.
            levels: Resolutions; 1 is an image without a pyramid. More than one, or a path, can
                only be had from the stand-in: with a real server the test is skipped.
            tile: Size of the pyramid's tiles.
        """
        size = (mpp, mpp) if isinstance(mpp, int | float) else mpp
        if isinstance(pixels, Path) or levels > 1:
            image = self._pyramid(pixels, name, size, user, group, levels, tile)
        else:
            image = self._uploaded(pixels, name, size, user, group)
        if dataset is not None:
            self._link(image, dataset, user, group)
        return image

    def draw(
        self, image: int, *shapes: Any, user: str = "ds-bob", group: str = "ds-annotate"
    ) -> int:
        """Save shapes as one Roi, as a pathologist does in a viewer; its id."""
        import omero.model

        roi = omero.model.RoiI()
        roi.setImage(omero.model.ImageI(image, False))
        for each in shapes:
            roi.addShape(each)
        with self.gateway(user, group) as connection:
            save = connection.getUpdateService().saveAndReturnObject
            return int(save(roi, connection.SERVICE_OPTS).getId().getValue())

    def _pyramid(
        self,
        pixels: Any,
        name: str,
        mpp: tuple[float, float] | None,
        user: str,
        group: str,
        levels: int,
        tile: int,
    ) -> int:
        if self.standin is None:
            pytest.skip("an image with a pyramid cannot be made on a real server by its API")
        path = pixels
        if not isinstance(pixels, Path):
            path = self.folder / f"{secrets.token_hex(8)}.npy"
            np.save(path, pixels)
        return self.standin.image(
            path,
            name=name,
            mpp=mpp,
            user=self.ids[user],
            group=self.groups[group],
            levels=levels,
            tile=tile,
        )

    def _uploaded(
        self,
        pixels: Any,
        name: str,
        mpp: tuple[float, float] | None,
        user: str,
        group: str,
    ) -> int:
        from omero.model import LengthI
        from omero.model.enums import UnitsLength

        from omero_standin.buffers import as_planes

        planes = as_planes(pixels)
        depth, times, channels = planes.shape[:3]
        ordered = (
            planes[z, t, c] for z in range(depth) for c in range(channels) for t in range(times)
        )
        with self.gateway(user, group) as connection:
            made = connection.createImageFromNumpySeq(
                ordered, name, sizeZ=depth, sizeC=channels, sizeT=times
            )
            if mpp is not None:
                stored = connection.getQueryService().get(
                    "Pixels", made.getPrimaryPixels().id, connection.SERVICE_OPTS
                )
                stored.setPhysicalSizeX(LengthI(mpp[0], UnitsLength.MICROMETER))
                stored.setPhysicalSizeY(LengthI(mpp[1], UnitsLength.MICROMETER))
                connection.getUpdateService().saveObject(stored, connection.SERVICE_OPTS)
            return int(made.id)

    def _link(self, image: int, dataset: int, user: str, group: str) -> None:
        import omero.model

        link = omero.model.DatasetImageLinkI()
        link.setParent(omero.model.DatasetI(dataset, False))
        link.setChild(omero.model.ImageI(image, False))
        with self.gateway(user, group) as connection:
            connection.getUpdateService().saveObject(link, connection.SERVICE_OPTS)


def shape(kind: str, text: str | None = None, **values: Any) -> Any:
    """A shape of OMERO's: `shape("Polyline", "Tumor", Points="1,2 3,4")`."""
    import omero.model
    from omero.rtypes import rbool, rdouble, rint, rstring

    wrap = {str: rstring, bool: rbool, int: rint, float: rdouble}
    made = getattr(omero.model, f"{kind}I")()
    for name, value in values.items():
        getattr(made, f"set{name}")(wrap[type(value)](value))
    if text is not None:
        made.setTextValue(rstring(text))
    return made


def standin_server(folder: Path, idle: float = 600.0) -> OmeroServer:
    """A stand-in that was started, with the tests' users and groups in it."""
    standin = Standin(folder / "state", idle)
    standin.start()
    server = OmeroServer(HOST, standin.ssl_port, standin.password, standin, folder)
    populate(server)
    return server


def real_server(url: str, folder: Path) -> OmeroServer:
    """The server at omero://root:PASSWORD@HOST[:PORT], with the tests' users and groups in it.

    Raises:
        ValueError: the address has no password, or names another user than root.
    """
    parts = urlsplit(url)
    if parts.scheme != "omero" or not parts.hostname or parts.username != "root":
        raise ValueError(f"{URL} must be omero://root:PASSWORD@HOST[:PORT]")
    if not parts.password:
        raise ValueError(f"{URL} names no password")
    server = OmeroServer(parts.hostname, parts.port or 4064, unquote(parts.password), None, folder)
    populate(server)
    return server


def populate(server: OmeroServer) -> None:
    """Make the groups, and the users with passwords of their own.

    On a real server groups stay from one run to the next, and users get new passwords.
    """
    import omero
    from omero.rtypes import rstring

    with server.gateway("root") as connection:
        admin = connection.getAdminService()
        present = {group.name.val: group.id.val for group in admin.lookupGroups()}
        for name, permissions in GROUPS.items():
            group = omero.model.ExperimenterGroupI()
            group.setName(rstring(name))
            group.details.setPermissions(omero.model.PermissionsI(permissions))
            server.groups[name] = present.get(name) or admin.createGroup(group)
        known = {user.omeName.val: user.id.val for user in admin.lookupExperimenters()}
        everybody = admin.lookupGroup("user").id.val
        for name, groups in MEMBERS.items():
            password = secrets.token_hex(8)
            if name in known:
                admin.changeUserPassword(name, rstring(password))
                server.ids[name] = known[name]
            else:
                user = omero.model.ExperimenterI()
                user.setOmeName(rstring(name))
                user.setFirstName(rstring(name.removeprefix("ds-").title()))
                user.setLastName(rstring("Test"))
                user.setLdap(omero.rtypes.rbool(False))
                own = [omero.model.ExperimenterGroupI(server.groups[g], False) for g in groups]
                rest = [*own[1:], omero.model.ExperimenterGroupI(everybody, False)]
                server.ids[name] = admin.createExperimenterWithPassword(
                    user, rstring(password), own[0], rest
                )
            server.people[name] = password
