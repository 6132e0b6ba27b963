"""How `make test` shares the files of the suite among its workers: a file, with what its tests share, stays in one.

HAPI FHIR and the browser are heavy: the files that need one are shared out as one, so that it is started once.
"""

from xdist.scheduler import LoadFileScheduling


class ByFile(LoadFileScheduling):
    """One file after another to the worker that is free."""

    def _split_scope(self, nodeid: str) -> str:
        if "/test_hapi_" in nodeid:
            return "HAPI FHIR"
        return "browser" if nodeid.startswith("tests/browser/") else str(super()._split_scope(nodeid))
