#include "converter/tensor_file.h"

#include <onnx/onnx_pb.h>

#include <cstring>
#include <limits>
#include <optional>

#include "runtime/model_file.h"

namespace pleat::converter {
namespace {

using kernels::ElementSize;
using kernels::ElementType;
using runtime::InvalidArgument;
using runtime::Result;
using runtime::Shape;
using runtime::Status;
using runtime::Tensor;

std::optional<ElementType> ElementOf(int data_type) {
  switch (data_type) {
    case onnx::TensorProto::FLOAT:
      return ElementType::kFloat32;
    case onnx::TensorProto::DOUBLE:
      return ElementType::kFloat64;
    case onnx::TensorProto::INT64:
      return ElementType::kInt64;
    case onnx::TensorProto::INT32:
      return ElementType::kInt32;
    case onnx::TensorProto::INT16:
      return ElementType::kInt16;
    case onnx::TensorProto::INT8:
      return ElementType::kInt8;
    case onnx::TensorProto::UINT8:
      return ElementType::kUint8;
    case onnx::TensorProto::UINT16:
      return ElementType::kUint16;
    case onnx::TensorProto::UINT32:
      return ElementType::kUint32;
    case onnx::TensorProto::UINT64:
      return ElementType::kUint64;
    case onnx::TensorProto::BOOL:
      return ElementType::kBool;
    case onnx::TensorProto::FLOAT16:
      return ElementType::kFloat16;
    case onnx::TensorProto::BFLOAT16:
      return ElementType::kBFloat16;
    default:
      return std::nullopt;
  }
}

Status WrongLength(const char* field, int64_t have, int64_t want) {
  return InvalidArgument(std::string(field) + " has " + std::to_string(have) +
                         (field == std::string("raw_data") ? " bytes" : " values") +
                         ", the sizes ask for " + std::to_string(want));
}

// Copies a typed field, one value per element, narrowing to T where ONNX keeps T in a wider field.
template <class T, class Field>
Status Fill(const Field& field, const char* name, Tensor& tensor) {
  const int64_t count = tensor.count();
  if (field.size() != count) return WrongLength(name, field.size(), count);
  T* to = static_cast<T*>(tensor.mutable_raw());
  for (int i = 0; i < field.size(); ++i) to[i] = static_cast<T>(field.Get(i));
  return Status::Ok();
}

Status FillTyped(const onnx::TensorProto& proto, Tensor& tensor) {
  switch (tensor.element()) {
    case ElementType::kFloat32:
      return Fill<float>(proto.float_data(), "float_data", tensor);
    case ElementType::kFloat64:
      return Fill<double>(proto.double_data(), "double_data", tensor);
    case ElementType::kInt64:
      return Fill<int64_t>(proto.int64_data(), "int64_data", tensor);
    case ElementType::kUint32:
      return Fill<uint32_t>(proto.uint64_data(), "uint64_data", tensor);
    case ElementType::kUint64:
      return Fill<uint64_t>(proto.uint64_data(), "uint64_data", tensor);
    case ElementType::kInt32:
      return Fill<int32_t>(proto.int32_data(), "int32_data", tensor);
    case ElementType::kInt16:
      return Fill<int16_t>(proto.int32_data(), "int32_data", tensor);
    case ElementType::kInt8:
      return Fill<int8_t>(proto.int32_data(), "int32_data", tensor);
    case ElementType::kUint8:
      return Fill<uint8_t>(proto.int32_data(), "int32_data", tensor);
    case ElementType::kBool:
      return Fill<bool>(proto.int32_data(), "int32_data", tensor);
    case ElementType::kUint16:
    case ElementType::kFloat16:
    case ElementType::kBFloat16:
      return Fill<uint16_t>(proto.int32_data(), "int32_data", tensor);
  }
  return InvalidArgument("unknown element type");
}

Status FillRaw(const std::string& raw, Tensor& tensor) {
  if (raw.size() != tensor.bytes()) {
    return WrongLength("raw_data", static_cast<int64_t>(raw.size()),
                       static_cast<int64_t>(tensor.bytes()));
  }
  if (raw.empty()) return Status::Ok();
  std::memcpy(tensor.mutable_raw(), raw.data(), raw.size());
  if (tensor.element() == ElementType::kBool) {
    uint8_t* bytes = static_cast<uint8_t*>(tensor.mutable_raw());
    for (size_t i = 0; i < raw.size(); ++i) bytes[i] = bytes[i] != 0;
  }
  return Status::Ok();
}

// No tensor of `type` can come out of fewer bytes than one per element or, for raw data, than its
// size: a file cannot make us allocate more than a small multiple of its own length.
Status CheckLength(const onnx::TensorProto& proto, const runtime::Type& type) {
  const int64_t count = runtime::ElementCount(type.shape);
  if (proto.has_raw_data()) {
    const size_t want = runtime::ByteSize(type);
    if (proto.raw_data().size() == want) return Status::Ok();
    return WrongLength("raw_data", static_cast<int64_t>(proto.raw_data().size()),
                       static_cast<int64_t>(want));
  }
  const int64_t have = int64_t{proto.float_data_size()} + proto.int32_data_size() +
                       proto.int64_data_size() + proto.double_data_size() +
                       proto.uint64_data_size();
  return have >= count ? Status::Ok() : WrongLength("the data field", have, count);
}

Result<NamedTensor> FromProto(const onnx::TensorProto& proto) {
  const std::optional<ElementType> element = ElementOf(proto.data_type());
  if (!element) {
    return runtime::Unsupported("element type " + std::to_string(proto.data_type()) +
                                " of ONNX is not one Pleat handles");
  }
  if (proto.has_segment()) return runtime::Unsupported("tensors in segments are not read");
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    return runtime::Unsupported("the data is kept in another file");
  }
  const runtime::Type type{*element, true, Shape(proto.dims().begin(), proto.dims().end())};
  for (const int64_t size : type.shape) {
    if (size < 0) return InvalidArgument("negative size in " + runtime::ShapeText(type.shape));
  }
  PLEAT_RETURN_IF_ERROR(runtime::CheckType(type));
  PLEAT_RETURN_IF_ERROR(CheckLength(proto, type));
  NamedTensor result{proto.name(), Tensor::Make(type.element, type.shape)};
  PLEAT_RETURN_IF_ERROR(proto.has_raw_data() ? FillRaw(proto.raw_data(), result.tensor)
                                             : FillTyped(proto, result.tensor));
  return result;
}

}  // namespace

Result<NamedTensor> ParseTensor(std::span<const std::byte> bytes) {
  if (bytes.size() > size_t{std::numeric_limits<int>::max()}) {
    return runtime::LimitExceeded("a TensorProto of more than 2 GiB");
  }
  onnx::TensorProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      !proto.has_data_type()) {
    return InvalidArgument("not a serialised ONNX TensorProto");
  }
  return FromProto(proto);
}

Result<NamedTensor> ReadTensorFile(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const runtime::MappedFile file, runtime::MapFile(path));
  Result<NamedTensor> tensor = ParseTensor(file.bytes);
  if (!tensor.ok()) return tensor.status().In(path);
  return tensor;
}

}  // namespace pleat::converter
