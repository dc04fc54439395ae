"""Stand-ins for libraries that run on a GPU alone: their true signatures, their own conventions.

A stand-in is a plain function of torch that means what the library documents: its layout, corner,
window, scale and defaults. It is called through the signature that was read from the library's
source (tests/signatures), so a call that the library wouldn't take fails here, and so does one
that leans on a parameter whose meaning nobody wrote down.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Callable
from functools import cache, wraps
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from tests.signatures.libraries import LIBRARIES


class Unreadable:
    """A default that isn't a literal: it can be left as it is, and equals nothing."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


@cache
def signature(library: str, name: str) -> inspect.Signature:
    """The committed signature of ``package.function``."""
    read = json.loads(LIBRARIES[library].file.read_text())["functions"][name]
    made = []
    for p in read["parameters"]:
        more = {"default": _value(p["default"])} if "default" in p else {}
        made.append(inspect.Parameter(p["name"], getattr(inspect.Parameter, p["kind"]), **more))
    return inspect.Signature(made)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except ValueError:
        return Unreadable(text)


def told(library: str, name: str, meaning: Callable[..., Any]) -> Callable[..., Any]:
    """``meaning`` behind the library's signature: it gets by name what it asks for.

    It may ask for less than the signature has; what it doesn't ask for must be left at its default.
    A method of a class (``package.Class.method``) gets its object first.
    """
    true = signature(library, name)
    method = name.split(".")[-2][:1].isupper()
    asked = list(inspect.signature(meaning).parameters)[method:]
    assert set(asked) <= set(true.parameters), f"{name} has no {set(asked) - set(true.parameters)}"

    @wraps(meaning)
    def call(*given: Any, **named: Any) -> Any:
        bound = true.bind(*given[method:], **named)
        for parameter, value in bound.arguments.items():
            if parameter not in asked:
                default = true.parameters[parameter].default
                assert value is default or value == default, f"{name}: {parameter} has no meaning"
        bound.apply_defaults()
        wanted = {parameter: bound.arguments[parameter] for parameter in asked}
        return meaning(*given[:method], **wanted)

    del call.__wrapped__  # type: ignore[attr-defined]  # its signature is the library's
    call.__signature__ = true  # type: ignore[attr-defined]
    return call


def install(
    monkeypatch: pytest.MonkeyPatch, library: str, meanings: dict[str, Callable[..., Any]]
) -> None:
    """Until the test ends, importing the library finds ``meanings`` by ``package.function``.

    ``package.Class.method`` puts the method on a class of that name.
    """
    for name, meaning in meanings.items():
        *path, last = name.split(".")
        owner: Any = None
        if path[-1][:1].isupper():
            class_name = path.pop()
            module = _module(monkeypatch, path)
            if class_name not in vars(module):
                monkeypatch.setattr(module, class_name, type(class_name, (), {}), raising=False)
            owner = vars(module)[class_name]
        else:
            owner = _module(monkeypatch, path)
        monkeypatch.setattr(owner, last, told(library, name, meaning), raising=False)


def _module(monkeypatch: pytest.MonkeyPatch, path: list[str]) -> ModuleType:
    """The module of a path, made with its parents where it isn't there; each is a package."""
    for end in range(1, len(path) + 1):
        name = ".".join(path[:end])
        if name not in sys.modules:
            made = ModuleType(name)
            made.__spec__ = ModuleSpec(name, None, is_package=True)
            made.__path__ = []
            monkeypatch.setitem(sys.modules, name, made)
            if end > 1:
                parent = sys.modules[".".join(path[: end - 1])]
                monkeypatch.setattr(parent, path[end - 1], made, raising=False)
    return sys.modules[".".join(path)]
