"""Which functions of which library the adapters call, and where its source has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Library:
    """One library whose signatures are read."""

    name: str
    """Distribution, and the name of the JSON file."""
    version: str
    """Version, or the commit of a repository, that the adapters are written for."""
    functions: dict[str, str]
    """Where the adapter imports it from (``package.function``, ``package.Class.method``), and the
    file of the source that defines it."""
    repository: str = ""
    """GitHub's owner/name, where there is no distribution to download."""
    skip_build: dict[str, str] = field(default_factory=dict)
    """Environment under which the sdist's set-up script looks for no CUDA."""

    @property
    def file(self) -> Path:
        """Its committed signatures."""
        return HERE / f"{self.name}.json"


_DENSE, _CACHED = ("flash_attn_func", "flash_attn_varlen_func"), "flash_attn_with_kvcache"

LIBRARIES = {
    library.name: library
    for library in (
        Library(
            "flash-attn",
            "2.8.3.post2",
            {f"flash_attn.{f}": "flash_attn/flash_attn_interface.py" for f in (*_DENSE, _CACHED)},
            skip_build={"FLASH_ATTENTION_SKIP_CUDA_BUILD": "TRUE"},
        ),
        Library(
            "flash-attn-3",
            "0251105a2fb19d2957484b7f023cd8c115286ced",
            {
                f"flash_attn_interface.{f}": "hopper/flash_attn_interface.py"
                for f in (*_DENSE, _CACHED)
            },
            repository="Dao-AILab/flash-attention",
        ),
        Library(
            "flash-attn-4",
            "0251105a2fb19d2957484b7f023cd8c115286ced",
            {f"flash_attn.cute.{f}": "flash_attn/cute/interface.py" for f in _DENSE},
            repository="Dao-AILab/flash-attention",
        ),
    )
}
