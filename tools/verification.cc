#include "tools/verification.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>

#include "tools/inputs.h"
#include "tools/network.h"

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::Graph;
using runtime::Model;
using runtime::Result;
using runtime::Session;
using runtime::Shape;
using runtime::Status;
using runtime::Tensor;
using runtime::ValueId;

const std::string& NameOf(const Graph& graph, ValueId id) {
  return graph.values[static_cast<size_t>(id)].name;
}

// Position in `ids` of the value called `name`; `otherwise` when there is none.
size_t PositionOf(const Graph& graph, const std::vector<ValueId>& ids, const std::string& name,
                  size_t otherwise) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (NameOf(graph, ids[i]) == name) return i;
  }
  return otherwise;
}

// Axis i of the result is axis order[i] of `tensor`.
Tensor Transposed(const Tensor& tensor, const std::vector<size_t>& order) {
  const Shape strides = runtime::Strides(tensor.shape());
  Shape shape, steps;
  for (const size_t axis : order) {
    shape.push_back(tensor.shape()[axis]);
    steps.push_back(strides[axis]);
  }
  Tensor moved = Tensor::Make(tensor.element(), shape);
  const size_t size = ElementSize(tensor.element());
  const auto* from = static_cast<const char*>(tensor.raw());
  auto* to = static_cast<char*>(moved.mutable_raw());
  Shape index(shape.size(), 0);
  int64_t at = 0;
  for (int64_t i = 0; i < moved.count(); ++i, to += size) {
    std::memcpy(to, from + static_cast<size_t>(at) * size, size);
    for (size_t axis = shape.size(); axis-- > 0;) {
      at += steps[axis];
      if (++index[axis] < shape[axis]) break;
      at -= steps[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return moved;
}

// The smallest difference over all orders of axes that fit; nothing where none does.
std::optional<Difference> CompareOrders(const Tensor& got, const Tensor& expected,
                                        const Tolerance& tolerance) {
  constexpr size_t kMostAxes = 5;
  std::optional<Difference> best;
  const size_t rank = expected.shape().size();
  if (got.shape().size() != rank) return best;
  std::vector<size_t> order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  do {
    bool fits = true;
    for (size_t i = 0; i < rank; ++i) fits &= got.shape()[i] == expected.shape()[order[i]];
    if (!fits) continue;
    const Difference difference = Compare(got, Transposed(expected, order), tolerance);
    if (!difference.mismatch.empty()) continue;
    if (!best || difference.scaled_error < best->scaled_error) best = difference;
    if (best->pass || rank > kMostAxes) break;
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

// The value of the original that a value of the converted graph holds: passes give values that lie
// in another order of axes a name of their own.
std::string OriginalName(const std::string& name) {
  constexpr std::string_view kSuffix = ".channels_last";
  return name.ends_with(kSuffix) ? name.substr(0, name.size() - kSuffix.size()) : name;
}

// Names of the original's values that hold other numbers after conversion: of those that lie
// between a node and what went into it, before or behind, with scales on their way.
std::set<std::string> ChangedValues(const Graph& original, const Graph& converted) {
  const size_t count = original.nodes.size();
  const std::vector<int> makers = original.Makers();
  std::map<std::string, std::vector<size_t>> by_name;
  for (size_t i = 0; i < count; ++i) {
    for (const std::string& source : original.nodes[i].sources) by_name[source].push_back(i);
  }
  const auto each_maker = [&](size_t node, const auto& see) {
    for (const ValueId id : original.nodes[node].inputs) {
      const int maker = id == runtime::kNoValue ? -1 : makers[static_cast<size_t>(id)];
      if (maker >= 0) see(static_cast<size_t>(maker));
    }
  };
  std::set<std::string> changed;
  // Nodes are in order: makers stand before their readers.
  const auto change = [&](const std::vector<char>& from, const std::vector<char>& to) {
    std::vector<char> behind = from, before(count, 0);
    for (size_t i = 0; i < count; ++i) {
      each_maker(i, [&](size_t maker) { behind[i] |= behind[maker]; });
    }
    for (size_t i = count; i-- > 0;) {
      each_maker(i, [&](size_t maker) { before[maker] |= before[i] | to[i]; });
      if (behind[i] == 0 || before[i] == 0) continue;
      for (const ValueId id : original.nodes[i].outputs) {
        if (id != runtime::kNoValue) changed.insert(NameOf(original, id));
      }
    }
  };
  for (const runtime::Node& node : converted.nodes) {
    if (node.sources.size() < 2) continue;
    std::vector<char> own(count, 0), taken(count, 0);
    for (size_t i = 0; i < node.sources.size(); ++i) {
      for (const size_t at : by_name[node.sources[i]]) (i == 0 ? own : taken)[at] = 1;
    }
    change(own, taken);
    change(taken, own);
  }
  for (const ValueId id : original.outputs) changed.erase(NameOf(original, id));
  return changed;
}

class Verifier {
 public:
  Verifier(std::shared_ptr<const Model> converted, const VerifyOptions& options)
      : converted_(std::move(converted)), options_(options) {}

  Result<VerifyReport> Run(const Graph& original) {
    Session session(converted_, options_.session);
    report_.seed = options_.seed;
    PLEAT_RETURN_IF_ERROR(MakeInputs(session));
    PLEAT_ASSIGN_OR_RETURN(const std::vector<Tensor> got, session.Run(inputs_));
    PLEAT_RETURN_IF_ERROR(RunOriginal(original).In("original network in double"));
    PLEAT_RETURN_IF_ERROR(CompareOutputs(got));
    if (!report_.pass) PLEAT_RETURN_IF_ERROR(FindDeparture());
    return std::move(report_);
  }

 private:
  const Graph& graph() const { return converted_->graph(); }

  Status MakeInputs(Session& session) {
    inputs_ = options_.inputs;
    report_.random = inputs_.empty();
    if (report_.random) {
      PLEAT_ASSIGN_OR_RETURN(const std::vector<Shape> shapes,
                             ChooseRunnableShapes(session, options_.shapes, &report_.assumed));
      inputs_ = RandomInputs(graph(), shapes, options_.seed);
    }
    PLEAT_RETURN_IF_ERROR(CheckInputs(graph(), inputs_));
    for (const Tensor& input : inputs_) report_.input_shapes.push_back(input.shape());
    return Status::Ok();
  }

  Status RunOriginal(const Graph& original) {
    PLEAT_ASSIGN_OR_RETURN(oracle_, Model::FromGraph(PromoteToDouble(original)));
    const Graph& graph = oracle_->graph();
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      const runtime::Value& value = graph.values[static_cast<size_t>(graph.inputs[i])];
      const size_t from = PositionOf(this->graph(), this->graph().inputs, value.name, i);
      if (from >= inputs_.size()) {
        return runtime::InvalidArgument("input '" + value.name + "' is missing after conversion");
      }
      inputs.push_back(Cast(inputs_[from], value.type.element));
    }
    oracle_options_.threads = options_.session.threads;
    oracle_options_.select.reference = true;
    oracle_options_.share_buffers = false;
    oracle_session_ = std::make_unique<Session>(oracle_, oracle_options_);
    Result<std::vector<Tensor>> outputs = oracle_session_->Run(inputs);
    if (!outputs.ok() && outputs.status().code() == runtime::StatusCode::kLimitExceeded) {
      oracle_options_.share_buffers = true;
      oracle_session_ = std::make_unique<Session>(oracle_, oracle_options_);
      outputs = oracle_session_->Run(inputs);
    }
    if (!outputs.ok()) return outputs.status();
    expected_ = std::move(outputs).value();
    return Status::Ok();
  }

  Status CompareOutputs(const std::vector<Tensor>& got) {
    const Graph& original = oracle_->graph();
    for (size_t i = 0; i < got.size(); ++i) {
      const std::string& name = NameOf(graph(), graph().outputs[i]);
      const size_t at = PositionOf(original, original.outputs, name, i);
      if (at >= expected_.size()) {
        return runtime::InvalidArgument("output '" + name + "' is not one of the original network");
      }
      const Difference difference = Compare(got[i], expected_[at], options_.tolerance);
      report_.pass = report_.pass && difference.pass;
      report_.outputs.push_back({name, got[i].type(), difference});
    }
    if (got.size() != expected_.size()) {
      return runtime::InvalidArgument(
          fmt::format("the original network has {} outputs, not {}", expected_.size(), got.size()));
    }
    return Status::Ok();
  }

  Status FindDeparture() {
    if (oracle_options_.share_buffers) {
      report_.remark = "too large to keep every value, so no departing node is named";
      return Status::Ok();
    }
    Session::Options options = options_.session;
    options.share_buffers = false;
    Session session(converted_, options);
    Result<std::vector<Tensor>> again = session.Run(inputs_);
    if (!again.ok()) {
      report_.remark = "no departing node is named: " + again.status().message();
      return Status::Ok();
    }
    std::map<std::string, ValueId> originals;
    const Graph& original = oracle_->graph();
    for (size_t id = 0; id < original.values.size(); ++id) {
      originals.emplace(original.values[id].name, static_cast<ValueId>(id));
    }
    const std::set<std::string> changed = ChangedValues(original, graph());
    for (const runtime::Node& node : graph().nodes) {
      for (const ValueId id : node.outputs) {
        if (id == runtime::kNoValue) continue;
        const auto found = originals.find(OriginalName(NameOf(graph(), id)));
        if (found == originals.end() || changed.contains(found->first)) continue;
        const Tensor got = session.ValueAfterRun(id);
        const Tensor expected = ValueOf(original, found->second);
        if (got.empty() || expected.empty()) continue;
        const auto difference = CompareOrders(got, expected, options_.tolerance);
        if (!difference || difference->pass) continue;
        report_.departure = {node.name, node.OpName(), found->first, *difference};
        return Status::Ok();
      }
    }
    report_.remark = "every value agrees when no buffers are shared";
    return Status::Ok();
  }

  Tensor ValueOf(const Graph& original, ValueId id) const {
    if (const Tensor* constant = original.ConstantOf(id)) return *constant;
    return oracle_session_->ValueAfterRun(id);
  }

  std::shared_ptr<const Model> converted_;
  const VerifyOptions& options_;
  VerifyReport report_;
  std::vector<Tensor> inputs_, expected_;
  std::shared_ptr<const Model> oracle_;
  Session::Options oracle_options_;
  std::unique_ptr<Session> oracle_session_;
};

std::string ErrorText(const Difference& difference) {
  if (!difference.mismatch.empty()) return difference.mismatch;
  if (difference.exact) return fmt::format("{} elements differ", difference.wrong);
  return fmt::format("max error {:.3g}, {:.3g} of max|y|", difference.max_error,
                     difference.scaled_error);
}

std::string DepartureText(const Departure& departure) {
  return fmt::format("first node to depart: {} '{}', value '{}' ({})", departure.op, departure.node,
                     departure.value, ErrorText(departure.difference));
}

}  // namespace

Result<VerifyReport> Verify(const Graph& original, std::shared_ptr<const Model> converted,
                            const VerifyOptions& options) {
  return Verifier(std::move(converted), options).Run(original);
}

Status StatusOf(const VerifyReport& report) {
  if (report.pass) return Status::Ok();
  std::string message = "verification failed:";
  for (const OutputDifference& output : report.outputs) {
    if (output.difference.pass) continue;
    message += fmt::format(" output '{}': {} (bound {:.3g});", output.name,
                           ErrorText(output.difference), output.difference.bound);
    break;
  }
  message += " " + (report.departure ? DepartureText(*report.departure) : report.remark);
  return {runtime::StatusCode::kVerificationFailed, message};
}

std::string TextOf(const VerifyReport& report) {
  Table table({"output", "type", "max error", "scaled", "bound", ""}, "llrrrl");
  for (const OutputDifference& output : report.outputs) {
    const Difference& difference = output.difference;
    const bool numbers = difference.mismatch.empty() && !difference.exact;
    table.Add({output.name, TypeText(output.type),
               numbers ? fmt::format("{:.3g}", difference.max_error) : ErrorText(difference),
               numbers ? fmt::format("{:.3g}", difference.scaled_error) : "",
               numbers ? fmt::format("{:.3g}", difference.bound) : "exact",
               difference.pass ? "ok" : "BEYOND"});
  }
  std::string text = table.Text();
  if (report.random) text += fmt::format("random inputs of seed {}", report.seed);
  for (const std::string& line : report.assumed) text += "; " + Printable(line);
  return text + (report.random ? "\n" : "");
}

Json JsonOf(const VerifyReport& report) {
  Json outputs = Json::array();
  for (const OutputDifference& output : report.outputs) {
    Json json = {{"name", output.name}, {"type", TypeText(output.type)}};
    json.update(JsonOf(output.difference));
    json["bound"] = output.difference.bound;
    outputs.push_back(std::move(json));
  }
  Json json = {{"pass", report.pass}, {"outputs", std::move(outputs)}};
  json["input_shapes"] = report.input_shapes;
  json["seed"] = report.random ? Json(report.seed) : Json();
  json["assumed"] = report.assumed;
  json["first_departure"] = nullptr;
  if (report.departure) {
    Json departure = {{"node", report.departure->node},
                      {"op", report.departure->op},
                      {"value", report.departure->value}};
    departure.update(JsonOf(report.departure->difference));
    json["first_departure"] = std::move(departure);
  }
  json["remark"] = TextOrNull(report.remark);
  return json;
}

}  // namespace pleat::tools
