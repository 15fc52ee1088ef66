#include "converter/operators.h"

#include <algorithm>

#include "converter/import/imports.h"

namespace pleat::converter {

std::vector<SupportedOperator> SupportedOperators() {
  std::vector<SupportedOperator> operators;
  for (const OperatorImport& import : AllImports()) operators.push_back({import.op, import.since});
  std::sort(operators.begin(), operators.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return operators;
}

}  // namespace pleat::converter
