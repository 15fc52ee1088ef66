// Any bytes as an ONNX file: converted or refused; what converts is written and read back.
#include <span>

#include "converter/convert.h"
#include "runtime/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto graph = pleat::converter::ConvertOnnx(std::as_bytes(std::span(data, size)), {});
  if (!graph.ok()) return 0;
  const std::string file = pleat::runtime::SerializeGraph(*graph);
  const auto read = pleat::runtime::ParseGraph(std::as_bytes(std::span(file)), nullptr);
  PLEAT_CHECK(read.ok(), "a file Pleat wrote can be read");
  return 0;
}
