"""How `make test` shares the files of the suite among its workers: a file, with what its tests share, stays in one.

HAPI FHIR is heavy: the files that need it are shared out as one, so that it is started once.
"""

from xdist.scheduler import LoadFileScheduling


class ByFile(LoadFileScheduling):
    """One file after another to the worker that is free."""

    def _split_scope(self, nodeid: str) -> str:
        return "HAPI FHIR" if "/test_hapi_" in nodeid else str(super()._split_scope(nodeid))
