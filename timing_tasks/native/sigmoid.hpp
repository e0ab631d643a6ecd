// The logistic function on packs, to about two units in the last place, with the same digits at every width.
#pragma once

#include "simd.hpp"

namespace TIMING_TASKS_ISA {

// The bits of 2^(k/16), k = 0..15, correctly rounded, less k * 2^48: adding n * 2^48 for any integer n whose last four
// bits are k then gives the bits of 2^(n/16).
alignas(64) inline constexpr std::int64_t EXP2_SIXTEENTHS[16] = {
    0x3ff0000000000000, 0x3fefb5586cf9890f, 0x3fef72b83c7d517b, 0x3fef387a6e756238,
    0x3fef06fe0a31b715, 0x3feedea64c123422, 0x3feebfdad5362a27, 0x3feeab07dd485429,
    0x3feea09e667f3bcd, 0x3feea11473eb0187, 0x3feeace5422aa0db, 0x3feec49182a3f090,
    0x3feee89f995ad3ad, 0x3fef199bdd85529c, 0x3fef5818dcfba487, 0x3fefa4afa2a490da};

// 1 + exp(-x), the reciprocal of the logistic function.
//
// exp(-x) = 2^(n/16) exp(-r) with n the integer nearest to -16 x / ln 2 and |r| <= ln 2 / 32; exp(-r) is a polynomial of
// degree 6 (minimax, relative error 3e-17). x is clamped to +-345, so that a product of two results stays finite; a NaN
// passes the clamp, standing second.
template <int W, int G>
TIMING_TASKS_INLINE Real<W, G> one_plus_exp_minus(Real<W, G> x) {
    using R = Real<W, G>;
    x = larger(R::filled(-345.0), smaller(R::filled(345.0), x));
    // Adding 1.5 * 2^52 rounds to an integer, which then stands in the low bits of the sum.
    const R magic = R::filled(0x1.8p52);
    const R shifted = fma(x, R::filled(-0x1.71547652b82fep+4), magic);
    const R n = shifted - magic;
    const R r = fma(n, R::filled(0x1.62e42fefa39efp-5), x);
    const R r2 = r * r;
    R p = fma(R::filled(0x1.6c17bb5ebddb4p-10), r2, fma(R::filled(-0x1.11120b03cd855p-7), r, R::filled(0x1.555555551946fp-5)));
    p = fma(p, r2, fma(R::filled(-0x1.55555554dd388p-3), r, R::filled(0.5)));
    p = fma(p, r2, R::filled(1.0) - r);
    const Int<W, G> integer = as_int(shifted);
    const R scale = as_real(look_up16(EXP2_SIXTEENTHS, integer) + shifted_left(integer, 48));
    return fma(p, scale, R::filled(1.0));
}

}  // namespace TIMING_TASKS_ISA
