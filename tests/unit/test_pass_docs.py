"""docs/passes.md is what the passes say of themselves."""

from __future__ import annotations

from pathlib import Path

from cimc.passes.pass_docs import passes_markdown


def test_the_page_is_current():
    page = Path(__file__).parents[2] / "docs" / "passes.md"
    remedy = "run: python -m cimc.passes.pass_docs > docs/passes.md"
    assert page.read_text() == passes_markdown(), remedy
