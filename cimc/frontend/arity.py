"""How many inputs and outputs the nodes of an ONNX graph must have."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import defs

from cimc.frontend.node import Node


def check_arity(node: Node) -> None:
    """Check inputs and outputs of `node` against the definition of its operator, if it has one.

    Raises:
        InvalidModel: too few or too many, or an output twice.
    """
    outputs = [name for name in node.proto.output if name]
    for name in outputs:
        if outputs.count(name) > 1:
            raise node.invalid(f"output '{name}' is defined twice")
    domain = node.proto.domain.removeprefix("ai.onnx")
    try:
        schema = defs.get_schema(node.proto.op_type, node.opset, domain)
    except defs.SchemaError:
        return
    single = defs.OpSchema.FormalParameterOption.Single
    for i, parameter in enumerate(schema.inputs):
        if parameter.option == single and not node.given(i):
            raise node.invalid(f"input {i} is missing")
    variadic = defs.OpSchema.FormalParameterOption.Variadic
    if any(p.option == variadic for p in schema.outputs) and "" in node.proto.output:
        # onnxruntime does not check this, and crashes
        raise node.invalid(f"output {list(node.proto.output).index('')} has no name")
    _check_most(node, "inputs", node.proto.input, schema.max_input)
    _check_most(node, "outputs", node.proto.output, schema.max_output)


def _check_most(node: Node, what: str, names: Sequence[str], most: int) -> None:
    if len(names) > most:
        raise node.invalid(f"has {len(names)} {what}; {node.proto.op_type} has at most {most}")
