#include "converter/import/imports.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace pleat::converter {
namespace {

constexpr OperatorImport kImports[] = {
#define PLEAT_IMPORT(op, function, since, fewest_inputs, most_inputs, most_outputs) \
  {op, &function, since, fewest_inputs, most_inputs, most_outputs},
#include "converter/import/imports.inc"
#undef PLEAT_IMPORT
};

}  // namespace

std::span<const OperatorImport> AllImports() { return kImports; }

const OperatorImport* FindImport(const std::string& domain, const std::string& op) {
  static const auto kByName = [] {
    std::unordered_map<std::string_view, const OperatorImport*> map;
    for (const OperatorImport& entry : kImports) map.emplace(entry.op, &entry);
    return map;
  }();
  const bool own = domain.empty() || domain == "ai.onnx";
  const std::string name = own ? op : domain + "." + op;
  const auto found = own && op.find('.') != op.npos ? kByName.end() : kByName.find(name);
  return found == kByName.end() ? nullptr : found->second;
}

runtime::Status CheckInputCount(const OperatorImport& entry,
                                const std::vector<runtime::ValueId>& inputs) {
  const bool variadic = entry.most_inputs == kAnyNumber;
  const size_t needed = variadic ? inputs.size() : static_cast<size_t>(entry.fewest_inputs);
  const auto needed_end = inputs.begin() + static_cast<int64_t>(std::min(needed, inputs.size()));
  const bool gap = std::find(inputs.begin(), needed_end, runtime::kNoValue) != needed_end;
  const bool few = inputs.size() < static_cast<size_t>(entry.fewest_inputs);
  if (!few && !gap && inputs.size() <= static_cast<size_t>(entry.most_inputs)) {
    return runtime::Status::Ok();
  }
  return runtime::InvalidModel(
      "it has " + std::to_string(inputs.size()) + " inputs" + (gap ? " with a gap" : "") +
      ", expected " + std::to_string(entry.fewest_inputs) +
      (variadic ? " or more" : " to " + std::to_string(entry.most_inputs)));
}

}  // namespace pleat::converter
