// What the FlatBuffers verifier does not look at in the graph section of a .pleat file.
#ifndef PLEAT_RUNTIME_FILE_LAYOUT_H_
#define PLEAT_RUNTIME_FILE_LAYOUT_H_

#include <cstddef>

#include "pleat_generated.h"
#include "runtime/status.h"

namespace pleat::runtime {

// Fails unless every list lies at a multiple of its elements' size, and all lists and strings have
// bytes of their own: a file in which many share some would unpack to far more than its size.
// REQUIRES: the section of `bytes` bytes passed the verifier.
Status CheckLayout(const fb::Graph& graph, size_t bytes);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_FILE_LAYOUT_H_
