#include "tools/inputs.h"

#include <charconv>
#include <cstring>
#include <filesystem>
#include <random>

#include "converter/tensor_file.h"
#include "runtime/checked.h"
#include "tools/npy.h"
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
  size_t input;
  std::string path;
};

Result<InputFlag> ParseInputFlag(const Graph& graph, const std::string& flag) {
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const std::string prefix = InputOf(graph, i).name + "=";
    if (flag.starts_with(prefix)) return InputFlag{i, flag.substr(prefix.size())};
  }
  if (graph.inputs.size() == 1 && flag.find('=') == std::string::npos) return InputFlag{0, flag};
  std::vector<std::string> names;
  for (size_t i = 0; i < graph.inputs.size(); ++i) names.push_back(InputOf(graph, i).name);
  return InvalidArgument("--input " + flag + ": expected NAME=FILE, NAME being one of " +
                         InputNames(graph) + DidYouMean(flag.substr(0, flag.find('=')), names));
}

Result<Tensor> ReadInput(const std::string& path, const Type& type, const PictureOptions& picture) {
  std::string extension = std::filesystem::path(path).extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (extension == ".npy") return ReadNpy(path);
  if (extension == ".png" || extension == ".jpg" || extension == ".jpeg") {
    return ReadPicture(path, type, picture);
  }
  if (extension == ".pb") {
    PLEAT_ASSIGN_OR_RETURN(converter::NamedTensor named, converter::ReadTensorFile(path));
    return std::move(named.tensor);
  }
  return InvalidArgument(path + ": expected a .npy, .pb, .png, .jpg or .jpeg file");
}

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
  if (text == "?") return kUnknownDim;
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
  std::vector<std::vector<Tensor>> parts(graph.inputs.size());
  for (const std::string& flag : flags) {
    PLEAT_ASSIGN_OR_RETURN(const InputFlag parsed, ParseInputFlag(graph, flag));
    PLEAT_ASSIGN_OR_RETURN(Tensor tensor,
                           ReadInput(parsed.path, InputOf(graph, parsed.input).type, picture));
    parts[parsed.input].push_back(std::move(tensor));
  }
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string& name = InputOf(graph, i).name;
    if (parts[i].empty()) {
      return InvalidArgument("no --input for '" + name + "' (" + TypeText(InputOf(graph, i).type) +
                             ")");
    }
    PLEAT_ASSIGN_OR_RETURN(Tensor joined, JoinBatch(name, parts[i]));
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
    Shape shape;
    for (size_t begin = colon + 1; begin < flag.size();) {
      const size_t end = std::min(flag.find(',', begin), flag.size());
      Result<int64_t> size = ParseSize(std::string_view(flag).substr(begin, end - begin));
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
