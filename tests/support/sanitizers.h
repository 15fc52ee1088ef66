// Whether a test runs under a sanitizer, as GCC says it, for clang too.
#ifndef PLEAT_TESTS_SUPPORT_SANITIZERS_H_
#define PLEAT_TESTS_SUPPORT_SANITIZERS_H_

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#endif  // PLEAT_TESTS_SUPPORT_SANITIZERS_H_
