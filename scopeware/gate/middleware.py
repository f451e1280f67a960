"""The gate: one WSGI application in front of another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, final
from urllib.parse import unquote

from ..errors import ConfigurationError
from ..policy import DESTINATION_METHODS, AmbiguousPath, Policy, Requirement
from ..text import quoted
from ..tokens import LiveToken, NoSuchOwner, Refusal, StoreUnavailable, TokenStore, wsgi_text
from . import guards
from .answers import Style, style_named
from .context import ENVIRON_KEY, Context
from .credentials import AmbiguousCredentials, CredentialReader, ForeignCredential, Strip
from .decision import ALLOWED, ANONYMOUS, PREFLIGHT, REFUSALS, Caller, Decision, Denied, judge, refused
from .destination import destination_path
from .refusals import Refusals, Rendered, scope_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger("scopeware.gate")

Identify = Callable[["WSGIEnvironment"], str | None]
Visibility = Callable[["WSGIEnvironment", str | None], str | None]
Observer = Callable[["WSGIEnvironment", Context], None]

_PREFLIGHT_HEADERS = ("access-control-", "vary", "allow")
_NO_CONTENT = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "0")]
_NAMESPACE = "SCOPEWARE"
_REMOTE_LOOKALIKES = ("HTTP_REMOTE_USER", "HTTP_X_REMOTE_USER")
_OVERRIDES = ("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE")


@final
class Scopeware:
    """Stands in front of a WSGI application: calls it exactly once, or answers itself and calls it not at all.

    :param app: the application. Nothing in it changes.
    :param policy: what requests need.
    :param store: who holds what.
    :param identify: names the user whom something else signed in (a session, a trusted proxy), or ``None``. Such a
        user satisfies what requires a token, unless a token it must be; has no scopes, and is asked for none.
    :param visibility: tells public-only tokens what is public: called with the environ and the resource (``None`` where
        the policy names none). Only ``"public"`` passes.
    :param answers: the style of refusals: ``"problem"``, ``"gitea"``, ``"timetracker"``, or a callable; by default the
        policy's.
    :param mode: ``"enforce"``, or ``"report"``: nothing is refused; what would have been is logged, and in the environ.
    :param observe: called after each decision, before the application.
    :param options: any of the policy's gate options (:class:`~scopeware.policy.Options`), by name.
    :raises ConfigurationError: an option that cannot be; a store with another vocabulary than the policy's.
    """

    def __init__(
        self,
        app: WSGIApplication,
        policy: Policy,
        store: TokenStore,
        *,
        identify: Identify | None = None,
        visibility: Visibility | None = None,
        answers: str | Style | None = None,
        mode: Literal["enforce", "report"] = "enforce",
        observe: Observer | None = None,
        **options: Any,
    ) -> None:
        for name, given, fits in (
            ("app", app, callable(app)),
            ("policy", policy, isinstance(policy, Policy)),
            ("store", store, isinstance(store, TokenStore)),
            ("identify", identify, identify is None or callable(identify)),
            ("visibility", visibility, visibility is None or callable(visibility)),
            ("observe", observe, observe is None or callable(observe)),
        ):
            if not fits:
                raise ConfigurationError(f"{quoted(repr(given))} is not what belongs here", where=name)
        if mode not in ("enforce", "report"):
            raise ConfigurationError(f"{quoted(str(mode))} is neither enforce nor report", where="mode")
        self.app = app
        self.policy = policy
        self.store = store
        self.mode = mode
        self.options = policy.options.with_changes(options)
        store.use(policy.vocabulary, policy.roles, self.options.token_prefix)
        self._identify = identify
        self._visibility = visibility
        self._observe = observe
        self._credentials = CredentialReader(self.options, f"{store.prefix}_")
        style = answers if callable(answers) else style_named(answers or self.options.answers)
        self._refusals = Refusals(self.options, style, self._credentials.places)
        self._refuses_override = self.options.method_override == "refuse"
        self._strips = not self.options.forward_token
        self._scope_headers = self.options.scope_headers
        # PERF: bound once, looked up for every request
        self._requirement = policy.requirement
        self._mounted = policy.requirement_when_mounted
        self._authenticate = store.authenticate
        self._find = self._credentials.find
        guards.register(self)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            context = self._admit(environ)
            if context is not None and self._observe is not None:
                self._observe(environ, context)
        except Exception:
            logger.exception("the gate failed")
            context = self._denied(environ, Denied("internal_error", "the gate failed"))
        if context is not None:
            decision = context.decision
            if decision is PREFLIGHT and self.mode == "enforce":
                return self._answer_preflight(environ, start_response)
            if decision is not ALLOWED and decision is not PREFLIGHT and not self.lets_pass(environ, decision):
                return self._refuse(environ, start_response, context)
            if self._scope_headers and context.token is not None:
                start_response = self._with_scope_headers(start_response, context)
        if guards.in_use:
            return guards.call(self, environ, start_response)
        return self.app(environ, start_response)

    # -- a request's way

    def _admit(self, environ: WSGIEnvironment) -> Context | None:
        """The decision about a request, and the environ made ready; ``None`` where the policy does not apply."""
        script_name = environ.get("SCRIPT_NAME", "")
        path_info = environ.get("PATH_INFO", "")
        raw_path = script_name + path_info
        try:
            if script_name:
                requirement = self._mounted(environ["REQUEST_METHOD"], script_name, path_info)
            else:
                requirement = self._requirement(environ["REQUEST_METHOD"], raw_path)
        except AmbiguousPath as error:
            return self._denied(environ, Denied("ambiguous_path", f"the path has no one reading: {error.reason}"))
        if requirement is None:
            return self._admit_outside(environ)
        if self._refuses_override and _overrides_method(environ):
            denied = Denied("ambiguous_method", "the request asks to be taken for one of another method")
            return self._denied(environ, denied, requirement)
        strip: Strip | None = None
        try:
            found = self._find(environ)
            if found is None:
                context = self._without_token(environ, requirement, raw_path)
            else:
                secret, strip = found
                token = self._authenticate(secret)
                if isinstance(token, Refusal):
                    return self._denied(environ, refused(token), requirement)
                bits = token.bits
                simple = requirement.simple
                # PERF: what decides nearly always. `judge` says the same, and knows the rest.
                if bits and bits & simple == simple and not token.public_only:
                    context = Context(self, token, token.owner, requirement, raw_path, ALLOWED)
                else:
                    context = self._with_token(environ, requirement, raw_path, token)
        except AmbiguousCredentials as error:
            return self._denied(environ, Denied("ambiguous_credentials", str(error)), requirement)
        except ForeignCredential as error:
            return self._denied(environ, Denied("token_invalid", str(error)), requirement)
        except StoreUnavailable as error:
            logger.error("%s", error)
            return self._denied(environ, Denied("store_unavailable", "tokens cannot be checked now"), requirement)
        if strip is not None and self._strips:
            strip(environ)
        self._present(environ, context)
        return context

    def _with_token(
        self, environ: WSGIEnvironment, requirement: Requirement, raw_path: str, token: LiveToken
    ) -> Context:
        context = Context(self, token, token.owner, requirement, raw_path, ALLOWED)
        return self._judged(environ, context, Caller(token, token.owner, token.role))

    def _without_token(self, environ: WSGIEnvironment, requirement: Requirement, raw_path: str) -> Context:
        owner = self._session_owner(environ)
        if owner is None:
            context = Context(self, None, None, requirement, raw_path, ALLOWED)
            if self.options.preflight == "pass" and _is_preflight(environ):
                context.decision = PREFLIGHT
                return context
            return self._judged(environ, context, ANONYMOUS)
        context = Context(self, None, owner, requirement, raw_path, ALLOWED)
        whose = requirement.owner or (requirement.also and requirement.also.owner)
        role = self._role_of(owner) if whose is not None else None
        return self._judged(environ, context, Caller(None, owner, role))

    def _session_owner(self, environ: WSGIEnvironment) -> str | None:
        owner: object = self._identify(environ) if self._identify is not None else None
        if owner is not None and (not isinstance(owner, str) or not owner):
            raise TypeError(f"identify returned {owner!r}, neither a name nor None")
        return owner

    def _role_of(self, owner: str) -> str | None:
        try:
            info = self.store.owner(owner)
        except NoSuchOwner:
            return None
        return info.role if info.active else None

    def _judged(self, environ: WSGIEnvironment, context: Context, caller: Caller) -> Context:
        requirement = context.requirement
        if requirement is None:
            raise AssertionError("only what the policy covers is judged")
        context.decision = self._judge(environ, context, requirement, caller)
        if context.decision is ALLOWED and requirement.destination and "HTTP_DESTINATION" in environ:
            context.decision = self._judge_destination(environ, context, caller)
        return context

    def _judge(self, environ: WSGIEnvironment, context: Context, requirement: Requirement, caller: Caller) -> Decision:
        def is_public(rule: Requirement) -> bool:
            if self._visibility is None:
                return False
            environ[ENVIRON_KEY] = here = Context(self, context.token, context.owner, rule, context.path, ALLOWED)
            return self._visibility(environ, here.resource) == "public"

        return judge(requirement, caller, lambda rule: self.policy.params(rule, context.path), is_public)

    def _judge_destination(self, environ: WSGIEnvironment, context: Context, caller: Caller) -> Decision:
        """COPY and MOVE write at their destination, too (RFC 4918 9.8.3): it is judged like the path itself."""
        try:
            raw_path = destination_path(environ)
            requirement = self._requirement(environ["REQUEST_METHOD"], raw_path)
        except AmbiguousPath as error:
            return Denied("ambiguous_destination", f"the destination has no one reading: {error.reason}")
        if requirement is None:
            return Denied("ambiguous_destination", "the destination lies outside of what is guarded")
        there = Context(self, context.token, context.owner, requirement, raw_path, ALLOWED)
        return self._judge(environ, there, requirement, caller)

    def _admit_outside(self, environ: WSGIEnvironment) -> Context | None:
        """Outside of the prefix nothing is asked; but a destination may lie under it."""
        if environ.get("PATH_INFO", "") not in ("", "*") and environ["PATH_INFO"][0] != "/":
            denied = Denied("ambiguous_path", "the path has no one reading: it does not start with a slash")
            return self._denied(environ, denied)
        if "HTTP_DESTINATION" not in environ or environ["REQUEST_METHOD"].upper() not in DESTINATION_METHODS:
            return None
        try:
            raw_path = destination_path(environ)
            requirement = self._requirement(environ["REQUEST_METHOD"], raw_path)
        except AmbiguousPath as error:
            return self._denied(environ, Denied("ambiguous_destination", error.reason))
        if requirement is None:
            return None
        return self._denied(environ, Denied("ambiguous_destination", "the destination is guarded, and the path is not"))

    def _denied(self, environ: WSGIEnvironment, decision: Denied, requirement: Requirement | None = None) -> Context:
        """A decision about a request that nobody can be named for."""
        raw_path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        context = Context(self, None, None, requirement, raw_path, decision)
        if self.mode == "report" and self._strips:
            self._credentials.strip_all(environ)
        self._present(environ, context)
        return context

    def _present(self, environ: WSGIEnvironment, context: Context) -> None:
        """Put what was learned into the environ, and take out what pretends to be it."""
        # PERF: one search in C instead of a loop over all keys
        if _NAMESPACE in "\n".join(environ):
            for key in [key for key in environ if key.startswith("HTTP_") and _NAMESPACE in key]:
                del environ[key]
        for key in _REMOTE_LOOKALIKES:
            if key in environ:
                del environ[key]
        environ[ENVIRON_KEY] = context
        token = context.token
        if token is not None:
            environ["REMOTE_USER"] = token.remote_user
        elif context.owner is not None:
            environ["REMOTE_USER"] = wsgi_text(context.owner)
        elif "REMOTE_USER" in environ:
            del environ["REMOTE_USER"]

    def _answer_preflight(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application, and keep what it says to itself: a view that does not look at the method answers a
        preflight as it answers a GET. A preflight is about headers."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, lines: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            started[:] = [(status, lines)]
            return lambda data: None

        body = guards.call(self, environ, start)
        try:
            for _ in body:
                if started:
                    break  # it may never end
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        status, lines = started[-1]
        kept = [line for line in lines if line[0].lower().startswith(_PREFLIGHT_HEADERS)]
        start_response(status, kept if status.startswith("204") else [*kept, *_NO_CONTENT])
        return []

    # -- for the guards of single views

    def make_known(self, environ: WSGIEnvironment, context: Context) -> None:
        """Put what a guard learned into the environ, where the policy does not apply and nothing was put yet."""
        if environ.get(ENVIRON_KEY) is not context:
            found = self._find(environ)
            if found is not None and self._strips:
                found[1](environ)
            self._present(environ, context)

    def context_of(self, environ: WSGIEnvironment) -> Context:
        """What the gate learned, or would have learned, had the policy covered the request."""
        context = environ.get(ENVIRON_KEY)
        if isinstance(context, Context) and context.gate is self:
            return context
        try:
            found = self._find(environ)
            if found is None:
                return Context(self, None, self._session_owner(environ), None, "", ALLOWED)
            token = self._authenticate(found[0])
        except AmbiguousCredentials as error:
            return Context(self, None, None, None, "", Denied("ambiguous_credentials", str(error)))
        except ForeignCredential:
            return Context(self, None, None, None, "", REFUSALS["token_invalid"])
        except StoreUnavailable as error:
            logger.error("%s", error)
            return Context(self, None, None, None, "", Denied("store_unavailable", "tokens cannot be checked now"))
        if isinstance(token, Refusal):
            return Context(self, None, None, None, "", refused(token))
        return Context(self, token, token.owner, None, "", ALLOWED)

    # -- answers

    def lets_pass(self, environ: WSGIEnvironment, decision: Decision) -> bool:
        """Whether a request goes on although it was denied, as in report mode; that is logged."""
        if self.mode != "report" or not isinstance(decision, Denied):
            return False
        logger.warning(
            "would have refused %s %s with %d %s: %s",
            environ.get("REQUEST_METHOD"),
            quoted(environ.get("PATH_INFO", "")),
            decision.status,
            decision.code,
            decision.detail,
        )
        return True

    def _refuse(self, environ: WSGIEnvironment, start_response: StartResponse, context: Context) -> Iterable[bytes]:
        status, lines, body = self.refusal(environ, context)
        start_response(status, lines)
        return [body] if environ.get("REQUEST_METHOD") != "HEAD" else []

    def refusal(self, environ: WSGIEnvironment, context: Context) -> Rendered:
        """The status line, the headers and the body of the answer to a request that was denied."""
        return self._refusals.render(environ, context)

    @staticmethod
    def _with_scope_headers(start_response: StartResponse, context: Context) -> StartResponse:
        extra = scope_headers(context)

        def start(status: str, lines: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            return start_response(status, [*lines, *extra], exc_info)

        return start


def _overrides_method(environ: WSGIEnvironment) -> bool:
    """Whether the request asks to be taken for one of another method, in a header or in the query."""
    return any(name in environ for name in _OVERRIDES) or "_method=" in unquote(environ.get("QUERY_STRING", ""))


def _is_preflight(environ: WSGIEnvironment) -> bool:
    """Whether a browser asks beforehand what it may send (Fetch 3.2.2); it never sends credentials then."""
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        and not _overrides_method(environ)
    )
