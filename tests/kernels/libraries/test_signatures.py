"""The tool that reads signatures, on a source written here, and what is committed."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernels.libraries.standin import signature, told
from tests.signatures.__main__ import differences, written
from tests.signatures.libraries import LIBRARIES, Library
from tests.signatures.read import signatures

SOURCE = """
import a_package_that_is_not_there

def attend(q, k, /, v=None, *, scale: float = 1 / 2, **more): ...

class Mask:
    left: int
    right: int = 0

class Wrapper:
    def run(self, q, *, window_left=-1): ...
"""
MADE = Library(
    "made-up",
    "1.0",
    {
        "made.attend": "made/a.py",
        "made.Mask.__init__": "made/a.py",
        "made.Wrapper.run": "made/a.py",
    },
)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "made_up-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("made/a.py", SOURCE)
    return path


def test_a_signature_is_read_without_an_import(wheel: Path) -> None:
    found = signatures(MADE, wheel)
    assert len(found["sha256"]) == 64
    shapes = {
        name: [(p["name"], p["kind"], p.get("default")) for p in f["parameters"]]
        for name, f in found["functions"].items()
    }
    assert shapes["made.attend"] == [
        ("q", "POSITIONAL_ONLY", None),
        ("k", "POSITIONAL_ONLY", None),
        ("v", "POSITIONAL_OR_KEYWORD", "None"),
        ("scale", "KEYWORD_ONLY", "1 / 2"),
        ("more", "VAR_KEYWORD", None),
    ]
    assert [p[0] for p in shapes["made.Mask.__init__"]] == ["left", "right"]
    assert [p[0] for p in shapes["made.Wrapper.run"]] == ["q", "window_left"]
    assert json.loads(written(found)) == found


def test_what_changed_is_named(wheel: Path) -> None:
    old = signatures(MADE, wheel)
    new = json.loads(json.dumps(old))
    assert differences(old, new) == []
    new["functions"]["made.Wrapper.run"]["parameters"][1]["default"] = "0"
    assert differences(old, new) == ["made.Wrapper.run: was window_left=-1; is window_left=0"]
    new["functions"]["made.Mask.__init__"]["parameters"].reverse()
    assert "made.Mask.__init__: the order of its parameters changed" in differences(old, new)


def test_a_function_that_is_gone_is_an_error(wheel: Path) -> None:
    gone = replace(MADE, functions={"made.attended": "made/a.py"})
    with pytest.raises(LookupError, match=r"made.attended: the source has no such function"):
        signatures(gone, wheel)
    with pytest.raises(FileNotFoundError, match=r"made/b.py: not in made_up"):
        signatures(replace(MADE, functions={"made.attend": "made/b.py"}), wheel)


def test_the_command_says_what_differs(wheel: Path) -> None:
    """flash-attn's functions are not in this wheel."""
    command = [sys.executable, "-m", "tests.signatures", "flash-attn", "--from", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "flash-attn 2.8.3.post2: flash_attn/flash_attn_interface.py: not in" in done.stderr


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
def test_what_is_committed_is_whole(library: Library) -> None:
    read = json.loads(library.file.read_text())
    assert read["version"] == library.version
    assert {n: f["file"] for n, f in read["functions"].items()} == library.functions
    for name, function in read["functions"].items():
        assert "sha256" in (function if library.repository else read)
        assert signature(library.name, name).parameters or name.endswith("Mask.__init__")


def test_a_stand_in_takes_what_the_library_takes() -> None:
    attend = told("flash-attn", "flash_attn.flash_attn_func", lambda q, k, v, causal: (q, causal))
    assert attend(1, 2, 3, dropout_p=0.0) == (1, False)
    with pytest.raises(TypeError, match="window"):
        attend(1, 2, 3, window=4)
    with pytest.raises(AssertionError, match="softcap has no meaning"):
        attend(1, 2, 3, softcap=4.0)
    with pytest.raises(AssertionError, match=r"flash_attn.flash_attn_func has no {'scale'}"):
        told("flash-attn", "flash_attn.flash_attn_func", lambda scale: scale)
