"""What others wrote is here exactly as they published it, and our pages stay small."""

import hashlib
from pathlib import Path

import fluxd.web

STATIC = Path(fluxd.web.__file__).parent / "static"
VENDOR = STATIC / "vendor"


def test_vendored_files_have_the_hashes_that_are_written_beside_them() -> None:
    note = (VENDOR / "uPlot.txt").read_text()
    stated = {
        name: digest
        for digest, name in (line.split() for line in note.splitlines() if "  uPlot" in line)
    }
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in VENDOR.iterdir()
        if file.suffix in (".js", ".css")
    }
    assert found == stated
    assert len(found) == 2
    assert note.startswith("uPlot 1.6.32")
    assert "Permission is hereby granted" in note


def test_all_assets_together_are_under_150_kilobytes() -> None:
    files = [file for file in STATIC.rglob("*") if file.suffix in (".js", ".css", ".svg")]
    assert len(files) > 5
    assert sum(file.stat().st_size for file in files) < 150_000


def test_no_script_puts_text_in_as_markup() -> None:
    ours = list(STATIC.glob("*.js"))
    assert ours
    for file in ours:
        text = file.read_text()
        for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
            assert word not in text, (file.name, word)
        assert "https://" not in text, file.name
