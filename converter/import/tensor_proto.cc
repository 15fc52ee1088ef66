#include "converter/import/tensor_proto.h"

#include <cstring>
#include <type_traits>
#include <utility>

#include "converter/import/narrow_type.h"
#include "converter/import/refusals.h"

namespace pleat::converter {
namespace {

using onnx::TensorProto;
using runtime::ElementName;
using runtime::ElementSize;
using runtime::ElementType;
using runtime::InvalidModel;
using runtime::Result;
using runtime::Shape;
using runtime::Status;
using runtime::Tensor;
using runtime::Type;
using runtime::Unsupported;

Result<Type> TypeOf(const TensorProto& proto) {
  PLEAT_ASSIGN_OR_RETURN(const ElementType element, CarrierOfOnnx(proto.data_type()));
  Type type{element, true, Shape(proto.dims().begin(), proto.dims().end())};
  for (const int64_t size : type.shape) {
    if (size < 0) return InvalidModel("a size of the tensor is " + std::to_string(size));
  }
  PLEAT_RETURN_IF_ERROR(runtime::CheckType(type));
  return type;
}

Status WrongCount(int64_t got, const Type& type) {
  return InvalidModel(runtime::TypeText(type) + " needs " +
                      std::to_string(runtime::ElementCount(type.shape)) + " elements, found " +
                      std::to_string(got));
}

template <class To, class Field>
Result<Tensor> CopyField(const Field& field, const Type& type) {
  if (field.size() != runtime::ElementCount(type.shape)) return WrongCount(field.size(), type);
  Tensor tensor = Tensor::Make(type.element, type.shape);
  auto* out = static_cast<To*>(tensor.mutable_raw());
  for (const auto value : field) {
    if constexpr (std::is_same_v<To, bool>) {
      *out++ = value != 0;
      continue;
    } else if constexpr (std::is_integral_v<To>) {
      if (!std::in_range<To>(value)) {
        return InvalidModel(std::to_string(value) + " does not fit " + ElementName(type.element));
      }
    }
    *out++ = static_cast<To>(value);
  }
  return tensor;
}

Result<Tensor> CopyTyped(const TensorProto& proto, const Type& type) {
  switch (type.element) {
    case ElementType::kFloat32:
      return CopyField<float>(proto.float_data(), type);
    case ElementType::kFloat64:
      return CopyField<double>(proto.double_data(), type);
    case ElementType::kInt64:
      return CopyField<int64_t>(proto.int64_data(), type);
    case ElementType::kInt32:
      return CopyField<int32_t>(proto.int32_data(), type);
    case ElementType::kInt16:
      return CopyField<int16_t>(proto.int32_data(), type);
    case ElementType::kInt8:
      return CopyField<int8_t>(proto.int32_data(), type);
    case ElementType::kUint8:
      return CopyField<uint8_t>(proto.int32_data(), type);
    case ElementType::kUint16:
    case ElementType::kFloat16:
    case ElementType::kBFloat16:
      return CopyField<uint16_t>(proto.int32_data(), type);
    case ElementType::kUint32:
      return CopyField<uint32_t>(proto.uint64_data(), type);
    case ElementType::kUint64:
      return CopyField<uint64_t>(proto.uint64_data(), type);
    case ElementType::kBool:
      break;
  }
  return CopyField<bool>(proto.int32_data(), type);
}

void NormalizeBools(Tensor* tensor) {
  auto* bytes = static_cast<uint8_t*>(tensor->mutable_raw());
  for (int64_t i = 0; i < tensor->count(); ++i) bytes[i] = bytes[i] != 0;
}

int FilledFields(const TensorProto& proto) {
  return (proto.float_data_size() > 0) + (proto.int32_data_size() > 0) +
         (proto.int64_data_size() > 0) + (proto.double_data_size() > 0) +
         (proto.uint64_data_size() > 0) + (proto.string_data_size() > 0) +
         !proto.raw_data().empty();
}

Result<Tensor> ReadNarrow(const TensorProto& proto, const Type& type, ExternalData* external) {
  const NarrowType& narrow = *NarrowTypeOf(proto.data_type());
  const size_t size = PackedBytes(narrow, runtime::ElementCount(type.shape));
  const Type packed{ElementType::kUint8, true, {static_cast<int64_t>(size)}};
  std::vector<uint8_t> bytes(proto.raw_data().begin(), proto.raw_data().end());
  if (proto.data_location() == TensorProto::EXTERNAL) {
    if (external == nullptr) return InvalidModel("external data is not allowed here");
    PLEAT_ASSIGN_OR_RETURN(const Tensor stored, external->Read(proto, packed));
    const auto* data = static_cast<const uint8_t*>(stored.raw());
    bytes.assign(data, data + size);
  }
  for (const int32_t value : proto.int32_data()) {
    if (!std::in_range<uint8_t>(value)) {
      return InvalidModel(std::to_string(value) + " is no byte of " + narrow.name);
    }
    bytes.push_back(static_cast<uint8_t>(value));
  }
  if (bytes.size() != size) {
    return InvalidModel(std::string(narrow.name) + runtime::ShapeText(type.shape) + " needs " +
                        std::to_string(size) + " bytes, found " + std::to_string(bytes.size()));
  }
  return Unpacked(narrow, type.shape, bytes);
}

}  // namespace

int OnnxTypeOf(ElementType element) {
  for (int type = TensorProto::FLOAT; type <= TensorProto::BFLOAT16; ++type) {
    const Result<ElementType> named = ElementTypeOfOnnx(type);
    if (named.ok() && *named == element) return type;
  }
  return TensorProto::UNDEFINED;
}

Result<ElementType> ElementTypeOfOnnx(int data_type) {
  switch (data_type) {
    case TensorProto::FLOAT:
      return ElementType::kFloat32;
    case TensorProto::DOUBLE:
      return ElementType::kFloat64;
    case TensorProto::INT64:
      return ElementType::kInt64;
    case TensorProto::INT32:
      return ElementType::kInt32;
    case TensorProto::INT16:
      return ElementType::kInt16;
    case TensorProto::INT8:
      return ElementType::kInt8;
    case TensorProto::UINT8:
      return ElementType::kUint8;
    case TensorProto::UINT16:
      return ElementType::kUint16;
    case TensorProto::UINT32:
      return ElementType::kUint32;
    case TensorProto::UINT64:
      return ElementType::kUint64;
    case TensorProto::BOOL:
      return ElementType::kBool;
    case TensorProto::FLOAT16:
      return ElementType::kFloat16;
    case TensorProto::BFLOAT16:
      return ElementType::kBFloat16;
    default:
      break;
  }
  // STRING and COMPLEX64 on; what is named nowhere is none of ONNX's.
  constexpr const char* kNames[] = {
      "",     "",         "",           "",       "",     "",     "",           "",
      "string", "",       "",           "",       "",     "",     "complex64",  "complex128",
      "",     "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4",
      "float4e2m1", "float8e8m0", "uint2", "int2"};
  if (data_type <= 0 || data_type >= static_cast<int>(std::size(kNames))) {
    return InvalidModel("element type " + std::to_string(data_type) + " is not one of ONNX's");
  }
  return RefuseType(std::string("tensors of ") + kNames[data_type] +
                    " are not supported; export with bool, integers of 8 bits or more, or floats of "
                    "16 or more");
}

Result<Tensor> TensorOfProto(const TensorProto& proto, ExternalData* external) {
  if (proto.has_segment()) return Unsupported("tensors stored in segments");
  PLEAT_ASSIGN_OR_RETURN(const Type type, TypeOf(proto));
  const size_t bytes = runtime::ByteSize(type);
  const int filled = FilledFields(proto);
  if (filled > 1) return InvalidModel("the tensor holds its data in two fields");
  if (NarrowTypeOf(proto.data_type()) != nullptr) return ReadNarrow(proto, type, external);

  if (proto.data_location() == TensorProto::EXTERNAL) {
    if (filled > 0) return InvalidModel("the tensor holds data and names external data");
    if (external == nullptr) return InvalidModel("external data is not allowed here");
    PLEAT_ASSIGN_OR_RETURN(Tensor tensor, external->Read(proto, type));
    if (type.element == ElementType::kBool) NormalizeBools(&tensor);
    return tensor;
  }
  if (!proto.raw_data().empty()) {
    if (proto.raw_data().size() != bytes) {
      return InvalidModel(runtime::TypeText(type) + " needs " + std::to_string(bytes) +
                          " bytes, found " + std::to_string(proto.raw_data().size()));
    }
    Tensor tensor = Tensor::Make(type.element, type.shape);
    std::memcpy(tensor.mutable_raw(), proto.raw_data().data(), bytes);
    if (type.element == ElementType::kBool) NormalizeBools(&tensor);
    return tensor;
  }
  return CopyTyped(proto, type);
}

}  // namespace pleat::converter
