// NumPy's array files (.npy). The format is numpy.lib.format's: magic, version, a Python dict as
// text, then the numbers.
#ifndef PLEAT_TOOLS_NPY_H_
#define PLEAT_TOOLS_NPY_H_

#include <span>
#include <string>

#include "runtime/tensor.h"

namespace pleat::tools {

// Versions 1, 2 and 3; little-endian booleans, integers of 8 to 64 bits and floats of 16 to 64.
// Fortran order is turned into C order. Everything else is refused, as are files whose length is
// not what the header says.
runtime::Result<runtime::Tensor> ParseNpy(std::span<const std::byte> bytes);

// ParseNpy of a file's contents; failures name the path.
runtime::Result<runtime::Tensor> ReadNpy(const std::string& path);

// A version 1.0 file in C order, its numbers at a multiple of 64 bytes. bfloat16, which NumPy does
// not know, is written as float32.
std::string SerializeNpy(const runtime::Tensor& tensor);

// Writes SerializeNpy's bytes; the file appears whole or not at all.
runtime::Status WriteNpy(const std::string& path, const runtime::Tensor& tensor);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_NPY_H_
