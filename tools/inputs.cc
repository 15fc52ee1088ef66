#include "tools/inputs.h"

#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>

#include "converter/tensor_file.h"
#include "runtime/checked.h"
#include "runtime/model_file.h"
#include "tools/npy.h"
#include "tools/npz.h"
#include "tools/streams.h"
#include "tools/suggest.h"

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::Graph;
using runtime::InvalidArgument;
using runtime::kUnknownDim;
using runtime::Result;
using runtime::Shape;
using runtime::Status;
using runtime::Tensor;
using runtime::Type;
using runtime::Value;

const Value& InputOf(const Graph& graph, size_t i) { return graph.values[graph.inputs[i]]; }

std::string InputNames(const Graph& graph) {
  std::string names;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    names += (i == 0 ? "'" : ", '") + InputOf(graph, i).name + "'";
  }
  return names;
}

struct InputFlag {
  std::optional<size_t> input;  // unset: any of them, as a .npz file's names say
  std::string path;
};

std::vector<std::string> NamesOf(const Graph& graph) {
  std::vector<std::string> names;
  for (size_t i = 0; i < graph.inputs.size(); ++i) names.push_back(InputOf(graph, i).name);
  return names;
}

// What a file is by the ending of its name or, where it has none, by its first bytes.
enum class FileKind { kNpy, kNpz, kPicture, kTensorProto };

Result<FileKind> KindByContent(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const runtime::MappedFile file, runtime::MapFile(path));
  const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  if (text.starts_with("\x93NUMPY")) return FileKind::kNpy;
  if (text.starts_with("PK")) return FileKind::kNpz;
  if (text.starts_with("\x89PNG") || text.starts_with("\xff\xd8")) return FileKind::kPicture;
  return FileKind::kTensorProto;
}

Result<FileKind> KindOf(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (extension.empty()) return KindByContent(path);
  if (extension == ".npy") return FileKind::kNpy;
  if (extension == ".npz") return FileKind::kNpz;
  if (extension == ".png" || extension == ".jpg" || extension == ".jpeg") return FileKind::kPicture;
  if (extension == ".pb") return FileKind::kTensorProto;
  return InvalidArgument(path + ": expected a .npy, .npz, .pb, .png, .jpg or .jpeg file");
}

Result<InputFlag> ParseInputFlag(const Graph& graph, const std::string& flag) {
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const std::string prefix = InputOf(graph, i).name + "=";
    if (flag.starts_with(prefix)) return InputFlag{i, flag.substr(prefix.size())};
  }
  const bool bare = flag.find('=') == std::string::npos;
  if (bare && graph.inputs.size() == 1) return InputFlag{0, flag};
  if (bare && (flag == "-" || flag.ends_with(".npz"))) return InputFlag{std::nullopt, flag};
  return InvalidArgument("--input " + flag + ": expected NAME=FILE, NAME being one of " +
                         InputNames(graph) +
                         DidYouMean(flag.substr(0, flag.find('=')), NamesOf(graph)));
}

// Collects what each file brings for the inputs.
class InputReader {
 public:
  InputReader(const Graph& graph, const PictureOptions& picture)
      : graph_(graph), picture_(picture), parts_(graph.inputs.size()) {}

  Status Add(const InputFlag& flag) {
    PLEAT_ASSIGN_OR_RETURN(const std::string path, InputPath(flag.path));
    PLEAT_ASSIGN_OR_RETURN(const FileKind kind, KindOf(path));
    if (kind == FileKind::kNpz) return AddArchive(flag.input, path);
    if (!flag.input) {
      return InvalidArgument(path + ": not a .npz file; expected NAME=FILE, NAME being one of " +
                             InputNames(graph_));
    }
    PLEAT_ASSIGN_OR_RETURN(Tensor tensor, ReadTensor(kind, path, *flag.input));
    parts_[*flag.input].push_back(std::move(tensor));
    return Status::Ok();
  }

  // REQUIRES: i is the index of an input.
  const std::vector<Tensor>& parts(size_t i) const { return parts_[i]; }

  Status Missing(size_t i) const {
    const Value& input = InputOf(graph_, i);
    std::string message = "no --input for '" + input.name + "' (" + TypeText(input.type) + ")";
    for (size_t k = 0; k < unused_.size(); ++k) {
      message += (k == 0 ? "; arrays that are no input: '" : ", '") + unused_[k] + "'";
    }
    return InvalidArgument(message);
  }

 private:
  Result<Tensor> ReadTensor(FileKind kind, const std::string& path, size_t input) {
    if (kind == FileKind::kNpy) return ReadNpy(path);
    if (kind == FileKind::kPicture) return ReadPicture(path, InputOf(graph_, input).type, picture_);
    PLEAT_ASSIGN_OR_RETURN(converter::NamedTensor named, converter::ReadTensorFile(path));
    return std::move(named.tensor);
  }

  // Arrays go by name; those of numpy.savez(file, a, b), which have none, by position.
  std::optional<size_t> InputOfArray(const std::string& name) const {
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      const std::string& input = InputOf(graph_, i).name;
      if (name == input || name == "arr_" + std::to_string(i)) return i;
    }
    return std::nullopt;
  }

  Status AddArchive(std::optional<size_t> input, const std::string& path) {
    PLEAT_ASSIGN_OR_RETURN(std::vector<NamedArray> arrays, ReadNpz(path));
    const bool only = input && arrays.size() == 1;
    for (NamedArray& array : arrays) {
      const auto found = only ? input : InputOfArray(array.name);
      if (!found || (input && *input != *found)) {
        unused_.push_back(array.name);
      } else {
        parts_[*found].push_back(std::move(array.tensor));
      }
    }
    return Status::Ok();
  }

  const Graph& graph_;
  const PictureOptions& picture_;
  std::vector<std::vector<Tensor>> parts_;
  std::vector<std::string> unused_;
};

Result<Tensor> JoinBatch(const std::string& name, const std::vector<Tensor>& parts) {
  if (parts.size() == 1) return parts[0];
  Shape shape = parts[0].shape();
  if (shape.empty()) return InvalidArgument("input '" + name + "' has no batch axis to join along");
  runtime::Checked batch = 0;
  for (const Tensor& part : parts) {
    Shape expected = shape;
    if (!part.shape().empty()) expected[0] = part.shape()[0];
    if (part.shape() != expected || part.element() != parts[0].element()) {
      return InvalidArgument("input '" + name + "': " + TypeText(part.type()) +
                             " cannot join a batch of " + TypeText(parts[0].type()));
    }
    batch = batch + expected[0];
  }
  shape[0] = batch.value_or(INT64_MAX);
  PLEAT_RETURN_IF_ERROR(runtime::CheckType({parts[0].element(), true, shape}));
  Tensor joined = Tensor::Make(parts[0].element(), shape);
  char* to = static_cast<char*>(joined.mutable_raw());
  for (const Tensor& part : parts) {
    if (part.count() > 0) std::memcpy(to, part.raw(), part.bytes());
    to += part.bytes();
  }
  return joined;
}

Status CheckInput(const Value& input, const Tensor& tensor) {
  const Type& type = input.type;
  const bool same_rank = !type.ranked || type.shape.size() == tensor.shape().size();
  bool fits = same_rank && type.element == tensor.element();
  for (size_t i = 0; fits && i < type.shape.size(); ++i) {
    fits = type.shape[i] == kUnknownDim || type.shape[i] == tensor.shape()[i];
  }
  if (fits) return Status::Ok();
  return InvalidArgument("input '" + input.name + "': expected " + TypeText(type) + ", got " +
                             TypeText(tensor.type()),
                         kInputTypeRule);
}

Result<int64_t> ParseSize(std::string_view text) {
  if (text == "?" || (!text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0)) {
    return kUnknownDim;
  }
  int64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || size < 0) {
    return InvalidArgument("'" + std::string(text) + "' is not a size");
  }
  return size;
}

Tensor RandomTensor(ElementType element, const Shape& shape, std::mt19937_64& bits) {
  if (!kernels::IsFloat(element)) {
    Tensor tensor = Tensor::Make(ElementType::kUint8, shape);
    for (uint8_t& value : tensor.mutable_data<uint8_t>()) value = bits() >> 63;
    return Cast(tensor, element);
  }
  Tensor tensor = Tensor::Make(ElementType::kFloat32, shape);
  for (float& value : tensor.mutable_data<float>()) {
    value = static_cast<float>(static_cast<int64_t>(bits() >> 40) - (1 << 23)) / (1 << 23);
  }
  return Cast(tensor, element);
}

}  // namespace

Result<std::vector<Tensor>> ReadInputs(const Graph& graph, const std::vector<std::string>& flags,
                                       const PictureOptions& picture) {
  InputReader reader(graph, picture);
  for (const std::string& flag : flags) {
    PLEAT_ASSIGN_OR_RETURN(const InputFlag parsed, ParseInputFlag(graph, flag));
    PLEAT_RETURN_IF_ERROR(reader.Add(parsed));
  }
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    if (reader.parts(i).empty()) return reader.Missing(i);
    PLEAT_ASSIGN_OR_RETURN(Tensor joined, JoinBatch(InputOf(graph, i).name, reader.parts(i)));
    inputs.push_back(std::move(joined));
  }
  PLEAT_RETURN_IF_ERROR(CheckInputs(graph, inputs));
  return inputs;
}

Result<std::map<std::string, Shape>> ParseShapes(const std::vector<std::string>& flags) {
  std::map<std::string, Shape> shapes;
  for (const std::string& flag : flags) {
    const size_t colon = flag.rfind(':');
    if (colon == std::string::npos || colon == 0) {
      return InvalidArgument("--input-shape " + flag + ": expected NAME:SIZE,SIZE,...");
    }
    std::string sizes = flag.substr(colon + 1);
    if (sizes.starts_with("[") && sizes.ends_with("]")) sizes = sizes.substr(1, sizes.size() - 2);
    const bool by_x = sizes.find_first_not_of("0123456789?x") == std::string::npos;
    const char between = by_x && sizes.find('x') != std::string::npos ? 'x' : ',';
    Shape shape;
    for (size_t begin = 0; begin < sizes.size();) {
      const size_t end = std::min(sizes.find(between, begin), sizes.size());
      Result<int64_t> size = ParseSize(std::string_view(sizes).substr(begin, end - begin));
      if (!size.ok()) return size.status().In("--input-shape " + flag);
      shape.push_back(*size);
      begin = end + 1;
    }
    if (!shapes.emplace(flag.substr(0, colon), shape).second) {
      return InvalidArgument("--input-shape " + flag + ": the input has a shape already");
    }
  }
  return shapes;
}

Result<std::vector<Shape>> ChooseShapes(const Graph& graph,
                                        const std::map<std::string, Shape>& given, int64_t size,
                                        std::vector<std::string>* assumed) {
  size_t used = 0;
  std::map<std::string, int64_t> symbols;
  std::vector<Shape> shapes;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& input = InputOf(graph, i);
    Shape shape = input.type.shape;
    if (const auto found = given.find(input.name); found != given.end()) {
      ++used;
      if (input.type.ranked && found->second.size() != shape.size()) {
        return InvalidArgument("--input-shape " + input.name + ": expected " +
                               std::to_string(shape.size()) + " sizes");
      }
      shape = found->second;
    } else if (!input.type.ranked) {
      return InvalidArgument("input '" + input.name + "' has no known rank: give --input-shape");
    }
    bool chosen = false;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const std::string symbol = axis < input.symbols.size() ? input.symbols[axis] : "";
      if (shape[axis] == kUnknownDim) {
        chosen = true;
        const auto known = symbols.find(symbol);
        const int64_t open = axis == 0 ? 1 : size;
        shape[axis] = !symbol.empty() && known != symbols.end() ? known->second : open;
      }
      if (!symbol.empty()) symbols.emplace(symbol, shape[axis]);
    }
    PLEAT_RETURN_IF_ERROR(runtime::CheckType({input.type.element, true, shape}).In(input.name));
    if (chosen)
      assumed->push_back("input '" + input.name + "' taken as " + runtime::ShapeText(shape));
    shapes.push_back(std::move(shape));
  }
  if (used < given.size()) {
    return InvalidArgument("--input-shape names an input that is not one of " + InputNames(graph));
  }
  return shapes;
}

std::vector<Tensor> RandomInputs(const Graph& graph, const std::vector<Shape>& shapes,
                                 uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    inputs.push_back(RandomTensor(InputOf(graph, i).type.element, shapes[i], bits));
  }
  return inputs;
}

Status CheckInputs(const Graph& graph, const std::vector<Tensor>& inputs) {
  if (inputs.size() != graph.inputs.size()) {
    return InvalidArgument("expected " + std::to_string(graph.inputs.size()) + " inputs, got " +
                           std::to_string(inputs.size()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    PLEAT_RETURN_IF_ERROR(CheckInput(InputOf(graph, i), inputs[i]));
  }
  return Status::Ok();
}

}  // namespace pleat::tools
