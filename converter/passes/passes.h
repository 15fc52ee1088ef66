// The rewrites between an imported network and the one a file holds. Each is a function of the
// graph alone, leaves a graph that computes the same function, and may run any number of times.
// run_passes.cc names their order.
#ifndef PLEAT_CONVERTER_PASSES_PASSES_H_
#define PLEAT_CONVERTER_PASSES_PASSES_H_

#include "runtime/graph.h"

namespace pleat::converter {

using runtime::Graph;
using runtime::Status;

// Nodes whose operands are all known become constants, unless the result would be far larger than
// what it is made from. Infers types first.
Status EvaluateConstants(Graph& graph);
// Shapes computed from sizes that are partly unknown become constants where operators can take it.
Status SimplifyShapes(Graph& graph);
// Drops steps that change nothing, and joins neighbouring views and transpositions.
Status EliminateIdentity(Graph& graph);

// Spelled-out activations (sigmoid and product, the erf of GELU, ...) become one Unary.
Status MatchActivations(Graph& graph);
// The nine steps of a layer normalisation become one LayerNorm.
Status MatchLayerNorm(Graph& graph);

// Conv and Pool take over the zeros that a Pad before them puts around the image.
Status FusePad(Graph& graph);

// Arithmetic with per-channel constants beside a linear operator becomes ScaleShift in float64.
Status CanonicalizeAffine(Graph& graph);
// ScaleShift goes into the linear operator that feeds it.
Status FoldBackward(Graph& graph);
// Convolutions of one image that are added up become one.
Status MergeConvolutions(Graph& graph);
// ScaleShift goes into the linear operators that read it.
Status FoldForward(Graph& graph);
// The same of what is left, where what folded has made way; but not of a batch norm that stays,
// whose reason is told.
Status CanonicalizeAffineAgain(Graph& graph);
Status FoldBackwardAgain(Graph& graph);
Status FoldForwardAgain(Graph& graph);
// Channels that are constant are left out, and added where they are read.
Status DropDeadChannels(Graph& graph);

// Conv and MatMul add the other operand of the sum that follows.
Status FuseResidual(Graph& graph);
// Operators apply the activation that follows before they store.
Status FuseActivation(Graph& graph);

// What is left of ScaleShift goes into the operator that reads it, applied where that reads.
Status FusePrologue(Graph& graph);

// Images lie channels last; transpositions stay only where the order of axes is seen outside.
Status ChannelsLast(Graph& graph);

// Weights that were kept in float64 are rounded to float32, once.
Status RoundConstants(Graph& graph);
// Constant weights lie in memory as kernels read them.
Status PackWeights(Graph& graph);
// Those of fully connected layers are kept as float16: half the bytes, 11 bits of each number.
Status HalveWeights(Graph& graph);
// Equal constants become one.
Status ShareConstants(Graph& graph);
// Nodes and values that no output needs are dropped.
Status EliminateDead(Graph& graph);
// Every batch normalisation of the source says where it went or why it stays.
Status RecordBatchNorms(Graph& graph);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_PASSES_H_
