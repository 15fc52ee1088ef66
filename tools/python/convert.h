// pleat.convert: from an ONNX file to a .pleat file and a report.
#ifndef PLEAT_TOOLS_PYTHON_CONVERT_H_
#define PLEAT_TOOLS_PYTHON_CONVERT_H_

#include <map>
#include <string>

#include "runtime/graph.h"

namespace pleat::python {

struct ConvertOptions {
  std::map<std::string, runtime::Shape> input_shapes;
  bool fold = true;
  bool half_weights = false;
  bool verify = false;   // fails, writing nothing, where the result departs from the source
  bool measure = false;  // the report is the whole certificate
};

// Writes `target` and returns the report as JSON.
runtime::Result<std::string> Convert(const std::string& source, const std::string& target,
                                     const ConvertOptions& options);

// The bytes of a .pleat file for the ONNX file, every default taken.
runtime::Result<std::string> ConvertInMemory(const std::string& source);

}  // namespace pleat::python

#endif  // PLEAT_TOOLS_PYTHON_CONVERT_H_
