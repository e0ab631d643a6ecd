// Vector registers of floats and doubles for the layer, and the exponential functions on them.
//
// As in the engine, multiply-adds are fused explicitly and only operations that IEEE 754 defines exactly are used otherwise, so
// that every width gives the same digits; without fused multiply-add (the portable code on x86) the last ones differ.
#pragma once

#include "../registers.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace TIMING_TASKS_ISA {

// The widest register in bytes.
#if defined(__AVX512F__)
constexpr std::size_t REGISTER = 64;
#elif defined(__AVX2__)
constexpr std::size_t REGISTER = 32;
#else
constexpr std::size_t REGISTER = 16;
#endif

template <class T, int W>
struct LayerTypes;
#define TIMING_TASKS_TYPES(T, INTEGER, W)                                                         \
    template <>                                                                                   \
    struct LayerTypes<T, W> {                                                                     \
        typedef T Vector __attribute__((vector_size(sizeof(T) * W)));                             \
        typedef T Stored __attribute__((vector_size(sizeof(T) * W), aligned(alignof(T)), may_alias)); \
        typedef INTEGER Bits __attribute__((vector_size(sizeof(T) * W)));                         \
    };
TIMING_TASKS_TYPES(float, std::int32_t, 16)
TIMING_TASKS_TYPES(float, std::int32_t, 8)
TIMING_TASKS_TYPES(float, std::int32_t, 4)
TIMING_TASKS_TYPES(double, std::int64_t, 8)
TIMING_TASKS_TYPES(double, std::int64_t, 4)
TIMING_TASKS_TYPES(double, std::int64_t, 2)
#undef TIMING_TASKS_TYPES

template <class T, int W>
using Vector = typename LayerTypes<T, W>::Vector;

template <int W, class T>
TIMING_TASKS_INLINE Vector<T, W> load(const T* from) {
    return *reinterpret_cast<const typename LayerTypes<T, W>::Stored*>(from);
}
template <int W, class T>
TIMING_TASKS_INLINE void store(T* to, Vector<T, W> value) {
    *reinterpret_cast<typename LayerTypes<T, W>::Stored*>(to) = value;
}
template <int W, class T>
TIMING_TASKS_INLINE Vector<T, W> filled(T value) {
    return Vector<T, W>{} + value;
}
// The first `count` numbers, which may be none, zeros behind them.
template <int W, class T>
TIMING_TASKS_INLINE Vector<T, W> load_some(const T* from, std::int64_t count) {
    if (count >= W) return load<W>(from);
    T numbers[W] = {};
    for (std::int64_t k = 0; k < count; ++k) numbers[k] = from[k];
    return load<W>(numbers);
}
template <int W, class T>
TIMING_TASKS_INLINE void store_some(T* to, Vector<T, W> value, std::int64_t count) {
    if (count >= W) return store<W>(to, value);
    T numbers[W];
    store<W>(numbers, value);
    for (std::int64_t k = 0; k < count; ++k) to[k] = numbers[k];
}

// What the processor may have a word of its own for; `smaller` and `larger` give the second operand where one of the two is a NaN.
template <class T, int W>
struct AnyWidth {
    typedef Vector<T, W> V;
    static TIMING_TASKS_INLINE V fused(V a, V b, V c) { return a * b + c; }
    static TIMING_TASKS_INLINE V smaller(V a, V b) { return a < b ? a : b; }
    static TIMING_TASKS_INLINE V larger(V a, V b) { return a > b ? a : b; }
};
template <class T, int W>
struct Words : AnyWidth<T, W> {};
#define TIMING_TASKS_WORDS(T, W, PREFIX, SUFFIX)                                                     \
    template <>                                                                                      \
    struct Words<T, W> {                                                                             \
        typedef Vector<T, W> V;                                                                      \
        static TIMING_TASKS_INLINE V fused(V a, V b, V c) { return PREFIX##_fmadd_##SUFFIX(a, b, c); } \
        static TIMING_TASKS_INLINE V smaller(V a, V b) { return PREFIX##_min_##SUFFIX(a, b); }        \
        static TIMING_TASKS_INLINE V larger(V a, V b) { return PREFIX##_max_##SUFFIX(a, b); }         \
    };
#if defined(__FMA__)
TIMING_TASKS_WORDS(float, 4, _mm, ps)
TIMING_TASKS_WORDS(double, 2, _mm, pd)
TIMING_TASKS_WORDS(float, 8, _mm256, ps)
TIMING_TASKS_WORDS(double, 4, _mm256, pd)
#endif
#if defined(__AVX512F__)
TIMING_TASKS_WORDS(float, 16, _mm512, ps)
TIMING_TASKS_WORDS(double, 8, _mm512, pd)
#endif
#undef TIMING_TASKS_WORDS
#if defined(__ARM_NEON) && defined(__aarch64__)
template <>
struct Words<float, 4> : AnyWidth<float, 4> {
    static TIMING_TASKS_INLINE V fused(V a, V b, V c) { return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
};
template <>
struct Words<double, 2> : AnyWidth<double, 2> {
    static TIMING_TASKS_INLINE V fused(V a, V b, V c) { return (V)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b); }
};
#endif

template <class T, int W>
TIMING_TASKS_INLINE Vector<T, W> fused(Vector<T, W> a, Vector<T, W> b, Vector<T, W> c) {
    return Words<T, W>::fused(a, b, c);
}

// (exp(r) - 1) / r for |r| <= ln 2 / 2 as a polynomial, lowest degree first (relative error 2e-17, for floats 2e-8), and how far
// exp may go: LIMIT is short of overflow.
template <class T>
struct Exponential;
template <>
struct Exponential<double> {
    static constexpr double LIMIT = 700.0, MAGIC = 0x1.8p52 + 1023, LN2[2] = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
    static constexpr int MANTISSA = 52;
    static constexpr double TERMS[] = {
        1.0, 0x1.0000000000005p-1, 0x1.5555555555557p-3, 0x1.5555555552079p-5, 0x1.11111111100cep-7, 0x1.6c16c17f52666p-10,
        0x1.a01a01abef415p-13, 0x1.a019a63bb0bc2p-16, 0x1.71de021a90822p-19, 0x1.28a2f14d67e43p-22, 0x1.af4e196027428p-26};
};
template <>
struct Exponential<float> {
    static constexpr float LIMIT = 87.0f, MAGIC = 0x1.8p23f + 127, LN2[2] = {0x1.62e43p-1f, -0x1.05c61p-29f};
    static constexpr int MANTISSA = 23;
    static constexpr float TERMS[] = {1.0f, 0.5f, 0x1.55547cp-3f, 0x1.5554e8p-5f, 0x1.123dcep-7f, 0x1.6d4362p-10f};
};

// exp(x) = power * (1 + rest): x = n ln 2 + r, power = 2^n, rest = exp(r) - 1. A NaN stays one.
template <class T, int W>
struct Exp {
    Vector<T, W> power, rest;

    explicit TIMING_TASKS_INLINE Exp(Vector<T, W> x) {
        using V = Vector<T, W>;
        using E = Exponential<T>;
        using Bits = typename LayerTypes<T, W>::Bits;
        const V magic = filled<W>(E::MAGIC);
        x = Words<T, W>::larger(filled<W>(-E::LIMIT), Words<T, W>::smaller(filled<W>(E::LIMIT), x));
        // Adding 1.5 * 2^MANTISSA rounds to an integer, which then stands in the low bits of the sum.
        const V shifted = fused<T, W>(x, filled<W>(T(1.4426950408889634074)), magic);
        const V n = shifted - magic;
        V r = fused<T, W>(n, filled<W>(-E::LN2[0]), x);
        r = fused<T, W>(n, filled<W>(-E::LN2[1]), r);
        constexpr int TERMS = sizeof(E::TERMS) / sizeof(T);
        V p = filled<W>(E::TERMS[TERMS - 1]);
#pragma GCC unroll 16
        for (int k = TERMS - 2; k >= 0; --k) p = fused<T, W>(p, r, filled<W>(E::TERMS[k]));
        rest = p * r;
        power = (V)((Bits)shifted << E::MANTISSA);
    }
};

template <class T, int W>
TIMING_TASKS_INLINE Vector<T, W> sigmoid(Vector<T, W> x) {
    const Exp<T, W> e(-x);
    return T(1) / fused<T, W>(e.power, e.rest, e.power + T(1));
}

// tanh(x / 2) = (exp(x) - 1) / (exp(x) + 1): the numerator is exact to its last digits near 0 as well.
template <class T, int W>
TIMING_TASKS_INLINE Vector<T, W> tanh_of_half(Vector<T, W> x) {
    const Exp<T, W> e(x);
    const Vector<T, W> less_one = fused<T, W>(e.power, e.rest, e.power - T(1));
    return less_one / (less_one + T(2));
}

}  // namespace TIMING_TASKS_ISA
