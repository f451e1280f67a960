"""``scopeware openapi``: what a policy says, in an OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

import click

from ..errors import ConfigurationError
from ..introspect.data import yaml_dumper
from ..introspect.openapi import annotate as annotated
from ..introspect.openapi import compare
from ..policy import Policy
from ..text import counted, printable
from .files import whole_file
from .output import DENIED, FINE, json_option, print_json
from .subject import document_of


@click.group()
def openapi() -> None:
    """OpenAPI documents (2.0, 3.0, 3.1) that say what each operation needs."""


@openapi.command()
@click.argument("document", metavar="FILE|PATH")
@click.option("--policy", metavar="FILE", default="scopes.toml", show_default=True, envvar="SCOPEWARE_POLICY")
@click.option("--app", "application", metavar="MODULE:APP", help="Serves the document at PATH.")
@click.option("--base", metavar="PATH", help="What stands before the document's paths.  [default: as its server says]")
@click.option("--output", metavar="FILE", help="Write there, not to the terminal; may be the document itself.")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if the document and the policy differ.")
@json_option
def annotate(
    document: str,
    policy: str,
    application: str | None,
    base: str | None,
    output: str | None,
    check: bool,
    as_json: bool,
) -> int:
    """Write into a document what its operations need: security schemes, `security`, `x-required-scopes`, 401 and 403.

    \b
    scopeware openapi annotate openapi.yaml --policy scopes.toml --output openapi.yaml
    scopeware openapi annotate openapi.yaml --policy scopes.toml --check

    --check compares both ways: operations that say something else than the policy, or that no group covers, and rules
    of the policy that no operation is for.
    """
    loaded = Policy.load(policy)
    data = document_of(application, document)
    if not check:
        _write(annotated(data, loaded, base=base), document, output)
        return FINE
    found = compare(data, loaded, base=base)
    if as_json:
        rows = [{"method": each.method or None, "path": each.path, "problem": each.problem} for each in found]
        print_json({"document": document, "policy": policy, "differences": rows})
    else:
        for each in found:
            click.echo(printable(str(each)))
        click.echo(counted(len(found), "difference") if found else "the document and the policy say the same", err=True)
    return DENIED if found else FINE


def _write(data: dict[str, Any], document: str, output: str | None) -> None:
    name = output or document
    if name.lower().endswith((".yaml", ".yml")):
        try:
            import yaml  # noqa: PLC0415  # an extra
        except ImportError:
            raise ConfigurationError("PyYAML is missing; run `pip install scopeware[openapi]`", where=name) from None
        text = yaml.dump(data, Dumper=yaml_dumper(yaml), sort_keys=False, allow_unicode=True, width=120)
    else:
        text = json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        with whole_file(output, "--output") as file:
            file.write(text)
