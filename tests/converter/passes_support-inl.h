// The template of Net that every step goes through.
#ifndef PLEAT_TESTS_CONVERTER_PASSES_SUPPORT_INL_H_
#define PLEAT_TESTS_CONVERTER_PASSES_SUPPORT_INL_H_

#include <gtest/gtest.h>

#include "tests/converter/passes_support.h"

namespace pleat::tests {

template <class T>
std::vector<ValueId> Net::Append(T fields, std::vector<ValueId> inputs, size_t outputs) {
  const std::string name = "op" + std::to_string(graph.nodes.size());
  std::vector<ValueId> results;
  for (size_t i = 0; i < outputs; ++i) {
    results.push_back(graph.AddValue(name + (i == 0 ? "_out" : "_out" + std::to_string(i))));
  }
  graph.nodes.push_back(runtime::MakeNode(name, std::move(fields), std::move(inputs), results));
  graph.nodes.back().sources = {name};
  const auto status = runtime::InferGraph(graph, /*evaluate=*/false);
  EXPECT_TRUE(status.ok()) << status.message();
  return results;
}

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_CONVERTER_PASSES_SUPPORT_INL_H_
