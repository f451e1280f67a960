"""The gate: one WSGI application in front of another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Literal, final
from urllib.parse import unquote

from ..errors import ConfigurationError
from ..policy import DESTINATION_METHODS, AmbiguousPath, LogOptions, Policy, Requirement
from ..text import quoted
from ..tokens import LiveToken, Refusal, Sink, StoreUnavailable, TokenStore, wsgi_text
from . import guards
from .answers import Style, style_named
from .bodies import Rendered, Watched, captured, sends_a_file
from .context import ENVIRON_KEY, Context
from .credentials import AmbiguousCredentials, CredentialReader, ForeignCredential, Strip
from .decision import (
    ALLOWED,
    ALLOWED_OWN,
    ANONYMOUS,
    HIDDEN,
    PREFLIGHT,
    REFUSALS,
    STORE_UNAVAILABLE,
    Caller,
    Circumstances,
    Decision,
    Denied,
    both,
    judge,
    refused,
)
from .destination import destination_path
from .refusals import Refusals, scope_headers
from .rights import ResourceOwner, ResourceRole, Rights, resource_by
from .visit import Visit, secret_pattern, without_secrets

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger("scopeware.gate")

Identify = Callable[["WSGIEnvironment"], str | None]
Visibility = Callable[["WSGIEnvironment", str | None], str | None]
Observer = Callable[["WSGIEnvironment", Context], None]

_PREFLIGHT_HEADERS = ("access-control-", "vary", "allow")
_NO_CONTENT = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "0")]
_QUIET_SECONDS = 10.0
_NAMESPACE = "SCOPEWARE"
_REMOTE_LOOKALIKE = "_REMOTE_USER"
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
    :param resource_role: for resources with members of their own: called with the owner and the resource, it names the
        role that the owner has there, ``None`` for none.
    :param resource_owner: for tokens and roles that reach only what is their owner's: called with a resource, it names
        who owns it, ``None`` for nobody.
    :param not_found: a WSGI application that answers instead of the gate where a resource is out of reach: the
        deployment's own 404, so that nobody can tell from it what there is.
    :param access_log: where the access log goes, and what is kept; by default as the policy says.
    :param log_sink: a callable that gets the entries, too.
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
        resource_role: ResourceRole | None = None,
        resource_owner: ResourceOwner | None = None,
        not_found: WSGIApplication | None = None,
        access_log: LogOptions | None = None,
        log_sink: Sink | None = None,
        observe: Observer | None = None,
        **options: Any,
    ) -> None:
        for name, given, fits in (
            ("app", app, callable(app)),
            ("policy", policy, isinstance(policy, Policy)),
            ("store", store, isinstance(store, TokenStore)),
            ("identify", identify, identify is None or callable(identify)),
            ("visibility", visibility, visibility is None or callable(visibility)),
            ("resource_role", resource_role, resource_role is None or callable(resource_role)),
            ("resource_owner", resource_owner, resource_owner is None or callable(resource_owner)),
            ("not_found", not_found, not_found is None or callable(not_found)),
            ("access_log", access_log, access_log is None or isinstance(access_log, LogOptions)),
            ("log_sink", log_sink, log_sink is None or callable(log_sink)),
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

        def chosen(given: Any, hook: str) -> Any:
            return policy.hooks.load(hook) if given is None else given

        accounts = None if store.has_accounts else policy.hooks.load("accounts")
        store.use(policy.vocabulary, policy.roles, self.options.token_prefix, policy.lifetimes, accounts)
        self.access_log = store.access_log(access_log or policy.access_log)
        log_sink = chosen(log_sink, "log_sink")
        if log_sink is not None:
            self.access_log.tell(log_sink)
        self.secret_pattern = secret_pattern(store.prefix)
        self._identify: Identify | None = chosen(identify, "identify")
        self._visibility: Visibility | None = chosen(visibility, "visibility")
        resource_role = chosen(resource_role, "resource_role")
        resource_owner = chosen(resource_owner, "resource_owner")
        self._rights = Rights(store, policy, resource_role, resource_owner, self.options.sessions == "role")
        self.by_resource = resource_role is not None
        """Whether roles are given per resource."""
        self._not_found: WSGIApplication | None = chosen(not_found, "not_found")
        self._observe: Observer | None = chosen(observe, "observe")
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
        self._note = self.access_log.add
        self._quiet_until = 0.0
        guards.register(self)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = perf_counter()
        try:
            context = self._admit(environ)
            if context is not None and self._observe is not None:
                self._observe(environ, context)
        except Exception:
            logger.exception("the gate failed")
            context = self._denied(environ, Denied("internal_error", "the gate failed"))
        if context is None:
            return self._pass_by(environ, start_response, started)
        decision = context.decision
        if decision is not ALLOWED and decision is not ALLOWED_OWN:
            if decision is PREFLIGHT:
                answer = self._answer_preflight if self.mode == "enforce" else self._call
                return answer(environ, start_response)
            if not self.lets_pass(environ, decision):
                return self._refuse(environ, start_response, context, started)
        elif context.token is None:
            return self._call(environ, start_response)
        if self._scope_headers and context.token is not None:
            start_response = self._with_scope_headers(start_response, context)
        visit = Visit(context, environ, start_response, started)
        # PERF: what `_call` does
        return self._watch(visit, environ, self.app if not guards.in_use else self._call, self._over)

    @staticmethod
    def _watch(
        visit: Visit, environ: WSGIEnvironment, app: WSGIApplication, over: Callable[[Visit], None]
    ) -> Iterable[bytes]:
        """Call an application.

        :param over: called when the answer is over.
        """
        try:
            body = app(environ, visit.start)
        except BaseException:
            over(visit)
            raise
        # PERF: nothing comes after a list
        if type(body) is list or sends_a_file(environ, body):
            over(visit)
            return body
        return Watched(body, lambda: over(visit))

    def _pass_by(self, environ: WSGIEnvironment, start_response: StartResponse, started: float) -> Iterable[bytes]:
        """Call the application where the policy does not apply. A guard in it may look at a token all the same."""
        if not guards.in_use:
            return self.app(environ, start_response)
        path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        nothing = Context(self, None, None, None, path, ALLOWED)
        before = environ.get(ENVIRON_KEY)

        def over(visit: Visit) -> None:
            context = environ.get(ENVIRON_KEY)
            if context is not before and isinstance(context, Context) and context.gate is self and context.token:
                context.path = path
                visit.context = context
                self._over(visit)

        return self._watch(Visit(nothing, environ, start_response, started), environ, self._call, over)

    def _call(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if guards.in_use:
            return guards.call(self, environ, start_response)
        return self.app(environ, start_response)

    def _over(self, visit: Visit) -> None:
        """Note a request; whatever comes of that, its answer stands."""
        try:
            visit.end()
            self._note(visit)
        except Exception:
            logger.exception("a request cannot be noted")

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
                    return self._denied(environ, refused(token), requirement, token)
                bits = token.bits
                simple = requirement.simple
                # PERF: what decides nearly always. `judge` says the same, and knows the rest.
                if (
                    bits
                    and bits & simple == simple
                    and not token.restricted
                    and not (self.by_resource and requirement.resource is not None)
                ):
                    context = Context(self, token, token.owner, requirement, raw_path, ALLOWED)
                else:
                    context = self._with_token(environ, requirement, raw_path, token)
        except AmbiguousCredentials as error:
            return self._denied(environ, Denied("ambiguous_credentials", str(error)), requirement)
        except ForeignCredential as error:
            return self._denied(environ, Denied("token_invalid", str(error)), requirement)
        except StoreUnavailable as error:
            self._complain(error)
            return self._denied(environ, STORE_UNAVAILABLE, requirement)
        if strip is not None and self._strips:
            strip(environ)
        self._present(environ, context)
        return context

    def _with_token(
        self, environ: WSGIEnvironment, requirement: Requirement, raw_path: str, token: LiveToken
    ) -> Context:
        context = Context(self, token, token.owner, requirement, raw_path, ALLOWED)
        return self._judged(environ, context, Caller(token, token.owner, token.role, environ.get("REMOTE_ADDR", "")))

    def _without_token(self, environ: WSGIEnvironment, requirement: Requirement, raw_path: str) -> Context:
        owner = self._session_owner(environ)
        if owner is None:
            context = Context(self, None, None, requirement, raw_path, ALLOWED)
            if self.options.preflight == "pass" and _is_preflight(environ):
                context.decision = PREFLIGHT
                return context
            return self._judged(environ, context, ANONYMOUS)
        context = Context(self, None, owner, requirement, raw_path, ALLOWED)
        return self._judged(environ, context, self._session(owner, requirement))

    def _session_owner(self, environ: WSGIEnvironment) -> str | None:
        owner: object = self._identify(environ) if self._identify is not None else None
        if owner is not None and (not isinstance(owner, str) or not owner):
            raise TypeError(f"identify returned {owner!r}, neither a name nor None")
        return owner

    def _session(self, owner: str, requirement: Requirement) -> Caller:
        held = self._rights.of_session(owner)
        if held is not None:
            return Caller(None, owner, held.role, held=held)
        account = self.store.account(owner) if requirement.asks_for_role else None
        return Caller(None, owner, account.role if account is not None and account.active else None)

    def _judged(self, environ: WSGIEnvironment, context: Context, caller: Caller) -> Context:
        requirement = context.requirement
        if requirement is None:
            raise AssertionError("only what the policy covers is judged")
        context.decision = self._judge(environ, context, requirement, caller)
        if context.decision.allowed and requirement.destination and "HTTP_DESTINATION" in environ:
            context.decision = both(context.decision, self._judge_destination(environ, context, caller))
        return context

    def _judge(self, environ: WSGIEnvironment, context: Context, requirement: Requirement, caller: Caller) -> Decision:
        def is_public(rule: Requirement) -> bool:
            if self._visibility is None:
                return False
            environ[ENVIRON_KEY] = here = Context(self, context.token, context.owner, rule, context.path, ALLOWED)
            return self._visibility(environ, here.resource) == "public"

        circumstances = self._rights.circumstances(context, is_public, lambda rule: resource_by(rule, context))
        return judge(requirement, caller, circumstances)

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
        if caller.token is None and caller.owner is not None:
            caller = self._session(caller.owner, requirement)
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

    def _denied(
        self,
        environ: WSGIEnvironment,
        decision: Denied,
        requirement: Requirement | None = None,
        refusal: Refusal | None = None,
    ) -> Context:
        """A decision about a request that nobody can be named for."""
        raw_path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        context = Context(self, None, None, requirement, raw_path, decision, refusal)
        if self.mode == "report" and self._strips:
            self._credentials.strip_all(environ)
        self._present(environ, context)
        return context

    def _present(self, environ: WSGIEnvironment, context: Context) -> None:
        """Put what was learned into the environ, and take out what pretends to be it."""
        # PERF: two searches in C instead of a loop over all keys
        names = "\n".join(environ)
        if _NAMESPACE in names or _REMOTE_LOOKALIKE in names:
            for key in [key for key in environ if key.startswith("HTTP_") and _NAMESPACE in key]:
                del environ[key]
            for key in _REMOTE_LOOKALIKES:
                environ.pop(key, None)
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
        status, lines, _ = captured(self._call, environ, headers_only=True)
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
            self._complain(error)
            return Context(self, None, None, None, "", STORE_UNAVAILABLE)
        if isinstance(token, Refusal):
            return Context(self, None, None, None, "", refused(token), token)
        return Context(self, token, token.owner, None, "", ALLOWED)

    def caller_of(self, environ: WSGIEnvironment, context: Context, requirement: Requirement) -> Caller:
        """Who is calling, for what a guard asks."""
        token = context.token
        if token is not None:
            return Caller(token, token.owner, token.role, environ.get("REMOTE_ADDR", ""))
        return ANONYMOUS if context.owner is None else self._session(context.owner, requirement)

    def circumstances_of(self, context: Context, about: str | None) -> Circumstances:
        """Those of a request, for what a guard asks.

        :param about: what the view is about.
        """
        return self._rights.circumstances(context, lambda _: False, lambda _: about)

    def allows(self, context: Context, resource: str, scopes: str | None, public: bool) -> bool:
        """Whether a caller may do something with a resource: see :meth:`Context.allows`."""
        return self._rights.allows(context, resource, scopes, public)

    def note_refusal(
        self, environ: WSGIEnvironment, context: Context, asked_for: Requirement, denied: Denied, passed: bool
    ) -> None:
        """A guard has refused what the gate let pass, or would have, in report mode.

        :param passed: whether the view runs all the same.
        """
        context.guard = asked_for
        if context.token is not None and environ.get(ENVIRON_KEY) is context:
            context.decision = denied  # it is noted when the answer is over
            return
        path = context.path or f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        refusal = Context(self, context.token, context.owner, context.requirement, path, denied, context.refusal)
        refusal.guard = asked_for
        self._note_denied(environ, refusal, perf_counter(), passed=passed)

    # -- answers

    def lets_pass(self, environ: WSGIEnvironment, decision: Decision) -> bool:
        """Whether a request goes on although it was denied, as in report mode; that is logged."""
        if self.mode != "report" or not isinstance(decision, Denied):
            return False
        logger.warning(
            "would have refused %s %s with %d %s: %s",
            without_secrets(environ.get("REQUEST_METHOD", ""), self.secret_pattern),
            quoted(without_secrets(environ.get("PATH_INFO", ""), self.secret_pattern)),
            decision.status,
            decision.code,
            decision.detail,
        )
        return True

    def _complain(self, error: StoreUnavailable) -> None:
        """Say what is wrong with the store, now and then."""
        now = monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            logger.error("%s", error)

    def _refuse(
        self, environ: WSGIEnvironment, start_response: StartResponse, context: Context, started: float
    ) -> Iterable[bytes]:
        if self._not_found is not None and context.decision in HIDDEN:
            if self._scope_headers:
                start_response = self._with_scope_headers(start_response, context)
            visit = Visit(context, environ, start_response, started)
            visit.passed = False
            return self._watch(visit, environ, self._not_found, self._over)
        self._note_denied(environ, context, started, passed=False)
        status, lines, body = self.refusal(environ, context)
        start_response(status, lines)
        return [body] if environ.get("REQUEST_METHOD") != "HEAD" else []

    def _note_denied(self, environ: WSGIEnvironment, context: Context, started: float, *, passed: bool) -> None:
        visit = Visit(context, environ, None, started)
        visit.passed = passed
        visit.status = context.decision.status if isinstance(context.decision, Denied) and not passed else None
        self._over(visit)

    def refusal(self, environ: WSGIEnvironment, context: Context) -> Rendered:
        """The status line, the headers and the body of the answer to a request that was denied."""
        if self._not_found is not None and context.decision in HIDDEN:
            return captured(self._not_found, environ)
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
