"""The data of JSON and YAML files."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from ..errors import ConfigurationError


def read(path: str | os.PathLike[str]) -> Any:
    """The data of a JSON or YAML file.

    :raises ConfigurationError: it cannot be read, or PyYAML is missing.
    """
    name = os.fspath(path)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"it cannot be read: {error}", where=name) from None
    return parse(text, name)


def parse(text: str, name: str) -> Any:
    """The data of JSON or YAML text.

    :param name: what messages call it.
    :raises ConfigurationError: it is neither, or PyYAML is missing.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if name.endswith(".json") or text.lstrip()[:1] in ("{", "["):
            raise ConfigurationError(f"broken JSON: {error}", where=name) from None
    try:
        import yaml  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigurationError("PyYAML is missing; run `pip install scopeware[openapi]`", where=name) from None
    try:
        return yaml.load(text, Loader=_yaml_loader(yaml))  # noqa: S506  # a kind of SafeLoader
    except Exception as error:  # its constructors raise whatever they come across
        raise ConfigurationError(f"broken YAML: {' '.join(str(error).split())}", where=name) from None


_CORE_SCHEMA = (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+$|0x[0-9a-fA-F]+$", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("merge", r"<<$", "<"),
)
"""What words stand for in YAML 1.2 (10.3.2): the kind, and what it begins with."""


def _yaml_loader(yaml: Any) -> Any:
    """A safe loader that reads words as YAML 1.2 does, as OpenAPI asks: `NO` is a text, `010` is ten."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[str, Any] = {}  # yaml's own way

    _add_core_schema(Loader)
    Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: _integer(loader.construct_scalar(node)))
    return Loader


def yaml_dumper(yaml: Any) -> Any:
    """A safe dumper whose texts are texts in YAML 1.1 and in 1.2, and that writes everything where it is."""

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            """What is there twice is written twice."""
            return True

    _add_core_schema(Dumper)
    return Dumper


def _add_core_schema(reader: Any) -> None:
    for tag, regex, first in _CORE_SCHEMA:
        reader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(regex), list(first))


def _integer(text: str) -> int:
    return int(text, 16) if text.lower().startswith("0x") else int(text)
