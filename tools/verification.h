// The proof of a conversion: the original graph in double on the reference kernels, no buffer
// shared, against the converted one on the fast kernels, over the same inputs.
#ifndef PLEAT_TOOLS_VERIFICATION_H_
#define PLEAT_TOOLS_VERIFICATION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/session.h"
#include "tools/compare.h"
#include "tools/console.h"

namespace pleat::tools {

struct VerifyOptions {
  runtime::Session::Options session;  // of the converted graph
  uint64_t seed = 1;
  Tolerance tolerance;
  std::map<std::string, runtime::Shape> shapes;  // for sizes the inputs leave open
  std::vector<runtime::Tensor> inputs;           // empty: random ones are made
};

// The first node, in the order of the converted graph, one of whose values departs from the
// original's value of the same name, whatever the order of its axes.
struct Departure {
  std::string node, op, value;
  Difference difference;
};

struct VerifyReport {
  std::vector<OutputDifference> outputs;
  std::vector<std::string> assumed;  // sizes chosen for open ones, a line each
  std::vector<runtime::Shape> input_shapes;
  uint64_t seed = 0;
  bool random = false;  // the inputs were made up
  bool pass = true;
  std::optional<Departure> departure;  // set only on failure, where one is found
  std::string remark;                  // on failure, why no departure is named
};

// Fails where one of the two cannot be run; numbers that differ are in the report.
runtime::Result<VerifyReport> Verify(const runtime::Graph& original,
                                     std::shared_ptr<const runtime::Model> converted,
                                     const VerifyOptions& options);

// Ok, or kVerificationFailed with the worst output and the departure in one line.
runtime::Status StatusOf(const VerifyReport& report);

std::string TextOf(const VerifyReport& report);
Json JsonOf(const VerifyReport& report);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_VERIFICATION_H_
