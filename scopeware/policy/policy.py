"""Route groups and what they need, compiled once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, final

from ..errors import ConfigurationError
from ..scopes import Roles, Vocabulary, VocabularyError
from ..text import quoted
from . import document
from .allowance import read_allowances
from .compiler import Compiler, PolicyError, one_of
from .hooks import Hooks
from .lifetimes import Lifetimes
from .log_options import LogOptions
from .options import Options
from .path import AmbiguousPath, canonical, may_lie_under, without_parameters, wsgi_path
from .pattern import Pattern
from .preset import Preset, read_presets
from .requirement import Requirement
from .rules import ACCEPT, PUBLIC_ONLY, UNMATCHED, Accept, Group, Needs, PublicOnly, Unmatched
from .segment import Kind, PatternError
from .trie import find, tables, trace

_MOST_KNOWN = 4096
_LONGEST_KNOWN = 200
"""How many paths are remembered, and how long they are, in characters: a megabyte, whatever clients ask for."""


@final
class Policy:
    """Route groups → requirements; immutable.

    :param groups: what is guarded and how.
    :param vocabulary: a built-in one's name, or a vocabulary. The groups' scopes are its words.
    :param prefix: what is guarded at all; outside of it the application is passed through untouched.
    :param require_token: whether groups that do not say so require someone signed in.
    :param accept: who counts as signed in, for groups that do not say so.
    :param public_only: what becomes of public-only tokens in groups that do not say so.
    :param unmatched: what becomes of requests under the prefix that no group covers: ``"deny"``, or ``"pass"``.
    :param roles: role → patterns, see :class:`~scopeware.scopes.Roles`.
    :param presets: name → ``scopes`` and ``description``: what to offer where tokens are made.
    :param lifetimes: how long tokens may live.
    :param access_log: what is kept of requests.
    :param options: how the gate takes credentials and answers.
    :param hooks: which functions of the application the gate asks.
    :param lint: ``allow``: findings of the linter that are fine, each with a reason.
    :param source: what messages call it; the file's name.
    :raises ConfigurationError: a path, scope or key that cannot be used, two rules for one path, two rules that overlap
        without one being the more specific, a rule or key that has no effect.
    """

    __slots__ = (
        "_known",
        "_prefix_length",
        "_root",
        "_under",
        "access_log",
        "allowances",
        "groups",
        "hooks",
        "lifetimes",
        "options",
        "prefix",
        "presets",
        "role_patterns",
        "roles",
        "source",
        "vocabulary",
    )

    def __init__(
        self,
        groups: Iterable[Group],
        *,
        vocabulary: str | Vocabulary = "gitea",
        prefix: str = "",
        require_token: bool = True,
        accept: Accept = "any",
        public_only: PublicOnly = "reject",
        unmatched: Unmatched = "deny",
        roles: Mapping[str, str] | None = None,
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        lifetimes: Lifetimes | None = None,
        access_log: LogOptions | None = None,
        options: Options | None = None,
        hooks: Hooks | None = None,
        lint: Mapping[str, Any] | None = None,
        source: str = "",
    ) -> None:
        try:
            self.vocabulary = Vocabulary.builtin(vocabulary) if isinstance(vocabulary, str) else vocabulary
        except VocabularyError as error:
            raise error.at("policy.vocabulary") from None
        self.groups = tuple(groups)
        self.roles = Roles(self.vocabulary, roles)
        self.role_patterns: Mapping[str, str] = MappingProxyType(dict(roles or {}))
        self.lifetimes = lifetimes or Lifetimes()
        self.access_log = access_log or LogOptions()
        self.options = options or Options()
        self.hooks = hooks or Hooks()
        self.allowances = read_allowances(lint or {})
        self.presets: Mapping[str, Preset] = MappingProxyType(read_presets(presets or {}, self.vocabulary))
        self.source = source
        self.prefix = _prefix(prefix)
        self._under = f"{self.prefix}/"
        self._prefix_length = len(self._under)
        if not isinstance(require_token, bool):
            raise PolicyError("expected true or false", where="policy.require_token")
        one_of(unmatched, UNMATCHED, "policy.unmatched")
        one_of(public_only, PUBLIC_ONLY, "policy.public_only")
        one_of(accept, ACCEPT, "policy.accept")
        if not self.groups:
            raise PolicyError("there is no group, so nothing could pass; write at least one [[group]]")
        defaults = Needs(require_token=require_token, accept=accept, public_only=public_only, bound="reject")
        nobody = Requirement("", "", Pattern.parse("/"), self.vocabulary, unmatched=True)
        if unmatched == "pass":
            nobody = Requirement(
                "", "", nobody.pattern, self.vocabulary, scope_free=True, require_token=False, public_only=public_only
            )
        self._known: dict[tuple[str, str], Requirement] = {}
        self._root = Compiler(self.vocabulary, self.roles, defaults, nobody).compile(self.groups)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Policy:
        """The policy in a TOML file.

        :raises ConfigurationError: the file cannot be read or is no valid policy; file, line and key are named.
        """
        return cls.loads(document.read(path), source=os.fspath(path))

    @classmethod
    def loads(cls, text: str, *, source: str = "policy") -> Policy:
        """The policy that TOML text spells; as :meth:`load`.

        :raises ConfigurationError: the text is no valid policy.
        """
        try:
            return cls(**document.parse(text), source=source)
        except ConfigurationError as error:
            raise error.at(source, ":" if error.where[:1].isdigit() else ": ") from None

    def presets_for(self, role: str) -> list[Preset]:
        """The presets that an owner of this role can be granted, and that do something then."""
        known = {preset: self.vocabulary.parse(preset.scopes) for preset in self.presets.values()}
        return [
            preset
            for preset, scopes in known.items()
            if not self.roles.reserved_in(scopes, role) and self.roles.effective(scopes, role)
        ]

    def requirement_when_mounted(self, method: str, script_name: str, path_info: str) -> Requirement | None:
        """Like :meth:`requirement` for a path in two parts, of which clients may have made the first one up.

        :raises AmbiguousPath: also where there is no slash between the parts, and where the second part alone lies
            under the prefix, or is covered by another rule.
        """
        if path_info and path_info[0] != "/":
            raise AmbiguousPath("PATH_INFO does not start with a slash")
        whole = self.requirement(method, script_name + path_info)
        alone = self.requirement(method, path_info)
        if alone is None or not (alone.group or self.prefix):
            return whole
        if alone is not whole or self._names(alone, path_info) != self._names(alone, script_name + path_info):
            raise AmbiguousPath(
                f"without the mount `{script_name}` something else is decided about; name it in the policy's prefix"
            )
        return whole

    def _names(self, requirement: Requirement, raw_path: str) -> list[str]:
        """What a request is about, and whose it is, as far as its rule says."""
        params = self.params(requirement, raw_path)
        names = [known.fill(params) for known in (requirement.resource, requirement.owner) if known is not None]
        return names if requirement.also is None else names + self._names(requirement.also, raw_path)

    def requirement(self, method: str, raw_path: str) -> Requirement | None:
        """What a request needs; ``None`` outside of the prefix.

        :param method: ``REQUEST_METHOD``, as it is: letter case matters.
        :param raw_path: ``SCRIPT_NAME + PATH_INFO``, as the server gave them.
        :raises AmbiguousPath: there is no one reading of the path, or one reading lies under the prefix and another
            does not.
        """
        # PERF: a look-up is a sixth of finding out, and most requests are for paths that were there before.
        known = self._known.get((method, raw_path))
        if known is not None:
            return known
        found = self._find(method, raw_path)
        if found is not None and len(raw_path) <= _LONGEST_KNOWN and len(method) <= _LONGEST_KNOWN:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[method, raw_path] = found
        return found

    def requirements(self) -> Iterator[Requirement]:
        """Everything that some request needs under the prefix, once for each rule and level."""
        seen: dict[int, Requirement] = {}
        for table in tables(self._root):
            seen |= {id(each): each for each in (*table.by_method.values(), table.other)}
        yield from seen.values()

    def trace(self, method: str, raw_path: str) -> list[tuple[str, str, Requirement]]:
        """How the deciding rule is found: each segment below the prefix, how it was read (``"literal"``, ``"typed
        variable"``, ``"variable"``, ``"nothing more specific"``), and what would decide if the path ended there.

        :raises AmbiguousPath: there is no one reading of the path.
        """
        path = canonical(raw_path)
        if not path.startswith(self._under):
            return []
        steps = trace(self._root, path[self._prefix_length :].split("/") if path != "/" else [])
        return [(segment, how, table.get(method)) for segment, how, table in steps]

    def _find(self, method: str, raw_path: str) -> Requirement | None:
        try:
            path = canonical(raw_path)
        except AmbiguousPath:
            if may_lie_under(raw_path, self.prefix):
                raise
            return None
        # PERF: one look for the many, and the odd ones below.
        if path.startswith(self._under):
            if ";" in path:
                self._check_parameters(path)
            return find(self._root, path[self._prefix_length :].split("/") if path != "/" else []).get(method)
        if path == self.prefix:
            return find(self._root, []).get(method)
        folded = f"{path}/".casefold()
        if folded.startswith(self._under.casefold()) or (
            (";" in path or "%" in path) and may_lie_under(raw_path, self.prefix)
        ):
            raise AmbiguousPath(f"it may be taken for one under `{self.prefix}`")
        return None

    def params(self, requirement: Requirement, raw_path: str) -> dict[str, str]:
        """The variables of the deciding rule's path, for a request it decides about."""
        return requirement.pattern.params(canonical(raw_path)[len(self.prefix) :])

    def _check_parameters(self, path: str) -> None:
        found = find(self._root, path[self._prefix_length :].split("/"))
        bare = canonical(wsgi_path(without_parameters(path)))
        if not bare.startswith(self._under) or found is not find(self._root, bare[self._prefix_length :].split("/")):
            raise AmbiguousPath("without its `;parameters` another rule would decide")

    def __repr__(self) -> str:
        return f"<Policy {self.source or 'of'} {len(self.groups)} groups under {self.prefix or '/'}>"


def _prefix(prefix: str) -> str:
    if not isinstance(prefix, str):
        raise PolicyError("expected a string", where="policy.prefix")
    try:
        pattern = Pattern.parse(prefix or "/")
    except PatternError as error:
        raise PolicyError(error.problem, where="policy.prefix") from None
    if any(segment.kind is not Kind.LITERAL for segment in pattern.segments):
        raise PolicyError(f"a prefix has no variables: {quoted(prefix)}", where="policy.prefix")
    return "".join(f"/{segment.text}" for segment in pattern.segments)
