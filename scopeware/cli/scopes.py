"""``scopeware scopes``: the words, and how they are spelled."""

from __future__ import annotations

import click

from ..migration import Mapping
from ..migration.formats import FORMATS, Format
from ..scopes import Vocabulary, notation
from ..text import quoted
from .output import json_option, load_policy, policy_option, print_json, print_table


@click.group()
def scopes() -> None:
    """The scopes there are, and how they are spelled."""


@scopes.command(name="list")
@policy_option
@json_option
def list_(policy: str | None, as_json: bool) -> None:
    """List every scope, with what it is about, and the presets of the policy."""
    loaded = load_policy(policy)
    vocabulary = loaded.vocabulary if loaded else Vocabulary.builtin("gitea")
    rows = [(word, vocabulary.describe(word)) for word in (*vocabulary.scopes, *vocabulary.wildcards)]
    if vocabulary.public_only:
        rows.append((vocabulary.public_only, "a restriction: nothing that is not public"))
    presets = list(loaded.presets.values()) if loaded else []
    if as_json:
        print_json(
            [{"scope": scope, "description": description} for scope, description in rows]
            + [{"preset": each.name, "scopes": each.scopes, "description": each.description} for each in presets]
        )
        return
    print_table(("scope", "about"), rows)
    if presets:
        click.echo()
        print_table(("preset", "scopes", "about"), [(each.name, each.scopes, each.description) for each in presets])


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


@scopes.command(name="format")
@click.argument("text", metavar="SCOPES...", nargs=-1, required=True)
@click.option("--as", "spelled", type=click.Choice(list(notation.NOTATIONS)), default="plain", show_default=True)
@click.option("--lenient", is_flag=True, help="Leave out what nobody knows, and say so, instead of refusing it.")
@policy_option
@json_option
def format_(text: tuple[str, ...], spelled: str, lenient: bool, policy: str | None, as_json: bool) -> None:
    """Print scopes of any notation in another one, all together.

    \b
    scopeware scopes format --as dotted read:user,write:issue        prints issue:write,user:read
    scopeware scopes format --as compact read:user read:issue        prints issue+user:read
    """
    read = notation.read(_vocabulary(policy), text[0] if len(text) == 1 else ",".join(text), strict=not lenient)
    written = notation.write(read.scopes, spelled)
    if as_json:
        print_json({"input": text, "as": spelled, "scopes": written, "unknown": read.unknown})
        return
    for word in read.unknown:
        click.echo(f"left out: {quoted(word)}", err=True)
    click.echo(written)


@scopes.command()
@click.argument("text", metavar="SCOPES...", nargs=-1, required=True)
@click.option("--mapping", metavar="NAME", required=True, help="A TOML file, or the name of one that ships.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="comma", show_default=True)
@json_option
def convert(text: tuple[str, ...], mapping: str, form: Format, as_json: bool) -> None:
    """Print what old scopes become, one line per TEXT.

    \b
    scopeware scopes convert --mapping gitea-1.19 repo,user:follow    prints write:repository,write:user
    """
    known = Mapping.named(mapping)
    converted = [known.convert(words, form) for words in text]
    if as_json:
        print_json([{"input": words, "scopes": new} for words, new in zip(text, converted, strict=True)])
    else:
        for new in converted:
            click.echo(new)


def _vocabulary(path: str | None) -> Vocabulary:
    policy = load_policy(path)
    return policy.vocabulary if policy else Vocabulary.builtin("gitea")
