// The shape of the code base: arrows, confined headers, file sizes, complete build lists.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
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

TEST(Architecture, EveryListInAFileIsChecked) {
  std::string checks;
  for (const std::string& line : Lines(kRoot / "runtime" / "file_layout.cc")) checks += line + "\n";
  const std::regex list(R"((\w+):\[\w+\])");
  int lists = 0;
  for (const std::string& line : Lines(kRoot / "runtime" / "pleat.fbs")) {
    std::smatch match;
    if (!std::regex_search(line, match, list)) continue;
    ++lists;
    const std::string call = match[1].str() + "()";
    EXPECT_NE(checks.find(call), std::string::npos) << match[1] << " is not in file_layout.cc";
  }
  EXPECT_GT(lists, 20);
}

// Every test of a folder's sources as "Suite.Name".
std::set<std::string> Tests() {
  std::set<std::string> names;
  const std::regex test(R"(^TEST(?:_F|_P)?\((\w+), (\w+)\))");
  for (const fs::path& file : Sources("tests")) {
    for (const std::string& line : Lines(kRoot / file)) {
      std::smatch match;
      if (std::regex_search(line, match, test)) names.insert(match[1].str() + "." + match[2].str());
    }
  }
  return names;
}

TEST(Architecture, TheCatalogueOfBadInputsIsWholeAndItsTestsExist) {
  const std::set<std::string> tests = Tests();
  const std::map<char, int> sizes = {{'A', 18}, {'B', 20}, {'C', 26}, {'D', 36},
                                     {'E', 26}, {'F', 30}, {'G', 22}};
  const std::regex entry(R"(^([A-G])(\d+) [^|]+ \| (.+)$)");
  std::map<char, int> seen;
  for (const std::string& line : Lines(kRoot / "tests" / "catalogue.txt")) {
    if (line.empty() || line[0] == '#') continue;
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, entry)) << line;
    const char part = match[1].str()[0];
    EXPECT_EQ(std::stoi(match[2]), ++seen[part]) << line;
    if (match[3].str().starts_with("none: ")) continue;
    std::istringstream names(match[3]);
    for (std::string name; names >> name;) {
      EXPECT_TRUE(tests.contains(name)) << line << ": there is no test " << name;
    }
  }
  EXPECT_EQ(seen, sizes);
}

TEST(Architecture, SizesFromFilesAreAddedUpOnlyWithChecks) {
  // Fields of headers, messages and paths, multiplied or added without Checked or SubSpan.
  const std::string field = R"((?:\.|->)(?:data_offset|data_bytes|\w+_offset|\w+_bytes|st_size)\b)";
  const std::regex raw("(?:" + field + R"(\s*[*+]\s*[\w(])|(?:[\w)]\s*[*+]\s*\w+)" + field + ")");
  // Sums that are checked where they stand, with the check.
  const std::set<std::string> checked = {
      "      header.weights_offset + header.weights_bytes != bytes.size()) {"};
  for (const std::string file :
       {"runtime/model_file.cc", "runtime/file_layout.cc", "runtime/file.cc",
        "converter/onnx_reader.cc", "converter/wire_scan.cc", "converter/import/external_data.cc",
        "converter/import/tensor_proto.cc", "converter/tensor_file.cc", "tools/npy.cc",
        "tools/npz.cc"}) {
    for (const std::string& line : Lines(kRoot / file)) {
      if (checked.contains(line)) continue;
      EXPECT_FALSE(std::regex_search(line, raw)) << file << ": " << line;
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
