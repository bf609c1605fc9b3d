"""Fetch the third-party files under static/vendor/ from npm: `make vendor`.

Versions and checksums are pinned here, so that a run changes nothing unless a pin changes.
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[1] / "static" / "vendor"
FOMANTIC = ("fomantic-ui-css", "2.9.4", "7aa350ebaddc224fb3871cf18d692e7aabcc421faa4d5206a2a81334849f35a1")
LUCIDE = ("lucide-static", "1.62.0", "386f9080c440d6f5049cefe3456ae8357f7a0c7f76e59670cd1cb83bc7050a44")
COMPONENTS = (
    *("reset", "site", "button", "container", "divider", "form", "header", "image", "input", "item", "label"),
    *("list", "menu", "message", "progress", "segment", "table", "checkbox"),
)
ICONS = (
    *("bell", "calendar", "check", "chevron-down", "chevron-right", "circle-alert", "circle-check", "clock"),
    *("download", "file", "file-text", "image", "list-todo", "log-out", "menu", "paperclip", "pencil", "plus"),
    *("rotate-ccw", "search", "settings", "trash-2", "upload", "user", "users", "x"),
)


def fetch(name: str, version: str, sha256: str, into: Path) -> Path:
    """Unpack one npm package and return its folder; stop if its checksum is not the pinned one."""
    npm = subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=into, check=True, capture_output=True)
    archive = into / npm.stdout.decode().split()[-1]
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        sys.exit(f"{name} {version} has the checksum {found}, not {sha256}")
    with tarfile.open(archive) as files:
        files.extractall(into / name, filter="data")
    return into / name / "package"


def fomantic(package: Path) -> None:
    """Join the components that the pages use; fonts are the system's, so theirs are left out."""
    css = [(package / "components" / f"{name}.min.css").read_text() for name in COMPONENTS]
    text = re.sub(r"@font-face\s*{[^}]*}", "", "\n".join(css))
    text = re.sub(r"@import[^;]*;", "", text)
    if outside := re.findall(r"url\((?!data:)[^)]*\)", text):
        sys.exit(f"the style sheet refers to other files: {outside[:3]}")
    (VENDOR / "fomantic.css").write_text(f"/* fomantic-ui-css {FOMANTIC[1]}, MIT, see fomantic.LICENSE */\n{text}")
    (VENDOR / "fomantic.LICENSE").write_text((package / "LICENSE.md").read_text())


def lucide(package: Path) -> None:
    """Join the icons that the pages use into one sprite."""
    symbols = []
    for name in ICONS:
        drawing = (package / "icons" / f"{name}.svg").read_text()
        inner = re.sub(r"\s+", " ", drawing[drawing.index(">", drawing.index("<svg")) + 1 : drawing.rindex("</svg>")])
        symbols.append(
            f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
            f'stroke-linecap="round" stroke-linejoin="round">{inner.strip()}</symbol>'
        )
    head = f'<svg xmlns="http://www.w3.org/2000/svg"><!-- lucide-static {LUCIDE[1]}, ISC, see icons.LICENSE -->'
    (VENDOR / "icons.svg").write_text("\n".join([head, *symbols, "</svg>\n"]))
    (VENDOR / "icons.LICENSE").write_text((package / "LICENSE").read_text())


def main() -> None:
    """Write all vendored files."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        fomantic(fetch(*FOMANTIC, Path(folder)))
        lucide(fetch(*LUCIDE, Path(folder)))


if __name__ == "__main__":
    main()
