// One vector register of each width: what GCC's and Clang's vector extensions say the same way for all of them, and the few
// operations that each instruction set has its own word for.
#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

// The step is one long straight line; left to itself, the compiler would cut it into calls.
#if defined(__SANITIZE_ADDRESS__)  // which would make of a whole step in one function something that takes hours to compile
#define TIMING_TASKS_ALWAYS_INLINE
#else
#define TIMING_TASKS_ALWAYS_INLINE __attribute__((always_inline))
#endif
#define TIMING_TASKS_INLINE inline TIMING_TASKS_ALWAYS_INLINE

namespace TIMING_TASKS_ISA {

// The vector types (one by one, since GCC takes no vector_size that depends on a template parameter).
template <int W>
struct Types;
#define TIMING_TASKS_TYPES(W)                                                        \
    template <>                                                                      \
    struct Types<W> {                                                                \
        typedef double Real __attribute__((vector_size(8 * W)));                     \
        typedef std::int64_t Int __attribute__((vector_size(8 * W)));                \
        typedef double StoredReal __attribute__((vector_size(8 * W), may_alias));    \
        typedef std::int64_t StoredInt __attribute__((vector_size(8 * W), may_alias)); \
    };
TIMING_TASKS_TYPES(2)
TIMING_TASKS_TYPES(4)
TIMING_TASKS_TYPES(8)
#undef TIMING_TASKS_TYPES

// Any width. A mask lane is all ones or all zeros.
template <int W>
struct Vectors : Types<W> {
    using typename Types<W>::Real;
    using typename Types<W>::Int;
    typedef Int Mask;

    static TIMING_TASKS_INLINE Real fma(Real a, Real b, Real c) {
        Real result;
        for (int lane = 0; lane < W; ++lane) result[lane] = __builtin_fma(a[lane], b[lane], c[lane]);
        return result;
    }
    static TIMING_TASKS_INLINE Real smaller(Real a, Real b) { return a < b ? a : b; }
    static TIMING_TASKS_INLINE Real larger(Real a, Real b) { return a > b ? a : b; }
    static TIMING_TASKS_INLINE Real magnitude(Real a) { return (Real)((Int)a & INT64_MAX); }
    static TIMING_TASKS_INLINE Mask less(Real a, Real b) { return a < b; }
    static TIMING_TASKS_INLINE Mask equal(Int a, Int b) { return a == b; }
    static TIMING_TASKS_INLINE Mask has_any(Int a, Int b) { return (a & b) != 0; }
    static TIMING_TASKS_INLINE Real select(Mask mask, Real yes, Real no) { return mask ? yes : no; }
    static TIMING_TASKS_INLINE Int select(Mask mask, Int yes, Int no) { return mask ? yes : no; }
    static TIMING_TASKS_INLINE Real only(Mask mask, Real a) { return (Real)(mask & (Int)a); }
    static TIMING_TASKS_INLINE Real add_where(Mask mask, Real a, Real b) { return mask ? a + b : a; }
    static TIMING_TASKS_INLINE unsigned bits(Mask mask) {
        unsigned result = 0;
        for (int lane = 0; lane < W; ++lane) result |= static_cast<unsigned>(mask[lane] & 1) << lane;
        return result;
    }
    // Writes one lane. Wider registers are read and written whole: a narrow write followed by a wide read of the same place
    // would wait until everything written before it has reached the cache.
    static TIMING_TASKS_INLINE void put(std::int64_t* lanes, int lane, std::int64_t value) {
        reinterpret_cast<typename Types<W>::StoredInt*>(lanes)[0][lane] = value;
    }
    // table[index mod 16] in every lane.
    static TIMING_TASKS_INLINE Int look_up16(const std::int64_t* table, Int index) {
        Int result;
        for (int lane = 0; lane < W; ++lane) result[lane] = table[index[lane] & 15];
        return result;
    }
};

template <int W>
struct Register : Vectors<W> {};

#if defined(__ARM_NEON) && defined(__aarch64__)
template <>
struct Register<2> : Vectors<2> {
    static TIMING_TASKS_INLINE Real fma(Real a, Real b, Real c) {
        return (Real)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
    }
};
#endif

#if defined(__AVX2__) && defined(__FMA__)
template <>
struct Register<4> : Vectors<4> {
    static TIMING_TASKS_INLINE Real fma(Real a, Real b, Real c) { return _mm256_fmadd_pd(a, b, c); }
    static TIMING_TASKS_INLINE Real smaller(Real a, Real b) { return _mm256_min_pd(a, b); }
    static TIMING_TASKS_INLINE Real larger(Real a, Real b) { return _mm256_max_pd(a, b); }
    static TIMING_TASKS_INLINE unsigned bits(Mask mask) {
        return static_cast<unsigned>(_mm256_movemask_pd((__m256d)mask));
    }
    static TIMING_TASKS_INLINE void put(std::int64_t* lanes, int lane, std::int64_t value) {
        const __m256i here = _mm256_cmpeq_epi64(_mm256_set_epi64x(3, 2, 1, 0), _mm256_set1_epi64x(lane));
        __m256i* const whole = reinterpret_cast<__m256i*>(lanes);
        _mm256_store_si256(whole, _mm256_blendv_epi8(_mm256_load_si256(whole), _mm256_set1_epi64x(value), here));
    }
    static TIMING_TASKS_INLINE Int look_up16(const std::int64_t* table, Int index) {
        return (Int)_mm256_i64gather_epi64(reinterpret_cast<const long long*>(table), (__m256i)(index & 15), 8);
    }
};
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)
// A mask is a bit a lane, in a register of its own.
template <>
struct Register<8> : Vectors<8> {
    typedef __mmask8 Mask;

    static TIMING_TASKS_INLINE Real fma(Real a, Real b, Real c) { return _mm512_fmadd_pd(a, b, c); }
    static TIMING_TASKS_INLINE Real smaller(Real a, Real b) { return _mm512_min_pd(a, b); }
    static TIMING_TASKS_INLINE Real larger(Real a, Real b) { return _mm512_max_pd(a, b); }
    static TIMING_TASKS_INLINE Mask less(Real a, Real b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
    static TIMING_TASKS_INLINE Mask equal(Int a, Int b) { return _mm512_cmpeq_epi64_mask((__m512i)a, (__m512i)b); }
    static TIMING_TASKS_INLINE Mask has_any(Int a, Int b) { return _mm512_test_epi64_mask((__m512i)a, (__m512i)b); }
    static TIMING_TASKS_INLINE Real select(Mask mask, Real yes, Real no) { return _mm512_mask_mov_pd(no, mask, yes); }
    static TIMING_TASKS_INLINE Int select(Mask mask, Int yes, Int no) {
        return (Int)_mm512_mask_mov_epi64((__m512i)no, mask, (__m512i)yes);
    }
    static TIMING_TASKS_INLINE Real only(Mask mask, Real a) { return _mm512_maskz_mov_pd(mask, a); }
    static TIMING_TASKS_INLINE Real add_where(Mask mask, Real a, Real b) { return _mm512_mask_add_pd(a, mask, a, b); }
    static TIMING_TASKS_INLINE unsigned bits(Mask mask) { return mask; }
    static TIMING_TASKS_INLINE void put(std::int64_t* lanes, int lane, std::int64_t value) {
        const __mmask8 here = static_cast<__mmask8>(1u << lane);
        _mm512_store_si512(lanes, _mm512_mask_set1_epi64(_mm512_load_si512(lanes), here, value));
    }
    static TIMING_TASKS_INLINE Int look_up16(const std::int64_t* table, Int index) {
        return (Int)_mm512_permutex2var_epi64(_mm512_load_si512(table), (__m512i)index, _mm512_load_si512(table + 8));
    }
};
#endif

}  // namespace TIMING_TASKS_ISA
