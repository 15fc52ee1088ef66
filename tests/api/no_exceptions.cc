// Built with -fno-exceptions -fno-rtti as C++17: pleat.hpp asks for neither.
#include <pleat/pleat.hpp>

#include <cstdio>

int main() {
  pleat::Result<pleat::Model> model = pleat::Model::TryLoad("/no/such.pleat");
  if (model) return 1;
  std::printf("%s\n", model.error().what());
  return model.error().code() == PLEAT_IO ? 0 : 1;
}
