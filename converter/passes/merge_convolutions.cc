// Before: x -> Conv (w1, b1), x -> Conv (w2, b2), x -> ScaleShift(s, t); their sum -> y
// After:  x -> Conv (w, b) -> y
// Condition: nobody else reads the terms; strides and groups are the same, dilations too where a
//   kernel has more than one tap; the windows, placed by their padding, see the same image; and the
//   window around all of them has no more taps than the windows had together. x itself counts as a
//   term with a scale of its own, or where nothing else is added and a scale follows, which can then
//   fold (RepViT, arXiv 2307.09283). A term may be subtracted: its numbers change sign.
//   (FastViT, arXiv 2303.14189, subtracts the batch norm of the image.)
// Formula: w = the sum of the kernels, each at its place in the window around them, ScaleShift
//   being s at the centre of each channel's own kernel; b = b1 + b2 + t. In double. Zeros outside
//   the image are the same zeros for every term, so this is exact at borders too.
//   (RepVGG, arXiv 2101.03697; ACNet, arXiv 1908.03930.)
#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_set>

#include "converter/passes/batch_norms.h"
#include "converter/passes/fold_weights.h"
#include "converter/passes/passes.h"

namespace pleat::converter {
namespace {

// Along one axis: taps at first, first + step, ..., last, counted from the window's place; and by
// how much the padded image exceeds the window, on which the number of places depends.
struct Taps {
  int64_t first = 0, last = 0, step = 1, stride = 1, excess = 0;
  int64_t count() const { return (last - first) / step + 1; }
};

int64_t CountOf(const std::vector<Taps>& axes) {
  int64_t count = 1;
  for (const Taps& taps : axes) count *= taps.count();
  return count;
}

struct Term {
  size_t node = 0;
  bool identity = false;  // ScaleShift, or
  bool plain = false;     // the image as it is, made by no node of its own
  double sign = 1;        // -1 when it is subtracted
  std::vector<Taps> axes;
  int64_t group = 1;
  int64_t outputs = 0;
  int64_t inputs = 0;  // of one group
};

std::optional<std::vector<Taps>> TapsOf(const fb::WindowT& window, const Shape& weights) {
  std::vector<Taps> axes;
  const size_t rank = weights.size() - 2;
  for (size_t i = 0; i < rank; ++i) {
    Taps taps;
    const int64_t kernel = weights[i + 2];
    taps.step = window.dilations.empty() ? 1 : window.dilations[i];
    taps.stride = window.strides.empty() ? 1 : window.strides[i];
    const int64_t extent = taps.step * (kernel - 1);
    int64_t begin = 0, end = 0;
    switch (window.auto_pad) {
      case fb::AutoPad::NotSet:
        if (!window.pads.empty()) {
          begin = window.pads[i];
          end = window.pads[i + rank];
        }
        break;
      case fb::AutoPad::Valid:
        break;
      default:
        if (taps.stride != 1) return std::nullopt;
        begin = window.auto_pad == fb::AutoPad::SameUpper ? extent / 2 : extent - extent / 2;
        end = extent - begin;
    }
    taps.first = -begin;
    taps.last = extent - begin;
    taps.excess = begin + end - extent;
    axes.push_back(taps);
  }
  return axes;
}

// What the node adds, when it is a convolution or a scale of its input and a sum alone reads it.
std::optional<Term> TermOf(const Graph& graph, const Uses& uses, ValueId id) {
  const int maker = uses.Maker(id);
  if (maker < 0 || uses.OnlyReader(id) < 0) return std::nullopt;
  const Node& node = graph.nodes[static_cast<size_t>(maker)];
  Term term{.node = static_cast<size_t>(maker)};
  const auto* conv = node.As<fb::ConvT>();
  const auto* scale_shift = node.As<fb::ScaleShiftT>();
  if (conv != nullptr) {
    const auto map = MapWeights(graph, node);
    if (!map || !IsNone(conv->activation) || node.input(3) != kNoValue) return std::nullopt;
    const Shape& shape = TypeOf(graph, node.inputs[1]).shape;
    if (node.input(2) != kNoValue) {
      const Tensor* bias = graph.ConstantOf(node.input(2));
      if (bias == nullptr || bias->shape() != Shape{shape[0]}) return std::nullopt;
    }
    auto axes = TapsOf(*conv->window, shape);
    if (!axes) return std::nullopt;
    term.axes = std::move(*axes);
    term.group = conv->group;
    term.outputs = shape[0];
    term.inputs = shape[1];
    return term;
  }
  if (scale_shift == nullptr || !IsNone(scale_shift->activation) || scale_shift->axis != 1 ||
      graph.ConstantOf(node.inputs[1]) == nullptr || graph.ConstantOf(node.inputs[2]) == nullptr) {
    return std::nullopt;
  }
  term.identity = true;
  term.outputs = graph.ConstantOf(node.inputs[1])->count();
  return term;
}

// The window around both, nothing when no window does what the two do.
std::optional<std::vector<Taps>> Around(const std::vector<Taps>& a, const std::vector<Taps>& b) {
  std::vector<Taps> axes;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].stride != b[i].stride || a[i].excess != b[i].excess) return std::nullopt;
    Taps taps = a[i];
    taps.step = a[i].count() > 1 ? a[i].step : b[i].step;
    if (b[i].count() > 1 && b[i].step != taps.step) return std::nullopt;
    taps.first = std::min(a[i].first, b[i].first);
    taps.last = std::max(a[i].last, b[i].last);
    const int64_t end = taps.excess + taps.last;
    if ((a[i].first - b[i].first) % taps.step != 0 || taps.first > 0 || end < 0) {
      return std::nullopt;
    }
    axes.push_back(taps);
  }
  return axes;
}

// The convolution that grows; weights lie as [outputs, inputs of a group, taps].
class Merged {
 public:
  Merged(const Graph& graph, const Term& term)
      : graph_(graph), term_(term), axes_(term.axes), base_(term.axes) {
    const Node& node = graph.nodes[term.node];
    weights_ = runtime::ToDoubles(*graph.ConstantOf(node.inputs[1]));
    for (double& weight : weights_) weight *= term.sign;
    bias_.assign(static_cast<size_t>(term.outputs), 0);
    AddBias(node, term.sign);
  }

  bool Take(const Term& other);
  bool grown() const { return !taken_.empty(); }
  const std::vector<Term>& taken() const { return taken_; }
  bool IsFinite() const { return !CheckRange(weights_) && !CheckRange(bias_); }
  void Write(Graph& graph, BatchNorms& norms) const;

 private:
  void AddBias(const Node& node, double sign) {
    const Tensor* bias = graph_.ConstantOf(node.input(2));
    if (bias == nullptr) return;
    const std::vector<double> numbers = runtime::ToDoubles(*bias);
    for (size_t m = 0; m < bias_.size(); ++m) bias_[m] += sign * numbers[m];
  }
  // The weights of `from` spread over the window `to`.
  std::vector<double> Spread(const std::vector<double>& weights, const std::vector<Taps>& from,
                             const std::vector<Taps>& to) const;

  const Graph& graph_;
  const Term term_;
  std::vector<Taps> axes_;
  const std::vector<Taps> base_;
  std::vector<double> weights_, bias_;
  std::vector<Term> taken_;
  int64_t taps_of_terms_ = 0;
};

std::vector<double> Merged::Spread(const std::vector<double>& weights,
                                   const std::vector<Taps>& from,
                                   const std::vector<Taps>& to) const {
  const int64_t small = CountOf(from), large = CountOf(to);
  std::vector<int64_t> place(static_cast<size_t>(small));
  for (int64_t i = 0; i < small; ++i) {
    int64_t rest = i, at = 0, step = 1;
    for (size_t axis = from.size(); axis-- > 0;) {
      const int64_t tap = from[axis].first + rest % from[axis].count() * from[axis].step;
      rest /= from[axis].count();
      at += (tap - to[axis].first) / to[axis].step * step;
      step *= to[axis].count();
    }
    place[static_cast<size_t>(i)] = at;
  }
  const int64_t rows = static_cast<int64_t>(weights.size()) / small;
  std::vector<double> spread(static_cast<size_t>(rows * large), 0);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < small; ++i) {
      spread[static_cast<size_t>(row * large + place[static_cast<size_t>(i)])] =
          weights[static_cast<size_t>(row * small + i)];
    }
  }
  return spread;
}

bool Merged::Take(const Term& other) {
  std::vector<Taps> axes = other.axes;
  if (other.identity) axes.assign(axes_.size(), Taps{});
  if (axes.size() != axes_.size() || other.outputs != term_.outputs) return false;
  if (other.identity ? term_.inputs * term_.group != other.outputs
                     : other.group != term_.group || other.inputs != term_.inputs) {
    return false;
  }
  const auto around = Around(axes_, axes);
  const int64_t terms = (taken_.empty() ? CountOf(base_) : taps_of_terms_) + CountOf(axes);
  if (!around || CountOf(*around) > terms) return false;
  std::vector<double> kernel;
  if (other.identity) {
    const auto channels = static_cast<size_t>(term_.outputs);
    const std::vector<double> scale =
        other.plain ? std::vector<double>(channels, 1)
                    : runtime::ToDoubles(*graph_.ConstantOf(graph_.nodes[other.node].inputs[1]));
    kernel.assign(static_cast<size_t>(term_.outputs * term_.inputs), 0);
    for (size_t m = 0; m < scale.size(); ++m) {
      const auto inputs = static_cast<size_t>(term_.inputs);
      kernel[m * inputs + m % inputs] = scale[m];
    }
  } else {
    kernel = runtime::ToDoubles(*graph_.ConstantOf(graph_.nodes[other.node].inputs[1]));
  }
  const std::vector<double> added = Spread(kernel, axes, *around);
  weights_ = Spread(weights_, axes_, *around);
  for (size_t i = 0; i < added.size(); ++i) weights_[i] += other.sign * added[i];
  if (!other.plain) AddBias(graph_.nodes[other.node], other.sign);
  axes_ = *around;
  taps_of_terms_ = terms;
  taken_.push_back(other);
  return true;
}

void Merged::Write(Graph& graph, BatchNorms& norms) const {
  Node& node = graph.nodes[term_.node];
  fb::WindowT& window = *node.As<fb::ConvT>()->window;
  Shape shape = {term_.outputs, term_.inputs};
  window.kernel.clear();
  window.dilations.clear();
  window.pads.clear();
  window.auto_pad = fb::AutoPad::NotSet;
  for (const Taps& taps : axes_) {
    window.kernel.push_back(taps.count());
    window.dilations.push_back(taps.step);
    window.pads.push_back(-taps.first);
    shape.push_back(taps.count());
  }
  for (const Taps& taps : axes_) window.pads.push_back(taps.excess + taps.last);
  const std::string name = NameOf(graph, node);
  node.inputs.resize(3, kNoValue);
  node.inputs[1] = AddDoubles(graph, name + ".weights", weights_, shape);
  node.inputs[2] = AddDoubles(graph, name + ".bias", bias_, {term_.outputs});
  for (const Term& term : taken_) {
    if (term.plain) continue;
    Node& other = graph.nodes[term.node];
    norms.MarkFolded(other, "merged_conv", name);
    AddSources(node, other);
    Empty(other);
  }
}

bool IsSum(const Node& node) {
  const auto* binary = node.As<fb::BinaryT>();
  return binary != nullptr && IsNone(binary->activation) &&
         (binary->kind == fb::BinaryKind::Add || binary->kind == fb::BinaryKind::Sub);
}

struct Summand {
  ValueId value = kNoValue;
  double sign = 1;
};

// The sums below `root` that nobody else reads, and what they add.
void Collect(const Graph& graph, const Uses& uses, size_t root, std::vector<size_t>& sums,
             std::vector<Summand>& terms) {
  const Type& type = TypeOf(graph, graph.nodes[root].outputs[0]);
  std::vector<Summand> pending;
  const auto open = [&](size_t sum, double sign) {
    sums.push_back(sum);
    const Node& node = graph.nodes[sum];
    const bool subtracts = node.As<fb::BinaryT>()->kind == fb::BinaryKind::Sub;
    pending.push_back({node.inputs[1], subtracts ? -sign : sign});
    pending.push_back({node.inputs[0], sign});
  };
  open(root, 1);
  while (!pending.empty()) {
    const auto [id, sign] = pending.back();
    pending.pop_back();
    const int maker = uses.Maker(id);
    const bool inner = maker >= 0 && uses.OnlyReader(id) >= 0 &&
                       IsSum(graph.nodes[static_cast<size_t>(maker)]) && TypeOf(graph, id) == type;
    if (inner) {
      open(static_cast<size_t>(maker), sign);
    } else {
      terms.push_back({id, sign});
    }
  }
}

// Adds the values up into `result`, in the nodes `sums`, from one on that is whole and added.
void Chain(Graph& graph, const std::vector<size_t>& sums, std::vector<Summand> values,
           ValueId result) {
  std::stable_partition(values.begin(), values.end(), [&](const Summand& summand) {
    return summand.sign > 0 && TypeOf(graph, summand.value) == TypeOf(graph, result);
  });
  ValueId at = values[0].value;
  for (size_t i = 1; i < values.size(); ++i) {
    Node& sum = graph.nodes[sums[values.size() - 1 - i]];
    const ValueId next = i + 1 == values.size() ? result : sum.outputs[0];
    sum.As<fb::BinaryT>()->kind =
        values[i].sign > 0 ? fb::BinaryKind::Add : fb::BinaryKind::Sub;
    sum.inputs = {at, values[i].value};
    sum.outputs[0] = next;
    at = next;
  }
}

// The image itself as a term, where it and the other terms of it are all that is added and a scale
// alone reads the sum.
std::optional<Term> PlainTerm(const Graph& graph, const Uses& uses, ValueId input,
                              const std::vector<Summand>& values, size_t terms, ValueId sum) {
  const int reader = uses.OnlyReader(sum);
  const auto is_input = [&](const Summand& summand) { return summand.value == input; };
  const auto found = std::ranges::find_if(values, is_input);
  const Type& type = TypeOf(graph, input);
  if (reader < 0 || values.size() != terms + 1 || found == values.end() ||
      type != TypeOf(graph, sum)) {
    return std::nullopt;
  }
  const Node& node = graph.nodes[static_cast<size_t>(reader)];
  const auto* scale_shift = node.As<fb::ScaleShiftT>();
  if (scale_shift == nullptr || node.inputs[0] != sum || scale_shift->axis != 1) {
    return std::nullopt;
  }
  Term term{.identity = true, .plain = true, .sign = found->sign};
  term.outputs = type.shape[1];
  return term;
}

bool MergeTerms(Graph& graph, const Uses& uses, BatchNorms& norms, size_t root) {
  std::vector<size_t> sums;
  std::vector<Summand> values;
  Collect(graph, uses, root, sums, values);
  std::map<ValueId, std::vector<std::pair<Term, ValueId>>> by_input;
  for (const auto& [id, sign] : values) {
    if (auto term = TermOf(graph, uses, id)) {
      term->sign = sign;
      by_input[graph.nodes[term->node].inputs[0]].push_back({*term, id});
    }
  }
  bool merged_any = false;
  std::unordered_set<ValueId> gone;
  for (auto& [input, terms] : by_input) {
    const ValueId sum = graph.nodes[root].outputs[0];
    if (auto plain = PlainTerm(graph, uses, input, values, terms.size(), sum)) {
      terms.push_back({*plain, input});
    }
    std::stable_sort(terms.begin(), terms.end(), [](const auto& a, const auto& b) {
      const auto size = [](const Term& term) { return term.identity ? 0 : CountOf(term.axes); };
      return size(a.first) > size(b.first);
    });
    if (terms[0].first.identity) continue;
    Merged merged(graph, terms[0].first);
    std::vector<ValueId> taken;
    for (size_t i = 1; i < terms.size(); ++i) {
      if (merged.Take(terms[i].first)) taken.push_back(terms[i].second);
    }
    if (!merged.grown() || !merged.IsFinite()) continue;
    merged.Write(graph, norms);
    gone.insert(taken.begin(), taken.end());
    for (Summand& summand : values) {
      if (summand.value == terms[0].second) summand.sign = 1;
    }
    merged_any = true;
  }
  if (!merged_any) return false;
  std::erase_if(values, [&](const Summand& summand) { return gone.contains(summand.value); });
  const ValueId result = graph.nodes[root].outputs[0];
  if (values.size() == 1) {
    Node& node = graph.nodes[static_cast<size_t>(uses.Maker(values[0].value))];
    for (size_t sum : sums) AddSources(node, graph.nodes[sum]);
    node.outputs[0] = result;
  } else {
    Chain(graph, sums, values, result);
  }
  for (size_t i = values.size() - 1; i < sums.size(); ++i) Empty(graph.nodes[sums[i]]);
  return true;
}

// Sums that are not within one another share nothing that merging changes.
bool MergeAll(Graph& graph) {
  const Uses uses(graph);
  BatchNorms norms(graph);
  bool merged = false;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!IsSum(graph.nodes[i])) continue;
    const ValueId result = graph.nodes[i].outputs[0];
    const int reader = uses.OnlyReader(result);
    const bool inner = reader >= 0 && IsSum(graph.nodes[static_cast<size_t>(reader)]) &&
                       TypeOf(graph, graph.nodes[static_cast<size_t>(reader)].outputs[0]) ==
                           TypeOf(graph, result);
    if (!inner) merged = MergeTerms(graph, uses, norms, i) || merged;
  }
  DropEmptyNodes(graph);
  if (merged) SortNodes(graph);
  return merged;
}

}  // namespace

Status MergeConvolutions(Graph& graph) {
  bool merged = false;
  while (MergeAll(graph)) merged = true;
  if (!merged) return Status::Ok();
  // What stands behind a sum may go into the one that it became.
  PLEAT_RETURN_IF_ERROR(CanonicalizeAffine(graph));
  return FoldBackward(graph);
}

}  // namespace pleat::converter
