"""The services for objects: IQuery, IUpdate, IContainer, IRoi, IMetadata, IAdmin, IConfig."""

from __future__ import annotations

from typing import Any

import omero
from omero.rtypes import unwrap

from omero_standin.answer import Answer
from omero_standin.graph import Deletion, Save
from omero_standin.hql import parse
from omero_standin.marshal import Marshaller, follow
from omero_standin.names import check_names
from omero_standin.rights import ALL_GROUPS, Caller
from omero_standin.schema import table
from omero_standin.servant import Call, Servant
from omero_standin.world import Ref, Row

PIXELS = ("pixels.pixelsType", "pixels.dimensionOrder", "pixels.channels.logicalChannel")


class Query(Servant, omero.api.IQuery):
    """HQL and objects by id."""

    def findAllByQuery(self, call: Call, text: str, params: Any) -> Any:
        return _page(self._entities(call, text, params), params)

    def findByQuery(self, call: Call, text: str, params: Any) -> Any:
        found = self._entities(call, text, params)
        if len(found) > 1:
            raise omero.ApiUsageException(
                None, None, f"query did not return a unique result: {len(found)}"
            )
        return found[0] if found else None

    def projection(self, call: Call, text: str, params: Any) -> Any:
        with self.server.world.lock:
            found = self._answer(call, text, params).table()
        return _page(found, params)

    def get(self, call: Call, kind: str, id: int) -> Any:
        found = self._by_id(call, kind, id)
        if found is None:
            raise omero.ValidationException(
                None, None, f"The requested object (ome.model.{kind},{id}) is not available"
            )
        return found

    def find(self, call: Call, kind: str, id: int) -> Any:
        return self._by_id(call, kind, id)

    def _entities(self, call: Call, text: str, params: Any) -> list[Any]:
        with self.server.world.lock:
            return self._answer(call, text, params).entities()

    def _answer(self, call: Call, text: str, params: Any) -> Answer:
        values = {name: unwrap(value) for name, value in ((params and params.map) or {}).items()}
        query = parse(text)
        check_names(query)
        return Answer(call.caller(), query, values)

    def _by_id(self, call: Call, kind: str, id: int) -> Any:
        caller = call.caller()
        row = caller.world.get(Ref(table(kind.rsplit(".", 1)[-1]), id))
        return Marshaller(caller).loaded(row) if row is not None and caller.reads(row) else None


class Update(Servant, omero.api.IUpdate):
    """Saving, each call whole or not at all."""

    def saveObject(self, call: Call, made: Any) -> None:
        self._save(call, [made])

    def saveAndReturnObject(self, call: Call, made: Any) -> Any:
        return self._save(call, [made])[0]

    def saveCollection(self, call: Call, many: Any) -> None:
        self._save(call, many)

    def saveArray(self, call: Call, many: Any) -> None:
        self._save(call, many)

    def saveAndReturnArray(self, call: Call, many: Any) -> Any:
        return self._save(call, many)

    def saveAndReturnIds(self, call: Call, many: Any) -> Any:
        return [made.id.val for made in self._save(call, many)]

    def deleteObject(self, call: Call, made: Any) -> None:
        with self.server.world.lock:
            deletion = Deletion(call.caller())
            kind = type(made).__name__.removesuffix("I")
            try:
                deletion.add(kind, made.id.val)
            except LookupError as error:
                raise omero.ApiUsageException(None, None, str(error)) from None
            except PermissionError as error:
                raise omero.SecurityViolation(None, None, str(error)) from None
            deletion.commit()

    def _save(self, call: Call, many: Any) -> Any:
        with self.server.world.lock:
            save = Save(call.caller())
            for made in many:
                save.add(made)
            save.finish()
        return many


class Container(Servant, omero.api.IContainer):
    """Images with what viewers need of them."""

    def getImages(self, call: Call, kind: str, ids: Any, params: Any) -> Any:
        caller = call.caller()
        if kind.rsplit(".", 1)[-1] != "Image":
            raise omero.ApiUsageException(
                None, None, f"the stand-in does not serve getImages for {kind}"
            )
        marshaller = Marshaller(caller)
        rows = [caller.world.get(Ref("Image", id)) for id in ids]
        return [
            marshaller.fill(row, *PIXELS) for row in rows if row is not None and caller.reads(row)
        ]

    def getCollectionCount(
        self, call: Call, kind: str, name: str, ids: Any, params: Any
    ) -> dict[int, int]:
        caller = call.caller()
        counts = {}
        for id in ids:
            row = caller.world.get(Ref(table(kind.rsplit(".", 1)[-1]), id))
            counts[id] = len(follow(caller, row, name)) if row is not None else 0
        return counts


class Rois(Servant, omero.api.IRoi):
    """ROIs by image."""

    def findByImage(self, call: Call, image: int, options: Any) -> Any:
        caller = call.caller()
        with self.server.world.lock:
            marshaller = Marshaller(caller)
            found = [
                marshaller.fill(row, "shapes.transform")
                for row in caller.world.referring("Roi", "image", Ref("Image", image))
                if caller.reads(row) and _wanted(row, options)
            ]
        return omero.api.RoiResult(options, found, None)


class Metadata(Servant, omero.api.IMetadata):
    """Annotations by what they hang on."""

    def loadAnnotations(
        self, call: Call, kind: str, ids: Any, types: Any, annotators: Any, options: Any
    ) -> Any:
        caller = call.caller()
        marshaller = Marshaller(caller)
        wanted = {name.rsplit(".", 1)[-1] for name in types or ()}
        found: dict[int, list[Any]] = {}
        for id in ids:
            row = caller.world.get(Ref(table(kind.rsplit(".", 1)[-1]), id))
            links = follow(caller, row, "annotationLinks") if row is not None else []
            found[id] = [
                marshaller.loaded(annotation)
                for link in links
                for annotation in follow(caller, link, "child")
                if not wanted or annotation.kind in wanted
            ]
        return found


class Admin(Servant, omero.api.IAdmin):
    """Users and groups."""

    def getEventContext(self, call: Call) -> Any:
        caller = call.caller()
        session = call.session
        group = caller.session_group if caller.group == ALL_GROUPS else caller.group
        context = omero.sys.EventContext()
        context.sessionId = session.number if session else -1
        context.sessionUuid = call.key
        context.userId = caller.user
        context.userName = _value(caller, "Experimenter", caller.user, "omeName")
        context.groupId = group
        context.groupName = _value(caller, "ExperimenterGroup", group, "name")
        context.isAdmin = caller.is_admin
        context.adminPrivileges = []
        context.eventId = -1
        context.eventType = "User"
        context.memberOfGroups = sorted(caller.groups)
        context.leaderOfGroups = sorted(id for id, leads in caller.groups.items() if leads)
        context.groupPermissions = omero.model.PermissionsI(caller.permissions(group))
        return context

    def getExperimenter(self, call: Call, id: int) -> Any:
        return self._experimenter(call, id)

    def lookupExperimenter(self, call: Call, name: str) -> Any:
        return self._experimenter(call, _named(self.server.world, "Experimenter", "omeName", name))

    def lookupExperimenters(self, call: Call) -> Any:
        rows = self.server.world.of_kind("Experimenter")
        return [self._experimenter(call, row.id) for row in rows]

    def getGroup(self, call: Call, id: int) -> Any:
        return self._group(call, id)

    def lookupGroup(self, call: Call, name: str) -> Any:
        return self._group(call, _named(self.server.world, "ExperimenterGroup", "name", name))

    def lookupGroups(self, call: Call) -> Any:
        rows = self.server.world.of_kind("ExperimenterGroup")
        return [self._group(call, row.id) for row in rows]

    def createGroup(self, call: Call, made: Any) -> int:
        with self.server.world.lock:
            permissions = str(made.details.permissions)
            return self.server.people.add_group(_admin(call), made.name.val, permissions)

    def changeUserPassword(self, call: Call, name: str, password: Any) -> None:
        with self.server.world.lock:
            self.server.people.change_password(_admin(call), name, password.val)

    def createExperimenterWithPassword(
        self, call: Call, made: Any, password: Any, default: Any, groups: Any
    ) -> int:
        with self.server.world.lock:
            ids = [default.id.val, *(group.id.val for group in groups or ())]
            return self.server.people.add_user(
                _admin(call),
                made.omeName.val,
                password.val,
                list(dict.fromkeys(ids)),
                (unwrap(made.firstName) or "", unwrap(made.lastName) or ""),
            )

    def _experimenter(self, call: Call, id: int) -> Any:
        caller = call.caller()
        row = caller.world.get(Ref("Experimenter", id))
        if row is None:
            raise omero.ApiUsageException(None, None, f"No such experimenter: {id}")
        return Marshaller(caller).fill(row, "groupExperimenterMap.parent")

    def _group(self, call: Call, id: int) -> Any:
        caller = call.caller()
        row = caller.world.get(Ref("ExperimenterGroup", id))
        if row is None:
            raise omero.ApiUsageException(None, None, f"No such group: {id}")
        return Marshaller(caller).fill(row, "groupExperimenterMap.child")


class Config(Servant, omero.api.IConfig):
    """What a server tells of itself."""

    def getConfigValue(self, call: Call, key: str) -> str:
        if key == "omero.router.insecure":
            return f"OMERO.Glacier2/router:tcp -p {self.server.tcp_port} -h @omero.host@"
        return ""

    def getVersion(self, call: Call) -> str:
        return "5.6.0-stand-in"

    def getDatabaseUuid(self, call: Call) -> str:
        return self.server.uuid


def _wanted(row: Row, options: Any) -> bool:
    if options is None:
        return True
    if options.namespace is not None:
        raise omero.ApiUsageException(
            None, None, "the stand-in does not serve RoiOptions.namespace"
        )
    owner = unwrap(options.userId)
    return owner is None or row.owner == owner


def _value(caller: Caller, kind: str, id: int, name: str) -> str:
    row = caller.world.get(Ref(kind, id))
    return "" if row is None else str(row.values[name])


def _named(world: Any, kind: str, field: str, name: str) -> int:
    for row in world.of_kind(kind):
        if row.values[field] == name:
            return int(row.id)
    raise omero.ApiUsageException(None, None, f"No such {kind}: {name}")


def _admin(call: Call) -> Caller:
    caller = call.caller()
    if not caller.is_admin:
        raise omero.SecurityViolation(None, None, "only administrators may do this")
    return caller


def _page(found: list[Any], params: Any) -> list[Any]:
    limits = params.theFilter if params is not None else None
    if limits is None:
        return found
    start = unwrap(limits.offset) or 0
    count = unwrap(limits.limit)
    return found[start:] if count is None else found[start : start + count]
