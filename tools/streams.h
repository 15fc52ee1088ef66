// "-" on the command line: stdin and stdout in the place of files.
#ifndef PLEAT_TOOLS_STREAMS_H_
#define PLEAT_TOOLS_STREAMS_H_

#include <span>
#include <string>

#include "runtime/status.h"

namespace pleat::tools {

// True for "-" and the file that is stdout.
bool IsStream(const std::string& path);

// A path that opens stdin as a regular file: what comes through a pipe is first read to its end,
// into memory. Fails when stdin was asked for before, as it can be read once.
runtime::Result<std::string> StdinAsFile();

// The path, or StdinAsFile's for "-".
runtime::Result<std::string> InputPath(const std::string& path);

// Fails where `path` is a stream and stdout is a terminal.
runtime::Status CheckNoTerminal(const std::string& path);

// To stdout for a stream; a file appears whole or not at all.
runtime::Status WriteFileOrStdout(const std::string& path, std::span<const std::byte> bytes);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_STREAMS_H_
