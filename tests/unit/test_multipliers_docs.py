"""The table of docs/multipliers.md is what the library computes."""

from __future__ import annotations

from pathlib import Path

from cimc import multipliers

DOC = Path(__file__).parents[2] / "docs" / "multipliers.md"


WIRED = [n for n in multipliers.accepted_names() if "daism" in multipliers.get(n).arrays]


def row_of(name: str) -> str:
    multiplier = multipliers.get(name)
    stats, config = multiplier.error_stats(7, 8), multiplier.array_config(7, 8)
    cells = (
        name,
        str(config.rows),
        str(config.reads),
        f"{stats.mred_percent:.3f}",
        f"{stats.nmed_percent:.3f}",
        str(stats.worst_case),
        f"{stats.worst_relative_percent:.1f}",
        f"{stats.error_rate_percent:.1f}",
        f"{stats.bias:.2f}",
        f"{stats.alpha:.3f}",
    )
    return f"| {' | '.join(cells)} |"


def digital_row_of(name: str) -> str:
    multiplier = multipliers.get(name)
    stats = multiplier.error_stats(8, 8)
    cells = (
        name,
        str(multiplier.gates(8, 8)),
        f"{stats.mred_percent:.3f}",
        f"{stats.nmed_percent:.4f}",
        str(stats.worst_case),
        f"{stats.worst_relative_percent:.1f}",
        f"{stats.error_rate_percent:.1f}",
        f"{stats.bias:.2f}",
        f"{stats.alpha:.3f}",
    )
    return f"| {' | '.join(cells)} |"


def test_every_listed_digital_multiplier_has_its_row() -> None:
    lines = DOC.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| name | gates |")) + 2
    expected = [digital_row_of(name) for name in multipliers.names() if name not in WIRED]
    assert lines[start : start + len(expected)] == expected
    assert lines[start + len(expected)] == ""


def test_every_listed_multiplier_has_its_row() -> None:
    lines = DOC.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| name | rows |")) + 2
    expected = [row_of(name) for name in WIRED if name in multipliers.names()]
    assert lines[start : start + len(expected)] == expected
    assert lines[start + len(expected)] == ""


def test_the_counts_in_the_text() -> None:
    text = DOC.read_text()
    assert f"All {len(WIRED)} combinations" in text
    assert f"lists the {len(set(WIRED) & set(multipliers.names()))} below" in text
