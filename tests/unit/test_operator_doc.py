"""docs/operators.md is what the import functions say of themselves."""

from __future__ import annotations

from pathlib import Path

from cimc.frontend.operator_doc import operators_markdown


def test_the_page_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "operators.md"
    remedy = "run: python -m cimc.frontend.operator_doc > docs/operators.md"
    assert page.read_text("utf-8") == operators_markdown(), remedy
