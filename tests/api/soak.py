"""soak.py LIBPLEAT MODEL SECONDS: eight threads load a model of pictures (N,1,28,28), run batches of
1 to 3 in turns, cancel, let deadlines pass and destroy, through the C API, for SECONDS. Prints as JSON
how often, and resident memory at a tenth of the time and at the end; ends with 1 where an answer was
not the first one or memory grew by more than 8 MiB between the two.
"""
import ctypes
import json
import sys
import threading
import time

MAX_GROWTH_KIB = 8 << 10
ENDED_EARLY = (0, 10, 11)  # it was done already, cancelled, over the deadline
PIXELS = 28 * 28


class Tensor(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("data", ctypes.c_void_p),
                ("bytes", ctypes.c_size_t), ("element", ctypes.c_int32), ("layout", ctypes.c_int32),
                ("rank", ctypes.c_size_t), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.c_void_p), ("mean", ctypes.c_void_p), ("scale", ctypes.c_void_p)]


class RunOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("timeout_ns", ctypes.c_int64)]


def resident_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Soak:
    def __init__(self, library, model):
        self.api = ctypes.CDLL(library)
        self.model = model.encode()
        self.answers, self.counts, self.wrong = {}, {"sessions": 0, "runs": 0, "ended_early": 0}, []
        self.lock = threading.Lock()

    def check(self, code, allowed=(0,)):
        if code not in allowed:
            raise AssertionError(f"a call ended with {code}")
        return code

    def run(self, session, batch, pixels, timeout):
        shape = (ctypes.c_int64 * 4)(batch, 1, 28, 28)
        tensor = Tensor(ctypes.sizeof(Tensor), ctypes.addressof(pixels), ctypes.sizeof(pixels), 0, 0,
                        4, shape)
        self.check(self.api.pleat_set_input(session, ctypes.c_size_t(0), ctypes.byref(tensor)))
        options = RunOptions(ctypes.sizeof(RunOptions), timeout)
        if self.check(self.api.pleat_run(session, ctypes.byref(options)), ENDED_EARLY) != 0:
            return None
        out = Tensor(ctypes.sizeof(Tensor))
        self.check(self.api.pleat_get_output(session, ctypes.c_size_t(0), ctypes.byref(out)))
        return ctypes.string_at(out.data, batch * 40)

    def session(self, number):
        model, session = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.api.pleat_model_load(self.model, ctypes.byref(model)))
        self.check(self.api.pleat_session_create(model, None, ctypes.byref(session)))
        if number % 2:  # the session keeps what it needs
            self.api.pleat_model_destroy(model)
        runs, early = 0, 0
        pixels = (ctypes.c_float * (3 * PIXELS))(*((i * 37 % 101) / 50 - 1 for i in range(3 * PIXELS)))
        for turn in range(12):
            batch = 1 + (number + turn) % 3
            canceller = None
            if turn % 4 == 3:
                canceller = threading.Thread(target=self.api.pleat_cancel, args=(session,))
                canceller.start()
            answer = self.run(session, batch, pixels, 20_000 if turn % 5 == 4 else 0)
            if canceller:
                canceller.join()
            runs += 1
            if answer is None:
                early += 1
                continue
            with self.lock:
                if self.answers.setdefault(batch, answer) != answer:
                    raise AssertionError(f"another answer for a batch of {batch}")
        self.api.pleat_session_destroy(session)
        if not number % 2:
            self.api.pleat_model_destroy(model)
        with self.lock:
            self.counts["sessions"] += 1
            self.counts["runs"] += runs
            self.counts["ended_early"] += early

    def thread(self, number, end):
        try:
            while time.time() < end and not self.wrong:
                self.session(number)
                number += 1
        except Exception as error:  # shown by main; a thread's own end would be silent
            self.wrong.append(str(error))


def main():
    library, model, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    soak = Soak(library, model)
    end = time.time() + seconds
    threads = [threading.Thread(target=soak.thread, args=(n, end)) for n in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 10)
    early_kib = resident_kib()
    for thread in threads:
        thread.join()
    late_kib = resident_kib()
    print(json.dumps({"seconds": seconds, "threads": len(threads), **soak.counts,
                      "resident_kib_at_a_tenth": early_kib, "resident_kib_at_the_end": late_kib}))
    if soak.wrong or late_kib - early_kib > MAX_GROWTH_KIB or not soak.counts["runs"]:
        sys.exit(f"{soak.wrong or 'memory grew'}")


if __name__ == "__main__":
    main()
