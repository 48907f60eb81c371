"""Commands: Delete2, answered through a handle as soon as it is submitted."""

from __future__ import annotations

from typing import Any

import omero
import omero.cmd

from omero_standin.graph import Deletion
from omero_standin.servant import Call, Servant


class Handle(Servant, omero.cmd.Handle):
    """One command and its outcome."""

    def run(self, call: Call, request: Any) -> None:
        """Do what a request says."""
        self.request = request
        self.status = omero.cmd.Status()
        with self.server.world.lock:
            self.response = self._respond(call, request)
        failed = isinstance(self.response, omero.cmd.ERR)
        self.status.flags = [omero.cmd.State.FAILURE if failed else omero.cmd.State.SUCCESS]

    def addCallback(self, call: Call, callback: Any) -> None:
        # Clients poll once after they have added their callback, and the answer is there by then.
        return None

    def removeCallback(self, call: Call, callback: Any) -> None:
        return None

    def getRequest(self, call: Call) -> Any:
        return self.request

    def getResponse(self, call: Call) -> Any:
        return self.response

    def getStatus(self, call: Call) -> Any:
        return self.status

    def cancel(self, call: Call) -> bool:
        return False

    def close(self, call: Call) -> None:
        self.server.remove(call.current.id)

    def _respond(self, call: Call, request: Any) -> Any:
        # submit() declares no exceptions: what is wrong must come as a response.
        kind = request.ice_id()
        if not isinstance(request, omero.cmd.Delete2):
            return _failed(kind, f"the stand-in does not serve {kind}")
        try:
            deletion = Deletion(call.caller(), _spared(request))
            for target, ids in (request.targetObjects or {}).items():
                for id in ids:
                    deletion.add(target.rsplit(".", 1)[-1], id)
        except omero.ServerError as error:
            return _failed(kind, error.message)
        except (LookupError, PermissionError, NotImplementedError) as error:
            return _failed(kind, str(error))
        deleted = {} if request.dryRun else deletion.commit()
        return omero.cmd.Delete2Response({f"ome.model.{k}": ids for k, ids in deleted.items()})


def _spared(request: Any) -> list[str]:
    """The kinds that a request leaves alone.

    Raises:
        NotImplementedError: it has options that the stand-in does not serve.
    """
    spared: list[str] = []
    for option in request.childOptions or ():
        if option.includeType or option.includeNs or option.excludeNs:
            raise NotImplementedError("the stand-in serves no child options but excludeType")
        spared.extend(option.excludeType or ())
    if request.typesToIgnore:
        raise NotImplementedError("the stand-in does not serve typesToIgnore")
    return spared


def _failed(kind: str, message: str) -> Any:
    return omero.cmd.GraphException(kind, "graph-fail", {"message": message}, message)
