"""Joins neighbouring host nodes, so that each stay on the host is one operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, OperatorSetIdProto
from onnx.helper import make_tensor_value_info
from xdsl.ir import Block, Operation, SSAValue

from cimc.diagnostics import UnsupportedModel, fuse_locs, loc_text
from cimc.dialects.nn import HostOp, store_blob
from cimc.frontend.host import HostPart, kind_of, part_model
from cimc.interp.nn_host import runner
from cimc.weights import WeightStore

Parts = Mapping[Operation, HostPart]


def drop_unused(block: Block) -> None:
    """Remove operations whose results nothing reads; the last one stays."""
    for op in reversed(list(block.ops)[:-1]):
        if not any(result.uses for result in op.results):
            op.detach()
            op.erase()


def merge_host_ops(
    block: Block, parts: Parts, weights: WeightStore, opsets: Sequence[OperatorSetIdProto]
) -> None:
    """Replace every `nn.host` of `block` by one a group, with its model; reorder by stages.

    Raises:
        UnsupportedModel: a group cannot be executed.
    """
    operations = list(block.ops)
    if not any(isinstance(op, HostOp) for op in operations):
        return
    stages = stages_of(operations)
    groups = groups_of(operations, stages)
    operations.sort(key=lambda op: stages[op])
    for op in operations:
        op.detach()
    for op in operations:
        if op not in groups:
            block.add_op(op)
        elif groups[op][0] is op:
            block.add_op(joined(groups[op], parts, weights, opsets))
    for op in reversed(operations):
        if op in groups:
            op.erase()


def owners(op: Operation) -> list[Operation]:
    """Operations whose results `op` reads."""
    return [v.owner for v in op.operands if isinstance(v.owner, Operation)]


def stages_of(operations: Sequence[Operation]) -> dict[Operation, int]:
    """For each operation how often a path to it changes sides: even on the machine, odd on host.

    A host operation that only host operations read waits for them.
    """
    stages: dict[Operation, int] = {}
    for op in operations:
        side = int(isinstance(op, HostOp))
        before = [stages[o] + (stages[o] % 2 != side) for o in owners(op)]
        stages[op] = max(before, default=side)
    for op in reversed(operations):
        users = [use.operation for result in op.results for use in result.uses]
        if isinstance(op, HostOp) and users and all(isinstance(u, HostOp) for u in users):
            stages[op] = min(stages[user] for user in users)
    return stages


def groups_of(
    operations: Iterable[Operation], stages: Mapping[Operation, int]
) -> dict[Operation, list[Operation]]:
    """The group of each host operation: those of its stage that edges connect, in order."""
    groups: dict[Operation, list[Operation]] = {}
    for op in operations:
        if not isinstance(op, HostOp):
            continue
        near = [groups[o] for o in owners(op) if o in groups and stages[o] == stages[op]]
        group: list[Operation] = [op]
        for other in near:
            if other[0] not in group:
                group[:0] = other
        order = {member: i for i, member in enumerate(groups)}
        group.sort(key=lambda member: order.get(member, len(order)))
        groups |= dict.fromkeys(group, group)
    return groups


def joined(
    group: Sequence[Operation],
    parts: Parts,
    weights: WeightStore,
    opsets: Sequence[OperatorSetIdProto],
) -> HostOp:
    """One operation for all of `group`; its results replace theirs."""
    names: dict[SSAValue[Any], str] = {}
    operands: dict[SSAValue[Any], str] = {}
    results: list[SSAValue[Any]] = []
    for op in group:
        part = parts[op]
        names |= dict(zip(op.results, part.outputs, strict=True))
        for value, name in zip(op.operands, part.inputs, strict=True):
            if value not in names:
                operands[value] = name
        for result in op.results:
            if any(use.operation not in group for use in result.uses):
                results.append(result)
    own = [parts[op] for op in group]
    nodes = [node for part in own for node in part.nodes]
    constants = {name: array for part in own for name, array in part.constants.items()}
    kinds = {name: kind_of(value) for value, name in operands.items()}
    model = part_model(nodes, opsets, kinds, constants, [])
    for result in results:
        kind = kind_of(result)
        info = make_tensor_value_info(names[result], kind.element, kind.shape)
        model.graph.output.append(info)
    new = HostOp(
        list(operands),
        [result.type for result in results],
        model=store_blob(weights, np.frombuffer(model.SerializeToString(), np.uint8)),
        nodes=", ".join(node.op_type for node in nodes),
        reason="; ".join(dict.fromkeys(part.reason for part in own)),
    )
    new.location = fuse_locs(*group)
    check_runs(new, model)
    for old, value in zip(results, new.results, strict=True):
        value.name_hint = old.name_hint
        old.replace_all_uses_with(value)
    return new


def check_runs(op: HostOp, model: ModelProto) -> None:
    """Check that something can execute `model`, the part of `op`."""
    try:
        runner(model.SerializeToString())
    except ValueError as e:
        raise UnsupportedModel(
            f"{loc_text(op.location)}: {op.nodes.data} cannot run on the host: {e}; replace it in "
            "the model"
        ) from e
