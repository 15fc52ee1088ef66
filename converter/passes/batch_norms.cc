#include "converter/passes/batch_norms.h"

#include <algorithm>

#include "converter/passes/passes.h"

namespace pleat::converter {

BatchNorms::BatchNorms(Graph& graph) : entries_(graph.batch_norms) {
  for (size_t i = 0; i < entries_.size(); ++i) by_name_.emplace(entries_[i].node, i);
}

std::vector<fb::BatchNormT*> BatchNorms::Of(const Node& node) const {
  std::vector<size_t> found;
  if (entries_.empty()) return {};
  for (const std::string& source : node.sources) {
    const auto [first, last] = by_name_.equal_range(source);
    for (auto it = first; it != last; ++it) found.push_back(it->second);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::vector<fb::BatchNormT*> entries;
  for (const size_t index : found) entries.push_back(&entries_[index]);
  return entries;
}

bool BatchNorms::IsOne(const Node& node) const {
  return !node.sources.empty() && by_name_.contains(node.sources.front());
}

void BatchNorms::MarkFolded(const Node& node, const std::string& kind, const std::string& into) {
  for (fb::BatchNormT* entry : Of(node)) {
    entry->status = fb::FoldStatus::Folded;
    entry->kind = kind;
    entry->into = into;
    entry->reason.clear();
    entry->detail.clear();
  }
}

void BatchNorms::Keep(const Node& node, const Refusal& refusal) {
  for (fb::BatchNormT* entry : Of(node)) {
    entry->status = fb::FoldStatus::Kept;
    entry->kind.clear();
    entry->into.clear();
    entry->reason = refusal.code;
    entry->detail = refusal.sentence;
  }
}

void BatchNorms::KeepWithin(const Node& node, const Refusal& refusal) {
  for (fb::BatchNormT* entry : Of(node)) {
    if (entry->status != fb::FoldStatus::Folded || !entry->reason.empty()) continue;
    entry->reason = refusal.code;
    entry->detail = refusal.sentence;
  }
}

namespace {

// Parts of a batch norm that was spelled out may have folded; a step of it that is left is it.
void KeepSpelledOut(const Node& node, fb::BatchNormT& entry) {
  const bool step = node.As<fb::BinaryT>() != nullptr || node.As<fb::UnaryT>() != nullptr;
  if (!step || node.sources.front() != entry.node || entry.status == fb::FoldStatus::Kept) return;
  entry.status = fb::FoldStatus::Kept;
  entry.kind.clear();
  entry.into.clear();
  entry.reason = "BN_PARAM_NOT_CONST";
  entry.detail = "its parameters are known only at run time";
}

}  // namespace

Status RecordBatchNorms(Graph& graph) {
  if (graph.batch_norms.empty()) return Status::Ok();
  std::vector<bool> seen(graph.batch_norms.size(), false);
  const BatchNorms norms(graph);
  for (const Node& node : graph.nodes) {
    const bool affine = node.As<fb::ScaleShiftT>() != nullptr;
    const bool training = node.As<fb::BatchNormTrainingT>() != nullptr;
    bool first = true;
    for (fb::BatchNormT* entry : norms.Of(node)) {
      const auto index = static_cast<size_t>(entry - graph.batch_norms.data());
      KeepSpelledOut(node, *entry);
      if (seen[index]) continue;
      seen[index] = true;
      if (training && entry->reason.empty()) {
        entry->reason = "BN_TRAINING_MODE";
        entry->detail = "it normalises with the statistics of the batch at hand";
      }
      if (!affine) continue;
      if (first) {
        first = false;
        entry->status = fb::FoldStatus::Kept;
        entry->kind.clear();
        entry->into.clear();
        if (entry->reason.empty()) {
          entry->reason = "FOLDING_OFF";
          entry->detail = "the conversion was asked not to fold";
        }
      } else {
        entry->status = fb::FoldStatus::Folded;
        entry->kind = "affine";
        entry->into = NameOf(graph, node);
        entry->reason.clear();
        entry->detail.clear();
      }
    }
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    fb::BatchNormT& entry = graph.batch_norms[i];
    if (entry.status == fb::FoldStatus::Folded && !entry.reason.empty()) {
      entry.reason.clear();
      entry.detail.clear();
    }
    if (seen[i] || entry.status == fb::FoldStatus::Folded) continue;
    entry.status = fb::FoldStatus::Folded;
    entry.kind = "eliminated";
    entry.reason.clear();
    entry.detail = "no output of the network needs it";
  }
  return Status::Ok();
}

}  // namespace pleat::converter
