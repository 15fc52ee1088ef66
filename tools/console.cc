#include "tools/console.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace pleat::tools {
namespace {

// Characters on the screen, which UTF-8 continuation bytes are not.
size_t Width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// A terminal that moves its cursor and colours its text.
bool IsTerminal(int descriptor) {
  const char* kind = std::getenv("TERM");
  return isatty(descriptor) != 0 && (kind == nullptr || std::string_view(kind) != "dumb");
}

// Colours every cell of a table but those of its first column that is `word`.
void ColourCells(std::string_view word, Colour colour, std::string& table) {
  const std::string painted = Coloured(word, colour, true);
  for (size_t at = 0; (at = table.find(word, at)) != std::string::npos;) {
    const size_t end = at + word.size();
    const bool begins = at >= 2 && table.compare(at - 2, 2, "  ") == 0;
    const bool ends = end == table.size() || table[end] == '\n' || table.compare(end, 2, "  ") == 0;
    if (begins && ends) table.replace(at, word.size(), painted);
    at += begins && ends ? painted.size() : word.size();
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte >= 0x20 && byte != 0x7f && !c1) {
      result += text[i];
    } else {
      result += fmt::format("\\x{:02x}", byte);
    }
  }
  return result;
}

std::string JsonText(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void PrintJson(const Json& json) { fmt::print("{}", JsonText(json)); }

Json TextOrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

std::string BytesText(size_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double size = static_cast<double>(bytes);
  size_t unit = 0;
  for (; size >= 1024 && unit < 4; ++unit) size /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, kUnits[unit]);
}

bool WantsColour(std::FILE* stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  return (no_colour == nullptr || *no_colour == '\0') && IsTerminal(fileno(stream));
}

std::string Coloured(std::string_view text, Colour colour, bool wanted) {
  if (!wanted) return std::string(text);
  const int code = colour == Colour::kRed ? 31 : colour == Colour::kGreen ? 32 : 33;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void PrintText(std::string text, std::FILE* stream) {
  constexpr struct {
    std::string_view word;
    Colour colour;
  } kCells[] = {{"FOLDED", Colour::kGreen}, {"KEPT", Colour::kYellow}, {"ok", Colour::kGreen},
                {"BEYOND", Colour::kRed}};
  for (const auto& [word, colour] : kCells) {
    if (WantsColour(stream)) ColourCells(word, colour, text);
  }
  fmt::print(stream, "{}", text);
}

Table::Table(std::vector<std::string> header, std::string alignment)
    : alignment_(std::move(alignment)) {
  rows_.push_back(std::move(header));
}

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Text() const {
  std::vector<size_t> widths(alignment_.size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - Width(row[i]), ' ');
      if (i > 0) line += "  ";
      line += alignment_[i] == 'r' ? padding + row[i] : row[i] + padding;
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

Progress::Progress(bool quiet) : wanted_(!quiet && IsTerminal(STDERR_FILENO)) {}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
}

void Progress::Show(std::string_view what) {
  if (!wanted_) return;
  shown_ = true;
  fmt::print(stderr, "\r\x1b[K{} ...", Printable(what));
  std::fflush(stderr);
}

}  // namespace pleat::tools
