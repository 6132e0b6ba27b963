"""The words that all written forms share."""

from cds_service.conformance.results import Result


def seen(result: Result) -> list[str]:
    """A line for each finding of a rule, and one for those that were not kept."""
    lines = [f"{one.level} {one.where}: {one.message}" for one in result.findings]
    return [*lines, f"and {result.others} more"] if result.others else lines
