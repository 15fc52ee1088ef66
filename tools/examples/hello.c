/* The same in C. hello_c digits.pleat */
#include <pleat/pleat.h>
#include <stdio.h>

static int Fail(void) {
  fprintf(stderr, "%s\n", pleat_last_error()->message);
  return 1;
}

int main(int count, char** arguments) {
  pleat_model* model = NULL;
  pleat_session* session = NULL;
  float pixels[28 * 28];
  const int64_t shape[] = {1, 1, 28, 28};
  const pleat_tensor picture = {.struct_size = sizeof picture,
                                .data = pixels,
                                .bytes = sizeof pixels,
                                .element = PLEAT_FLOAT32,
                                .rank = 4,
                                .shape = shape};
  pleat_tensor logits = {.struct_size = sizeof logits};

  for (size_t i = 0; i < 28 * 28; ++i) pixels[i] = -0.42f;
  if (pleat_model_load(count > 1 ? arguments[1] : "", &model)) return Fail();
  if (pleat_session_create(model, NULL, &session)) return Fail();
  if (pleat_set_input(session, 0, &picture)) return Fail();
  if (pleat_run(session, NULL)) return Fail();
  if (pleat_get_output(session, 0, &logits)) return Fail();
  for (size_t i = 0; i < logits.bytes / sizeof(float); ++i) {
    printf("%g\n", ((const float*)logits.data)[i]);
  }
  pleat_session_destroy(session);
  pleat_model_destroy(model);
  return 0;
}
