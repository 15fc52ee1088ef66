// The certificate of a conversion: for each batch norm of the source the formula of its fold, the
// numbers that went in, and how far the folded step is from the original computed in double.
#ifndef PLEAT_TOOLS_CERTIFICATE_H_
#define PLEAT_TOOLS_CERTIFICATE_H_

#include <map>
#include <span>
#include <string>

#include "converter/convert.h"
#include "runtime/graph.h"
#include "tools/console.h"

namespace pleat::tools {

struct CertificateOptions {
  std::map<std::string, runtime::Shape> shapes;
  converter::TrainingMode training = converter::TrainingMode::kBatch;
  bool fold = true;
};

// BatchNormReport of `converted`, with "formula", "scale_min", "scale_max", "smallest_variance",
// "measured_error", "rounding_bound", "measured_at" and "worst_channel" for each batch norm, null
// where they are not known, and "source" and "result" with their bytes and XXH3.
//
// The error is that of the steps that now do what the batch norm did, from the first step that
// changed to the value "measured_at", where the original's numbers come back: the values that the
// original has around them in double, rounded to float32, go through them in float32. The bound is
// (n + 4 for each step) * 2^-24 * (sum |w||x| + |b|) over the n products of one result, at the
// result whose error is the largest part of its bound. Inputs of the network are random with
// seed 1.
runtime::Result<Json> Certificate(const std::string& source, const runtime::Graph& original,
                                  const runtime::Graph& converted,
                                  std::span<const std::byte> result,
                                  const CertificateOptions& options);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_CERTIFICATE_H_
