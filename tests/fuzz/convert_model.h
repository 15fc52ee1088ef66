// What a fuzz target does with the bytes of an ONNX file: converts them, reads back what was written,
// plans and runs it.
#ifndef PLEAT_TESTS_FUZZ_CONVERT_MODEL_H_
#define PLEAT_TESTS_FUZZ_CONVERT_MODEL_H_

#include "converter/convert.h"
#include "runtime/model_file.h"
#include "tests/fuzz/run_model.h"

namespace pleat::tests {

inline void ConvertAndRun(std::span<const std::byte> onnx, FuzzCounts& counts) {
  converter::ConvertOptions options;
  options.limits.memory_bytes = (int64_t{1} << 29) + converter::kMemoryPerByte * std::ssize(onnx);
  const auto graph = converter::ConvertOnnx(onnx, options);
  if (!graph.ok()) return;
  const std::string file = runtime::SerializeGraph(*graph);
  const auto read = runtime::ParseGraph(std::as_bytes(std::span(file)), nullptr);
  PLEAT_CHECK(read.ok(), "a file Pleat wrote can be read");
  RunModel(std::as_bytes(std::span(file)), counts);
}

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_FUZZ_CONVERT_MODEL_H_
