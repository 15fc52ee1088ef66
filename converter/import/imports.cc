#include "converter/import/imports.h"

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

const OperatorImport* FindImport(const std::string& op) {
  static const auto kByName = [] {
    std::unordered_map<std::string_view, const OperatorImport*> map;
    for (const OperatorImport& entry : kImports) map.emplace(entry.op, &entry);
    return map;
  }();
  const auto found = kByName.find(op);
  return found == kByName.end() ? nullptr : found->second;
}

}  // namespace pleat::converter
