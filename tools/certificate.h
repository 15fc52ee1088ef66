// The certificate of a conversion: for each batch norm of the source the formula of its fold, the
// numbers that went in, and how far the folded step is from the original computed in double.
#ifndef PLEAT_TOOLS_CERTIFICATE_H_
#define PLEAT_TOOLS_CERTIFICATE_H_

#include <map>
#include <span>
#include <string>

#include "runtime/graph.h"
#include "tools/console.h"

namespace pleat::tools {

struct CertificateOptions {
  std::map<std::string, runtime::Shape> shapes;
  bool fold = true;
};

// BatchNormReport of `converted`, with "formula", "scale_min", "scale_max", "smallest_variance",
// "measured_error", "rounding_bound" and "worst_channel" for each batch norm, null where they are
// not known, and "source" and "result" with their bytes and XXH3.
//
// The error is that of one step on its own: the inputs the original has there in double, rounded to
// float32, go through the folded step in float32; its result is held against the original's value
// behind the batch norm. The bound is (n + 4) * 2^-24 * (sum |w||x| + |b|) over the n products of
// one result, for the result whose error is the largest part of its bound. Inputs of the network
// are random with seed 1.
runtime::Result<Json> Certificate(const std::string& source, const runtime::Graph& original,
                                  const runtime::Graph& converted,
                                  std::span<const std::byte> result,
                                  const CertificateOptions& options);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_CERTIFICATE_H_
