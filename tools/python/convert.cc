#include "tools/python/convert.h"

#include "converter/convert.h"
#include "runtime/model_file.h"
#include "tools/batch_norms.h"
#include "tools/certificate.h"
#include "tools/network.h"
#include "tools/verification.h"

namespace pleat::python {

using runtime::Graph;
using runtime::Result;
using tools::Json;

Result<std::string> Convert(const std::string& source, const std::string& target,
                            const ConvertOptions& options) {
  if (tools::SameFile(source, target)) {
    return runtime::InvalidArgument("the output " + target + " is the input itself");
  }
  PLEAT_ASSIGN_OR_RETURN(const Graph graph,
                         converter::ConvertOnnxFile(
                             source, {.input_shapes = options.input_shapes,
                                      .fold = options.fold,
                                      .half_weights = options.half_weights}));
  const std::string bytes = SerializeGraph(graph);
  const auto span = std::as_bytes(std::span(bytes));

  Json report = tools::BatchNormReport(graph);
  if (options.measure || options.verify) {
    PLEAT_ASSIGN_OR_RETURN(
        const Graph original,
        converter::ImportOnnxFile(source, {.input_shapes = options.input_shapes}));
    if (options.measure) {
      PLEAT_ASSIGN_OR_RETURN(
          report, tools::Certificate(source, original, graph, span,
                                     {.shapes = options.input_shapes, .fold = options.fold}));
    }
    if (options.verify) {
      PLEAT_ASSIGN_OR_RETURN(auto model, runtime::Model::FromBytes(span));
      tools::VerifyOptions verify;
      verify.shapes = options.input_shapes;
      if (options.half_weights) verify.tolerance.bound = tools::kHalfWeightsBound;
      PLEAT_ASSIGN_OR_RETURN(const tools::VerifyReport verified,
                             tools::Verify(original, std::move(model), verify));
      PLEAT_RETURN_IF_ERROR(StatusOf(verified));
      report["verify"] = JsonOf(verified);
    }
  }
  report["output"] = target;
  report["bytes"] = bytes.size();
  report["nodes"] = graph.nodes.size();
  PLEAT_RETURN_IF_ERROR(runtime::WriteFileAtomically(target, span));
  return tools::JsonText(report);
}

Result<std::string> ConvertInMemory(const std::string& source) {
  PLEAT_ASSIGN_OR_RETURN(const Graph graph, converter::ConvertOnnxFile(source, {}));
  return SerializeGraph(graph);
}

}  // namespace pleat::python
