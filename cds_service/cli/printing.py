"""What commands show in a terminal: cards as a clinician would read them, and how far long work is."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from rich.console import Console, Group
from rich.markdown import Markdown
from rich.panel import Panel
from rich.progress import track
from rich.text import Text

Item = TypeVar("Item")
COLOURS = {"info": "blue", "warning": "yellow", "critical": "red"}


def print_cards(console: Console, cards: list[dict[str, Any]]) -> None:
    """Each card in a frame: summary, detail, suggestions."""
    if not cards:
        console.print("  [dim]no cards[/dim]")
    for card in cards:
        colour = COLOURS.get(str(card.get("indicator")), "white")
        summary = Text(str(card.get("summary", "")), style=f"bold {colour}")
        parts: list[Any] = [summary, Text(), Markdown(str(card.get("detail", "")))]
        for suggestion in card.get("suggestions", []):
            sign = "●" if suggestion.get("isRecommended") else "○"
            parts.append(Text(f"{sign} {suggestion['label']}", style="bold green"))
        console.print(
            Panel(
                Group(*parts),
                title=Text(str(card.get("indicator", ""))),
                title_align="left",
                border_style=colour,
            )
        )


def grade_words(assessment: dict[str, Any]) -> str:
    """Status and grade in a few words: `graded, grade 3`."""
    grade = assessment.get("grade")
    return f"{assessment.get('status')}, grade {grade}" if grade is not None else str(assessment.get("status"))


def progress(items: Sequence[Item], words: str) -> Iterable[Item]:
    """The items; how far they are stands on standard error where somebody watches it."""
    console = Console(stderr=True)
    return track(items, words, console=console, transient=True, disable=not console.is_terminal)
