// The statistics that batch norms of a source network are stored with, measured anew.
#ifndef PLEAT_CONVERTER_EMIT_STATISTICS_H_
#define PLEAT_CONVERTER_EMIT_STATISTICS_H_

#include <map>
#include <span>
#include <string>
#include <vector>

#include "converter/convert.h"

namespace pleat::converter {

// A batch norm of inference, and the outputs of the measuring network that tell of it.
struct MeasuredNorm {
  std::string node, y;  // its name, and that of its output, which no other has
  float epsilon = 0;
  std::string mean, variance;                // [channels], of the network's input
  std::string stored_mean, stored_variance;  // the same as the file has them
  std::string shape;                         // int64, of what is normalised
};

struct Measuring {
  std::string onnx;  // the network up to its last batch norm, each on the statistics of its input
  std::vector<MeasuredNorm> norms;
  std::vector<std::string> left;  // nodes whose statistics are not stored constants
  std::string folder;             // of external data, where the network came from a file
};

// Each batch norm normalises with what it measures, so that those behind it see what they will see
// once all statistics are replaced. kUnsupported when there is none to measure. Batch norms within
// functions, branches and loops are left as they are.
runtime::Result<Measuring> MeasuringOnnx(std::span<const std::byte> bytes);

struct Statistics {
  runtime::Tensor mean, variance;
};

// The model with new statistics for the batch norms with these outputs, everything else as it was,
// external data of `folder` taken inside.
runtime::Result<std::string> WithStatistics(std::span<const std::byte> bytes,
                                            const std::string& folder,
                                            const std::map<std::string, Statistics>& statistics);

// Both of a file.
runtime::Result<Measuring> MeasuringOnnxFile(const std::string& path);
runtime::Result<std::string> WithStatisticsInFile(
    const std::string& path, const std::map<std::string, Statistics>& statistics);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_EMIT_STATISTICS_H_
