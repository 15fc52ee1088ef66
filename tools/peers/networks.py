"""Networks in ONNX's test layout: NAME/model.onnx, NAME/test_data_set_0/input_K.pb."""

import pathlib
import subprocess

import numpy

ELEMENT_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool",
                 11: "float64"}


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def read_fields(data):
    """(number, value) of each field of a Protocol Buffers message."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind == 2:
            size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = {1: 8, 5: 4}[kind]
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def read_tensor(path):
    """(name, array) of a TensorProto whose numbers are raw bytes or packed floats."""
    shape, element, name, raw = [], 1, "", b""
    for number, value in read_fields(path.read_bytes()):
        if number == 1 and isinstance(value, int):
            shape.append(value)
        elif number == 1:
            at = 0
            while at < len(value):
                size, at = read_varint(value, at)
                shape.append(size)
        elif number == 2:
            element = value
        elif number == 8:
            name = value.decode()
        elif number in (4, 9):  # float_data, raw_data
            raw += value
    return name, numpy.frombuffer(raw, ELEMENT_TYPES[element]).reshape(shape).copy()


class Network:
    def __init__(self, folder):
        self.name = folder.name
        self.onnx = folder / "model.onnx"
        tests = folder / "test_data_set_0"
        self.inputs = dict(read_tensor(path) for path in sorted(tests.glob("input_*.pb")))
        if not self.inputs or "" in self.inputs:
            raise ValueError(f"{folder}: expected test_data_set_0/input_K.pb with inputs' names")

    def shapes(self):
        return {name: list(array.shape) for name, array in self.inputs.items()}


def find_networks(folder, names):
    """The networks below a folder: those named, or all of a fixed size."""
    found = {path.parent.name: path.parent
             for path in sorted(pathlib.Path(folder).glob("*/model.onnx"))}
    unknown = [name for name in names if name not in found]
    if unknown or not found:
        raise SystemExit(f"compare_peers: no {', '.join(unknown) or 'networks'} in {folder}; "
                         "models/zoo/export.py makes them")
    every = [name for name in found if not name.endswith("_anysize")]
    return [Network(found[name]) for name in (names or every)]


def make_reference(pleat, network, folder, threads):
    """Answers of the network as it was written, in double precision, made once: output_K.npy."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "outputs.json"
    if done.exists() and done.stat().st_mtime > network.onnx.stat().st_mtime:
        return
    arguments = [pleat, "run", network.onnx, "--double", "--threads", threads, "-q",
                 "--output-dir", folder]
    for index, (name, array) in enumerate(network.inputs.items()):
        path = folder / f"input_{index}.npy"
        numpy.save(path, array)
        arguments += ["--input", f"{name}={path}"]
    subprocess.run([str(argument) for argument in arguments], check=True)


def read_reference(folder):
    return [numpy.load(path) for path in
            sorted(folder.glob("output_*.npy"), key=lambda path: int(path.stem.split("_")[1]))]
