// What differs between a host's C++ compiler and NVRTC, which has no standard library.
#pragma once

#if defined(__CUDACC_RTC__)

#define TIMING_TASKS_ALWAYS_INLINE __attribute__((always_inline))
#define TIMING_TASKS_NOINLINE
#define TIMING_TASKS_UNROLL _Pragma("unroll")
#define TIMING_TASKS_ROLLED _Pragma("unroll 1")  // unrolled it would take the registers that the net needs
#define INT64_MAX 0x7fffffffffffffffLL
#define __builtin_fma __fma_rn
#define __builtin_inf() __longlong_as_double(0x7ff0000000000000LL)

namespace std {
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
typedef long long ptrdiff_t;
template <class T, int COUNT>
struct array {
    T entries[COUNT];
    T& operator[](int index) { return entries[index]; }
    const T& operator[](int index) const { return entries[index]; }
    const T* begin() const { return entries; }
    const T* end() const { return entries + COUNT; }
};
}  // namespace std

namespace timing_tasks {
inline std::int64_t bits_of(double number) { return __double_as_longlong(number); }
inline double from_bits(std::int64_t bits) { return __longlong_as_double(bits); }
}  // namespace timing_tasks

#else

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

// The step is one long straight line; left to itself, the compiler would cut it into calls.
#if defined(__SANITIZE_ADDRESS__)  // which would make of a whole step in one function something that takes hours to compile
#define TIMING_TASKS_ALWAYS_INLINE
#else
#define TIMING_TASKS_ALWAYS_INLINE __attribute__((always_inline))
#endif
#define TIMING_TASKS_NOINLINE __attribute__((noinline))
#define TIMING_TASKS_UNROLL
#define TIMING_TASKS_ROLLED

namespace timing_tasks {
inline std::int64_t bits_of(double number) {
    std::int64_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    return bits;
}
inline double from_bits(std::int64_t bits) {
    double number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
}
}  // namespace timing_tasks

#endif

#define TIMING_TASKS_INLINE inline TIMING_TASKS_ALWAYS_INLINE
