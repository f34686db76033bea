"""From a description and its weights to the ONNX model of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, checker, helper, shape_inference

from seqkit.network.graph import Input, Network
from seqkit.network.layers.base import Array, Saved
from seqkit.network.layers.recurrent import Recurrent
from seqkit.network.native import FlatWeights, needed_nodes
from seqkit.network.onnx.recurrent import recurrent_outputs
from seqkit.network.onnx.space import OnnxSpace
from seqkit.network.onnx.values import Value, known_of, named
from seqkit.network.onnx.writer import GraphWriter

__all__ = ["IR_VERSION", "OPSET", "finished", "graph_input", "network_values", "onnx_model"]

OPSET, IR_VERSION = 18, 8
"""Reductions take their axes in one way from opset 18 (onnx 1.13, December 2022) on; nothing here
needs more. ONNX Runtime reads both from 1.14 (February 2023) on, and so does what is made of it."""


def onnx_model(network: Network, weights: Sequence[Array]) -> ModelProto:
    """Return the model of a network: its inputs by name, batch and open time left open.

    Parameters
    ----------
    network : Network
    weights : sequence of ndarray
        In the order of its description.
    """
    writer = GraphWriter()
    inputs = {i.name: graph_input(writer, i) for i in network.inputs}
    out = network_values(writer, network, weights, inputs)[network.flat.output]
    name = network.output
    return finished(writer, network.name, list(inputs.values()), {name: out})


def graph_input(writer: GraphWriter, described: Input) -> Value:
    """Return an input of the graph."""
    dims = ["batch", *("time" if size is None else size for size in described.shape)]
    return named(writer, writer.name(described.name), np.dtype(described.dtype), tuple(dims))


def network_values(
    writer: GraphWriter, network: Network, weights: Sequence[Array], inputs: Mapping[str, Value]
) -> dict[str, Value]:
    """Write a network and return the outputs of its nodes, those of inner networks too.

    Parameters
    ----------
    writer : GraphWriter
    network : Network
    weights : sequence of ndarray
    inputs : mapping of str to Value
    """
    flat, held = network.flat, FlatWeights(network)
    held.load(weights)
    values: dict[str, Any] = dict(inputs)
    ops, scope = OnnxSpace(writer), writer.scope
    for node in needed_nodes(flat, flat.output):
        given: list[Any] = [None if ref is None else values[ref] for ref in node.inputs]
        p: Mapping[str, Any] = held.values[node.shares or node.name]
        writer.scope = f"{scope}/{node.name}" if scope else node.name
        if isinstance(node.layer, Recurrent):
            lengths = given[1] if len(given) > 1 else None
            outputs = recurrent_outputs(ops, node.layer, p, given[0], lengths, given[2:])
        else:
            p = {name: known_of(writer, array) for name, array in p.items()}
            made = node.layer.forward(ops, p, Saved(), *given)
            outputs = made if node.layer.n_outputs > 1 else (made,)
        for k, value in enumerate(outputs):
            values[node.name if k == 0 else f"{node.name}:{k}"] = value
    writer.scope = scope
    return values


def finished(
    writer: GraphWriter, name: str, inputs: Sequence[Value], outputs: Mapping[str, Value]
) -> ModelProto:
    """Return the model of what is written, checked.

    Parameters
    ----------
    writer : GraphWriter
    name : str
    inputs : sequence of Value
    outputs : mapping of str to Value
        By the names that they are to have.
    """
    ends = []
    for wish, value in outputs.items():
        writer.nodes.append(helper.make_node("Identity", [value.name], [wish], wish))
        ends.append(_declared(wish, value))
    names = [end.name for end in ends]
    nodes = writer.needed(names)
    graph = helper.make_graph(
        nodes, name, [_declared(value.name, value) for value in inputs], ends,
        writer.needed_constants(nodes, names),
    )  # fmt: skip
    model = helper.make_model(
        graph, producer_name="seqkit", ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )  # fmt: skip
    checker.check_model(model, full_check=True)
    shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    return model


def _declared(name: str, value: Value) -> Any:
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    return helper.make_tensor_value_info(name, kind, list(value.dims))
