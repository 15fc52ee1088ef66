#include "converter/batch_norm_facts.h"

#include <algorithm>
#include <filesystem>

#include "converter/import/tensor_proto.h"
#include "converter/onnx_reader.h"

namespace pleat::converter {

runtime::Result<std::map<std::string, double>> SmallestVariances(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadModelFile(path));
  PLEAT_ASSIGN_OR_RETURN(const auto model, ReadOnnx(bytes));
  ExternalData external(FolderOf(path));
  std::map<std::string, const onnx::TensorProto*> initializers;
  for (const auto& tensor : model->graph().initializer()) initializers[tensor.name()] = &tensor;
  std::map<std::string, double> smallest;
  constexpr int kVariance = 4;
  for (const onnx::NodeProto& node : model->graph().node()) {
    if (node.op_type() != "BatchNormalization" || node.input_size() <= kVariance) continue;
    const auto found = initializers.find(node.input(kVariance));
    if (found == initializers.end()) continue;
    PLEAT_ASSIGN_OR_RETURN(const runtime::Tensor tensor, TensorOfProto(*found->second, &external));
    const std::vector<double> numbers = runtime::ToDoubles(tensor);
    if (numbers.empty()) continue;
    smallest[node.name().empty() ? node.output(0) : node.name()] =
        *std::min_element(numbers.begin(), numbers.end());
  }
  return smallest;
}

}  // namespace pleat::converter
