// Packs of double lanes, so that the learning rule reads like its equations.
//
// A Real<W, G> is G vector registers of W doubles each. Every operation is applied to the G registers back to back: their
// chains of dependent operations are independent, so one register computes while the other waits. Only operations that
// IEEE 754 defines exactly are used (fused multiply-add is always explicit), so every width gives the same digits.
#pragma once

#include "registers.hpp"

namespace TIMING_TASKS_ISA {

template <int W, int G>
struct Mask {
    typename Register<W>::Mask of[G];
};

template <int W, int G>
struct Int {
    typename Register<W>::Int of[G];
    static TIMING_TASKS_INLINE Int load(const std::int64_t* from) {
        Int result;
        for (int g = 0; g < G; ++g) result.of[g] = reinterpret_cast<const typename Register<W>::StoredInt*>(from)[g];
        return result;
    }
    static TIMING_TASKS_INLINE Int filled(std::int64_t value) {
        Int result;
        for (int g = 0; g < G; ++g) result.of[g] = typename Register<W>::Int{} + value;
        return result;
    }
    TIMING_TASKS_INLINE void store(std::int64_t* to) const {
        for (int g = 0; g < G; ++g) reinterpret_cast<typename Register<W>::StoredInt*>(to)[g] = of[g];
    }
};

template <int W, int G>
struct Real {
    typename Register<W>::Real of[G];
    static TIMING_TASKS_INLINE Real load(const double* from) {
        Real result;
        for (int g = 0; g < G; ++g) result.of[g] = reinterpret_cast<const typename Register<W>::StoredReal*>(from)[g];
        return result;
    }
    static TIMING_TASKS_INLINE Real filled(double value) {
        Real result;
        for (int g = 0; g < G; ++g) result.of[g] = typename Register<W>::Real{} + value;
        return result;
    }
    TIMING_TASKS_INLINE void store(double* to) const {
        for (int g = 0; g < G; ++g) reinterpret_cast<typename Register<W>::StoredReal*>(to)[g] = of[g];
    }
};

// Operations on packs from operations on registers: a, b, c are one register each of the operands A, B, C.
#define TIMING_TASKS_UNARY(Result, name, A, expression)                    \
    template <int W, int G>                                                \
    TIMING_TASKS_INLINE Result<W, G> name(const A<W, G>& a_) {             \
        Result<W, G> result;                                               \
        for (int g = 0; g < G; ++g) {                                      \
            const auto a = a_.of[g];                                       \
            result.of[g] = (expression);                                   \
        }                                                                  \
        return result;                                                     \
    }
#define TIMING_TASKS_BINARY(Result, name, A, B, expression)                       \
    template <int W, int G>                                                       \
    TIMING_TASKS_INLINE Result<W, G> name(const A<W, G>& a_, const B<W, G>& b_) { \
        Result<W, G> result;                                                      \
        for (int g = 0; g < G; ++g) {                                             \
            const auto a = a_.of[g];                                              \
            const auto b = b_.of[g];                                              \
            result.of[g] = (expression);                                          \
        }                                                                         \
        return result;                                                            \
    }
#define TIMING_TASKS_TERNARY(Result, name, A, B, C, expression)                                       \
    template <int W, int G>                                                                           \
    TIMING_TASKS_INLINE Result<W, G> name(const A<W, G>& a_, const B<W, G>& b_, const C<W, G>& c_) {  \
        Result<W, G> result;                                                                          \
        for (int g = 0; g < G; ++g) {                                                                 \
            const auto a = a_.of[g];                                                                  \
            const auto b = b_.of[g];                                                                  \
            const auto c = c_.of[g];                                                                  \
            result.of[g] = (expression);                                                              \
        }                                                                                             \
        return result;                                                                                \
    }

TIMING_TASKS_BINARY(Real, operator+, Real, Real, a + b)
TIMING_TASKS_BINARY(Real, operator-, Real, Real, a - b)
TIMING_TASKS_BINARY(Real, operator*, Real, Real, a* b)
TIMING_TASKS_BINARY(Real, operator/, Real, Real, a / b)
TIMING_TASKS_UNARY(Real, operator-, Real, -a)
TIMING_TASKS_UNARY(Real, magnitude, Real, Register<W>::magnitude(a))
TIMING_TASKS_TERNARY(Real, fma, Real, Real, Real, Register<W>::fma(a, b, c))
// The second operand, where one of the two is a NaN.
TIMING_TASKS_BINARY(Real, smaller, Real, Real, Register<W>::smaller(a, b))
TIMING_TASKS_BINARY(Real, larger, Real, Real, Register<W>::larger(a, b))

TIMING_TASKS_BINARY(Int, operator+, Int, Int, a + b)
TIMING_TASKS_BINARY(Int, operator-, Int, Int, a - b)
TIMING_TASKS_BINARY(Int, without, Int, Int, a & ~b)
TIMING_TASKS_UNARY(Int, as_int, Real, (typename Register<W>::Int)a)
TIMING_TASKS_UNARY(Real, as_real, Int, (typename Register<W>::Real)a)

TIMING_TASKS_BINARY(Mask, operator<, Real, Real, Register<W>::less(a, b))
TIMING_TASKS_BINARY(Mask, operator==, Int, Int, Register<W>::equal(a, b))
TIMING_TASKS_BINARY(Mask, has_any, Int, Int, Register<W>::has_any(a, b))
TIMING_TASKS_BINARY(Mask, operator&, Mask, Mask, a & b)
TIMING_TASKS_BINARY(Mask, operator|, Mask, Mask, a | b)
TIMING_TASKS_UNARY(Mask, operator~, Mask, ~a)

TIMING_TASKS_TERNARY(Real, select, Mask, Real, Real, Register<W>::select(a, b, c))
TIMING_TASKS_TERNARY(Int, select, Mask, Int, Int, Register<W>::select(a, b, c))
// The value where the mask holds, +0.0 elsewhere, even if the value is a NaN there.
TIMING_TASKS_BINARY(Real, only, Mask, Real, Register<W>::only(a, b))
// b + c where the mask holds, b elsewhere.
TIMING_TASKS_TERNARY(Real, add_where, Mask, Real, Real, Register<W>::add_where(a, b, c))

#undef TIMING_TASKS_UNARY
#undef TIMING_TASKS_BINARY
#undef TIMING_TASKS_TERNARY

template <int W, int G>
TIMING_TASKS_INLINE Int<W, G> shifted_left(const Int<W, G>& a, int by) {
    Int<W, G> result;
    for (int g = 0; g < G; ++g) result.of[g] = a.of[g] << by;
    return result;
}
// table[index mod 16] in every lane.
template <int W, int G>
TIMING_TASKS_INLINE Int<W, G> look_up16(const std::int64_t* table, const Int<W, G>& index) {
    Int<W, G> result;
    for (int g = 0; g < G; ++g) result.of[g] = Register<W>::look_up16(table, index.of[g]);
    return result;
}
// One register of a pack.
template <int W, int G>
TIMING_TASKS_INLINE Real<W, 1> one(const Real<W, G>& pack, int g) {
    return {{pack.of[g]}};
}
template <int W, int G>
TIMING_TASKS_INLINE Mask<W, 1> one(const Mask<W, G>& pack, int g) {
    return {{pack.of[g]}};
}
// One bit a lane.
template <int W, int G>
TIMING_TASKS_INLINE unsigned bits(const Mask<W, G>& mask) {
    unsigned result = 0;
    for (int g = 0; g < G; ++g) result |= Register<W>::bits(mask.of[g]) << (g * W);
    return result;
}

}  // namespace TIMING_TASKS_ISA
