// From ONNX bytes to a Graph that a .pleat file holds. convert.cc is the page that names every
// stage in order.
#ifndef PLEAT_CONVERTER_CONVERT_H_
#define PLEAT_CONVERTER_CONVERT_H_

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "converter/limits.h"
#include "runtime/graph.h"

namespace pleat::converter {

// What becomes of a BatchNormalization in training mode, which normalises with the mean and variance
// of its own input.
enum class TrainingMode {
  kBatch,   // it runs as that
  kFreeze,  // it becomes one of inference, with the statistics stored beside it
  kError,   // the network is refused, naming each
};

struct ConvertOptions {
  // Sizes for graph inputs by name, replacing what the model declares; kUnknownDim leaves one open.
  std::map<std::string, runtime::Shape> input_shapes;
  // Folder that external data lives in; empty: a model with external data is refused.
  std::string folder;
  TrainingMode training = TrainingMode::kBatch;
  Limits limits;
  bool fold = true;   // false: every affine step stays one of its own
  bool merge = true;  // false: convolutions that are added up stay apart
  // Weights of matrix products with at most 4 rows, as far as known (fully connected layers), are
  // kept as float16 where that changes no column of them by more than 2^-11 of its size.
  bool half_weights = false;
  // Stops after the pass of this name, or runs this one alone; empty: all of them run. Fails where
  // no pass has the name.
  std::string stop_after;
  std::string only_pass;
  // Called with the name and result of every stage when set.
  std::function<void(const std::string& stage, const runtime::Graph&)> on_stage;
};

// The network as the file states it: imported and checked, nothing folded, channels first. This is
// what `verify` runs in double. Graph::batch_norms lists every BatchNormalization.
runtime::Result<runtime::Graph> ImportOnnx(std::span<const std::byte> bytes,
                                           const ConvertOptions& options);

// The network as Pleat runs it: constants evaluated, batch norms folded, activations fused,
// channels last. Graph::batch_norms says what became of each.
runtime::Result<runtime::Graph> ConvertOnnx(std::span<const std::byte> bytes,
                                            const ConvertOptions& options);

// ImportOnnx / ConvertOnnx of a file; its folder serves for external data.
runtime::Result<runtime::Graph> ImportOnnxFile(const std::string& path, ConvertOptions options);
runtime::Result<runtime::Graph> ConvertOnnxFile(const std::string& path, ConvertOptions options);

// The passes that follow ImportOnnx, on a graph of any origin.
runtime::Status RunPasses(runtime::Graph& graph, const ConvertOptions& options);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_CONVERT_H_
