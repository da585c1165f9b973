#!/usr/bin/env python3
"""Writes etc/libra.yaml and doc/reference/settings.md from the settings' models."""

from pathlib import Path

from libra.config.reference import render_reference
from libra.config.sample import render_sample

ROOT = Path(__file__).resolve().parent.parent
GENERATED = {"etc/libra.yaml": render_sample, "doc/reference/settings.md": render_reference}


def main() -> None:
    """Write what is not as it should be."""
    for name, render in GENERATED.items():
        path = ROOT / name
        text = render()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
