"""Take the pictures of docs/reading-a-report.md: of pages of real runs, in Chromium.

    python docs/make_report.py

Needs selenium (the extra `test`) and Debian's packages chromium and chromium-driver.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from seqkit import run

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "images"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
CHANGED = ("47", "1.5")  # what is written into the input that is tried
# The name of a picture: the recipe of the run, what is in it, and whether it is dark.
WANTED = {
    "report-head": ("airline", "main > header, #scores", False),
    "report-forecasts": ("airline", "#series", False),
    "report-errors": ("gunpoint", "#errors .two", False),
    "report-training": ("airline", "#training", True),
    "report-try": ("gunpoint", "#try", False),
}


def driver(profile: str) -> Any:
    """Return a browser that fetches nothing."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1100,900"):
        options.add_argument(flag)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def photographed(browser: Any, page: Path, selector: str, is_dark: bool) -> bytes:
    """Return a picture of the parts of a page that a selector finds, one below the other."""
    import base64

    scheme = [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    browser.get(page.as_uri())
    for field, value in zip(("1", "2"), CHANGED, strict=True):  # the step, and its value
        browser.execute_script(
            """const all = document.querySelectorAll('#try input[type="number"]');
            const field = all[arguments[0] - 1];
            if (!field) return;
            field.value = arguments[1];
            field.dispatchEvent(new Event('change'))""",
            field,
            value,
        )
    box = browser.execute_script(
        """document.querySelector('nav').style.position = 'static';
        const found = [...document.querySelectorAll(arguments[0])];
        const all = found.map((one) => one.getBoundingClientRect());
        const low = (k) => Math.min(...all.map((one) => one[k]));
        const high = (k) => Math.max(...all.map((one) => one[k]));
        return [low('left') + scrollX, low('top') + scrollY, high('right') - low('left'),
                high('bottom') - low('top')]""",
        selector,
    )
    left, top, width, height = box
    clip = {"x": left - 12, "y": top, "width": width + 24, "height": height + 12, "scale": 1}
    wanted = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    return base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", wanted)["data"])


def main() -> int:
    """Run the recipes and write the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        names = {name for name, _, _ in WANTED.values()}
        made = {
            name: run(ROOT / "recipes" / f"{name}.yaml", out=folder, name=name) for name in names
        }
        with driver(f"{folder}/profile") as browser:
            for picture, (name, selector, is_dark) in WANTED.items():
                page = Path(made[name].document["run"]) / "report.html"
                content = photographed(browser, page, selector, is_dark)
                (PICTURES / f"{picture}.png").write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
