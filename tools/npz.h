// NumPy's archives of named arrays (.npz): a ZIP file with a .npy file for each array, stored or
// deflated (PKWARE's APPNOTE.TXT 6.3; numpy.savez and savez_compressed).
#ifndef PLEAT_TOOLS_NPZ_H_
#define PLEAT_TOOLS_NPZ_H_

#include <span>
#include <string>
#include <vector>

#include "runtime/tensor.h"

namespace pleat::tools {

struct NamedArray {
  std::string name;  // without ".npy"
  runtime::Tensor tensor;
};

// In the order of the archive's directory. Encrypted members, other ways to compress, archives over
// 4 GiB (ZIP64) and names given twice are refused, as is what does not match its checksum.
runtime::Result<std::vector<NamedArray>> ParseNpz(std::span<const std::byte> bytes);

// ParseNpz of a file's contents; failures name the path.
runtime::Result<std::vector<NamedArray>> ReadNpz(const std::string& path);

// An archive with the arrays stored; fails where they are 4 GiB or more.
runtime::Result<std::string> SerializeNpz(const std::vector<NamedArray>& arrays);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_NPZ_H_
