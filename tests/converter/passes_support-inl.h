// The template of Net that every step goes through.
#ifndef PLEAT_TESTS_CONVERTER_PASSES_SUPPORT_INL_H_
#define PLEAT_TESTS_CONVERTER_PASSES_SUPPORT_INL_H_

#include <gtest/gtest.h>

#include "tests/converter/passes_support.h"

namespace pleat::tests {

template <class T>
ValueId Net::Append(T fields, std::vector<ValueId> inputs) {
  const std::string name = "op" + std::to_string(graph.nodes.size());
  const ValueId output = graph.AddValue(name + "_out");
  graph.nodes.push_back(runtime::MakeNode(name, std::move(fields), std::move(inputs), {output}));
  graph.nodes.back().sources = {name};
  const auto status = runtime::InferGraph(graph, /*evaluate=*/false);
  EXPECT_TRUE(status.ok()) << status.message();
  return output;
}

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_CONVERTER_PASSES_SUPPORT_INL_H_
