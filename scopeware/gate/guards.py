"""Guards for single views: `req_token` and `req_scopes`."""

from __future__ import annotations

import functools
import inspect
import re
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, final, overload

from ..errors import ScopewareError
from ..policy import Own, Pattern, PublicOnly, Requirement
from ..scopes import Vocabulary
from ..tokens import StoreUnavailable
from . import frameworks
from .context import ENVIRON_KEY, Context
from .decision import STORE_UNAVAILABLE, Denied, both, judge

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .middleware import Scopeware

View = TypeVar("View", bound=Callable[..., Any])
Accept = Literal["any", "token", "session"]

in_use = False
"""Whether any view is guarded. PERF: until then the gate need not tell who asks what it is doing."""

_current: ContextVar[tuple[Scopeware, WSGIEnvironment] | None] = ContextVar("scopeware", default=None)
_gates: weakref.WeakSet[Scopeware] = weakref.WeakSet()
_ANYWHERE = Pattern.parse("/")
_VARIABLE = re.compile(r"<(\w+)>")


@final
@dataclass(frozen=True, slots=True)
class Guarded:
    """What a guard asks for; a guarded view has these, outermost last, as ``__scopeware__``.

    :param scopes: all of these, as they were written; none for anyone signed in.
    :param resource: where, as a template of the view's arguments; empty for where the request is about.
    """

    scopes: tuple[str, ...] = ()
    accept: Accept = "any"
    optional: bool = False
    resource: str = ""


class GuardError(ScopewareError, RuntimeError):
    """A guarded view was called and no gate could be found in front of it. The view was not run."""


def register(gate: Scopeware) -> None:
    """Let guards find this gate."""
    _gates.add(gate)


def call(gate: Scopeware, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Call the application of `gate` so that guards inside of it know whom to ask."""
    before = _current.set((gate, environ))
    try:
        return gate.app(environ, start_response)
    finally:
        _current.reset(before)


@overload
def req_token(view: View, /) -> View: ...
@overload
def req_token(*, accept: Accept = "any") -> Callable[[View], View]: ...
def req_token(view: Any = None, /, *, accept: Accept = "any") -> Any:
    """Run a view only for someone who is signed in, whatever the policy says about its path.

    It works on a WSGI callable and on views of Flask, Django, Bottle, Falcon and Pyramid, functions and methods, and
    answers as the gate in front does. Put it next to the view, below the framework's own decorators.

    :param accept: ``"any"`` takes a token or a session (``identify``), ``"token"`` and ``"session"`` only that.
    :raises GuardError: when the view is called without a gate in front.
    """
    if accept not in ("any", "token", "session"):
        raise ValueError(f"`{accept}` is none of any, token, session")

    def needs(vocabulary: Vocabulary) -> Requirement:
        return Requirement("", "", _ANYWHERE, vocabulary, scope_free=True, accept=accept)

    decorate = functools.partial(_guarded, needs, Guarded(accept=accept))
    return decorate if view is None else decorate(view)


def req_scopes(
    *scopes: str, optional: bool = False, accept: Accept = "any", resource: str = ""
) -> Callable[[View], View]:
    """Run a view only for tokens with all of these scopes, and for sessions, which have none.

    Works where :func:`req_token` does, and includes it.

    :param scopes: as the gate's vocabulary spells them.
    :param optional: whether to run the view for callers who are not signed in at all.
    :param accept: as for :func:`req_token`.
    :param resource: what the view is about, as a template of the variables that its route gives it
        (``"<owner>/<repo>"``); by default what the policy says of the request.
    :raises ValueError: no scope is named, or one twice; a template without a variable.
    :raises GuardError: when the view is called without a gate in front, or without such a variable.
    :raises UnknownScope: when the view is called, and the gate's vocabulary lacks a scope.
    """
    if not scopes or len(set(scopes)) < len(scopes):
        raise ValueError("name the scopes, each once")
    if accept not in ("any", "token", "session"):
        raise ValueError(f"`{accept}` is none of any, token, session")
    if resource and (not _VARIABLE.search(resource) or set(_VARIABLE.sub("", resource)) & {"<", ">"}):
        raise ValueError(f"`{resource}` is no template; write variables as `<name>`")

    @functools.cache
    def needs(vocabulary: Vocabulary) -> Requirement:
        needed = vocabulary.parse(scopes)
        if needed.bound or needed.public_only:
            raise GuardError(
                "a guard asks for scopes, not for what they are bound to; the policy's `resource` says that"
            )
        less = vocabulary.owned(needed.bits)
        return Requirement(
            "",
            "",
            _ANYWHERE,
            vocabulary,
            (needed.bits,),
            require_token=not optional,
            accept=accept,
            if_owned=(less,) if less != needed.bits else (),
        )

    return functools.partial(_guarded, needs, Guarded(scopes, accept, optional, resource))


def _guarded(needs: Callable[[Vocabulary], Requirement], told: Guarded, view: Any) -> Any:
    global in_use  # noqa: PLW0603
    in_use = True

    def refusal(arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        """What to return instead of the view's result; ``None`` to run it."""
        gate, environ = _gate_and_environ(arguments)
        context = gate.context_of(environ)
        about = _fill(told.resource, arguments, keywords) if told.resource else context.resource
        # Where the policy applies it has said what becomes of public-only tokens there; elsewhere nobody has.
        has_said = context.requirement is not None and about == context.resource
        public_only: PublicOnly = "allow" if has_said else "reject"
        own: Own = "reject" if about is None else "check"
        asked_for = replace(needs(gate.policy.vocabulary), public_only=public_only, own=own)
        denied = _judge(asked_for, context, environ, about)
        passes = denied is None or gate.lets_pass(environ, denied)
        if passes and not isinstance(context.decision, Denied):
            gate.make_known(environ, context)
        if denied is not None:
            gate.note_refusal(environ, context, asked_for, denied, passes)
        if denied is None or passes:
            return None
        asked = Context(gate, context.token, context.owner, asked_for, "", denied)
        return frameworks.respond(arguments, environ, *gate.refusal(environ, asked))

    if inspect.iscoroutinefunction(view):

        async def guard_async(*arguments: Any, **keywords: Any) -> Any:
            answer = refusal(arguments, keywords)
            return await view(*arguments, **keywords) if answer is None else answer.result

        return _like(view, guard_async, told)

    def guard(*arguments: Any, **keywords: Any) -> Any:
        answer = refusal(arguments, keywords)
        return view(*arguments, **keywords) if answer is None else answer.result

    return _like(view, guard, told)


def _like(view: Any, guard: Any, told: Guarded) -> Any:
    """`guard` with the name, the docstring and the signature of `view`: Pyramid goes by the number of arguments."""
    functools.update_wrapper(guard, view)
    guard.__scopeware__ = (*getattr(view, "__scopeware__", ()), told)
    try:
        guard.__signature__ = inspect.signature(view)
    except (TypeError, ValueError):
        pass
    return guard


def _fill(template: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    """What a view is about, by the variables that its route gave it."""
    given = {**frameworks.variables_in(arguments), **keywords}
    # Pyramid gives the rest of a path in pieces.
    known = {
        name: "/".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None
    }
    names = _VARIABLE.findall(template)
    missing = [name for name in names if name not in known]
    if missing:
        raise GuardError(f"the view has no variable `{missing[0]}`, which its guard's resource `{template}` names")
    if len(names) > 1 and any("/" in str(known[name]) for name in names):
        return ""  # which names no resource: it could be read in two ways
    return _VARIABLE.sub(lambda match: str(known[match[1]]), template)


def _judge(requirement: Requirement, context: Context, environ: WSGIEnvironment, about: str | None) -> Denied | None:
    # A denial by the gate itself only gets here in report mode, or where the policy does not apply.
    if isinstance(context.decision, Denied) and context.requirement is None:
        return context.decision
    gate = context.gate
    try:
        caller = gate.caller_of(environ, context, requirement)
    except StoreUnavailable:
        return STORE_UNAVAILABLE
    decision = judge(requirement, caller, gate.circumstances_of(context, about))
    if isinstance(decision, Denied):
        return decision
    if not requirement.scope_free and requirement not in context.guards_met:
        context.guards_met = (*context.guards_met, requirement)
    context.kept_to_own |= decision.own
    context.decision = both(context.decision, decision)
    return None


def _gate_and_environ(arguments: tuple[Any, ...]) -> tuple[Scopeware, WSGIEnvironment]:
    environ = frameworks.environ_in(arguments)
    current = _current.get()
    context = environ.get(ENVIRON_KEY) if environ is not None else None
    if environ is not None and isinstance(context, Context):
        return context.gate, environ
    if current is not None:
        # What looks like an environ among the arguments may be anything.
        context = current[1].get(ENVIRON_KEY)
        return context.gate if isinstance(context, Context) else current[0], current[1]
    if environ is None:
        raise GuardError("a guarded view was called outside of a request; wrap its application with Scopeware")
    gates = list(_gates)
    if len(gates) == 1:
        return gates[0], environ
    raise GuardError("there is no gate in front of a guarded view; wrap its application with Scopeware")
