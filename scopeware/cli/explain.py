"""``scopeware explain``: what the policy says about a request."""

from __future__ import annotations

from typing import Any

import click

from ..gate.decision import ANONYMOUS, Caller, Circumstances, Decision, Denied, judge
from ..introspect.coverage import answering
from ..policy import AmbiguousPath, Policy, Requirement
from ..scopes import DEFAULT_ROLE
from ..scopes.resource import canonical_pattern, encode
from ..tokens import LiveToken
from .output import DENIED, FINE, database_option, json_option, open_store, print_json, print_table
from .subject import found_in


@click.command()
@click.argument("policy")
@click.argument("method")
@click.argument("path")
@click.option("--scopes", help="Decide for a token with these scopes; else for someone without a token.")
@click.option("--token", metavar="ID", type=click.IntRange(1, 2**63 - 1), help="Decide for this token of the database.")
@database_option
@click.option("--owner", default="someone", show_default=True, help="Whose token it is.")
@click.option("--role", default=DEFAULT_ROLE, show_default=True, help="That owner's role.")
@click.option("--owned", is_flag=True, help="Take what the request is about for that owner's own.")
@click.option("--public", is_flag=True, help="Take what the request is about for public.")
@click.option("--app", "application", metavar="MODULE:APP|DOCUMENT", help="Say which view of it answers, too.")
@json_option
def explain(
    policy: str,
    method: str,
    path: str,
    scopes: str | None,
    token: int | None,
    database: str,
    owner: str,
    role: str,
    owned: bool,
    public: bool,
    application: str | None,
    as_json: bool,
) -> int:
    """Say which group covers a request, what it needs, and the decision. Exits 1 if it is denied.

    \b
    scopeware explain scopes.toml DELETE /api/v1/repos/a/b/issues/3 --scopes read:issue
    """
    loaded = Policy.load(policy)
    if scopes is not None and token is not None:
        raise click.UsageError("give --scopes or --token, not both")
    caller = ANONYMOUS
    if token is not None:
        info = open_store(database, loaded).show(token)
        if info.status != "live":
            raise click.UsageError(f"token {token} does not work: {info.status}")
        scopes, owner, role = info.scopes.as_granted, info.owner, info.owner_role
    if scopes is not None:
        granted = loaded.vocabulary.parse(scopes)
        effective = loaded.roles.effective(granted, loaded.roles.check(role))
        explained = LiveToken(token_id=0, name="explained", owner=owner, role=role, granted=granted, scopes=effective)
        caller = Caller(explained, owner, role)
    facts = _facts(loaded, method, path, caller, public, owned)
    if application is not None:
        endpoint = answering(found_in(application).endpoints, method, path)
        facts["view"] = None if endpoint is None else f"{endpoint.name or '?'} ({endpoint})"
    if as_json:
        print_json(facts)
    else:
        _print(facts)
    return FINE if facts["decision"] == "allowed" else DENIED


def _facts(policy: Policy, method: str, path: str, caller: Caller, public: bool, owned: bool) -> dict[str, Any]:
    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    facts: dict[str, Any] = {"method": method, "path": shown}
    # What the shell could not decode stands in the path as it came (PEP 383).
    raw_path = path.encode("utf-8", "surrogateescape").decode("latin-1")
    try:
        requirement = policy.requirement(method, raw_path)
    except AmbiguousPath as error:
        return facts | _decided(Denied("ambiguous_path", f"the path has no one reading: {error.reason}"))
    if requirement is None:
        return facts | {"covered": False, "decision": "allowed", "detail": "outside of the policy's prefix"}
    params = policy.params(requirement, raw_path)
    circumstances = Circumstances(
        params=lambda rule: policy.params(rule, raw_path),
        is_public=lambda _: public,
        owner_of=lambda _: caller.owner if owned else None,
        resource=lambda rule: rule.resource.fill(policy.params(rule, raw_path)) if rule.resource else None,
    )
    facts |= {
        "covered": not requirement.unmatched,
        "group": requirement.group or None,
        "route": requirement.route or None,
        "params": params,
        "resource": requirement.resource.fill(params) if requirement.resource else None,
        "require_token": requirement.require_token,
        "accept": requirement.accept,
        "public_only": requirement.public_only,
        "own": requirement.own if requirement.if_owned or requirement.others is not None else None,
        "others": requirement.others,
        **_needs(requirement, caller, circumstances.resource(requirement)),
        "nearest_scopes": None,
        "trace": [_step(*step) for step in policy.trace(method, raw_path)],
    }
    decision = judge(requirement, caller, circumstances)
    if decision.allowed:
        facts["missing"] = ()
    else:
        facts["nearest_scopes"] = _nearest(policy, requirement, caller, circumstances)
    return facts | _decided(decision)


def _step(segment: str, how: str, requirement: Requirement) -> dict[str, str | None]:
    rule = requirement.route or requirement.group or None
    return {"segment": segment, "read_as": how, "rule": rule}


def _needs(requirement: Requirement, caller: Caller, resource: str | None) -> dict[str, Any]:
    lists = requirement.scope_lists()
    return {
        "required_scopes": lists[0] if lists else (),
        "alternatives": lists if len(lists) > 1 else (),
        "available_scopes": list(caller.token.scopes) if caller.token else None,
        "missing": requirement.missing(caller.token.scopes.at(resource) if resource else caller.token.bits)
        if caller.token
        else (),
    }


def _nearest(policy: Policy, requirement: Requirement, caller: Caller, circumstances: Circumstances) -> str | None:
    """The scopes nearest to the caller's that would do; nothing where scopes are not what is lacking."""
    parse = policy.vocabulary.parse
    if requirement.accept == "session":
        return None
    if caller.token is None:
        lists = requirement.scope_lists()
        return str(parse(min(lists, key=len))) if lists else None
    token = caller.token
    about = circumstances.resource(requirement)
    pattern = canonical_pattern(encode(about)) if about and token.granted.bound else None
    have = token.scopes.at(about) if about else token.bits
    by_lack = sorted(requirement.scope_lists(), key=lambda words: (parse(words).bits & ~have).bit_count())
    for words in by_lack:
        bound = [f"{word}@{pattern}" for word in words] if pattern else []
        for wanted in (bound, list(words)):
            granted = token.granted | parse(wanted)
            granted = granted.for_public_only() if token.granted.public_only else granted
            tried = LiveToken(
                token_id=token.id,
                name=token.name,
                owner=token.owner,
                role=token.role,
                granted=granted,
                scopes=policy.roles.effective(granted, token.role),
            )
            if wanted and judge(requirement, Caller(tried, caller.owner, caller.role), circumstances).allowed:
                return granted.as_granted
    return None


def _decided(decision: Decision) -> dict[str, Any]:
    if isinstance(decision, Denied):
        return {"decision": "denied", "status": decision.status, "code": decision.code, "detail": decision.detail}
    detail = "the application is called, for the caller's own only" if decision.own else "the application is called"
    return {"decision": "allowed", "status": None, "code": None, "detail": detail}


def _print(facts: dict[str, Any]) -> None:
    decision = facts["decision"] if not facts.get("code") else f"denied ({facts['status']} {facts['code']})"
    rows = [
        (name.replace("_", " "), _shown(name, value))
        for name, value in (facts | {"decision": decision}).items()
        if name not in ("method", "path", "status", "code", "trace")
    ]
    heading = ("request", f"{facts['method']} {facts['path']}")
    print_table(heading, [(name, value) for name, value in rows if value])
    if facts.get("trace"):
        click.echo()
        steps = [(f"/{step['segment']}", step["read_as"], step["rule"]) for step in facts["trace"]]
        print_table(("step by step", "read as", "decided by, so far"), steps)


def _shown(name: str, value: Any) -> str:
    if name == "others" and value == ():
        return "nobody"
    if name == "alternatives":
        return " or ".join("+".join(scopes) for scopes in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={text}" for key, text in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
