#include "tests/runtime/ops_support.h"

#include <gtest/gtest.h>

namespace pleat::tests {

std::vector<double> Numbers(const runtime::Result<std::vector<runtime::Tensor>>& result) {
  EXPECT_TRUE(result.ok()) << result.status().message();
  if (!result.ok()) return {};
  return runtime::ToDoubles(result.value()[0]);
}

}  // namespace pleat::tests
