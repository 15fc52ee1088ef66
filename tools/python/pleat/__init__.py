"""Pleat: trained ONNX networks, their batch norms folded away, run on the CPU.

    report = pleat.convert("net.onnx", "net.pleat")   # what became of each batch norm
    scores = pleat.Model("net.pleat")(pictures)       # NumPy in, NumPy out
"""

from __future__ import annotations

import difflib
import json
import os
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np

from . import _native
from ._errors import (BusyError, CancelledError, DeadlineExceededError, Error, InternalError,
                      InvalidArgumentError, InvalidModelError, IoError, LimitExceededError,
                      OutOfMemoryError, UnsupportedError, VerificationFailedError)

__version__: str = _native.version()
__all__ = ["Model", "Picture", "Value", "convert", "Error", "BusyError", "CancelledError",
           "DeadlineExceededError", "InternalError", "InvalidArgumentError", "InvalidModelError",
           "IoError", "LimitExceededError", "OutOfMemoryError", "UnsupportedError",
           "VerificationFailedError"]

# In the order of pleat_element.
_ELEMENTS = ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32",
             "uint64", "bool", "float16", "bfloat16")

Path = Union[str, "os.PathLike[str]"]
Sizes = Optional[tuple[Union[int, str, None], ...]]


def convert(path: Path, output: Optional[Path] = None, *,
            input_shapes: Optional[Mapping[str, Sequence[Optional[int]]]] = None,
            fold: bool = True, half_weights: bool = False, verify: bool = False,
            measure: bool = False) -> dict[str, Any]:
    """Turns an ONNX file into a .pleat file and reports what became of each batch norm.

    `output` is `path` with the ending .pleat when it is not given. `input_shapes` replaces the
    sizes of inputs by name; None leaves one open. `half_weights` keeps the weights of fully
    connected layers as float16. `verify` compares with the original network in double precision
    before anything is written and raises VerificationFailedError beyond 1e-4 of max|y|, with
    `half_weights` 2e-3; the numbers are in report["verify"]. `measure` adds formula, ranges and measured error
    of each fold, as `pleat convert --report` writes them. Nothing is written when anything fails.
    """
    source = os.fsencode(path)
    target = os.fsencode(output) if output is not None else os.path.splitext(source)[0] + b".pleat"
    shapes = {name: [-1 if size is None else size for size in shape]
              for name, shape in (input_shapes or {}).items()}
    report: dict[str, Any] = json.loads(
        _native.convert(source, target, shapes, fold, half_weights, verify, measure))
    return report


class Value(NamedTuple):
    """An input or output: sizes that a run chooses are their name, or None."""
    name: str
    dtype: str
    shape: Sizes


class Picture:
    """Pixels as picture readers give them, rows of RGBRGB..., for a float32 input of N,C,H,W.

    `pixels` is H,W,C or N,H,W,C of uint8 or float32. Each number becomes (number - mean[c]) *
    scale[c] as it is read; no other copy is made.
    """

    def __init__(self, pixels: np.ndarray, mean: Optional[Sequence[float]] = None,
                 scale: Optional[Sequence[float]] = None) -> None:
        pixels = np.asarray(pixels)
        self.pixels = pixels[np.newaxis] if pixels.ndim == 3 else pixels
        self.mean = self._factors("mean", mean)
        self.scale = self._factors("scale", scale)

    def _factors(self, name: str, factors: Optional[Sequence[float]]) -> Optional[np.ndarray]:
        if factors is None:
            return None
        array = np.ascontiguousarray(factors, np.float32).reshape(-1)
        if self.pixels.ndim != 4 or array.size != self.pixels.shape[3]:
            raise InvalidArgumentError(
                f"{name} has {array.size} entries for pixels of shape {self.pixels.shape}; "
                "expected one for each channel of H,W,C", "MEAN_SCALE")
        return array


Array = Union[np.ndarray, Picture, Any]


class Model:
    """A network, ready to run from any number of threads at once.

    `network` is the path of a .pleat file, of an ONNX file (converted in memory), or the bytes of a
    .pleat file. `threads` is the number each call runs on, 0 for all that the process may use;
    results are the same to the bit for any number. `exact` keeps to methods that do not rearrange a
    convolution's sum, `low_memory` to kernels that use the weights where they lie.
    """

    def __init__(self, network: Union[Path, bytes, bytearray, memoryview], *, threads: int = 0,
                 exact: bool = False, low_memory: bool = False) -> None:
        if isinstance(network, (bytes, bytearray, memoryview)):
            given, is_bytes = bytes(network), True
        else:
            given, is_bytes = os.fsencode(network), False
        self._model = _native.Model(given, is_bytes, threads, exact, low_memory)
        self.inputs: tuple[Value, ...] = self._values(self._model.inputs)
        self.outputs: tuple[Value, ...] = self._values(self._model.outputs)

    @staticmethod
    def _values(values: Sequence[tuple[str, int, Sizes]]) -> tuple[Value, ...]:
        return tuple(Value(name, _ELEMENTS[element], shape) for name, element, shape in values)

    @property
    def name(self) -> str:
        """What the network calls itself."""
        return self._model.name

    def __call__(self, *arrays: Array, timeout: Optional[float] = None,
                 **named: Array) -> Union[np.ndarray, dict[str, np.ndarray]]:
        """Runs the network: inputs in order, by keyword, or as one dict by name.

        Returns an array for a network with one output, else a dict of arrays by name. Inputs are
        read where they are, whatever their strides, and outputs computed in place; other threads
        run meanwhile. `timeout` is in seconds.
        """
        if timeout is not None and not timeout > 0:
            raise InvalidArgumentError(f"timeout is {timeout}, expected more than 0", "TIMEOUT")
        results = self._model.run([self._argument(value, array) for value, array
                                   in zip(self.inputs, self._in_order(arrays, named))],
                                  0 if timeout is None else int(min(timeout * 1e9, 2**62)))
        if len(results) == 1:
            return results[0]
        return {value.name: result for value, result in zip(self.outputs, results)}

    def __repr__(self) -> str:
        text = {edge: ", ".join(f"{v.name}: {v.dtype}{list(v.shape) if v.shape is not None else ''}"
                                for v in values)
                for edge, values in (("in", self.inputs), ("out", self.outputs))}
        return f"<pleat.Model {self.name!r} ({text['in']}) -> ({text['out']})>"

    def _in_order(self, arrays: tuple[Array, ...], named: dict[str, Array]) -> list[Array]:
        names = [value.name for value in self.inputs]
        by_name = arrays[0] if len(arrays) == 1 else None
        if isinstance(by_name, Mapping):
            arrays, named = (), {**by_name, **named}
        given = dict(zip(names, arrays))
        for name, array in named.items():
            if name not in names:
                close = difflib.get_close_matches(str(name), names, 1)
                raise InvalidArgumentError(
                    f"no input is named {name}" + (f"; did you mean {close[0]}?" if close else
                                                   f"; there are: {', '.join(names)}"),
                    "UNKNOWN_NAME")
            if name in given:
                raise InvalidArgumentError(f"input {name} is given twice", "INPUT_TWICE")
            given[name] = array
        missing = [name for name in names if name not in given]
        if missing or len(arrays) > len(names):
            raise InvalidArgumentError(
                f"expected {len(names)} inputs ({', '.join(names)}), got "
                f"{max(len(given), len(arrays))}"
                + (f"; missing: {', '.join(missing)}" if missing else ""), "INPUT_COUNT")
        return [given[name] for name in names]

    @staticmethod
    def _argument(value: Value, given: Array) -> tuple[
            np.ndarray, int, bool, Optional[np.ndarray], Optional[np.ndarray]]:
        if isinstance(given, Picture):
            array, last, mean, scale = given.pixels, True, given.mean, given.scale
        else:
            array, last, mean, scale = given, False, None, None
            typed = hasattr(array, "__array__")  # numbers and lists have no type of their own
            array = np.asarray(array)
            if not typed and value.dtype != "bfloat16" and np.can_cast(array.dtype, value.dtype,
                                                                      "same_kind"):
                array = array.astype(value.dtype)
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        if array.dtype.name not in _ELEMENTS:
            raise InvalidArgumentError(f"input {value.name}: expected {value.dtype}, got an "
                                       f"array of {array.dtype}", "ELEMENT_TYPE")
        element = _ELEMENTS.index(array.dtype.name)
        if any(step < 0 or step % array.itemsize for step in array.strides):
            array = np.ascontiguousarray(array)
        if array.dtype.name == "bfloat16":
            array = array.view(np.uint16)  # which the buffer protocol has a word for
        return array, element, last, mean, scale
