"""The routes of an application, through whatever is wrapped around it."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .endpoint import Discovery, Finder
from .frameworks import bottle, django, falcon, pyramid, werkzeug
from .paths import joined

_ATTRIBUTES = ("app", "application", "wsgi_app", "wsgi_application", "_app", "_application", "__wrapped__", "func")
"""What wrappers call what they wrap, mostly; other attributes and closures are looked at after these."""
_DEEPEST = 30
_MOST = 5_000
_LONGEST = 200
_TOO_MANY = "there is more in it than was looked at; name the application itself, not what is around it"


def discover(application: object) -> Discovery:
    """The routes of a WSGI application. Nothing of it is called.

    Flask, Django, Bottle, Falcon, Pyramid, anything that keeps a werkzeug ``Map``, and what is mounted by
    ``DispatcherMiddleware``, Bottle or a table of prefixes; wrappers are looked through, by attributes and closures.

    :param application: what is called for a request, wrappers and all.
    """
    finder = Finder()
    _Search(finder).look("", application)
    discovery = finder.discovery()
    if not discovery.endpoints:
        told = f"{type(application).__module__}.{type(application).__name__}"
        note = f"no table of routes was found in it ({told}); it may find its way by itself"
        return replace(discovery, notes=(*discovery.notes, note))
    return discovery


class _Search:
    def __init__(self, found: Finder) -> None:
        self._found = found
        self._seen: dict[tuple[str, int], bool] = {}
        """What was looked at below which path, and whether it has a table of routes."""
        self._kept: list[object] = []
        """What was seen is kept, so that no number is given twice."""
        self._mounting: list[object] = []

    def look(self, before: str, application: object) -> bool:
        """Note the routes of an application, and whether there was a table of them. Behind a framework lies its own
        business: it is not looked into."""
        level: list[object] = [application]
        known = False
        for _ in range(_DEEPEST):
            following: list[object] = []
            for each in level:
                key = (before, id(each))
                if key in self._seen:
                    known |= self._seen[key]
                    continue
                if len(self._kept) > _MOST:
                    self._found.lose(before or "/", _TOO_MANY)
                    return known
                self._kept.append(each)
                self._seen[key] = False
                ends = self._recognize(before, each)
                self._seen[key] = ends is not None
                known |= ends is not None
                if not ends:
                    following += _inside(each)
            level = following
        return known

    def _recognize(self, before: str, each: Any) -> bool | None:
        """Note the routes of a framework's application.

        :return: whether nothing more is to be looked for behind it; ``None`` for something else.
        """
        if _is_a(each, type, types.ModuleType):
            return None
        kinds = {(str(base.__module__).partition(".")[0], base.__name__) for base in type(each).__mro__}
        if ("flask", "Flask") in kinds:
            self._kind("flask")
            werkzeug.add(self._found, before, each.url_map, each.view_functions)
            # A DispatcherMiddleware there mounts more; it leads back here, too.
            if (replaced := _own(each).get("wsgi_app")) is not None:
                self.look(before, replaced)
            return True
        if ("django", "BaseHandler") in kinds:
            self._kind("django")
            django.add(self._found, before)
            return True
        if any(name == "Bottle" for _, name in kinds) and _is_a(_attribute(each, "routes"), list):
            self._kind("bottle")
            for prefix, target in bottle.add(self._found, before, each):
                self._mount(prefix, target)
            return True
        if any(root == "falcon" for root, _ in kinds) and _attribute(each, "_router") is not None:
            self._kind("falcon")
            falcon.add(self._found, before, each)
            return True
        if ("pyramid", "Router") in kinds:
            self._kind("pyramid")
            pyramid.add(self._found, before, each)
            return True
        if _is_map(each):
            self._kind("werkzeug")
            werkzeug.add(self._found, before, each, {})
            return True
        return self._mounts(before, each) or self._maps(before, each)

    def _mounts(self, before: str, each: Any) -> bool | None:
        """``DispatcherMiddleware``, and tables like it: of one application a prefix."""
        table: list[tuple[str, object]] = []
        mounts = _attribute(each, "mounts")
        if _is_a(mounts, dict) and mounts and all(_is_a(key, str) for key in mounts):
            table += [(str(prefix), application) for prefix, application in mounts.items()]
        for value in [each] if _is_a(each, dict, list, tuple) else _own(each).values():
            rows = _prefixes(value)
            table += [row for row in rows if row not in table]
            if rows:
                self._seen[before, id(value)] = True
                self._kept.append(value)
        if not table:
            return None
        for prefix, application in table:
            self._mount(joined(before, prefix), application)
            # It is not to be found once more without its prefix.
            if (key := (before, id(application))) not in self._seen:
                self._seen[key] = True
                self._kept.append(application)
        for rest in ("app", "not_found_application"):
            if (application := _attribute(each, rest)) is not None:
                self._seen.pop((before, id(application)), None)
                self.look(before, application)
        return False

    def _mount(self, prefix: str, application: Any) -> None:
        if any(each is application for each in self._mounting):
            return
        self._mounting.append(application)
        found = self.look(prefix, application)
        self._mounting.pop()
        if not found:
            name = getattr(type(application), "__name__", "?")
            if _is_a(application, types.FunctionType):
                name = application.__name__
            self._found.notes[f"what is mounted at {prefix} ({name}) keeps no table of routes"] = None
            self._found.add((), prefix, name=name, open=True, rough=True)

    def _maps(self, before: str, each: Any) -> bool | None:
        """An application of one's own around werkzeug ``Map`` objects; there may be more behind it."""
        maps = [value for value in _own(each).values() if _is_map(value)]
        if not maps or not callable(each):
            return None
        self._kind("werkzeug")
        for url_map in maps:
            self._seen[before, id(url_map)] = True
            self._kept.append(url_map)
            views = _attribute(each, "view_functions") or _attribute(each, "views")
            werkzeug.add(self._found, before, url_map, views if _is_a(views, dict) else _Methods(each))
        return False

    def _kind(self, name: str) -> None:
        self._found.kinds[name] = None


class _Methods(dict[str, Any]):
    """endpoint → the method that answers: ``on_<endpoint>``, ``<endpoint>`` or ``view_<endpoint>``."""

    def __init__(self, application: object) -> None:
        super().__init__()
        self._application = application

    def get(self, key: Any, default: Any = None) -> Any:
        for name in (f"on_{key}", key, f"view_{key}"):
            # Of the class: properties are not to run.
            method = inspect.getattr_static(type(self._application), str(name), None)
            if _is_a(method, types.FunctionType):
                return method
        return default


# -- looking without touching: objects may do anything when they are asked for an attribute


def _is_a(value: object, *kinds: type) -> bool:
    """``isinstance`` by the real class."""
    return issubclass(type(value), kinds)


def _is_map(value: object) -> bool:
    return type(value).__name__ == "Map" and str(type(value).__module__).startswith("werkzeug.")


def _own(each: object) -> dict[str, Any]:
    """The attributes that an object has itself, slots included."""
    found: dict[str, Any] = {}
    for base in type(each).__mro__:
        for name, value in vars(base).items() if base.__module__ != "builtins" else ():
            if _is_a(value, types.MemberDescriptorType) and name not in ("__dict__", "__weakref__"):
                try:
                    found[name] = value.__get__(each)
                except (AttributeError, TypeError):
                    continue
    try:
        known = object.__getattribute__(each, "__dict__")
    except Exception:  # some have made one of their own
        return found
    return found | known if _is_a(known, dict) else found


def _attribute(each: object, name: str) -> Any:
    """An attribute, unless something would have to run for it."""
    own = _own(each)
    if name in own:
        return own[name]
    found = next((vars(base)[name] for base in type(each).__mro__ if name in vars(base)), None)
    return None if hasattr(type(found), "__get__") and not _is_a(found, types.FunctionType) else found


def _inside(each: Any) -> Iterator[object]:
    """What an application may be wrapped around, the likeliest first."""
    if each is None or _is_a(each, str, bytes, int, float, type, types.ModuleType):
        return
    if _is_a(each, types.MethodType):
        yield each.__self__
        return
    if _is_a(each, functools.partial):
        for value in (each.func, *each.args, *each.keywords.values()):
            yield from _items(value)
        return
    known = _own(each)
    for name in _ATTRIBUTES:
        yield from _items(known.get(name))
    function = each if _is_a(each, types.FunctionType) else vars(type(each)).get("__call__")
    for each_function in (function, getattr(function, "__wrapped__", None) if function is not None else None):
        if _is_a(each_function, types.FunctionType):
            yield from _used_by(each_function)
    for name, value in known.items():
        if name not in _ATTRIBUTES:
            yield from _items(value)
    for base in type(each).__mro__:
        if base.__module__ != "builtins" and not _is_a(each, types.FunctionType):
            for value in vars(base).values():
                # Applications that stand in a class, beside its methods.
                if _is_map(value) or (_is_application(value) and not hasattr(type(value), "__get__")):
                    yield value


def _used_by(function: Any) -> Iterator[object]:
    """What a function has in its closure, and of its module."""
    for cell in function.__closure__ or ():
        try:
            yield from _items(cell.cell_contents)
        except ValueError:  # not made yet
            continue
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if not _is_a(value, types.FunctionType) or value.__module__ == function.__module__:
            yield from _items(value)


def _prefixes(value: Any) -> list[tuple[str, object]]:
    """Prefix and application, where that is what some value holds: ``{"/admin": app}``, ``[("/admin", app)]``."""
    if not _is_a(value, dict, list, tuple) or not 0 < len(value) <= _LONGEST:
        return []
    pairs = list(value.items()) if _is_a(value, dict) else list(value)
    if not all(_is_a(pair, tuple) and len(pair) == 2 and _is_application(pair[1]) for pair in pairs):
        return []
    # Of Paste: ((domain, prefix), application)
    keys = [key[1] or "/" if _is_a(key, tuple) and len(key) == 2 else key for key, _ in pairs]
    keys = ["/" if key in ("", None) else key for key in keys]
    if not all(_is_a(key, str) and key.startswith("/") for key in keys):
        return []
    return [(str(key), application) for key, (_, application) in zip(keys, pairs, strict=True)]


def _items(value: Any) -> Iterator[object]:
    if _prefixes(value):
        yield value
        return
    if _is_application(value):
        yield value
    elif _is_a(value, dict) and len(value) <= _LONGEST:
        yield from (item for item in value.values() if _is_application(item))
    elif _is_a(value, list, tuple):
        yield from (item for item in value[:_LONGEST] if _is_application(item))


def _is_application(value: Any) -> bool:
    """Whether something may be called with an environ and a ``start_response``."""
    if _is_a(value, types.FunctionType):
        code = value.__code__
        least = code.co_argcount - len(value.__defaults__ or ())
        return least <= 2 and (code.co_argcount >= 2 or bool(code.co_flags & inspect.CO_VARARGS))
    return _is_map(value) or (callable(value) and not _is_a(value, type, types.BuiltinFunctionType))
