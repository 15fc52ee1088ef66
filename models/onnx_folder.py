"""Writes a torch network as a folder in ONNX's test layout, its batch normalization kept as nodes.

FOLDER/model.onnx, FOLDER/test_data_set_0/input_0.pb and output_K.pb: a float32 input and torch's
answers to it, each a TensorProto that bears the name of the graph input or output.
"""

import warnings

import onnx
import onnx.numpy_helper
import torch
from torch.nn.modules.batchnorm import _BatchNorm

OPSET = 13


def write_onnx_folder(network, folder, example, input_name, output_names, dynamic_axes):
    """Exports `network` (in eval mode) into the existing `folder`; returns its BN node count.

    `dynamic_axes` maps axis to name and holds for the input; outputs keep axis 0 of it only, unless
    an output has as many axes as the input. Raises if the checker refuses the model or a BN was
    lost.
    """
    axes = {input_name: dynamic_axes}
    with torch.no_grad():
        outputs = network(example)
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    for name, output in zip(output_names, outputs, strict=True):
        whole = output.dim() == example.dim()
        axes[name] = {axis: label if axis == 0 else f"{name}_{label}"
                      for axis, label in dynamic_axes.items() if whole or axis == 0}

    path = folder / "model.onnx"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\.onnx")
        torch.onnx.export(network, example, str(path), opset_version=OPSET,
                          training=torch.onnx.TrainingMode.PRESERVE, input_names=[input_name],
                          output_names=output_names, dynamic_axes=axes)
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    nodes = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    modules = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if len(nodes) != len(modules):
        raise RuntimeError(
            f"{path}: {len(nodes)} BatchNormalization nodes, expected {len(modules)}")
    if any(a.name == "training_mode" and a.i for node in nodes for a in node.attribute):
        raise RuntimeError(f"{path}: a BatchNormalization is in training mode")

    test_data = folder / "test_data_set_0"
    test_data.mkdir(exist_ok=True)
    _write_tensor(test_data / "input_0.pb", input_name, example)
    for index, (name, output) in enumerate(zip(output_names, outputs)):
        _write_tensor(test_data / f"output_{index}.pb", name, output)
    return len(nodes)


def _write_tensor(path, name, tensor):
    array = tensor.detach().numpy()
    path.write_bytes(onnx.numpy_helper.from_array(array, name).SerializeToString())
