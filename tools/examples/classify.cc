// A picture classifier: pixels as stb_image reads them go into the network, no array in between.
//   classify digits.pleat labels.txt picture.png...
#include <pleat/pleat.hpp>

#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

int main(int count, char** arguments) try {
  if (count < 4) return std::fprintf(stderr, "usage: classify MODEL LABELS PICTURE...\n"), 2;
  const pleat::Model model = pleat::Model::Load(arguments[1]);
  std::vector<std::string> labels;
  std::ifstream file(arguments[2]);
  for (std::string line; std::getline(file, line);) labels.push_back(line);

  pleat::Session session(model, {.threads = 1});
  // (byte / 255 - 0.1307) / 0.3081, as the network was trained.
  const float mean[] = {255 * 0.1307f}, scale[] = {1 / (255 * 0.3081f)};
  for (int i = 3; i < count; ++i) {
    int width, height, channels;
    const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
        stbi_load(arguments[i], &width, &height, &channels, 1), stbi_image_free);
    if (pixels == nullptr) return std::fprintf(stderr, "%s: not a picture\n", arguments[i]), 1;
    const pleat::Tensor scores =
        session.Run(pleat::Tensor::Picture(pixels.get(), width, height, 1).Normalized(mean, scale));
    const auto logits = scores.data<float>();
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    std::printf("%s: %s\n", arguments[i], labels.at(static_cast<size_t>(best)).c_str());
  }
} catch (const pleat::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
