// What people and scripts read: tables, JSON, progress. Results go to stdout, all else to stderr.
#ifndef PLEAT_TOOLS_CONSOLE_H_
#define PLEAT_TOOLS_CONSOLE_H_

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pleat::tools {

// Keys stay in the order they are written in.
using Json = nlohmann::ordered_json;

// `text` with control characters as \xNN: names in a model cannot drive the terminal.
std::string Printable(std::string_view text);

// Pretty JSON and a newline on stdout. Bytes that are not UTF-8 are replaced; numbers that are not
// finite become null.
std::string JsonText(const Json& json);
void PrintJson(const Json& json);

// The string, or null when it is empty.
Json TextOrNull(const std::string& text);

// "512 B", "1.5 KiB", "97.5 MiB".
std::string BytesText(size_t bytes);

// True when colours are wanted on the stream: it is a terminal that has them, and NO_COLOR
// (no-color.org) is not set.
bool WantsColour(std::FILE* stream);

// `text` between the escapes of a colour, where `wanted`.
enum class Colour { kRed, kGreen, kYellow };
std::string Coloured(std::string_view text, Colour colour, bool wanted);

// Prints results, words that tell how something went in a colour where WantsColour.
void PrintText(std::string text, std::FILE* stream = stdout);

// Columns as wide as their widest cell; numbers to the right.
class Table {
 public:
  // One letter per column in `alignment`: 'l' or 'r'.
  Table(std::vector<std::string> header, std::string alignment);
  // REQUIRES: as many cells as columns.
  void Add(std::vector<std::string> cells);
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::string alignment_;
};

// One line on stderr that says what is going on, when stderr is a terminal; gone in the end.
class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void Show(std::string_view what);

 private:
  bool shown_ = false;
  bool wanted_;
};

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_CONSOLE_H_
