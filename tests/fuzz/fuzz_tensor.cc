// Any bytes as a .npy or TensorProto file.
#include <span>

#include "converter/tensor_file.h"
#include "tools/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  static_cast<void>(pleat::tools::ParseNpy(bytes));
  static_cast<void>(pleat::converter::ParseTensor(bytes));
  return 0;
}
