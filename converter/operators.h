// The ONNX operators that can be read.
#ifndef PLEAT_CONVERTER_OPERATORS_H_
#define PLEAT_CONVERTER_OPERATORS_H_

#include <string>
#include <vector>

namespace pleat::converter {

struct SupportedOperator {
  std::string name;
  int since = 1;  // the first operator set whose form of it is read
};

// Of the default domain, by name.
std::vector<SupportedOperator> SupportedOperators();

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_OPERATORS_H_
