// The ONNX operators that can be read, and those that a model holds.
#ifndef PLEAT_CONVERTER_OPERATORS_H_
#define PLEAT_CONVERTER_OPERATORS_H_

#include <string>
#include <vector>

#include "runtime/status.h"

namespace pleat::converter {

struct SupportedOperator {
  std::string name;
  int since = 1;  // the first and the last operator set whose form of it is read
  int until = 1;
};

struct RefusedOperator {
  std::string domain, name;  // name "*": all of the domain
  std::string reason;        // "it ..." goes on so
};

// By name, those outside the default domain as "domain.Name".
std::vector<SupportedOperator> SupportedOperators();

// What is refused on purpose, in the order of the list.
std::vector<RefusedOperator> RefusedOperators();

// The operators of a model's nodes by name, those in subgraphs and local functions too; others than
// ONNX's own as "domain.Name".
runtime::Result<std::vector<std::string>> OperatorsOf(const std::string& path);

// True for a refusal that is on the list of what is refused on purpose: converter/import/refusals.inc
// for operators, and the types that ONNX has and Pleat does not compute with.
bool IsListedRefusal(const runtime::Status& status);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_OPERATORS_H_
