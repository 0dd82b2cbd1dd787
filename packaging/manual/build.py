"""Builds the manual: `python packaging/manual/build.py FOLDER`. Needs packaging/manual/requirements.txt; no network.

The pages are docs/ and the model card; pictures come from assets/. Links to files of the repository that are no pages
become plain text. Any warning, and any link that leads nowhere, is an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:]+)(#[^)]*)?\)")


def main(site: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mien-manual-") as folder:
        pages = Path(folder) / "docs"
        gather(pages)
        settings = Path(folder) / "mkdocs.yml"
        own = (HERE / "mkdocs.yml").read_text(encoding="utf-8")
        settings.write_text(f"docs_dir: {pages}\nsite_dir: {site.resolve()}\n{own}", encoding="utf-8")
        subprocess.run([sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-f", settings], check=True)
    # The first page stands in a folder of its own; who opens the site's folder finds it.
    (site / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>Mien</title>'
        '<meta http-equiv="refresh" content="0; url=manual/index.html"><a href="manual/index.html">Mien</a>\n',
        encoding="utf-8",
    )
    missing = dead_links(site)
    if missing:
        sys.exit("links that lead nowhere:\n" + "\n".join(missing))
    print(f"{sum(1 for _ in site.rglob('*.html'))} pages in {site}")


def gather(pages: Path) -> None:
    """Copy what becomes the site, with links that lead out of it turned into text."""
    shutil.copytree(ROOT / "docs", pages, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    card = ROOT / "assets" / "embedded"
    shutil.copy(card / "README.md", pages / "manual" / "model-card.md")
    for picture in card.glob("*.png"):
        shutil.copy(picture, pages / "manual")
    pictures = pages / "manual" / "pictures"
    shutil.copytree(ROOT / "assets" / "screenshots", pictures, dirs_exist_ok=True)
    icon = re.search(
        r'_APP: Final = """(.+?)"""', (ROOT / "app/gui/look/icons.py").read_text(encoding="utf-8"), re.DOTALL
    )
    (pages / "pictures").mkdir(exist_ok=True)
    (pages / "pictures" / "mien.svg").write_text(icon.group(1), encoding="utf-8")
    for page in pages.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        up = "../" * (len(page.relative_to(pages).parts) - 1)
        text = text.replace("](../assets/screenshots/", f"]({up}manual/pictures/")
        page.write_text(_LINK.sub(lambda match, page=page: _kept(match, page, pages), text), encoding="utf-8")


def _kept(match: re.Match[str], page: Path, pages: Path) -> str:
    target = (page.parent / match[2]).resolve()
    inside = target.is_relative_to(pages.resolve())
    if inside:
        return match[0]  # mkdocs says where it leads nowhere
    if (ROOT / "docs" / page.parent.relative_to(pages) / match[2]).resolve().exists() or page.name == "model-card.md":
        return match[1]
    return match[0]


def dead_links(site: Path) -> list[str]:
    """Links and pictures of the built pages that lead to no file; mkdocs does not look at those written in HTML."""
    found = {
        f"{page.relative_to(site)}: {place}"
        for page in site.rglob("*.html")
        if page.name != "404.html"  # shown by servers, at any address
        for place in re.findall(r'(?:href|src)="([^"#?:]+)[^":]*"', page.read_text(encoding="utf-8"))
        if not (page.parent / place).exists()
    }
    return sorted(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
