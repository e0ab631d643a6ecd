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

// Nanoseconds for each double of `operation` on twelve packs of one register in turn, the best of a few tries.
template <int W, class Operation>
double nanoseconds_each(Operation operation) {
    constexpr int CHAINS = 12, ROUNDS = 100000, TRIES = 5;
    double best = 1e9;
    for (int attempt = 0; attempt < TRIES; ++attempt) {
        Real<W, CHAINS> value = Real<W, CHAINS>::filled(1.0);
        const auto start = std::chrono::steady_clock::now();
        for (int k = 0; k < ROUNDS; ++k) {
            operation(value);
            // The compiler must neither foresee the results nor move the work out of the time that is measured.
            for (auto& of : value.of) TIMING_TASKS_KEEP(of);
        }
        const std::chrono::duration<double, std::nano> passed = std::chrono::steady_clock::now() - start;
        best = std::min(best, passed.count() / (double(ROUNDS) * CHAINS * W));
    }
    return best;
}

// Of a fused multiply-add, a store and a division.
template <int W>
std::array<double, 3> measure_throughput() {
    constexpr int CHAINS = 12;
    using R = Real<W, CHAINS>;
    const R factor = R::filled(0.999), term = R::filled(0.001);
    alignas(64) double memory[CHAINS * W];
    return {nanoseconds_each<W>([&](R& value) __attribute__((always_inline)) { value = fma(value, factor, term); }),
            nanoseconds_each<W>([&](R& value) __attribute__((always_inline)) {
                value.store(memory);
                asm volatile("" ::"r"(memory) : "memory");
            }),
            nanoseconds_each<W>([&](R& value) __attribute__((always_inline)) { value = factor / value; })};
}

}  // namespace TIMING_TASKS_ISA
