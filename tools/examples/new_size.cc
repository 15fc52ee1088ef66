// Pictures of changing size: a session plans for each size once and remembers it.
//   new_size digits_open.pleat   (converted with --input-shape image:1,1,?,?)
#include <pleat/pleat.hpp>

#include <cstdio>
#include <vector>

int main(int, char** arguments) {
  const pleat::Model model = pleat::Model::Load(arguments[1]);
  pleat::Session session(model, {.threads = 1});
  for (int64_t size : {28, 56, 40, 28}) {
    const std::vector<float> picture(static_cast<size_t>(size * size), 0.1f);
    session.Set("image", {picture, {1, 1, size, size}});
    const pleat_session_info info = session.Info();
    session.Run();
    std::printf("%lldx%lld: %zu bytes of memory, first logit %g\n", static_cast<long long>(size),
                static_cast<long long>(size), info.arena_bytes,
                static_cast<double>(session.Output("logits")[0]));
  }
}
