// An object file that holds one constant array, for linkers: 64-bit little-endian ELF, written
// without a compiler at hand.
#ifndef PLEAT_TOOLS_OBJECT_FILE_H_
#define PLEAT_TOOLS_OBJECT_FILE_H_

#include <cstdint>
#include <span>
#include <string>

#include "runtime/status.h"

namespace pleat::tools {

// The machine number (e_machine) of the running program.
runtime::Result<uint16_t> OwnMachine();

// A relocatable object that defines, read-only:
//   const unsigned char <name>[bytes.size()], at a multiple of 64
//   const uint64_t <name>_size = bytes.size()
std::string ObjectFile(std::span<const std::byte> bytes, const std::string& name, uint16_t machine);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_OBJECT_FILE_H_
