// The shape of the code base: arrows, confined headers, file sizes, complete build lists.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace pleat {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = PLEAT_SOURCE_DIR;

std::vector<std::string> Lines(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Sources below a folder, as paths relative to the root.
std::vector<fs::path> Sources(const std::string& folder) {
  static const std::set<std::string> kEndings = {".cc", ".h", ".inc", ".fbs", ".py", ".hpp", ".c"};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    if (entry.is_regular_file() && kEndings.count(entry.path().extension()) != 0) {
      files.push_back(fs::relative(entry.path(), kRoot));
    }
  }
  return files;
}

std::vector<std::string> Includes(const fs::path& file) {
  static const std::regex kInclude("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  std::vector<std::string> includes;
  for (const std::string& line : Lines(kRoot / file)) {
    std::smatch match;
    if (std::regex_search(line, match, kInclude)) includes.push_back(match[1]);
  }
  return includes;
}

TEST(Architecture, IncludesFollowTheArrows) {
  const std::map<std::string, std::vector<std::string>> forbidden = {
      {"kernels", {"runtime/", "converter/", "tools/", "tests/"}},
      {"runtime", {"converter/", "tools/", "tests/"}},
      {"converter", {"tools/", "tests/"}},
      {"tools", {"tests/"}},
  };
  for (const auto& [folder, prefixes] : forbidden) {
    for (const fs::path& file : Sources(folder)) {
      for (const std::string& include : Includes(file)) {
        for (const std::string& prefix : prefixes) {
          EXPECT_NE(include.rfind(prefix, 0), 0u) << file << " includes " << include;
        }
      }
    }
  }
}

TEST(Architecture, LibrariesStayInTheirFolder) {
  const std::map<std::string, std::string> home = {
      {"onnx/", "converter"}, {"google/protobuf", "converter"}, {"hwy/", "kernels"},
      {"xnnpack", "kernels"}, {"pthreadpool", "kernels"},       {"xxhash", "runtime"},
      {"CLI/", "tools"},      {"nlohmann/", "tools"},           {"stb/", "tools"},           {"zlib.h", "tools"},
  };
  for (const std::string folder : {"kernels", "runtime", "converter", "tools"}) {
    for (const fs::path& file : Sources(folder)) {
      for (const std::string& include : Includes(file)) {
        for (const auto& [prefix, owner] : home) {
          if (include.rfind(prefix, 0) == 0) {
            EXPECT_EQ(folder, owner) << file << " includes " << include;
          }
        }
      }
    }
  }
}

TEST(Architecture, NoFileIsLongerThan500Lines) {
  for (const std::string folder : {"kernels", "runtime", "converter", "tools", "tests", "models"}) {
    for (const fs::path& file : Sources(folder)) {
      EXPECT_LE(Lines(kRoot / file).size(), 500u) << file;
    }
  }
}

TEST(Architecture, EverySourceIsBuilt) {
  for (const std::string folder : {"kernels", "runtime", "converter", "tools", "tests"}) {
    std::map<fs::path, std::string> lists;
    for (const fs::path& file : Sources(folder)) {
      if (file.extension() != ".cc") continue;
      bool named = false;
      for (fs::path at = file.parent_path(); !at.empty() && !named; at = at.parent_path()) {
        if (!fs::exists(kRoot / at / "CMakeLists.txt")) continue;
        const std::string name = fs::relative(file, at).string();
        for (const std::string& line : Lines(kRoot / at / "CMakeLists.txt")) {
          named = named || line.find(name) != std::string::npos;
        }
      }
      EXPECT_TRUE(named) << file << " is in no CMakeLists.txt";
    }
  }
}

TEST(Architecture, InstructionSetsAreNamedOnlyByHighway) {
  const std::regex isa("^\\s*#\\s*(if|ifdef|elif).*(__AVX|__SSE|__ARM_NEON|__x86_64|__aarch64)");
  for (const std::string folder : {"kernels", "runtime", "converter", "tools"}) {
    for (const fs::path& file : Sources(folder)) {
      for (const std::string& line : Lines(kRoot / file)) {
        EXPECT_FALSE(std::regex_search(line, isa)) << file << ": " << line;
      }
    }
  }
}

}  // namespace
}  // namespace pleat
