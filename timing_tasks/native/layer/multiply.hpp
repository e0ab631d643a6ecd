// The one matrix product of the layer, in registers.
#pragma once

#include "vectors.hpp"

namespace TIMING_TASKS_ISA {

// sums[v][m] += a[m, s] * b[s, v], for s = 0, 1, ... in this order: M numbers of `a` against V registers of `b`. The m-th number is
// at a[m * a_next + s * a_step], the v-th register at b[v * b_next + s * b_step].
template <int V, int M, int W, class T>
TIMING_TASKS_INLINE void multiply(Vector<T, W> (&sums)[V][M], const T* a, std::int64_t a_next, std::int64_t a_step, const T* b,
                                  std::int64_t b_next, std::int64_t b_step, std::int64_t count) {
    for (std::int64_t s = 0; s < count; ++s, a += a_step, b += b_step) {
        // Of the two kinds of operands the fewer wait in registers for the other.
        if constexpr (M < V) {
            Vector<T, W> numbers[M];
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) numbers[m] = filled<W>(a[m * a_next]);
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) {
                const Vector<T, W> other = load<W>(b + v * b_next);
#pragma GCC unroll 8
                for (int m = 0; m < M; ++m) sums[v][m] = fused<T, W>(numbers[m], other, sums[v][m]);
            }
        } else {
            Vector<T, W> others[V];
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) others[v] = load<W>(b + v * b_next);
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) {
                const Vector<T, W> number = filled<W>(a[m * a_next]);
#pragma GCC unroll 8
                for (int v = 0; v < V; ++v) sums[v][m] = fused<T, W>(number, others[v], sums[v][m]);
            }
        }
    }
}

template <class V, int REGISTERS, int M>
TIMING_TASKS_INLINE void set_zero(V (&sums)[REGISTERS][M]) {
#pragma GCC unroll 8
    for (int v = 0; v < REGISTERS; ++v)
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) sums[v][m] = V{};
}

template <int COUNT>
struct Number {
    static constexpr int value = COUNT;
};

// Calls use(first, Number<M>) over 0 .. count in steps of at most MOST, as constants that the compiler can unroll.
template <int MOST, class Use>
TIMING_TASKS_INLINE void in_blocks(std::int64_t count, const Use& use) {
    std::int64_t first = 0;
    for (; first + MOST <= count; first += MOST) use(first, Number<MOST>{});
    if constexpr (MOST > 4)
        for (; first + 4 <= count; first += 4) use(first, Number<4>{});
    if constexpr (MOST > 2)
        for (; first + 2 <= count; first += 2) use(first, Number<2>{});
    if constexpr (MOST > 1)
        for (; first < count; ++first) use(first, Number<1>{});
}

// So many rows that the sums of four registers for each, the registers and a number find room.
#if defined(__AVX512F__) || (defined(__ARM_NEON) && defined(__aarch64__))
constexpr int ROWS_AT_ONCE = 6;
#else
constexpr int ROWS_AT_ONCE = 3;
#endif

}  // namespace TIMING_TASKS_ISA
