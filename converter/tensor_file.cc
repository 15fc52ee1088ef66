#include "converter/tensor_file.h"

#include <onnx/onnx_pb.h>

#include <limits>

#include "converter/import/tensor_proto.h"
#include "runtime/model_file.h"

namespace pleat::converter {

using runtime::InvalidArgument;
using runtime::Result;

Result<NamedTensor> ParseTensor(std::span<const std::byte> bytes) {
  if (bytes.size() > size_t{std::numeric_limits<int>::max()}) {
    return runtime::LimitExceeded("a TensorProto of more than 2 GiB");
  }
  onnx::TensorProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      !proto.has_data_type()) {
    return InvalidArgument("not a serialised ONNX TensorProto");
  }
  Result<runtime::Tensor> tensor = TensorOfProto(proto, nullptr);
  if (tensor.ok()) return NamedTensor{proto.name(), std::move(tensor).value()};
  const runtime::Status status = tensor.status();
  if (status.code() == runtime::StatusCode::kInvalidModel) return InvalidArgument(status.message());
  return status;
}

Result<NamedTensor> ReadTensorFile(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const runtime::MappedFile file, runtime::MapFile(path));
  Result<NamedTensor> tensor = ParseTensor(file.bytes);
  if (!tensor.ok()) return tensor.status().In(path);
  return tensor;
}

}  // namespace pleat::converter
