#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "converter/convert.h"
#include "runtime/model_file.h"
#include "tools/batch_norms.h"
#include "tools/network.h"
#include "tools/plan_page.h"
#include "tools/streams.h"
#include "tools/verb.h"

namespace pleat::tools {
namespace {

using runtime::Graph;
using runtime::Result;
using runtime::Value;
using runtime::ValueId;

struct Flags {
  std::string path, html;
  SessionFlags session;
  std::vector<std::string> shapes;
};

struct Inspected {
  const char* format;
  Graph graph;
};

Result<Inspected> Read(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const bool is_model, IsModelFile(path));
  if (!is_model) {
    PLEAT_ASSIGN_OR_RETURN(Graph graph, converter::ImportOnnxFile(path, {}));
    return Inspected{"onnx", std::move(graph)};
  }
  PLEAT_ASSIGN_OR_RETURN(const auto model, runtime::Model::Load(path));
  return Inspected{"pleat", model->graph()};
}

const Value& ValueOf(const Graph& graph, ValueId id) {
  return graph.values[static_cast<size_t>(id)];
}

// "float32[batch,3,?,?]".
std::string TypeOf(const Value& value) {
  if (!value.type.ranked) return TypeText(value.type);
  std::string sizes;
  for (size_t i = 0; i < value.type.shape.size(); ++i) {
    const int64_t size = value.type.shape[i];
    const std::string symbol = i < value.symbols.size() ? value.symbols[i] : "";
    if (i > 0) sizes += ",";
    sizes += size != runtime::kUnknownDim ? std::to_string(size) : symbol.empty() ? "?" : symbol;
  }
  return std::string(kernels::ElementName(value.type.element)) + "[" + sizes + "]";
}

size_t WeightBytes(const Graph& graph) {
  size_t bytes = 0;
  for (const Value& value : graph.values) bytes += value.constant ? value.constant->bytes() : 0;
  return bytes;
}

// Most frequent first.
std::vector<std::pair<std::string, size_t>> CountOps(const Graph& graph) {
  std::map<std::string, size_t> counts;
  for (const runtime::Node& node : graph.nodes) ++counts[node.OpName()];
  std::vector<std::pair<std::string, size_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

Json ValueJson(const Graph& graph, ValueId id) {
  if (id == runtime::kNoValue) return nullptr;
  const Value& value = ValueOf(graph, id);
  Json json = {{"name", value.name}, {"type", kernels::ElementName(value.type.element)}};
  json["shape"] = nullptr;
  if (value.type.ranked) {
    json["shape"] = Json::array();
    for (size_t i = 0; i < value.type.shape.size(); ++i) {
      const int64_t size = value.type.shape[i];
      const std::string symbol = i < value.symbols.size() ? value.symbols[i] : "";
      json["shape"].push_back(size != runtime::kUnknownDim ? Json(size) : TextOrNull(symbol));
    }
  }
  return json;
}

Json ValuesJson(const Graph& graph, const std::vector<ValueId>& ids) {
  Json json = Json::array();
  for (const ValueId id : ids) json.push_back(ValueJson(graph, id));
  return json;
}

Json NamesJson(const Graph& graph, const std::vector<ValueId>& ids) {
  Json json = Json::array();
  for (const ValueId id : ids) {
    json.push_back(id == runtime::kNoValue ? Json() : Json(ValueOf(graph, id).name));
  }
  return json;
}

Json InspectJson(const Inspected& inspected) {
  const Graph& graph = inspected.graph;
  Json nodes = Json::array(), ops = Json::object();
  for (const auto& [op, count] : CountOps(graph)) ops[op] = count;
  for (const runtime::Node& node : graph.nodes) {
    nodes.push_back({{"op", node.OpName()},
                     {"name", node.name},
                     {"inputs", NamesJson(graph, node.inputs)},
                     {"outputs", ValuesJson(graph, node.outputs)},
                     {"sources", node.sources}});
  }
  const BatchNormCount norms = CountBatchNorms(graph);
  return {{"version", 1},
          {"format", inspected.format},
          {"name", graph.name},
          {"producer", graph.producer},
          {"inputs", ValuesJson(graph, graph.inputs)},
          {"outputs", ValuesJson(graph, graph.outputs)},
          {"weights_bytes", WeightBytes(graph)},
          {"ops", std::move(ops)},
          {"batch_norms", {{"total", norms.total}, {"folded", norms.folded}, {"kept", norms.kept}}},
          {"nodes", std::move(nodes)}};
}

std::string InspectText(const std::string& path, const Inspected& inspected) {
  const Graph& graph = inspected.graph;
  std::string text = fmt::format("{}: {} network '{}', made by '{}'\n\n", Printable(path),
                                 inspected.format == std::string("onnx") ? "ONNX" : "Pleat",
                                 Printable(graph.name), Printable(graph.producer));
  Table edges({"", "name", "type"}, "lll");
  for (const ValueId id : graph.inputs) {
    edges.Add({"input", ValueOf(graph, id).name, TypeOf(ValueOf(graph, id))});
  }
  for (const ValueId id : graph.outputs) {
    edges.Add({"output", ValueOf(graph, id).name, TypeOf(ValueOf(graph, id))});
  }
  Table nodes({"op", "name", "output", "type"}, "llll");
  for (const runtime::Node& node : graph.nodes) {
    const auto wanted = std::find_if(node.outputs.begin(), node.outputs.end(),
                                     [](ValueId id) { return id != runtime::kNoValue; });
    const bool any = wanted != node.outputs.end();
    nodes.Add({node.OpName(), node.name, any ? ValueOf(graph, *wanted).name : "",
               any ? TypeOf(ValueOf(graph, *wanted)) : ""});
  }
  text += edges.Text() + "\n" + nodes.Text() + "\n";
  std::string ops;
  for (const auto& [op, count] : CountOps(graph)) {
    ops += fmt::format("{}{} {}", ops.empty() ? "" : ", ", op, count);
  }
  const BatchNormCount norms = CountBatchNorms(graph);
  return text +
         fmt::format("{} nodes: {}\nweights: {}\n", graph.nodes.size(), ops,
                     BytesText(WeightBytes(graph))) +
         (inspected.format == std::string("onnx")
              ? ""
              : fmt::format("batch norms of the source: {} folded, {} kept\n", norms.folded,
                            norms.kept));
}

// Plans the network, runs it to see where the time goes, and writes all of it as a page.
runtime::Status WritePage(const Flags& flags, const Command& command) {
  Progress progress(command.quiet);
  progress.Show("planning");
  PLEAT_ASSIGN_OR_RETURN(const auto shapes, ParseShapes(flags.shapes));
  PLEAT_ASSIGN_OR_RETURN(const auto model, LoadNetwork(flags.path, shapes));
  runtime::Session session(model, flags.session.Options());
  PageFacts facts{.file = flags.path, .weight_bytes = model->weight_bytes()};
  PLEAT_ASSIGN_OR_RETURN(facts.input_shapes, ChooseRunnableShapes(session, shapes, &facts.assumed));
  PLEAT_ASSIGN_OR_RETURN(const runtime::Plan* plan, session.Prepare(facts.input_shapes));
  PLEAT_RETURN_IF_ERROR(flags.session.Check(*plan));
  progress.Show("measuring");
  const auto inputs = RandomInputs(model->graph(), facts.input_shapes, 1);
  PlannedRun run{.graph = &model->graph(), .plan = plan, .threads = session.threads()};
  PLEAT_ASSIGN_OR_RETURN(run.profile, ProfileSteps(session, *plan, inputs, 1));
  const std::string page = PlanPage(run, facts);
  return WriteFileOrStdout(flags.html, std::as_bytes(std::span(page)));
}

runtime::Status Inspect(const Flags& flags, const Command& command) {
  if (IsStream(flags.html) && command.json) {
    return runtime::InvalidArgument("--json and --html - would both print on stdout");
  }
  if (!flags.html.empty() && SameFile(flags.path, flags.html)) {
    return runtime::InvalidArgument("the page " + flags.html + " is the input itself");
  }
  PLEAT_ASSIGN_OR_RETURN(const Inspected inspected, Read(flags.path));
  if (!flags.html.empty()) PLEAT_RETURN_IF_ERROR(WritePage(flags, command));
  if (command.json) {
    PrintJson(InspectJson(inspected));
  } else if (flags.html.empty()) {
    fmt::print("{}", InspectText(flags.path, inspected));
  } else if (!command.quiet && !IsStream(flags.html)) {
    fmt::print("{}: the plan, memory and time of {}\n", Printable(flags.html),
               Printable(flags.path));
  }
  return runtime::Status::Ok();
}

}  // namespace

void AddInspect(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(app, command, "inspect",
                           "Show a network: inputs, outputs, nodes, weights. An ONNX file is shown "
                           "as it states itself, nothing folded",
                           "  pleat inspect net.onnx\n"
                           "  pleat inspect net.pleat --json\n"
                           "  pleat inspect net.pleat --html net.html --threads 4");
  AddFile(verb, "FILE", flags->path, "An ONNX or .pleat file");
  verb->add_option("--html", flags->html,
                   "Write one self-contained page: the plan, memory over time and time per step as "
                   "pictures; - is stdout. The network is run for a second on random inputs");
  AddSessionFlags(verb, flags->session);
  AddShapeFlag(verb, flags->shapes);
  for (const char* of_a_run : {"--threads", "--kernels", "--exact", "--input-shape"}) {
    verb->get_option(of_a_run)->needs("--html");
  }
  verb->callback(
      [=, &command] { command.run = [=, &command] { return Inspect(*flags, command); }; });
}

}  // namespace pleat::tools
