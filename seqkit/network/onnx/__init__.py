"""Networks as ONNX graphs: the equations of the layers in a third namespace, written as nodes."""

from __future__ import annotations
