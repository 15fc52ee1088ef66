// Converting ONNX networks in the process that runs them. Link Pleat::converter; its C++ interface
// wants the compiler and standard library that it was built with.
//   auto network = pleat::Convert("resnet50.onnx");
//   auto model = pleat::Model::FromMemory(network.bytes.data(), network.bytes.size(), PLEAT_COPY);
#ifndef PLEAT_CONVERTER_HPP_
#define PLEAT_CONVERTER_HPP_

#include <pleat/error.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace pleat {

struct ConvertOptions {
  // Sizes for inputs by name, replacing what the model declares; PLEAT_UNKNOWN leaves one open.
  std::map<std::string, std::vector<int64_t>> input_shapes;
  bool fold = true;  // false: every batch norm stays a step of its own
  // Keeps the weights of fully connected layers as float16, half as long and faster to read, where
  // no output's weights lose more than what rounding to 11 bits takes. Sums stay float32.
  bool half_weights = false;
  // More than these of an ONNX file are PLEAT_LIMIT_EXCEEDED; 0: 2 GiB and 1,000,000.
  int64_t max_file_bytes = 0;
  int64_t max_nodes = 0;  // with calls of functions expanded
  // Tensors that there are at one time; 0: 4 GiB and 8 bytes for each that is read from files. A few
  // times the weights is what a conversion needs.
  int64_t max_memory_bytes = 0;
};

// What became of one BatchNormalization node.
struct BatchNormReport {
  std::string node;
  bool folded = false;
  std::string into;    // the node that holds it now, when folded
  std::string kind;    // of the fold
  std::string reason;  // a stable word for why it was kept
  std::string detail;  // a sentence for people
};

struct Converted {
  std::string bytes;  // of a .pleat file
  std::vector<BatchNormReport> batch_norms;
};

// Reads an ONNX file, with external data from its folder alone. Any thread.
PLEAT_API Result<Converted> TryConvert(const std::string& path, const ConvertOptions& options = {});
// The same of a file's bytes, which may hold no external data.
PLEAT_API Result<Converted> TryConvertBytes(const void* bytes, size_t size,
                                            const ConvertOptions& options = {});

inline Converted Convert(const std::string& path, const ConvertOptions& options = {}) {
  return TryConvert(path, options).value();
}
inline Converted ConvertBytes(const void* bytes, size_t size, const ConvertOptions& options = {}) {
  return TryConvertBytes(bytes, size, options).value();
}

}  // namespace pleat

#endif  // PLEAT_CONVERTER_HPP_
