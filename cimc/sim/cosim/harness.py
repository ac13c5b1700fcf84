"""The cocotb test: starts the test bench `cimc_tb`, sleeps until it has finished, reports.

What to run comes as plus arguments of the simulator (rtl/tb/cimc_tb.sv); the result goes to the
file named by the environment variable CIMC_RESULT.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge


async def start_to_done(dut: Any) -> dict[str, Any]:
    """One program from start to done; the clock runs in HDL, so Python wakes up twice."""
    dut.go_i.value = 1
    await RisingEdge(dut.finished_o)
    return {"cycles": int(dut.cycles_o.value), "timed_out": bool(int(dut.timed_out_o.value))}


@cocotb.test()
async def run_program(dut: Any) -> None:
    """Run what the plus arguments say and write the result."""
    result = await start_to_done(dut)
    Path(os.environ["CIMC_RESULT"]).write_text(json.dumps(result), encoding="utf-8")
