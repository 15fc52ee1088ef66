"""Small ONNX files, written by hand: the tests need no onnx package."""

_ELEMENTS = {"float32": 1, "int32": 6, "int64": 7, "float16": 10, "float64": 11}


def _varint(number):
    out = bytearray()
    while True:
        out.append(number & 0x7f | (0x80 if number > 0x7f else 0))
        number >>= 7
        if number == 0:
            return bytes(out)


def _field(number, content):
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    content = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def node(op, inputs, outputs):
    """A NodeProto without attributes."""
    return (b"".join(_field(1, name) for name in inputs)
            + b"".join(_field(2, name) for name in outputs) + _field(3, outputs[0]) + _field(4, op))


def value(name, element, shape):
    """A ValueInfoProto; text in `shape` names an open size."""
    dims = b"".join(_field(1, _field(1, size) if isinstance(size, int) else _field(2, size))
                    for size in shape)
    tensor = _field(1, _ELEMENTS[element]) + _field(2, dims)
    return _field(1, name) + _field(2, _field(1, tensor))


def model(nodes, inputs, outputs):
    """The bytes of a ModelProto of opset 17."""
    graph = (b"".join(_field(1, n) for n in nodes) + _field(2, "test")
             + b"".join(_field(11, v) for v in inputs) + b"".join(_field(12, v) for v in outputs))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))
