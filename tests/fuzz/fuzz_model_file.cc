// Any bytes as a .pleat file, its checksums put right first: refused, or planned and run.
#include "tests/fuzz/run_model.h"
#include "tests/support/model_bytes.h"

namespace {
pleat::tests::FuzzCounts counts;
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ++counts.inputs;
  const auto bytes = std::as_bytes(std::span(data, size));
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  pleat::tests::RepairChecksums(file);
  pleat::tests::RunModel(file, counts);
  return 0;
}
