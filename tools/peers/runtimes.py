"""The runtimes that are compared. Each converts a network once (`convert`), and in a process of its
own is loaded (`load`, timed), run (`run`, timed) and asked for its `outputs`. All run in float32
with the settings they come with, on the number of threads asked for."""

import importlib.metadata
import pathlib
import re
import shutil
import subprocess
import time
import zlib

import numpy


class Runtime:
    package = None  # on PyPI
    converts = ()   # packages that conversion needs besides
    converted = ()  # files that it leaves in the folder; none: the network itself is read

    def __init__(self, options):
        self.options = options  # the command line's: .pleat, .library, .onnx2tf

    def version(self):
        return " + ".join(f"{name} {importlib.metadata.version(name)}"
                          for name in (self.package, *self.converts))

    def convert(self, network, folder):
        pass

    def files(self, network, folder):
        """What `load` reads."""
        return [folder / name for name in self.converted] or [network.onnx]

    def info(self):
        return {}


class Pleat(Runtime):
    converted = ("model.pleat",)
    low_memory = exact = half_weights = False

    def version(self):
        # The program's and the library's own bytes: another build is another runtime.
        build = 0
        for path in (self.options.pleat, self.options.library):
            build = zlib.crc32(pathlib.Path(path).read_bytes(), build)
        text = subprocess.run([self.options.pleat, "--version"], capture_output=True, text=True,
                              check=True)
        return f"{text.stdout.strip()} (build {build:08x})"

    def convert(self, network, folder):
        subprocess.run([self.options.pleat, "convert", network.onnx, "-o", folder / "model.pleat",
                        "-q", *(["--half-weights"] if self.half_weights else [])], check=True)

    def load(self, network, folder, threads):
        from peers.pleat_library import Model
        self.model = Model(self.options.library, folder / "model.pleat", network.inputs, threads,
                           self.low_memory, self.exact)
        self.run = self.model.run

    def outputs(self):
        return self.model.outputs()

    def info(self):
        return self.model.info()


class PleatExact(Pleat):
    exact = True


class PleatLow(Pleat):
    low_memory = True


class PleatHalf(Pleat):
    half_weights = True


class OnnxRuntime(Runtime):
    package = "onnxruntime"

    def load(self, network, folder, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(network.onnx), options,
                                                    providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.kept = [array for array in network.inputs.values()]
        for name, array in zip(network.inputs, self.kept):
            self.binding.bind_cpu_input(name, array)
        for output in self.session.get_outputs():
            self.binding.bind_output(output.name, "cpu")

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def outputs(self):
        return self.binding.copy_outputs_to_cpu()


class OpenVino(Runtime):
    package = "openvino"

    def load(self, network, folder, threads):
        import openvino
        core = openvino.Core()
        model = core.read_model(str(network.onnx))
        model.reshape(network.shapes())
        compiled = core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32"})
        self.request = compiled.create_infer_request()
        self.count = len(compiled.outputs)
        for name, array in network.inputs.items():
            self.request.set_tensor(name, openvino.Tensor(numpy.ascontiguousarray(array)))
        self.run = self.request.infer

    def outputs(self):
        return [self.request.get_output_tensor(i).data.copy() for i in range(self.count)]


class Ncnn(Runtime):
    package = "ncnn"
    converts = ("pnnx",)
    converted = ("model.ncnn.param", "model.ncnn.bin")
    half = True

    def convert(self, network, folder):
        program = pathlib.Path(importlib.metadata.distribution("pnnx").locate_file("pnnx/pnnx"))
        link = folder / "model.onnx"
        link.unlink(missing_ok=True)
        link.symlink_to(network.onnx.resolve())
        shapes = ",".join(str(shape).replace(" ", "") for shape in network.shapes().values())
        command = [program, "model.onnx", f"inputshape={shapes}", f"fp16={int(self.half)}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0 or not (folder / "model.ncnn.param").exists():
            raise RuntimeError("pnnx: " + (done.stderr + done.stdout).strip()[-200:])

    def load(self, network, folder, threads):
        import ncnn
        self.ncnn = ncnn
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.opt.use_vulkan_compute = False
        if not self.half:
            for option in dir(self.net.opt):
                if option.startswith(("use_fp16", "use_bf16")):
                    setattr(self.net.opt, option, False)
        if self.net.load_param(str(folder / "model.ncnn.param")) != 0 or \
                self.net.load_model(str(folder / "model.ncnn.bin")) != 0:
            raise RuntimeError("ncnn does not load what pnnx has written")
        self.kept = [numpy.ascontiguousarray(array.squeeze(0)) for array in network.inputs.values()]

    def run(self):
        extractor = self.net.create_extractor()
        for name, array in zip(self.net.input_names(), self.kept):
            extractor.input(name, self.ncnn.Mat(array))
        self.results = []
        for name in self.net.output_names():
            code, result = extractor.extract(name)
            if code != 0:
                raise RuntimeError(f"ncnn fails at {name} with {code}")
            self.results.append(result)

    def outputs(self):
        return [numpy.array(result)[None] for result in self.results]


class NcnnFloat32(Ncnn):
    half = False


class Mnn(Runtime):
    package = "MNN"
    converted = ("model.mnn",)

    def convert(self, network, folder):
        # `mnnconvert` is this function and a report to its makers' server.
        import MNN  # noqa: F401, finds _tools
        import _tools
        _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(network.onnx),
                           "--MNNModel", str(folder / "model.mnn"), "--bizCode", "pleat"])
        if not (folder / "model.mnn").exists():
            raise RuntimeError("MNN's converter writes nothing")

    def load(self, network, folder, threads):
        import MNN
        self.interpreter = MNN.Interpreter(str(folder / "model.mnn"))
        self.session = self.interpreter.createSession(
            {"backend": "CPU", "numThread": threads, "precision": "high"})
        self.inputs = self.interpreter.getSessionInputAll(self.session)
        for name, array in network.inputs.items():
            self.interpreter.resizeTensor(self.inputs[name], tuple(array.shape))
        self.interpreter.resizeSession(self.session)
        self.given = [(self.inputs[name], MNN.Tensor(array.shape, MNN.Halide_Type_Float, array,
                                                     MNN.Tensor_DimensionType_Caffe))
                      for name, array in network.inputs.items()]

    def run(self):
        for tensor, given in self.given:  # a run may leave something else in its inputs
            tensor.copyFrom(given)
        self.interpreter.runSession(self.session)

    def outputs(self):
        import MNN
        arrays = []
        for _, tensor in sorted(self.interpreter.getSessionOutputAll(self.session).items()):
            shape = tensor.getShape()
            host = MNN.Tensor(shape, MNN.Halide_Type_Float, numpy.zeros(shape, "float32"),
                              MNN.Tensor_DimensionType_Caffe)
            tensor.copyToHostTensor(host)
            arrays.append(numpy.array(host.getNumpyData()).reshape(shape))
        return arrays


class LiteRt(Runtime):
    package = "ai-edge-litert"
    converted = ("model_float32.tflite",)

    def version(self):
        python = self.options.onnx2tf.with_name("python")
        code = "import importlib.metadata as m; print(m.version('onnx2tf'))"
        converter = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        return f"{super().version()} + onnx2tf {converter.stdout.strip()}"

    def convert(self, network, folder):
        shapes = [f"{name}:{','.join(map(str, shape))}" for name, shape in network.shapes().items()]
        copy = folder / "model.onnx"  # onnx2tf writes over its input
        shutil.copyfile(network.onnx, copy)
        command = [self.options.onnx2tf, "-i", copy, "-o", folder, "-ois", *shapes, "-n"]
        target, log = folder / "model_float32.tflite", folder / "onnx2tf.log"
        target.unlink(missing_ok=True)
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        # The float32 file is its first; what it makes of others takes as long again.
        size = None
        while process.poll() is None and (size is None or size != target.stat().st_size):
            size = target.stat().st_size if target.exists() else None
            time.sleep(1)
        process.kill()
        if not target.exists():
            text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8")).strip()
            errors = re.findall(r"^\w*(?:Error|Exception): .*(?:\n+.+)?", text, re.MULTILINE)
            raise RuntimeError("onnx2tf: " + " ".join((errors or [text[-250:]])[-1].split())[:250])

    def load(self, network, folder, threads):
        from ai_edge_litert.interpreter import Interpreter
        self.interpreter = Interpreter(str(folder / "model_float32.tflite"), num_threads=threads)
        self.interpreter.allocate_tensors()
        for detail, array in zip(self.interpreter.get_input_details(), network.inputs.values()):
            if tuple(detail["shape"]) != array.shape:
                array = numpy.moveaxis(array, 1, -1)
            self.interpreter.set_tensor(detail["index"], numpy.ascontiguousarray(array))

    def run(self):
        self.interpreter.invoke()

    def outputs(self):
        return [self.interpreter.get_tensor(detail["index"])
                for detail in self.interpreter.get_output_details()]


RUNTIMES = {"pleat": Pleat, "pleat_exact": PleatExact, "pleat_low": PleatLow,
            "pleat_half": PleatHalf,
            "onnxruntime": OnnxRuntime, "openvino": OpenVino, "mnn": Mnn, "ncnn": Ncnn,
            "ncnn_fp32": NcnnFloat32, "litert": LiteRt}
