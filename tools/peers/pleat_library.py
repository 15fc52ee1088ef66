"""Pleat through its C API (runtime/include/pleat/pleat.h)."""

import ctypes

import numpy

ELEMENTS = {"float32": 0, "float64": 1, "int64": 2, "int32": 3, "int16": 4, "int8": 5, "uint8": 6,
            "bool": 10}


class Tensor(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("data", ctypes.c_void_p),
                ("bytes", ctypes.c_size_t), ("element", ctypes.c_int32),
                ("layout", ctypes.c_int32), ("rank", ctypes.c_size_t),
                ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)),
                ("mean", ctypes.c_void_p), ("scale", ctypes.c_void_p)]


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("threads", ctypes.c_int),
                ("memory", ctypes.c_int32), ("exact", ctypes.c_int),
                ("parallel_for", ctypes.c_void_p), ("pool", ctypes.c_void_p),
                ("allocate", ctypes.c_void_p), ("deallocate", ctypes.c_void_p),
                ("allocator", ctypes.c_void_p), ("max_arena_bytes", ctypes.c_size_t),
                ("max_plans", ctypes.c_size_t)]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("rule", ctypes.c_char_p), ("message", ctypes.c_char_p)]


class ModelInfo(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("name", ctypes.c_char_p),
                ("producer", ctypes.c_char_p), ("inputs", ctypes.c_size_t),
                ("outputs", ctypes.c_size_t), ("nodes", ctypes.c_size_t),
                ("weight_bytes", ctypes.c_size_t), ("batch_norms", ctypes.c_size_t),
                ("batch_norms_folded", ctypes.c_size_t)]


class SessionInfo(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("threads", ctypes.c_int),
                ("arena_bytes", ctypes.c_size_t), ("packed_bytes", ctypes.c_size_t),
                ("multiply_adds", ctypes.c_double)]


class Model:
    """A file loaded and a session that runs it on arrays that stay where they are."""

    def __init__(self, library, path, inputs, threads, low_memory=False, exact=False):
        self.library = ctypes.CDLL(str(library))
        self.library.pleat_last_error.restype = ctypes.POINTER(Error)
        self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.library.pleat_model_load(str(path).encode(), ctypes.byref(self.model)))
        options = Options(ctypes.sizeof(Options), threads, int(low_memory), int(exact))
        self.check(self.library.pleat_session_create(self.model, ctypes.byref(options),
                                                     ctypes.byref(self.session)))
        self.kept = []
        for name, array in inputs.items():
            self.set_input(name, numpy.ascontiguousarray(array))
        self.check(self.library.pleat_prepare(self.session))
        self.pleat_run = self.library.pleat_run

    def check(self, code):
        if code != 0:
            raise RuntimeError(self.library.pleat_last_error().contents.message.decode())

    def set_input(self, name, array):
        index = ctypes.c_size_t()
        self.check(self.library.pleat_model_find_input(self.model, name.encode(),
                                                       ctypes.byref(index)))
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        self.kept += [array, shape]
        tensor = Tensor(ctypes.sizeof(Tensor), array.ctypes.data, array.nbytes,
                        ELEMENTS[str(array.dtype)], 0, array.ndim, shape, None, None, None)
        self.check(self.library.pleat_set_input(self.session, index, ctypes.byref(tensor)))

    def run(self):
        self.check(self.pleat_run(self.session, None))

    def outputs(self):
        info = ModelInfo(ctypes.sizeof(ModelInfo))
        self.check(self.library.pleat_model_get_info(self.model, ctypes.byref(info)))
        arrays = []
        for index in range(info.outputs):
            tensor = Tensor(ctypes.sizeof(Tensor))
            self.check(self.library.pleat_get_output(self.session, ctypes.c_size_t(index),
                                                     ctypes.byref(tensor)))
            element = next(name for name, value in ELEMENTS.items() if value == tensor.element)
            data = ctypes.string_at(tensor.data, tensor.bytes)
            arrays.append(numpy.frombuffer(data, element).reshape(tensor.shape[:tensor.rank]))
        return arrays

    def info(self):
        info = SessionInfo(ctypes.sizeof(SessionInfo))
        self.check(self.library.pleat_session_get_info(self.session, ctypes.byref(info)))
        model = ModelInfo(ctypes.sizeof(ModelInfo))
        self.check(self.library.pleat_model_get_info(self.model, ctypes.byref(model)))
        return {"arena_bytes": info.arena_bytes, "packed_bytes": info.packed_bytes,
                "weight_bytes": model.weight_bytes, "multiply_adds": info.multiply_adds}
