// The page of passes: what happens to a network between import and file, in order.
#include "converter/convert.h"
#include "converter/passes/passes.h"

namespace pleat::converter {
namespace {

struct Pass {
  const char* name;
  Status (*run)(Graph& graph);
  bool folds = false;  // left out when folding is off
};

constexpr Pass kPasses[] = {
    {"evaluate_constants", EvaluateConstants},
    {"simplify_shapes", SimplifyShapes},
    {"eliminate_identity", EliminateIdentity},
    {"match_activations", MatchActivations},
    {"match_layer_norm", MatchLayerNorm},
    {"fuse_pad", FusePad},
    {"canonicalize_affine", CanonicalizeAffine, true},
    {"fold_backward", FoldBackward, true},
    {"fold_forward", FoldForward, true},
    {"round_constants", RoundConstants},
    {"channels_last", ChannelsLast},
    {"eliminate_identity_again", EliminateIdentity},
    {"fuse_residual", FuseResidual},
    {"fuse_activation", FuseActivation},
    {"fuse_prologue", FusePrologue, true},
    {"pack_weights", PackWeights},
    {"share_constants", ShareConstants},
    {"eliminate_dead", EliminateDead},
    {"record_batch_norms", RecordBatchNorms},
};

// A graph that stops half way still has to run: its weights may be on their way in float64.
Status Finish(Graph& graph) {
  for (const auto& run : {RoundConstants, EliminateDead, RecordBatchNorms}) {
    PLEAT_RETURN_IF_ERROR(run(graph));
  }
  PLEAT_RETURN_IF_ERROR(runtime::CheckGraph(graph).In("after the passes"));
  return runtime::InferGraph(graph, /*evaluate=*/true).In("after the passes");
}

}  // namespace

runtime::Status RunPasses(runtime::Graph& graph, const ConvertOptions& options) {
  bool stopped = false;
  for (const Pass& pass : kPasses) {
    if (pass.folds && !options.fold) continue;
    PLEAT_RETURN_IF_ERROR(pass.run(graph).In(pass.name));
    PLEAT_RETURN_IF_ERROR(runtime::CheckGraph(graph).In(std::string("after ") + pass.name));
    if (options.on_stage) options.on_stage(pass.name, graph);
    stopped = options.stop_after == pass.name;
    if (stopped) break;
  }
  if (!stopped && !options.stop_after.empty()) {
    return runtime::InvalidArgument("no pass that runs is called '" + options.stop_after + "'");
  }
  return Finish(graph);
}

}  // namespace pleat::converter
