// A tap bias in ONNX's terms: what it adds at each place of a convolution's result.
#ifndef PLEAT_CONVERTER_EMIT_SHIFT_MAP_H_
#define PLEAT_CONVERTER_EMIT_SHIFT_MAP_H_

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "converter/emit/onnx_edit.h"
#include "runtime/graph.h"

namespace pleat::converter {

// The tap bias of Conv or ConvTranspose, null when the node has none.
const runtime::Tensor* TapBiasOf(const runtime::Graph& graph, const runtime::Node& node);

// float32 [1, M, out..], to be added to the node's result; empty when the image's size is unknown.
runtime::Result<runtime::Tensor> ShiftMap(const runtime::Graph& graph, const runtime::Node& node,
                                          const runtime::Tensor& tap_bias);

// The tap bias as weights of the same operator for an image of one channel, float32.
runtime::Tensor TapWeights(const runtime::Node& node, const runtime::Tensor& tap_bias);

// Nodes that convolve an image of ones, as large as `image`, with the weights `taps`. The last
// makes the map. `source` is the convolution itself. Needs operator set 9.
struct ShiftNames {
  std::string image, taps;
};
std::vector<onnx::NodeProto> ShiftNodes(const runtime::Graph& graph, const runtime::Node& node,
                                        const onnx::NodeProto& source, const ShiftNames& names,
                                        OnnxEdit& edit);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_EMIT_SHIFT_MAP_H_
