"""``scopeware``: the commands together, and how they end."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from ..errors import ScopewareError
from ..text import printable
from ..tokens import StoreUnavailable
from .advise import advise
from .audit import audit
from .db import db
from .demo import demo
from .explain import explain
from .init import init
from .lint import lint
from .migrate import migrate
from .openapi import openapi
from .output import FINE, OUT_OF_REACH, WRONG
from .owner import owner
from .routes import routes
from .run import run
from .scopes import scopes
from .token import token


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="scopeware", message="%(version)s")
def cli() -> None:
    """Personal access tokens with scopes, in front of any WSGI application.

    \b
    scopeware demo                                        see it work
    scopeware run myapp:app --policy scopes.toml          guard an application
    scopeware token create --owner alice --name ci --scopes read:user
    scopeware explain scopes.toml DELETE /api/v1/user --scopes read:user

    The database and the policy can also be set by SCOPEWARE_DATABASE and SCOPEWARE_POLICY; how other processes are told
    of changes by SCOPEWARE_PUSH; peppers by SCOPEWARE_PEPPER or SCOPEWARE_PEPPER_FILE.

    Exit status: 0 fine, 1 denied or findings, 2 wrong usage or configuration, 3 a store out of reach.
    """


for command in (demo, init, lint, routes, run, token, owner, scopes, explain, openapi, migrate, audit, advise, db):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status; every error is one line on stderr."""
    sys.exit(_status(arguments))


def _status(arguments: Sequence[str] | None) -> int:
    try:
        status = cli.main(args=arguments, prog_name="scopeware", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else FINE
    except click.exceptions.Abort:
        return _say("stopped", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return WRONG
    except click.ClickException as error:
        hint = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "scopeware"
        return _say(f"{error.format_message().rstrip('.')} (see `{hint} --help`)", WRONG)
    except StoreUnavailable as error:
        return _say(str(error), OUT_OF_REACH)
    except ScopewareError as error:
        return _say(str(error), WRONG)
    except UnicodeEncodeError as error:
        return _say(f"the output cannot be written as {error.encoding}; set PYTHONIOENCODING=utf-8", WRONG)
    except SystemExit as error:
        # click exits with 1 when nobody reads the output any more; whoever read it has seen enough.
        return _quiet(FINE) if error.code == 1 else error.code if isinstance(error.code, int) else FINE
    except OSError as error:
        if error.errno == errno.EPIPE:
            return _quiet(FINE)
        return _quiet(_say(f"the output cannot be written: {error.strerror}", OUT_OF_REACH))


def _quiet(status: int) -> int:
    """Keep Python from complaining about the output once more, at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return status


def _say(problem: str, status: int) -> int:
    click.echo(f"scopeware: {printable(' '.join(problem.split()))}", err=True)
    return status
