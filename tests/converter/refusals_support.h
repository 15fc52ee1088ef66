// Networks of one node that importing refuses, and what it says then.
#ifndef PLEAT_TESTS_CONVERTER_REFUSALS_SUPPORT_H_
#define PLEAT_TESTS_CONVERTER_REFUSALS_SUPPORT_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/converter/onnx_builder.h"

namespace pleat::tests {

inline constexpr runtime::StatusCode kUnsupported = runtime::StatusCode::kUnsupported;

inline void ExpectSays(const OnnxBuilder& builder, const std::string& words,
                       runtime::StatusCode code = runtime::StatusCode::kInvalidModel) {
  const runtime::Status status = builder.Import().status();
  EXPECT_EQ(status.code(), code) << status.message() << "\nexpected: " << words;
  EXPECT_NE(status.message().find(words), std::string::npos)
      << status.message() << "\nexpected: " << words;
}

// x float [2, 3] and one node that makes y of these inputs.
inline OnnxBuilder On(const std::vector<std::string>& inputs, const std::string& op,
                      const Attributes& attributes = {}, int64_t opset = 17,
                      const std::vector<int64_t>& dims = {2, 3}) {
  OnnxBuilder builder(opset);
  builder.Input("x", dims).Node(op, inputs, {"y"}, attributes).Output("y");
  return builder;
}

// The same with nothing known of the first input's shape.
inline OnnxBuilder Unranked(OnnxBuilder builder) {
  builder.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  return builder;
}

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_CONVERTER_REFUSALS_SUPPORT_H_
