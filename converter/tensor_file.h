// Tensors in files of their own, as ONNX's test data has them: one serialised TensorProto (`.pb`).
#ifndef PLEAT_CONVERTER_TENSOR_FILE_H_
#define PLEAT_CONVERTER_TENSOR_FILE_H_

#include <span>
#include <string>

#include "runtime/tensor.h"

namespace pleat::converter {

struct NamedTensor {
  std::string name;  // as the file states it; may be empty
  runtime::Tensor tensor;
};

// The tensor that `bytes` hold, in raw or typed fields, of any element type Pleat knows. Fails on
// bytes that are no TensorProto, on sizes that do not fit the data, and on data kept outside.
runtime::Result<NamedTensor> ParseTensor(std::span<const std::byte> bytes);

// ParseTensor of a file's contents; failures name the path.
runtime::Result<NamedTensor> ReadTensorFile(const std::string& path);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_TENSOR_FILE_H_
