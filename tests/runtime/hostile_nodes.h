// Graphs of one node as a hostile .pleat file may hold them: nearly right, then a few things wrong.
#ifndef PLEAT_TESTS_RUNTIME_HOSTILE_NODES_H_
#define PLEAT_TESTS_RUNTIME_HOSTILE_NODES_H_

#include "runtime/graph.h"
#include "tests/support/random.h"

namespace pleat::tests {

// A graph whose one node is of operator `op`: fields and operands that fit each other, of which up
// to `wrongs` things are then changed.
runtime::Graph HostileGraph(runtime::fb::Op op, int wrongs, Random& random);

// A tensor of any numbers: small ones, and all the extremes.
runtime::Tensor AnyNumbers(const runtime::Type& type, Random& random);

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_RUNTIME_HOSTILE_NODES_H_
