"""AMD boards, read from the files that the amdgpu driver shows (no ROCm library is needed).

/sys/class/drm/cardN/device has vendor (0x1002), product_name, mem_info_vram_total (bytes) and
unique_id (docs.kernel.org, "GPU/amdgpu/driver-misc"). HIP counts the boards in the order of their
PCI addresses, and narrows them by HIP_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DRM = Path("/sys/class/drm")
VENDOR = "0x1002"
VARIABLES = ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


@dataclass(frozen=True)
class AmdBoard:
    """What the driver says of one board."""

    name: str
    """Product name, e.g. ``AMD Instinct MI300X OAM``."""
    memory_bytes: int
    """Its memory."""
    uuid: str
    """unique_id, or its PCI address where there is none."""


def amd_boards(root: Path = DRM) -> list[AmdBoard]:
    """The AMD boards of this machine by PCI address; empty without a driver."""
    found = {}
    for device in root.glob("card[0-9]*/device"):
        if _read(device / "vendor") != VENDOR:
            continue
        memory = _read(device / "mem_info_vram_total")
        address = device.resolve().name
        name = _read(device / "product_name") or f"AMD {_read(device / 'device')}"
        uuid = _read(device / "unique_id") or address
        found[address] = AmdBoard(name, int(memory or 0), uuid)
    return [found[address] for address in sorted(found)]


def _read(file: Path) -> str:
    """A file's text; "" where this driver or board has no such file."""
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return ""
