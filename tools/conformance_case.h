// The cases of ONNX's conformance suites, and any network with answers beside it.
#ifndef PLEAT_TOOLS_CONFORMANCE_CASE_H_
#define PLEAT_TOOLS_CONFORMANCE_CASE_H_

#include <string>
#include <vector>

#include "tools/compare.h"
#include "tools/test_data.h"

namespace pleat::tools {

// A folder that holds model.onnx, or else a single .onnx file, and test_data_set_K beside it.
struct ConformanceCase {
  std::string name;    // the path of the folder from where the search began
  std::string folder;
  std::string model;   // path
};

enum class CaseStatus { kPassed, kFailed, kUnsupported };
const char* CaseStatusName(CaseStatus status);

struct CaseResult {
  CaseStatus status = CaseStatus::kFailed;
  std::string reason;                  // empty when it passed
  std::vector<std::string> operators;  // of the model, by name
};

// All cases in `folder` and below, by name; kIo where there are none.
runtime::Result<std::vector<ConformanceCase>> FindCases(const std::string& folder);

// Converts the case's model, writes and reads it back in memory, and runs every set of its test
// data, within the tolerance or the one that data.json beside it states. Unsupported is only what the converter refuses and lists (converter::IsListedRefusal); any
// other refusal or error is a failure.
CaseResult RunCase(const ConformanceCase& test, const Tolerance& tolerance,
                   const runtime::Session::Options& options);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_CONFORMANCE_CASE_H_
