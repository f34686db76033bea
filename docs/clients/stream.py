"""Ask an `onnx_streaming` file observation by observation, by NumPy and ONNX Runtime alone.

    python stream.py model.onnx observations.csv

observations.csv has a row an observation and a column a feature, below a line of names. Prints a
row an observation: the answer to the series so far.
"""

import json
import sys

import numpy as np
import onnxruntime


class Stream:
    """A series that goes on: states are kept from one observation to the next."""

    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.facts = json.loads(self.session.get_modelmeta().custom_metadata_map["seqkit"])
        inputs, float32 = self.session.get_inputs(), "tensor(float)"
        self.kinds = {i.name: "float32" if i.type == float32 else i.type[7:-1] for i in inputs}
        self.states = {  # all begin as zeros, and no input but x is anything else
            one.name: np.zeros([1, *one.shape[1:]], self.kinds[one.name])
            for one in inputs
            if one.name != "x"
        }
        self.names = [self.facts["output"]["name"], *(f"{name}/next" for name in self.states)]

    def push(self, x):
        """Return the answer after one more observation, of shape (features,) or a token's code."""
        given = {"x": np.array([x], self.kinds["x"]), **self.states}
        answer, *states = self.session.run(self.names, given)
        self.states = dict(zip(self.states, states, strict=True))
        return answer[0]


if __name__ == "__main__":
    stream = Stream(sys.argv[1])
    for row in np.loadtxt(sys.argv[2], delimiter=",", skiprows=1, ndmin=2):
        print(*(f"{value:.9g}" for value in np.ravel(stream.push(row))), sep=",")
