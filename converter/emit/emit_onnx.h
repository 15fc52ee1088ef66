// A source network with its batch norms folded, as ONNX again: the same file with new weights where
// a batch norm went in, and without the nodes that thereby became nothing.
#ifndef PLEAT_CONVERTER_EMIT_EMIT_ONNX_H_
#define PLEAT_CONVERTER_EMIT_EMIT_ONNX_H_

#include <span>
#include <string>

#include "converter/convert.h"

namespace pleat::converter {

// The bytes of the folded model: operator sets, IR version, names, order and types of graph inputs
// and outputs as in the source; weights in the types the source stores; external data inside.
// Given input shapes become those the model states, since folds may rest on them. kUnsupported,
// naming the node, below operator set 7 and for a fold that touches part of one ONNX node or the
// body of a function; kLimitExceeded beyond protobuf's 2 GiB.
runtime::Result<std::string> EmitOnnx(std::span<const std::byte> bytes,
                                      const ConvertOptions& options);

// EmitOnnx of a file; its folder serves for external data.
runtime::Result<std::string> EmitOnnxFile(const std::string& path, ConvertOptions options);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_EMIT_EMIT_ONNX_H_
