"""``scopeware scopes``: the words, and how they are spelled."""

from __future__ import annotations

import click

from ..scopes import Vocabulary
from .output import json_option, load_policy, policy_option, print_json, print_table


@click.group()
def scopes() -> None:
    """The scopes there are, and how they are spelled."""


@scopes.command(name="list")
@policy_option
@json_option
def list_(policy: str | None, as_json: bool) -> None:
    """List every scope, with what it is about."""
    vocabulary = _vocabulary(policy)
    rows = [(scope, vocabulary.categories[scope.partition(":")[2]].description) for scope in vocabulary.scopes]
    rows += [(word, ", ".join(vocabulary.parse(word))) for word in vocabulary.wildcards]
    if vocabulary.public_only:
        rows.append((vocabulary.public_only, "a restriction: nothing that is not public"))
    if as_json:
        print_json([{"scope": scope, "description": description} for scope, description in rows])
    else:
        print_table(("scope", "about"), rows)


@scopes.command()
@click.argument("text", nargs=-1, required=True)
@policy_option
@json_option
def normalize(text: tuple[str, ...], policy: str | None, as_json: bool) -> None:
    """Print scopes in their one canonical spelling, one line per TEXT.

    \b
    scopeware scopes normalize "write:user read:user,public-only"    prints public-only,write:user
    """
    vocabulary = _vocabulary(policy)
    parsed = [vocabulary.parse(words) for words in text]
    if as_json:
        print_json([{"input": words, "scopes": str(scopes)} for words, scopes in zip(text, parsed, strict=True)])
    else:
        for scopes in parsed:
            click.echo(str(scopes))


def _vocabulary(path: str | None) -> Vocabulary:
    policy = load_policy(path)
    return policy.vocabulary if policy else Vocabulary.builtin("gitea")
