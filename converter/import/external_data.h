// Weights kept outside the model file. The only door to other files: nothing outside the model's
// folder is ever opened, no link is followed, only regular files are read.
#ifndef PLEAT_CONVERTER_IMPORT_EXTERNAL_DATA_H_
#define PLEAT_CONVERTER_IMPORT_EXTERNAL_DATA_H_

#include <onnx/onnx_pb.h>

#include <map>
#include <string>

#include "runtime/tensor.h"

namespace pleat::converter {

class ExternalData {
 public:
  // An empty folder refuses every external tensor.
  explicit ExternalData(std::string folder);
  ~ExternalData();
  ExternalData(const ExternalData&) = delete;
  ExternalData& operator=(const ExternalData&) = delete;

  // A tensor of the (known, checked) type with the bytes that `proto` names. kInvalidModel when
  // location, offset or length is malformed or does not fit the file and the type; kIo when the
  // file cannot be read; kLimitExceeded when tensors read the same bytes over and over, far beyond
  // what all files hold.
  runtime::Result<runtime::Tensor> Read(const onnx::TensorProto& proto, const runtime::Type& type);

 private:
  struct OpenFile {
    int fd;
    uint64_t size;
  };
  runtime::Result<OpenFile> Open(const std::string& location);

  std::string folder_;
  int folder_fd_ = -1;
  std::map<std::string, OpenFile> files_;
  uint64_t file_bytes_ = 0;  // of all files
  uint64_t read_bytes_ = 0;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_EXTERNAL_DATA_H_
