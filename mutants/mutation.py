"""The mutants of a module of the clinical core, as cosmic-ray finds and makes them, in memory only."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from itertools import takewhile
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator

CORE = "cds_service.crs"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one module: what the operator makes of the place that it finds as number `occurrence`."""

    module: str
    source: str
    operator: type[Operator]
    occurrence: int
    place: str

    @property
    def code(self) -> str:
        """The module with the change."""
        return str(mutate_code(self.source, self.operator(), self.occurrence))

    @property
    def row(self) -> str:
        """The first cells of its row in the table of survivors: module, function or class, change."""
        change = _change(self.source, self.code).replace("|", "\\|")
        return f"| {self.module} | {self.place} | `{change}` |"

    def install(self) -> None:
        """Put the mutant where every import of the module finds it."""
        name = f"{CORE}.{self.module}"
        package, _, leaf = name.rpartition(".")
        spec = find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(name)
        module = module_from_spec(spec)
        sys.modules[name] = module
        setattr(import_module(package), leaf, module)
        exec(compile(self.code, str(spec.origin), "exec"), module.__dict__)  # noqa: S102 - that is what a mutant is for


def mutants_of(module: str, source: str, operators: Sequence[type[Operator]]) -> Iterator[Mutant]:
    """All mutants of a module, in the order of the operators."""
    nodes = list(ast_nodes(get_ast(source)))
    for operator in operators:
        places = [node for node in nodes for _ in operator().mutation_positions(node)]
        for number, node in enumerate(places):
            if not _states_no_rule(node):
                place = ASTQuery(node).get_definition_name() or "module"
                yield Mutant(module=module, source=source, operator=operator, occurrence=number, place=place)


def _states_no_rule(node: Any) -> bool:
    """True inside a type annotation or a decorator, and for the bare star of a signature."""
    while node.parent is not None:
        parent = node.parent
        if parent.type in {"decorator", "tfpdef"} or (parent.type == "parameters" and node.type == "operator"):
            return True
        if parent.type == "funcdef" and node is parent.annotation:
            return True
        if parent.type == "annassign" and not ("=" in parent.children and node is parent.children[-1]):
            return True
        node = parent
    return False


def _change(before: str, after: str) -> str:
    """The first line that differs, with what was and what is: `days ⟨< → <=⟩ 28`."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    old, new = next((_tokens(old), _tokens(new)) for old, new in pairs if old != new)
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    was, now = ("".join(line[head : len(line) - tail]).strip() for line in (old, new))
    return f"{''.join(old[:head])}⟨{was} → {now}⟩{''.join(old[len(old) - tail :])}"


def _tokens(line: str) -> list[str]:
    return re.findall(r"\w+|\s+|[<>=!/*]+|.", line.strip())


def _alike(first: Sequence[str], second: Sequence[str]) -> int:
    """How many tokens are the same from the start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
