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

_SSD, _MASKS = "mamba_ssm.ops.triton.ssd_combined", "xformers.ops.fmha.attn_bias"


def _fla() -> dict[str, str]:
    """chunk_gla is of fla/ops/gla/chunk.py, and so on."""
    packages = (
        "linear_attn", "gla", "retention", "delta_rule", "gated_delta_rule", "simple_gla", "rwkv6",
        "rwkv7",
    )  # fmt: skip
    found = {
        f"fla.ops.{package}.{form}_{package}": f"fla/ops/{package}/{form}.py"
        for package in packages
        for form in ("chunk", "fused_recurrent")
    }
    return found | {"fla.ops.path_attn.parallel_path_attn": "fla/ops/path_attn/parallel.py"}


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
        Library("fla-core", "0.6.0", _fla()),
        Library(
            "mamba-ssm",
            "2.3.2.post1",
            {f"{_SSD}.mamba_chunk_scan_combined": f"{_SSD.replace('.', '/')}.py"},
            skip_build={"MAMBA_SKIP_CUDA_BUILD": "TRUE"},
        ),
        Library(
            "xformers",
            "0.0.35",
            {
                "xformers.ops.memory_efficient_attention": "xformers/ops/fmha/__init__.py",
                **{
                    f"{_MASKS}.{name}.__init__": f"{_MASKS.replace('.', '/')}.py"
                    for name in (
                        "LowerTriangularFromBottomRightMask",
                        "LowerTriangularFromBottomRightLocalAttentionMask",
                        "LocalAttentionFromBottomRightMask",
                    )
                },
            },
        ),
        Library("sageattention", "1.0.6", {"sageattention.sageattn": "sageattention/core.py"}),
        Library(
            "flashinfer-python",
            "0.7.2.post1",
            {
                f"flashinfer.{name}.{method}": file
                for name, file in (
                    ("BatchPrefillWithRaggedKVCacheWrapper", "flashinfer/prefill.py"),
                    ("BatchPrefillWithPagedKVCacheWrapper", "flashinfer/prefill.py"),
                    ("BatchMLAPagedAttentionWrapper", "flashinfer/mla/_batch_mla/_wrapper.py"),
                )
                for method in ("__init__", "plan", "run")
            },
        ),
    )
}
