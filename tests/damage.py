"""What may happen to a stored file."""

from __future__ import annotations

from pathlib import Path


def flip(path: Path, at: float = 0.5) -> None:
    """Turn one bit over, at a share of the file's length."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    """Leave the first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zero(path: Path) -> None:
    """Leave the length alone."""
    path.write_bytes(bytes(path.stat().st_size))
