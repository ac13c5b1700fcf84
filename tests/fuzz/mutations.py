"""Damages ONNX files: bytes of the protobuf, or parts of the graph that stays well formed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

Change = Callable[[GraphProto, random.Random], None]
ODD_NUMBERS = (-(2**31), -7, -1, 0, 1, 2, 3, 5, 17, 1000, 2**31 - 1, 2**40)
OPERATORS = (
    *("Conv", "Gemm", "MatMul", "Add", "Mul", "Relu", "Clip", "MaxPool", "AveragePool", "Reshape"),
    *("GlobalAveragePool", "ReduceMean", "Concat", "Split", "Slice", "Pad", "Resize", "Softmax"),
    *("Transpose", "Flatten", "Squeeze", "Unsqueeze", "Shape", "Gather", "Cast", "Loop", "If"),
    *("BatchNormalization", "DequantizeLinear", "QuantizeLinear", "QLinearConv", "Sigmoid", "Nope"),
)


def mutate(data: bytes, seed: int) -> bytes:
    """A damaged copy of ONNX file `data`; the same for the same `seed`."""
    rng = random.Random(seed)
    if rng.random() < 0.4:
        return mutate_bytes(data, rng)
    model = ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(CHANGES)(model.graph, rng)
    if rng.random() < 0.1:
        model.opset_import[0].version = rng.choice((1, 6, 7, 9, 13, 18, 22, 99))
    return model.SerializeToString()


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flipped, replaced, lost and added bytes, most of them outside the weights."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if len(damaged) < 2:
            break
        window = min(len(damaged), 4000)
        near = rng.randrange(window)
        at = rng.choice((near, len(damaged) - 1 - near, rng.randrange(len(damaged))))
        kind = rng.randrange(5)
        if kind == 0:
            damaged[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            damaged[at] = rng.randrange(256)
        elif kind == 2:
            del damaged[at : at + rng.randrange(1, 9)]
        elif kind == 3:
            damaged[at:at] = rng.randbytes(rng.randrange(1, 5))
        else:
            del damaged[at:]
    return bytes(damaged)


def some_node(graph: GraphProto, rng: random.Random) -> NodeProto:
    """Any node; a new one when there is none."""
    return rng.choice(graph.node) if graph.node else graph.node.add()


def pick(names: Sequence[str], rng: random.Random) -> str:
    """One of `names`, or one that does not exist."""
    return rng.choice([*names, "nothing", ""])


def change_attribute(graph: GraphProto, rng: random.Random) -> None:
    """Another number, another length, or another type."""
    node = some_node(graph, rng)
    if not node.attribute:
        extra = node.attribute.add(name=rng.choice(("axis", "kernel_shape", "group", "mode")))
        extra.type, extra.i = AttributeProto.INT, rng.choice(ODD_NUMBERS)
        return
    attribute = rng.choice(node.attribute)
    if attribute.ints and rng.random() < 0.7:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(ODD_NUMBERS)
    elif attribute.ints and rng.random() < 0.5:
        attribute.ints.append(rng.choice(ODD_NUMBERS))
    elif attribute.type == AttributeProto.INT:
        attribute.i = rng.choice(ODD_NUMBERS)
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e-45, 3e38))
    elif attribute.type == AttributeProto.STRING:
        attribute.s = rng.choice((b"", b"SAME_UPPER", b"VALID", b"\xff\xfe", b"nearest"))
    else:
        attribute.type = rng.choice((1, 2, 3, 4, 6, 7))


def drop_attribute(graph: GraphProto, rng: random.Random) -> None:
    """A node without one of its attributes."""
    node = some_node(graph, rng)
    if node.attribute:
        del node.attribute[rng.randrange(len(node.attribute))]


def change_operator(graph: GraphProto, rng: random.Random) -> None:
    """Another operator over the same inputs, at times of another domain."""
    node = some_node(graph, rng)
    node.op_type = rng.choice(OPERATORS)
    if rng.random() < 0.1:
        node.domain = rng.choice(("ai.onnx.ml", "com.microsoft", "nowhere"))


def rewire(graph: GraphProto, rng: random.Random) -> None:
    """An input of a node comes from elsewhere, perhaps from behind it."""
    node = some_node(graph, rng)
    names = [name for each in graph.node for name in (*each.input, *each.output)]
    names += [each.name for each in (*graph.initializer, *graph.input)]
    if node.input and rng.random() < 0.8:
        node.input[rng.randrange(len(node.input))] = pick(names, rng)
    else:
        node.input.append(pick(names, rng))


def change_output_names(graph: GraphProto, rng: random.Random) -> None:
    """Results that collide, vanish or multiply."""
    node = some_node(graph, rng)
    if node.output and rng.random() < 0.5:
        node.output[rng.randrange(len(node.output))] = pick(list(node.input), rng)
    else:
        node.output.append(pick(list(node.output), rng))


def shuffle_nodes(graph: GraphProto, rng: random.Random) -> None:
    """One node lost, repeated or moved."""
    if not graph.node:
        return
    at, kind = rng.randrange(len(graph.node)), rng.randrange(3)
    node = NodeProto()
    node.CopyFrom(graph.node[at])
    if kind != 1:
        del graph.node[at]
    if kind:
        nodes = [*graph.node]
        nodes.insert(rng.randrange(len(nodes) + 1), node)
        del graph.node[:]
        graph.node.extend(nodes)


def change_tensor(graph: GraphProto, rng: random.Random) -> None:
    """An initialiser of another shape, type or content, or none."""
    if not graph.initializer:
        return
    at = rng.randrange(len(graph.initializer))
    tensor, kind = graph.initializer[at], rng.randrange(6)
    if kind == 0:
        del graph.initializer[at]
    elif kind == 1 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(ODD_NUMBERS)
    elif kind == 2:
        tensor.data_type = rng.randrange(24)
    elif kind == 3 and tensor.raw_data:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data))]
    elif kind == 4 and tensor.raw_data:
        noise = rng.randbytes(min(16, len(tensor.raw_data)))
        tensor.raw_data = noise + tensor.raw_data[len(noise) :]
    else:
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", rng.choice(("../x", "/etc/passwd", "none", ""))


def change_interface(graph: GraphProto, rng: random.Random) -> None:
    """An input or output of another shape, type or name."""
    values = [*graph.input, *graph.output]
    if not values:
        return
    value, kind = rng.choice(values), rng.randrange(4)
    dims = value.type.tensor_type.shape.dim
    if kind == 0 and dims:
        dims[rng.randrange(len(dims))].dim_value = rng.choice(ODD_NUMBERS)
    elif kind == 1 and dims:
        dims[rng.randrange(len(dims))].dim_param = "N"
    elif kind == 2:
        value.type.tensor_type.elem_type = rng.randrange(24)
    else:
        value.name = rng.choice(("", "x", value.name + "_"))


CHANGES: tuple[Change, ...] = (
    *(change_attribute, change_attribute, drop_attribute, change_operator, change_operator),
    *(rewire, change_output_names, shuffle_nodes, change_tensor, change_tensor, change_interface),
)
