"""Writes what is made from tables: ``python -m deploy.generate``. Tests hold it fresh."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deploy.grafana import dashboards
from deploy.prometheus.page import page

HERE: Final = Path(__file__).parent


def made() -> dict[Path, str]:
    """By path: the content of each file that is made."""
    folder = HERE / "grafana" / "dashboards"
    files = {folder / name: content for name, content in dashboards.files().items()}
    return {HERE / "prometheus" / "METRICS.md": page(), **files}


def main() -> None:
    """Every file is as the tables say, and no other dashboard is left."""
    files = made()
    for path in (HERE / "grafana" / "dashboards").glob("*.json"):
        if path not in files:
            path.unlink()
    for path, content in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
