// What a converted network is held against: the network as stated, run in double on reference kernels.
#ifndef PLEAT_TESTS_CONVERTER_FOLD_ORACLE_H_
#define PLEAT_TESTS_CONVERTER_FOLD_ORACLE_H_

#include <string>
#include <vector>

#include "tests/converter/random_net.h"

namespace pleat::tests {

// Whether float32 holds all sums on the way: every value is below 2^12 and a multiple of 2^-6.
bool IsExact(const Graph& graph, const std::vector<Tensor>& inputs);

// What is wrong with the conversion of a network, empty when nothing is: converted, on reference and
// on fast kernels, it answers as stated, to the bit where IsExact, else within 256 units in the last
// place of sum |w||x| + |b|; bytes are the same each time; every batch norm is accounted for.
std::string Complaint(const Graph& graph, Numbers numbers);

// The shortest beginning of a network with a complaint that still has one, as people read it.
std::string Repro(const Graph& graph, Numbers numbers);

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_CONVERTER_FOLD_ORACLE_H_
