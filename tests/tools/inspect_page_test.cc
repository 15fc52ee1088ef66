// `pleat inspect --html`: what the page says, and what a browser makes of it.
#include <gtest/gtest.h>

#include <regex>

#include "tests/tools/command.h"
#include "tools/picture.h"

namespace pleat::tools {
namespace {

size_t Count(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return static_cast<size_t>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()));
}

std::string PageOf(const std::string& network, const TempFolder& folder) {
  const Outcome outcome = Pleat({"inspect", network, "--html", folder / "page.html"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return ReadText(folder / "page.html");
}

TEST(InspectPage, ShowsEveryStepAndNothingFromOutside) {
  const TempFolder folder;
  const std::string page = PageOf(Converted("digits_cnn"), folder);
  const auto bench =
      Pleat({"bench", Converted("digits_cnn"), "--explain", "--json", "--min-time", "0.01"}).Json();
  ASSERT_FALSE(bench["steps"].empty());
  for (const auto& step : bench["steps"]) {
    const std::string name = step["node"];
    EXPECT_NE(page.find(name.size() > 44 ? name.substr(name.size() - 41) : name), std::string::npos)
        << name;
    EXPECT_NE(page.find(">" + step["kernel"].get<std::string>() + "<"), std::string::npos);
  }
  // A column of time and a row of the plan for each step.
  EXPECT_EQ(Count(page, "µs</title>|ms</title>"), bench["steps"].size());
  EXPECT_EQ(Count(page, "<tspan class=\"op\">"), bench["steps"].size() + 2);
  EXPECT_GE(Count(page, ", steps \\d+ to \\d+</title>"), bench["steps"].size());
  for (const char* outside : {"http:", "https:", "<script", "<link", "@import", "url(", "<img"}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
  EXPECT_EQ(Count(page, "\"FOLDED\""), 8u);
  EXPECT_EQ(Count(page, "\"KEPT\""), 1u);
}

// Boxes that share a step must not share bytes: what is drawn is the plan, drawn right.
TEST(InspectPage, BoxesOfMemoryDoNotOverlap) {
  const TempFolder folder;
  const std::string page = PageOf(Converted("digits_cnn"), folder);
  static const std::regex kBox(
      "<rect class=\"..?\" x=\"([0-9.]+)\" y=\"([0-9.]+)\" width=\"([0-9.]+)\" "
      "height=\"([0-9.]+)\"><title>[^<]*, steps ");
  struct Box {
    double left, top, right, bottom;
  };
  std::vector<Box> boxes;
  double top = 1e9;
  for (std::sregex_iterator it(page.begin(), page.end(), kBox), end; it != end; ++it) {
    const double x = std::stod((*it)[1]), y = std::stod((*it)[2]);
    boxes.push_back({x, y, x + std::stod((*it)[3]), y + std::stod((*it)[4])});
    top = std::min(top, y);
  }
  ASSERT_GT(boxes.size(), 10u);
  EXPECT_NEAR(top, 24, 0.1) << "the highest box reaches the top of the arena";
  for (size_t i = 0; i < boxes.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const Box &a = boxes[i], &b = boxes[j];
      const double slack = 0.5;
      EXPECT_TRUE(a.right <= b.left + slack || b.right <= a.left + slack ||
                  a.bottom <= b.top + slack || b.bottom <= a.top + slack)
          << i << " and " << j;
    }
  }
}

TEST(InspectPage, TellsWrongCalls) {
  const TempFolder folder;
  const std::string network = Converted("digits_mlp");
  EXPECT_TRUE(Pleat({"inspect", network, "--html", network}).FailedWith(2));
  EXPECT_TRUE(Pleat({"inspect", network, "--html", "/no/such/folder/page.html"}).FailedWith(5));
  EXPECT_TRUE(Pleat({"inspect", network, "--threads", "2"}).FailedWith(2));
  EXPECT_TRUE(
      Pleat({"inspect", network, "--html", folder / "p.html", "--kernels", "none"}).FailedWith(2));
  EXPECT_EQ(folder.Files(), "");
}

struct Colours {
  double brightness = 0, blue = 0;  // means over all points; the part that is of the kind's blue
};

Colours Photograph(const TempFolder& folder, bool dark) {
  const std::string picture = folder / (dark ? "dark.png" : "light.png");
  const std::string command =
      "timeout 90 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars "
      "--window-size=1250,1500 --user-data-dir='" +
      folder / "profile" + "' --blink-settings=preferredColorScheme=" + (dark ? "0" : "1") +
      " --screenshot='" + picture + "' 'file://" + folder / "page.html" + "' >/dev/null 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  const runtime::Type type{runtime::ElementType::kUint8, true, {1, 3, 1500, 1250}};
  const auto read = ReadPicture(picture, type, {});
  EXPECT_TRUE(read.ok()) << read.status().message();
  if (!read.ok()) return {};
  const auto* pixels = static_cast<const uint8_t*>(read->raw());
  constexpr size_t kPoints = 1500 * 1250;
  Colours colours;
  for (size_t i = 0; i < kPoints; ++i) {
    const int red = pixels[i], green = pixels[kPoints + i], blue = pixels[2 * kPoints + i];
    colours.brightness += (red + green + blue) / 3.0 / kPoints;
    colours.blue += (blue > 200 && red < 80 ? 1.0 : 0.0) / kPoints;
  }
  return colours;
}

// What boxes of the kind's blue cover in the first chart, as a part of the picture.
double BlueBoxes(const std::string& page) {
  const size_t chart = page.find("aria-label=\"memory and time of each step\"");
  const std::string boxes = page.substr(chart, page.find("</svg>", chart) - chart);
  static const std::regex kBox("<rect class=\"k0\"[^>]* width=\"([0-9.]+)\" height=\"([0-9.]+)\"");
  double area = 0;
  for (std::sregex_iterator it(boxes.begin(), boxes.end(), kBox), end; it != end; ++it) {
    area += std::stod((*it)[1]) * std::stod((*it)[2]);
  }
  return area / (1500 * 1250);
}

TEST(InspectPage, IsReadableInABrowserLightAndDark) {
  if (std::system("command -v chromium >/dev/null") != 0) GTEST_SKIP() << "there is no chromium";
  const TempFolder folder;
  const double boxes = BlueBoxes(PageOf(Converted("digits_cnn"), folder));
  EXPECT_GT(boxes, 0.003);  // columns are as high as what was measured, boxes of memory are not
  const Colours light = Photograph(folder, false), dark = Photograph(folder, true);
  EXPECT_GT(light.brightness, 200);
  EXPECT_LT(dark.brightness, 80);
  for (const Colours& colours : {light, dark}) {
    EXPECT_GT(colours.blue, 0.9 * boxes) << "the charts are there";
    EXPECT_LT(colours.blue, 0.3);
  }
}

}  // namespace
}  // namespace pleat::tools
