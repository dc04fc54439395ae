"""Signatures read from source with ``ast``: nothing of the library is imported or run.

The source is a wheel, an sdist, a folder, or the git directory of a repository at a commit.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.signatures.libraries import Library

Open = Callable[[str], bytes]
"""Path inside the source → the file's bytes. Raises FileNotFoundError."""


def opener(source: Path, commit: str = "") -> Open:
    """How to read files of ``source``; an sdist's own top folder is left off."""
    if (commit and (source / "objects").is_dir()) or (source / ".git").exists():
        return lambda path: _from_git(source, commit, path)
    if source.is_dir():
        return lambda path: (source / path).read_bytes()
    if source.suffix == ".whl":
        return lambda path: _from_wheel(source, path)
    return lambda path: _from_sdist(source, path)


def _from_git(source: Path, commit: str, path: str) -> bytes:
    shown = subprocess.run(
        ["git", "-C", source, "show", f"{commit}:{path}"], capture_output=True, check=False
    )
    if shown.returncode:
        raise FileNotFoundError(f"{path}: {shown.stderr.decode().strip()}")
    return shown.stdout


def _from_wheel(source: Path, path: str) -> bytes:
    with zipfile.ZipFile(source) as archive:
        if path not in archive.namelist():
            raise FileNotFoundError(f"{path}: not in {source.name}")
        return archive.read(path)


def _from_sdist(source: Path, path: str) -> bytes:
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isfile() and member.name.partition("/")[2] == path:
                content = archive.extractfile(member)
                assert content is not None
                return content.read()
    raise FileNotFoundError(f"{path}: not in {source.name}")


def signatures(library: Library, source: Path, commit: str = "") -> dict[str, Any]:
    """What is committed: library, version, sha256, and the parameters of each function.

    sha256 is of the archive; of a repository, which has none, it stands with each file. Raises
    FileNotFoundError for a file, LookupError for a function that the source doesn't have.
    """
    read = opener(source, commit)
    out: dict[str, Any] = {"library": library.name, "version": library.version}
    if source.is_file():
        out |= {"source": source.name, "sha256": hashlib.sha256(source.read_bytes()).hexdigest()}
    else:
        out |= {"source": f"github.com/{library.repository}"}
    out["functions"] = functions = {}
    for name, path in sorted(library.functions.items()):
        text = read(path)
        functions[name] = {"file": path}
        if not source.is_file():
            functions[name]["sha256"] = hashlib.sha256(text).hexdigest()
        functions[name]["parameters"] = parameters(definition(text.decode(), name).args)
    return out


def definition(text: str, name: str) -> ast.FunctionDef:
    """The function of a module's text that ``package.function`` or ``package.Class.method`` names.

    A dataclass has no written ``__init__``: one is made of its fields.
    """
    *_, owner, last = name.split(".")
    body = ast.parse(text).body
    classes = [n for n in body if isinstance(n, ast.ClassDef) and n.name == owner]
    for within in (classes[0].body,) if classes else (body,):
        for node in reversed(within):  # the last is it: overloads stand before
            if isinstance(node, ast.FunctionDef) and node.name == last:
                return node
        if classes and last == "__init__":
            return _of_fields(classes[0])
    raise LookupError(f"{name}: the source has no such function any more")


def _of_fields(made: ast.ClassDef) -> ast.FunctionDef:
    fields = [
        n for n in made.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    ]
    text = ", ".join(
        f"{ast.unparse(n.target)}={ast.unparse(n.value)}" if n.value else ast.unparse(n.target)
        for n in fields
    )
    (made_up,) = ast.parse(f"def __init__(self, {text}): ...").body
    assert isinstance(made_up, ast.FunctionDef)
    return made_up


def parameters(given: ast.arguments) -> list[dict[str, str]]:
    """Name, kind as ``inspect.Parameter`` names it, and the default's source text, in order."""
    plain = [*given.posonlyargs, *given.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    out = []
    for arg, default in zip(plain, [*missing, *given.defaults], strict=True):
        only = arg in given.posonlyargs
        out.append(_one(arg, "POSITIONAL_ONLY" if only else "POSITIONAL_OR_KEYWORD", default))
    if given.vararg:
        out.append(_one(given.vararg, "VAR_POSITIONAL", None))
    for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        out.append(_one(arg, "KEYWORD_ONLY", default))
    if given.kwarg:
        out.append(_one(given.kwarg, "VAR_KEYWORD", None))
    return [p for n, p in enumerate(out) if n or p["name"] != "self"]


def _one(arg: ast.arg, kind: str, default: ast.expr | None) -> dict[str, str]:
    out = {"name": arg.arg, "kind": kind}
    return out if default is None else out | {"default": ast.unparse(default)}
