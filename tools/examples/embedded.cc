// A network inside the program: no file is opened when it runs, and the weights are not copied.
//   pleat embed digits.pleat -o digits.o
//   g++ -std=c++20 embedded.cc digits.o -lpleat && ./a.out picture.png
#include <pleat/pleat.hpp>

#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "digits.h"

int main(int, char** arguments) {
  const auto model = pleat::Model::FromMemory(digits_pleat, digits_pleat_size, PLEAT_BORROW);
  int width, height, channels;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load(arguments[1], &width, &height, &channels, 1), stbi_image_free);
  if (pixels == nullptr) return std::fprintf(stderr, "%s: not a picture\n", arguments[1]), 1;
  const float mean[] = {255 * 0.1307f}, scale[] = {1 / (255 * 0.3081f)};
  pleat::Session session(model, {.threads = 1});
  const auto logits =
      session.Run(pleat::Tensor::Picture(pixels.get(), width, height, 1).Normalized(mean, scale))
          .data<float>();
  std::printf("%td\n", std::max_element(logits.begin(), logits.end()) - logits.begin());
}
