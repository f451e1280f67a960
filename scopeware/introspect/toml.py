"""What is drafted, as TOML."""

from __future__ import annotations

from ..text import counted, printable
from .grouping import DraftedGroup
from .labels import Label


def spelled(group: DraftedGroup) -> str:
    """A group with its routes, and what there is to say about them."""
    routes = counted(group.count, "route")
    lines = [f"# {printable(remark)}" for remark in group.remarks]
    lines.append(remarked("[[group]]", routes if group.count else ""))
    lines.append(f"path = {string(group.path)}")
    if not group.below:
        lines.append("below = false")
    lines += _needs(group.label)
    if group.resource:
        lines.append(remarked(f"resource = {string(group.resource)}", "a token may be bound to one"))
    for special in sorted(group.specials, key=lambda each: (each.path, each.methods)):
        lines.append(remarked("  [[group.route]]", special.why))
        lines.append(f"  path = {string(special.path)}")
        if special.methods:
            lines.append(f"  methods = [{', '.join(map(string, _methods(special.methods)))}]")
        lines += [f"  {line}" for line in _needs(special.label, group.label, whole=special.whole)]
    return "\n".join(lines) + "\n"


def remarked(text: str, remark: str) -> str:
    """A line with a remark behind it, if there is one."""
    return f"{text.ljust(31)} # {printable(remark)}" if remark else text


def _needs(label: Label, above: Label | None = None, *, whole: bool = False) -> list[str]:
    """What a group asks for; or what a route in it does that the group does not."""
    lines = []
    if len(label.needs) > 1:
        lists = ", ".join(f"[{', '.join(map(string, words))}]" for words in label.needs)
        lines.append(f"any_of = [{lists}]")
    elif above is None or whole or label.needs != above.needs:
        lines.append(f"scopes = [{', '.join(map(string, label.needs[0] if label.needs else ()))}]")
    if label.action and label.needs:
        lines.append(f"action = {string(label.action)}")
    if label.by_session and (above is None or not above.by_session or whole):
        lines.append(remarked('accept = "session"', "no token, but who is signed in otherwise: `identify`"))
    elif above is not None and above.by_session and not label.by_session:
        lines.append('accept = "any"')
    if label.public:
        lines.append("require_token = false")
    elif whole:
        lines.append("require_token = true")
    return lines


def _methods(methods: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys("GET" if method == "HEAD" else method for method in methods))


def string(text: str) -> str:
    """A text as TOML spells it, whatever is in it."""
    if text.isprintable() and '"' in text and "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in escaped) + '"'


def category_line(word: str) -> str:
    """A category of a vocabulary, of which nothing more is known."""
    return f'{string(word) if "." in word else word} = ""'
