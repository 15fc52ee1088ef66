// Any bytes as an ONNX file: refused, or converted, written, read back, planned and run.
#include "converter/convert.h"
#include "runtime/model_file.h"
#include "tests/fuzz/run_model.h"

namespace {
pleat::tests::FuzzCounts counts;
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ++counts.inputs;
  const auto graph = pleat::converter::ConvertOnnx(std::as_bytes(std::span(data, size)), {});
  if (!graph.ok()) return 0;
  const std::string file = pleat::runtime::SerializeGraph(*graph);
  const auto read = pleat::runtime::ParseGraph(std::as_bytes(std::span(file)), nullptr);
  PLEAT_CHECK(read.ok(), "a file Pleat wrote can be read");
  pleat::tests::RunModel(std::as_bytes(std::span(file)), counts);
  return 0;
}
