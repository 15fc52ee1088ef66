"""`import pleat`: convert, run, errors, threads. package_test.py SOURCE_FOLDER"""

import ast
import gc
import json
import os
import pathlib
import pickle
import sys
import tempfile
import threading
import time
import unittest

try:
    import numpy as np
except ImportError:
    print("skipped: there is no NumPy for", sys.executable)
    sys.exit(0)

import pleat

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from onnx_bytes import model, node, value  # noqa: E402

SOURCE = pathlib.Path(sys.argv.pop(1))
DIGITS = SOURCE / "models" / "digits_cnn"


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.network = cls.folder / "digits.pleat"
        cls.report = pleat.convert(DIGITS / "model.onnx", cls.network, verify=True)
        cls.pictures = np.load(DIGITS / "test_sample.npy")
        cls.pictures = cls.pictures.reshape(-1, 1, 28, 28)[:50]
        if cls.pictures.dtype == np.uint8:
            cls.pixels = cls.pictures
            cls.pictures = ((cls.pixels / np.float32(255) - np.float32(0.1307))
                            / np.float32(0.3081)).astype(np.float32)
        cls.predictions = np.loadtxt(DIGITS / "test_predictions.txt", dtype=int)[:50]

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    # Two inputs, two outputs, open sizes: sum = a + b, twice = sum + sum.
    def pair(self, element="float32", rank=2):
        shape = ["rows", "columns"][:rank]
        return self.write(f"pair_{element}_{rank}.onnx", model(
            [node("Add", ["a", "b"], ["sum"]), node("Add", ["sum", "sum"], ["twice"])],
            [value("a", element, shape), value("b", element, shape)],
            [value("sum", element, shape), value("twice", element, shape)]))

    def digits(self, **options):
        return pleat.Model(self.network, **options)

    def classify(self, network, pictures):
        return np.array([network(picture[np.newaxis])[0].argmax() for picture in pictures])

    def test_report_is_a_dict(self):
        self.assertEqual(self.report["version"], 1)
        self.assertEqual(self.report["summary"]["total"], 9)
        self.assertEqual(len(self.report["batch_norms"]), 9)
        self.assertTrue(self.report["verify"]["pass"])
        self.assertEqual(self.report["bytes"], self.network.stat().st_size)
        measured = pleat.convert(DIGITS / "model.onnx", self.folder / "m.pleat", measure=True)
        self.assertLess(measured["batch_norms"][0]["measured_error"], 1e-4)
        self.assertEqual((self.folder / "m.pleat").read_bytes(), self.network.read_bytes())

    def test_half_weights(self):
        mlp = DIGITS.parent / "digits_mlp" / "model.onnx"
        whole = pleat.convert(mlp, self.folder / "whole.pleat")
        half = pleat.convert(mlp, self.folder / "half.pleat", half_weights=True, verify=True)
        self.assertLess(half["bytes"], 0.6 * whole["bytes"])
        self.assertEqual(half["verify"]["outputs"][0]["bound"], 2e-3)

    def test_output_defaults_to_the_name_beside(self):
        path = self.pair()
        self.assertEqual(pleat.convert(str(path))["output"], str(path.with_suffix(".pleat")))
        self.assertTrue(path.with_suffix(".pleat").exists())

    def test_digits_as_torch_has_them(self):
        np.testing.assert_array_equal(self.classify(self.digits(), self.pictures), self.predictions)

    def test_onnx_and_bytes_are_networks_too(self):
        expected = self.digits()(self.pictures[:1])
        for network in (str(DIGITS / "model.onnx"), self.network.read_bytes(),
                        bytearray(self.network.read_bytes())):
            np.testing.assert_array_equal(pleat.Model(network)(self.pictures[:1]), expected)

    def test_says_what_it_takes(self):
        network = self.digits()
        self.assertEqual([(v.name, v.dtype) for v in network.inputs], [("image", "float32")])
        self.assertEqual(network.outputs[0].shape[1], 10)
        self.assertIn("image: float32", repr(network))
        self.assertEqual(pleat.Model(self.pair()).inputs[1],
                         pleat.Value("b", "float32", ("rows", "columns")))
        fixed = self.folder / "fixed.pleat"
        pleat.convert(self.pair(), fixed, input_shapes={"a": [2, None], "b": (2, None)})
        self.assertEqual(pleat.Model(fixed).inputs[0].shape, (2, "columns"))

    def test_several_inputs_and_outputs(self):
        network = pleat.Model(self.pair())
        rng = np.random.default_rng(1)
        for shape in [(2, 3), (5, 1), (0, 4), (2, 3), (2, 3)]:
            a, b = rng.random(shape, np.float32), rng.random(shape, np.float32)
            for result in (network(a, b), network(a=a, b=b), network({"b": b, "a": a}),
                           network(a, b=b), network(a.tolist(), b) if 0 not in shape else None):
                if result is None:
                    continue
                self.assertEqual(list(result), ["sum", "twice"])
                np.testing.assert_allclose(result["sum"], a + b, rtol=1e-6)
                self.assertEqual(result["twice"].dtype, np.float32)
                np.testing.assert_array_equal(result["twice"], result["sum"] * 2)

    def test_results_belong_to_the_caller(self):
        network = self.digits()
        first = network(self.pictures[:1])
        kept = first.copy()
        self.assertTrue(first.flags.owndata and first.flags.writeable)
        second = network(self.pictures[1:2])
        np.testing.assert_array_equal(first, kept)
        self.assertFalse(np.array_equal(first, second))
        del network
        gc.collect()
        np.testing.assert_array_equal(first, kept)

    def test_any_order_in_memory(self):
        network = pleat.Model(self.pair())
        base = np.arange(60, dtype=np.float32).reshape(6, 10)
        views = [base[::2, ::3], base.T[2:5, 1:5], base[::-1][:3, :4],
                 np.asfortranarray(base[:3, :4]), np.broadcast_to(np.float32(3), (3, 4)), base[:3, :4].astype(">f4")]
        packed = np.zeros(12, dtype=[("x", "<f4"), ("y", "u1")])
        packed["x"] = np.arange(12)
        views.append(packed["x"].reshape(3, 4))  # steps that are no whole number of elements
        for view in views:
            np.testing.assert_array_equal(network(view, view)["sum"], view + view)
        image = np.ascontiguousarray(self.pictures[0, 0].T).T[np.newaxis, np.newaxis]
        np.testing.assert_array_equal(self.digits()(image), self.digits()(self.pictures[:1]))

    def test_every_element_type_that_numpy_has(self):
        for element in ("float32", "float64", "float16", "int64", "int32"):
            network = pleat.Model(self.pair(element))
            a = np.arange(6).reshape(2, 3).astype(element)
            result = network(a, a)["twice"]
            self.assertEqual(result.dtype, np.dtype(element))
            np.testing.assert_array_equal(result, a * 4)

    def test_pictures_are_normalized_as_they_are_read(self):
        pixels = np.random.default_rng(2).integers(0, 256, (28, 28, 1), np.uint8)
        mean, scale = np.float32(255 * 0.1307), np.float32(1 / (255 * 0.3081))
        expected = self.digits()(((pixels.astype(np.float32) - mean) * scale)
                                 .transpose(2, 0, 1)[np.newaxis])
        for given in (pixels, np.asfortranarray(pixels), pixels[np.newaxis]):
            got = self.digits()(pleat.Picture(given, mean=[mean], scale=[scale]))
            np.testing.assert_array_equal(got, expected)
        with self.assertRaisesRegex(pleat.InvalidArgumentError, "mean has 3 entries"):
            pleat.Picture(pixels, mean=[1, 2, 3])

    def test_wrong_calls_say_what_was_expected(self):
        network = pleat.Model(self.pair())
        a = np.zeros((2, 3), np.float32)
        for call, text in [
                (lambda: network(a), "missing: b"), (lambda: network(a, a, a), "expected 2 inputs"),
                (lambda: network(a=a, bb=a), "did you mean b"),
                (lambda: network(a, a=a), "given twice"),
                (lambda: network(a, a.astype(np.float64)), "float64"),
                (lambda: network(a, a[0]), r"float32\[3\]"),
                (lambda: network(a, np.array(["x"])), "input b"),
                (lambda: network(a, None), "input b"),
                (lambda: network(a, a, timeout=0), "timeout"),
                (lambda: self.digits(threads=-1), "threads"),
                (lambda: self.digits()(a), r"\[\?,1,28,28\]")]:
            with self.assertRaisesRegex(ValueError, text) as caught:
                call()
            self.assertIsInstance(caught.exception, pleat.InvalidArgumentError)
            self.assertTrue(caught.exception.rule)
        with self.assertRaisesRegex(pleat.InvalidArgumentError, r"\[2,3\] and \[2,2\]"):
            network(a, a[:, :2])
        np.testing.assert_array_equal(network(a, a)["sum"], a)

    def test_failures_are_exception_classes(self):
        cases = [(lambda: pleat.Model("/no/such.pleat"), pleat.IoError, OSError, "IO"),
                 (lambda: pleat.convert("/no/such.onnx", "/tmp/x"), pleat.IoError, OSError, "IO"),
                 (lambda: pleat.Model(b"\x89PLEAT"), pleat.InvalidModelError, ValueError, ""),
                 (lambda: pleat.Model(self.write("bad.onnx", b"\x0a\xff\xff")),
                  pleat.InvalidModelError, ValueError, ""),
                 (lambda: pleat.convert(self.network, self.network), pleat.InvalidArgumentError,
                  ValueError, ""),
                 (lambda: pleat.convert(self.write("new.onnx", model(
                     [node("NoSuchOperator", ["a"], ["y"])], [value("a", "float32", [1])],
                     [value("y", "float32", [1])]))), pleat.UnsupportedError,
                  NotImplementedError, "")]
        for call, kind, builtin, rule in cases:
            with self.assertRaises(kind) as caught:
                call()
            self.assertIsInstance(caught.exception, (pleat.Error, builtin))
            self.assertIsInstance(caught.exception, builtin)
            self.assertIn(rule, caught.exception.rule)
            again = pickle.loads(pickle.dumps(caught.exception))
            self.assertEqual(again.rule, caught.exception.rule)
        self.assertIn("NoSuchOperator", str(caught.exception))
        self.assertFalse((self.folder / "new.pleat").exists())

    def test_names_that_are_not_utf8(self):
        name = os.path.join(os.fsencode(self.folder), b"n\xff.pleat")
        with open(name, "wb") as file:
            file.write(self.network.read_bytes())
        self.assertEqual(pleat.Model(os.fsdecode(name))(self.pictures[:1]).shape[-1], 10)
        with self.assertRaises(pleat.IoError):
            pleat.Model(os.fsdecode(name + b"x"))

    def test_a_timeout_ends_a_run(self):
        network = pleat.Model(self.pair())
        big = np.ones((2000, 2000), np.float32)
        with self.assertRaises(TimeoutError) as caught:
            network(big, big, timeout=1e-9)
        self.assertIsInstance(caught.exception, pleat.DeadlineExceededError)
        self.assertEqual(network(big, big)["twice"][0, 0], 4)

    def test_many_threads_share_a_model(self):
        network = self.digits(threads=1)
        expected = [network(picture[np.newaxis]) for picture in self.pictures[:8]]
        wrong = []

        def run(i):
            for _ in range(50):
                if not np.array_equal(network(self.pictures[i:i + 1]), expected[i]):
                    wrong.append(i)
        threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_python_goes_on_while_a_network_runs(self):
        network = pleat.Model(self.write("long.onnx", model(
            [node("MatMul", ["a", "a"], ["b"]), node("MatMul", ["b", "a"], ["c"])],
            [value("a", "float32", [1500, 1500])], [value("c", "float32", [1500, 1500])])),
            threads=1)
        a = np.full((1500, 1500), 1 / 1500, np.float32)
        network(a)
        beats, done = [], threading.Event()

        def beat():
            while not done.is_set():
                beats.append(time.monotonic())
                time.sleep(0.001)
        thread = threading.Thread(target=beat)
        thread.start()
        begin = time.monotonic()
        network(a)
        end = time.monotonic()
        done.set()
        thread.join()
        within = [beat for beat in beats if begin < beat < end]
        self.assertGreater(len(within), 3, f"in {end - begin} s")

    def test_nothing_leaks(self):
        network = self.digits(threads=1)
        references = sys.getrefcount(self.pictures)
        results = [network(self.pictures[:1]) for _ in range(100)]
        self.assertEqual(sys.getrefcount(self.pictures), references)
        self.assertEqual(sys.getrefcount(results[50]), 2)

    def test_types_are_shipped(self):
        folder = pathlib.Path(pleat.__file__).parent
        self.assertTrue((folder / "py.typed").exists() and (folder / "_native.pyi").exists())
        self.assertRegex(pleat.__version__, r"^\d+\.\d+\.\d+$")
        json.dumps(self.report)

    # What the native half has is what its stub says, name by name and argument by argument.
    def test_stubs_tell_the_truth(self):
        native = sys.modules["pleat._native"]
        stub = ast.parse((pathlib.Path(pleat.__file__).parent / "_native.pyi").read_text())

        def compare(owner, body):
            told = {d.name: d for d in body if isinstance(d, (ast.FunctionDef, ast.ClassDef))}
            there = {name for name in vars(owner) if not name.startswith("_")}
            self.assertEqual({name for name in told if not name.startswith("_")}, there)
            for name, told_as in told.items():
                if isinstance(told_as, ast.ClassDef):
                    compare(getattr(owner, name), told_as.body)
                elif not told_as.decorator_list:
                    first = getattr(owner, name).__doc__.split("\n")[0]
                    self.assertEqual(len(told_as.args.args), first.count(": "), first)
        compare(native, stub.body)


if __name__ == "__main__":
    unittest.main()
