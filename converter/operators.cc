#include "converter/operators.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "converter/import/imports.h"
#include "converter/onnx_reader.h"

namespace pleat::converter {
namespace {

constexpr int kNewestMl = 5;  // of the operator sets of ai.onnx.ml
constexpr int kNewestMicrosoft = 1;

void Collect(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes,
             std::set<std::string>* names) {
  for (const onnx::NodeProto& node : nodes) {
    const bool own = node.domain().empty() || node.domain() == "ai.onnx";
    names->insert(own ? node.op_type() : node.domain() + "." + node.op_type());
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) Collect(attribute.g().node(), names);
      for (const auto& graph : attribute.graphs()) Collect(graph.node(), names);
    }
  }
}

}  // namespace

std::vector<SupportedOperator> SupportedOperators() {
  std::vector<SupportedOperator> operators;
  for (const OperatorImport& import : AllImports()) {
    const std::string_view name = import.op;
    const int newest = name.starts_with("ai.onnx.ml.")      ? kNewestMl
                       : name.starts_with("com.microsoft.") ? kNewestMicrosoft
                                                            : static_cast<int>(kNewestOpset);
    operators.push_back({import.op, import.since, newest});
  }
  std::sort(operators.begin(), operators.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return operators;
}

runtime::Result<std::vector<std::string>> OperatorsOf(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadModelFile(path));
  PLEAT_ASSIGN_OR_RETURN(const auto model, ReadOnnx(bytes));
  std::set<std::string> names;
  Collect(model->graph().node(), &names);
  for (const auto& function : model->functions()) Collect(function.node(), &names);
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace pleat::converter
