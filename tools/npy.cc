#include "tools/npy.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "runtime/checked.h"
#include "runtime/model_file.h"

namespace pleat::tools {
namespace {

using kernels::ElementSize;
using kernels::ElementType;
using runtime::InvalidArgument;
using runtime::Result;
using runtime::Shape;
using runtime::Status;
using runtime::Tensor;

constexpr std::string_view kMagic = "\x93NUMPY";

struct Descr {
  ElementType element;
  std::string_view text;  // what follows the byte order
};
constexpr Descr kDescrs[] = {
    {ElementType::kFloat32, "f4"}, {ElementType::kFloat64, "f8"}, {ElementType::kInt64, "i8"},
    {ElementType::kInt32, "i4"},   {ElementType::kInt16, "i2"},   {ElementType::kInt8, "i1"},
    {ElementType::kUint8, "u1"},   {ElementType::kUint16, "u2"},  {ElementType::kUint32, "u4"},
    {ElementType::kUint64, "u8"},  {ElementType::kBool, "b1"},    {ElementType::kFloat16, "f2"},
};

struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortran;
  std::optional<Shape> shape;
};

// The dict of the header, e.g. {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  Result<Header> Read() {
    Header header;
    if (!Take('{')) return Wrong("'{'");
    while (!Take('}')) {
      PLEAT_ASSIGN_OR_RETURN(const std::string key, ReadString());
      if (!Take(':')) return Wrong("':'");
      if (key == "descr" && !header.descr) {
        PLEAT_ASSIGN_OR_RETURN(header.descr, ReadString());
      } else if (key == "fortran_order" && !header.fortran) {
        PLEAT_ASSIGN_OR_RETURN(header.fortran, ReadBool());
      } else if (key == "shape" && !header.shape) {
        PLEAT_ASSIGN_OR_RETURN(header.shape, ReadShape());
      } else {
        return Wrong("one each of 'descr', 'fortran_order' and 'shape'");
      }
      if (!Take(',') && Peek() != '}') return Wrong("',' or '}'");
    }
    if (Peek() != '\0') return Wrong("nothing after '}'");
    if (!header.descr || !header.fortran || !header.shape) {
      return Wrong("all of 'descr', 'fortran_order' and 'shape'");
    }
    return header;
  }

 private:
  static bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

  char Peek() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  bool TakeWord(std::string_view word) {
    Peek();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Status Wrong(const char* expected) const {
    return InvalidArgument("the .npy header wants " + std::string(expected) + " at character " +
                           std::to_string(at_));
  }

  Result<std::string> ReadString() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return Wrong("a quoted string");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return Wrong("an end to the quoted string");
    std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }

  Result<bool> ReadBool() {
    if (TakeWord("True")) return true;
    if (TakeWord("False")) return false;
    return Wrong("True or False");
  }

  Result<Shape> ReadShape() {
    Shape shape;
    if (!Take('(')) return Wrong("'('");
    while (!Take(')')) {
      runtime::Checked size = 0;
      const size_t begin = (Peek(), at_);
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        size = size * 10 + (text_[at_] - '0');
      }
      if (at_ == begin || !size.ok()) return Wrong("a size");
      shape.push_back(*size.get());
      if (!Take(',') && Peek() != ')') return Wrong("',' or ')'");
    }
    return shape;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Result<ElementType> ElementOf(const std::string& descr) {
  if (descr.size() == 3) {
    const std::string_view kind = std::string_view(descr).substr(1);
    for (const Descr& known : kDescrs) {
      if (kind != known.text) continue;
      if (descr[0] == '<' || (ElementSize(known.element) == 1 && descr[0] == '|')) {
        return known.element;
      }
    }
  }
  return InvalidArgument("numbers of NumPy type '" + descr +
                         "' are not read; save them little-endian as float, int, uint or bool");
}

Tensor FromFortran(ElementType element, const Shape& shape, std::span<const std::byte> data) {
  Tensor tensor = Tensor::Make(element, shape);
  const size_t size = ElementSize(element);
  std::byte* to = static_cast<std::byte*>(tensor.mutable_raw());
  Shape index(shape.size(), 0);
  for (int64_t i = 0; i < tensor.count(); ++i) {
    int64_t from = 0;
    for (size_t axis = shape.size(); axis-- > 0;) from = from * shape[axis] + index[axis];
    std::memcpy(to + static_cast<size_t>(i) * size, &data[static_cast<size_t>(from) * size], size);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return tensor;
}

Result<Tensor> MakeTensor(const Header& header, std::span<const std::byte> data) {
  PLEAT_ASSIGN_OR_RETURN(const ElementType element, ElementOf(*header.descr));
  const runtime::Type type{element, true, *header.shape};
  PLEAT_RETURN_IF_ERROR(runtime::CheckType(type));
  if (data.size() != runtime::ByteSize(type)) {
    return InvalidArgument("the .npy header says " + runtime::TypeText(type) + ", which is " +
                           std::to_string(runtime::ByteSize(type)) + " bytes, but " +
                           std::to_string(data.size()) + " follow");
  }
  if (*header.fortran && type.rank() > 1) return FromFortran(element, type.shape, data);
  Tensor tensor = Tensor::Make(element, type.shape);
  if (!data.empty()) std::memcpy(tensor.mutable_raw(), data.data(), data.size());
  return tensor;
}

uint8_t ByteAt(std::span<const std::byte> bytes, size_t i) {
  return static_cast<uint8_t>(bytes[i]);
}

}  // namespace

Result<Tensor> ParseNpy(std::span<const std::byte> bytes) {
  if (bytes.size() < 10 || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return InvalidArgument("not a .npy file");
  }
  const int version = ByteAt(bytes, 6);
  if (version < 1 || version > 3 || ByteAt(bytes, 7) != 0) {
    return InvalidArgument(".npy version " + std::to_string(version) + "." +
                           std::to_string(ByteAt(bytes, 7)) + " is not read");
  }
  const size_t length_bytes = version == 1 ? 2 : 4;
  if (bytes.size() < 8 + length_bytes) return InvalidArgument("the .npy file ends in its header");
  uint64_t length = 0;
  for (size_t i = length_bytes; i-- > 0;) length = length << 8 | ByteAt(bytes, 8 + i);
  const auto header = runtime::SubSpan(bytes, 8 + length_bytes, length);
  if (!header) return InvalidArgument("the .npy file ends in its header");
  HeaderReader reader({reinterpret_cast<const char*>(header->data()), header->size()});
  PLEAT_ASSIGN_OR_RETURN(const Header parsed, reader.Read());
  Result<Tensor> tensor = MakeTensor(parsed, bytes.subspan(8 + length_bytes + header->size()));
  if (tensor.ok() && tensor->element() == ElementType::kBool) {
    uint8_t* flags = static_cast<uint8_t*>(tensor->mutable_raw());
    for (size_t i = 0; i < tensor->bytes(); ++i) flags[i] = flags[i] != 0;
  }
  return tensor;
}

Result<Tensor> ReadNpy(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const runtime::MappedFile file, runtime::MapFile(path));
  Result<Tensor> tensor = ParseNpy(file.bytes);
  if (!tensor.ok()) return tensor.status().In(path);
  return tensor;
}

std::string SerializeNpy(const Tensor& given) {
  const Tensor tensor = given.element() == ElementType::kBFloat16
                            ? runtime::Cast(given, ElementType::kFloat32)
                            : given;
  const auto descr = std::find_if(std::begin(kDescrs), std::end(kDescrs), [&](const Descr& known) {
    return known.element == tensor.element();
  });
  std::string shape;
  for (const int64_t size : tensor.shape()) {
    shape += (shape.empty() ? "" : ", ") + std::to_string(size);
  }
  if (tensor.shape().size() == 1) shape += ',';
  std::string header = "{'descr': '" + std::string(ElementSize(tensor.element()) == 1 ? "|" : "<") +
                       std::string(descr->text) + "', 'fortran_order': False, 'shape': (" + shape +
                       "), }";
  const size_t prefix = kMagic.size() + 4;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes(kMagic);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xff),
            static_cast<char>(header.size() >> 8)};
  bytes += header;
  if (tensor.count() > 0) bytes.append(static_cast<const char*>(tensor.raw()), tensor.bytes());
  return bytes;
}

Status WriteNpy(const std::string& path, const Tensor& tensor) {
  const std::string bytes = SerializeNpy(tensor);
  return runtime::WriteFileAtomically(path, std::as_bytes(std::span(bytes)));
}

}  // namespace pleat::tools
