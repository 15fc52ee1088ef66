// What is refused on purpose, and the rules its failures carry: a caller can tell a refusal that is
// on the list from one that nobody has thought of.
#ifndef PLEAT_CONVERTER_IMPORT_REFUSALS_H_
#define PLEAT_CONVERTER_IMPORT_REFUSALS_H_

#include <string>

#include "runtime/status.h"

namespace pleat::converter {

// An operator on the list of refusals.inc.
inline constexpr char kRefusedOperator[] = "REFUSED_OPERATOR";
// A type of ONNX's that Pleat does not compute with: strings, complex numbers, sequences, ...
inline constexpr char kRefusedType[] = "REFUSED_TYPE";

// Why an operator without an importer is refused; kRefusedOperator when the list says why.
runtime::Status RefuseOperator(const std::string& domain, const std::string& op);

inline runtime::Status RefuseType(std::string message) {
  return {runtime::StatusCode::kUnsupported, std::move(message), kRefusedType};
}

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_REFUSALS_H_
