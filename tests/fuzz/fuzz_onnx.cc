// Any bytes as an ONNX file: refused, or converted, written, read back, planned and run.
#include "tests/fuzz/convert_model.h"

namespace {
pleat::tests::FuzzCounts counts;
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ++counts.inputs;
  pleat::tests::ConvertAndRun(std::as_bytes(std::span(data, size)), counts);
  return 0;
}
