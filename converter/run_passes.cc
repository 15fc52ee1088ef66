// The page of passes: what happens to a network between import and file, in order.
#include <algorithm>
#include <numeric>

#include "converter/convert.h"
#include "converter/passes/passes.h"

namespace pleat::converter {
namespace {

struct Pass {
  const char* name;
  Status (*run)(Graph& graph);
  bool folds = false;   // left out when folding is off
  bool merges = false;  // left out when merging is off
  bool halves = false;  // left out unless weights may lose bits
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
    {"merge_convolutions", MergeConvolutions, true, true},
    {"fold_forward", FoldForward, true},
    {"canonicalize_affine_again", CanonicalizeAffineAgain, true},
    {"fold_backward_again", FoldBackwardAgain, true},
    {"fold_forward_again", FoldForwardAgain, true},
    {"fuse_pad_folded", FusePad},
    {"drop_dead_channels", DropDeadChannels, true},
    {"round_constants", RoundConstants},
    {"eliminate_identity_folded", EliminateIdentity},
    {"channels_last", ChannelsLast},
    {"eliminate_identity_again", EliminateIdentity},
    {"fuse_residual", FuseResidual},
    {"fuse_activation", FuseActivation},
    {"fuse_prologue", FusePrologue, true},
    {"pack_weights", PackWeights},
    {"halve_weights", HalveWeights, false, false, true},
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

// The same for every subgraph; what became of its batch norms is told with the graph's.
Status RunPassesInside(Graph& graph, const ConvertOptions& options) {
  ConvertOptions inside = options;
  inside.on_stage = nullptr;
  for (runtime::Node& node : graph.nodes) {
    for (Graph& subgraph : node.subgraphs) {
      PLEAT_RETURN_IF_ERROR(RunPasses(subgraph, inside).In(node.name + " (" + node.OpName() + ")"));
      std::move(subgraph.batch_norms.begin(), subgraph.batch_norms.end(),
                std::back_inserter(graph.batch_norms));
      subgraph.batch_norms.clear();
    }
  }
  return Status::Ok();
}

bool Runs(const Pass& pass, const ConvertOptions& options) {
  if (pass.folds && !options.fold) return false;
  if (pass.merges && !options.merge) return false;
  if (pass.halves && !options.half_weights) return false;
  return options.only_pass.empty() || options.only_pass == pass.name;
}

// How many letters have to be put in, taken out or exchanged to make one name the other.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t exchanged = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({exchanged, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// Fails, with the name meant and all there are, unless a pass that runs has the name.
Status CheckName(const std::string& name, const ConvertOptions& options) {
  if (name.empty()) return Status::Ok();
  std::string all;
  const Pass* nearest = &kPasses[0];
  for (const Pass& pass : kPasses) {
    if (name == pass.name) {
      if (Runs(pass, options)) return Status::Ok();
      return runtime::InvalidArgument("the pass '" + name + "' is left out by the other options");
    }
    if (Distance(name, pass.name) < Distance(name, nearest->name)) nearest = &pass;
    all += (all.empty() ? "" : ", ") + std::string(pass.name);
  }
  return runtime::InvalidArgument("no pass is called '" + name + "'; did you mean '" +
                                  nearest->name + "'? There are: " + all);
}

}  // namespace

runtime::Status RunPasses(runtime::Graph& graph, const ConvertOptions& options) {
  PLEAT_RETURN_IF_ERROR(CheckName(options.only_pass, options));
  PLEAT_RETURN_IF_ERROR(CheckName(options.stop_after, options));
  for (const Pass& pass : kPasses) {
    if (!Runs(pass, options)) continue;
    PLEAT_RETURN_IF_ERROR(pass.run(graph).In(pass.name));
    PLEAT_RETURN_IF_ERROR(runtime::CheckGraph(graph).In(std::string("after ") + pass.name));
    if (options.on_stage) options.on_stage(pass.name, graph);
    if (options.stop_after == pass.name) break;
  }
  PLEAT_RETURN_IF_ERROR(Finish(graph));
  return RunPassesInside(graph, options);
}

}  // namespace pleat::converter
