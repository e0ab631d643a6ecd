// What the processor can do at best: the benchmark's floor. Measured, since no table of processors is complete.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>

#include "simd.hpp"

#if defined(__aarch64__)
#define TIMING_TASKS_KEEP(value) asm volatile("" : "+w"(value))
#elif defined(__x86_64__)
#define TIMING_TASKS_KEEP(value) asm volatile("" : "+x"(value))
#else
#define TIMING_TASKS_KEEP(value) asm volatile("" : "+m"(value))
#endif

namespace TIMING_TASKS_ISA {

// So many registers, one by one rather than in an array, which the compiler would keep in memory.
template <int W, int COUNT>
struct Chains {
    typename Register<W>::Real here = typename Register<W>::Real{} + 1.0;
    Chains<W, COUNT - 1> others;

    template <class Operation>
    TIMING_TASKS_INLINE void each(const Operation& operation) {
        operation(here);
        others.each(operation);
    }
};
template <int W>
struct Chains<W, 0> {
    template <class Operation>
    TIMING_TASKS_INLINE void each(const Operation&) {}
};

// Nanoseconds for each double of an operation on twelve registers in turn, the best of a few tries.
template <int W, class Operation>
double nanoseconds_each(Operation operation) {
    constexpr int CHAINS = 12, ROUNDS = 100000, TRIES = 5;
    double best = 1e9;
    for (int attempt = 0; attempt < TRIES; ++attempt) {
        Chains<W, CHAINS> chains;
        const auto start = std::chrono::steady_clock::now();
        for (int k = 0; k < ROUNDS; ++k) chains.each(operation);
        const std::chrono::duration<double, std::nano> passed = std::chrono::steady_clock::now() - start;
        best = std::min(best, passed.count() / (double(ROUNDS) * CHAINS * W));
    }
    return best;
}

// Of a fused multiply-add, a store and a division. The compiler must neither foresee the results nor move the work out of the
// time that is measured.
template <int W>
std::array<double, 3> measure_throughput() {
    using R = typename Register<W>::Real;
    const R factor = R{} + 0.999, term = R{} + 0.001;
    R memory;
    return {nanoseconds_each<W>([&](R& value) TIMING_TASKS_ALWAYS_INLINE {
                value = Register<W>::fma(value, factor, term);
                TIMING_TASKS_KEEP(value);
            }),
            nanoseconds_each<W>([&](R& value) TIMING_TASKS_ALWAYS_INLINE {
                memory = value;
                asm volatile("" ::"r"(&memory) : "memory");
            }),
            nanoseconds_each<W>([&](R& value) TIMING_TASKS_ALWAYS_INLINE {
                value = factor / value;
                TIMING_TASKS_KEEP(value);
            })};
}

}  // namespace TIMING_TASKS_ISA
