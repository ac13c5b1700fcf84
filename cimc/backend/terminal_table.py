"""Plain text tables: of anything, and of a report for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Aligned columns: the first `left` to the left, the others to the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        parts = (
            f"{cell:<{width}}" if i < left else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(parts).rstrip()

    return "\n".join([line(cells[0]), "  ".join("-" * w for w in widths), *map(line, cells[1:])])


LAYER_HEADER = (
    "layer",
    "op",
    "multiplier",
    "MACs",
    "tiles",
    "W/A bits",
    "cycles",
    "utilisation",
    "SNR dB",
    "measured",
)
"""The last two: of a layer with its multiplier, predicted and measured; left out without any."""


def report_text(report: dict[str, Any]) -> str:
    """The report for a person: table of layers, totals, the three errors."""
    rows = [_layer_row(layer) for layer in report["layers"]]
    cycles, macs = report["cycles"], report["macs"]
    tiles = sum(layer["tiles"] for layer in report["layers"])
    rows.append(
        [
            "total",
            "",
            "",
            f"{macs:,}",
            f"{tiles:,}",
            "",
            f"{cycles['estimated']:,}",
            _percent(report["utilisation"]),
            "",
            "",
        ]
    )
    columns = len(LAYER_HEADER) - (0 if any(row[-1] for row in rows) else 2)
    table = text_table(LAYER_HEADER[:columns], [row[:columns] for row in rows], left=3)
    lines = [table, "", *_cycle_lines(report)]
    lines += [*_host_lines(report), *_choice_lines(report), *_errors(report)]
    if not report["calibration"]["ranges_are_real"]:
        lines.append(f"note: {report['calibration']['note']}")
    return "\n".join(lines)


def _layer_row(layer: dict[str, Any]) -> list[str]:
    weighted = layer["multiplier"] is not None
    return [
        _shortened(layer["node"]),
        layer["op"],
        layer["multiplier"] or "",
        f"{layer['macs']:,}" if weighted else "",
        f"{layer['tiles']:,}" if weighted else "",
        f"{layer['weight_bits']}/{layer['activation_bits']}" if weighted else "",
        f"{layer['cycles']:,}",
        _percent(layer["utilisation"]) if weighted else "",
        _decibels(layer["predicted_snr_db"]),
        _decibels(layer["measured_snr_db"]),
    ]


def _shortened(name: str, width: int = 40) -> str:
    """The end of `name`, which tells nodes apart, when it is too long."""
    return name if len(name) <= width else "..." + name[3 - width :]


def _decibels(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _cycle_lines(report: dict[str, Any]) -> list[str]:
    cycles, target = report["cycles"], report["target"]
    milliseconds = cycles["estimated"] / (target["geometry"]["clock_mhz"] * 1000)
    text = (
        f"cycles          {cycles['estimated']:,} estimated"
        f" ({milliseconds:.3f} ms at {target['geometry']['clock_mhz']} MHz; "
        f"{cycles['ideal']:,} at peak)"
    )
    if cycles["rtl"] is not None:
        same = "equal" if cycles["rtl"] == cycles["estimated"] else "DIFFERENT"
        text += f"; RTL {cycles['rtl']:,} ({same})"
    return [text]


def _host_lines(report: dict[str, Any]) -> list[str]:
    """What runs on the host; its time is not in the cycles."""
    return [
        f"host            {', '.join(host['operators'])}: {'; '.join(host['reasons'])}; "
        f"{host['input_bytes']:,} bytes to the host, {host['output_bytes']:,} back "
        "(its time is not in the cycles)"
        for host in report["host"]
    ]


def _choice_lines(report: dict[str, Any]) -> list[str]:
    """What was asked for when multipliers were chosen, and what was found."""
    choice = report["choice"]
    wanted: list[str] = []
    if choice["min_snr_db"] is not None:
        wanted.append(f"{choice['min_snr_db']:g} dB in every layer")
    if choice["target_sqnr_db"] is not None:
        wanted.append(
            f"{choice['target_sqnr_db']:g} dB in the outputs; predicted "
            f"{choice['predicted_sqnr_db']:.1f}, on calibration images "
            f"{choice['measured_sqnr_db']:.1f}, exact {choice['exact_sqnr_db']:.1f}"
        )
    return [f"chosen          for {' and '.join(wanted)}"] if wanted else []


def _errors(report: dict[str, Any]) -> list[str]:
    errors, verification = report["errors"], report["verification"]
    if verification["level"] == "none":
        return ["errors          not measured (--verify=none)"]
    images = f"{verification['images']} image{'s' if verification['images'] > 1 else ''}"
    implementation = errors["implementation"]
    levels = "interpreter and emulator"
    if verification["level"] == "rtl":
        levels += f" and RTL ({verification['simulator']})"
    return [
        f"quantisation    {_distance(errors['quantisation'])} "
        f"(exact integer against {verification['reference']}, {images})",
        f"approximation   {_distance(errors['approximation'])} (approximate against exact integer)",
        f"implementation  {implementation['differing_bytes']} of "
        f"{implementation['compared_bytes']:,} bytes differ ({levels})",
    ]


def _distance(error: dict[str, Any]) -> str:
    if error["identical"]:
        return "none"
    return f"SQNR {error['sqnr_db']:.2f} dB, max |difference| {error['max_abs']:.4g}"
