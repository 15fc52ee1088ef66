// ONNX's test layout: folders with input_K.pb and the answers output_K.pb.
#ifndef PLEAT_TOOLS_TEST_DATA_H_
#define PLEAT_TOOLS_TEST_DATA_H_

#include <string>
#include <vector>

#include "runtime/session.h"
#include "tools/compare.h"
#include "tools/console.h"

namespace pleat::tools {

struct TestSetReport {
  std::string folder;
  std::vector<OutputDifference> outputs;
  bool pass = true;
};

// `folder` itself where it has input_K.pb or output_K.pb, else its folders test_data_set_K in order
// of K. kIo when there is neither.
runtime::Result<std::vector<std::string>> FindTestSets(const std::string& folder);

// Runs one set. Tensors are matched by name where the file's is an input or output of the graph,
// else by position.
runtime::Result<TestSetReport> RunTestSet(runtime::Session& session, const std::string& folder,
                                          const Tolerance& tolerance);

std::string TextOf(const TestSetReport& report, const Tolerance& tolerance);
Json JsonOf(const TestSetReport& report, const Tolerance& tolerance);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_TEST_DATA_H_
