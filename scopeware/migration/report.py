"""A plan for people: as data, and as a page to send to those whose tokens change."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable
from typing import Any

from ..errors import ConfigurationError
from ..text import printable
from .access import Reached
from .column import Column
from .plan import Line, Plan

_MOST_ROUTES = 400


def as_data(plan: Plan) -> dict[str, Any]:
    """All of a plan, for machines."""
    return {
        "database": plan.database,
        "table": plan.table,
        "column": plan.column,
        "mapping": plan.mapping,
        "format": plan.form,
        "rows": plan.rows,
        "distinct": len(plan.lines),
        "changed": plan.changed,
        "left_as_they_are": plan.others,
        "too_long": plan.too_long,
        "routes": plan.routes,
        "routes_left_out": plan.routes_left_out,
        "widened": plan.count("widen") if plan.routes is not None else None,
        "narrowed": plan.count("narrow") if plan.routes is not None else None,
        "unknown": [
            {"word": word, "rows": count, "suggestion": suggestion} for word, count, suggestion in plan.suggestions
        ],
        "strings": [_line(line) for line in plan.lines],
    }


def as_page(plan: Plan) -> str:
    """A page to send to one's users.

    :raises ConfigurationError: jinja2 is missing.
    """
    try:
        import jinja2  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigurationError("jinja2 is missing; run `pip install scopeware[console]`", where="--html") from None
    page = importlib.resources.files(__package__).joinpath("report.html").read_text("utf-8")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(page)
    return template.render(plan=plan, most=_MOST_ROUTES)


def as_sql(plan: Plan, column: Column) -> str:
    """The same conversion as plain SQL, for whoever runs scripts: with a copy of what it changes, to take it back."""
    table, name, key = column.table, column.quoted(column.place.column), column.quoted(column.key_name)
    changes = [(line.old, line.new) for line in plan.lines if line.new is not None and line.is_changed]
    if not changes:
        return f"-- nothing to convert in {table}.{name}\n"
    copy, text = column.quoted("scopeware_scopes_before"), column.text(table)
    texts = ",\n  ".join(column.literal(old) for old, _ in changes)
    cases = "\n  ".join(f"WHEN {column.literal(old)} THEN {column.literal(new)}" for old, new in changes)
    where = f"{column.condition(table)} AND {text} IN (\n  {texts}\n)"
    what = printable(f"{plan.table}.{plan.column} by {plan.mapping}: {plan.changed} rows, {len(changes)} texts")
    return (
        f"-- {what}\n"
        f"BEGIN;\n"
        f"CREATE TABLE {copy} AS SELECT {key}, {name} FROM {table} WHERE {where};\n"
        f"UPDATE {table} SET {name} = CASE {text}\n  {cases}\n  ELSE {name} END WHERE {where};\n"
        f"COMMIT;\n"
        f"-- to take it back:\n"
        f"-- UPDATE {table} SET {name} = (SELECT b.{name} FROM {copy} b WHERE b.{key} = {table}.{key})\n"
        f"-- WHERE {key} IN (SELECT {key} FROM {copy});\n"
    )


def _line(line: Line) -> dict[str, Any]:
    data: dict[str, Any] = {"old": line.old, "new": line.new, "rows": line.count, "unknown": line.unknown}
    if line.change is not None:
        data |= {"gained": _routes(line.change.gained), "lost": _routes(line.change.lost)}
    return data


def _routes(found: Iterable[Reached]) -> list[dict[str, str]]:
    return [
        {"method": each.method, "path": each.path} | ({"where": each.where} if each.where else {}) for each in found
    ]
