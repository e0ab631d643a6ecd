// One net-step of a pack of nets: the network and its learning rule (RTRL, truncated or full, with momentum), lane by lane.
// The symbols are the paper's: i, f, o gates, g cell input, s cell state, h(s) what the output gate lets through, y cell output,
// z network output.
#pragma once

#include "population.hpp"
#include "sigmoid.hpp"

namespace TIMING_TASKS_ISA {

using namespace timing_tasks;

// What a lane's net is and does, a bit each.
enum Flag : std::int64_t {
    PEEPHOLES = 1,
    FORGET_GATE = 2,
    SIGMOID_OUTPUT = 4,
    DENSE_TARGETS = 8,
    DRAWN_PERIODS = 16,
    LEARN_CELL_STATE = 32,
    LEARN_CELL_OUTPUT = 64,
    TRAINING = 128,
    MOVING = 256,  // weights follow their deltas
    FIRST_STEP = 512,
    UPDATE_WITHOUT_TARGET = 1024,
    UPDATE_WHEN_WRONG = 2048,
    CENTRED_LOGISTIC = 4096,
};

// The nets at work: every array has one entry a lane.
template <int W, int G>
struct Lanes {
    static constexpr int COUNT = W * G;
    alignas(64) double weight[WEIGHTS][COUNT];
    alignas(64) double delta[WEIGHTS][COUNT];
    alignas(64) double trace[TRUNCATED_TRACES][COUNT];
    alignas(64) double y[COUNT], s[COUNT], squared_error[COUNT];
    // Input and target in the last step of a period (a spike in all tasks but PFG) and in the steps before it.
    alignas(64) double input_at_end[COUNT], input_before[COUNT], target_at_end[COUNT], target_before[COUNT];
    alignas(64) double learning_rate[COUNT], momentum[COUNT], tolerance[COUNT];
    alignas(64) double noise_s[COUNT], noise_y[COUNT];  // added to the initial state: noise, or what the last stream has left
    // An input of its own in a period's first step, at which `steps_left` has this value; 0 where there is none.
    alignas(64) double input_at_start[COUNT];
    alignas(64) std::int64_t start[COUNT];
    alignas(64) std::int64_t steps_left[COUNT], period_length[COUNT], periods_left[COUNT], flags[COUNT];
    const double* waveform[COUNT];  // PFG: waveform[l][steps_left] is the target
    // The traces of the full gradient alone: ds/dw of the output gate's weights, then all dy/dw.
    alignas(64) double full_trace[TRACES - TRUNCATED_TRACES][COUNT];

    TIMING_TASKS_INLINE double* state_trace(int w) { return w < TRUNCATED_TRACES ? trace[w] : full_trace[w - TRUNCATED_TRACES]; }
    TIMING_TASKS_INLINE double* output_trace(int w) { return full_trace[STATE_WEIGHTS - TRUNCATED_TRACES + w]; }
    TIMING_TASKS_INLINE double* any_trace(int t) { return t < STATE_WEIGHTS ? state_trace(t) : output_trace(t - STATE_WEIGHTS); }
};

// Lanes that need attention after a step, a bit each.
struct Events {
    unsigned wrong, not_finite, period_end;
    bool any() const { return wrong | period_end; }
};

// What a step leaves for learning: the second half of the rule, which waits until the other pack is at its sigmoids.
// Values are 0 in lanes that do not train. A lane that trains may still not descend, if the protocol has it so.
template <int W, int G>
struct Lesson {
    Real<W, G> x, y_old, s_seen;  // what the weights' inputs were, but for y(t) and s(t), which still stand in the pack
    Real<W, G> f, by_i, by_f, by_c;  // how the traces change
    Real<W, G> at_k, at_o, at_s;     // learning rate * (-dE/d net input) of output unit and output gate, -dE/ds
    Mask<W, G> descends, sees_s, keep, moving;
    Real<W, G> from_s0, from_y0, at_y0;          // EXTENDED: the first step's own terms
    Mask<W, G> learn_s0, learn_y0;
    // FULL_GRADIENT: the derivatives of s by s and y of the step before, of y by s and by y of the step before, of y by the output
    // gate's net input; learning rate * -dE/dy.
    Real<W, G> s_by_s, s_by_y, y_by_s, y_by_y, by_o, at_y;
};

// A lesson that changes nothing: every trace is 1 * trace + 0, every delta 1 * delta + 0, no weight moves.
template <int W, int G>
Lesson<W, G> nothing_to_learn() {
    Lesson<W, G> lesson{};
    lesson.f = lesson.s_by_s = lesson.y_by_y = Real<W, G>::filled(1.0);
    lesson.keep = ~lesson.keep;
    return lesson;
}

// Learning (PAPER.md 2): traces ds/dw start at 0 with the stream; delta = momentum * delta - learning rate * dE/dw.
// Outside training the traces are 0. Where a lane does not descend, each delta is 1 * delta + 0: every factor of that 0 is masked, not multiplied by it,
// for a state that has run off to infinity must not reach the weights.
template <int W, int G, int NEEDS>
struct Learning {
    using R = Real<W, 1>;
    Lanes<W, G>& n;
    const Lesson<W, G>& lesson;

    // The work in slices, one gate of one register each: few enough values at a time to leave the other pack its registers.
    static constexpr int SLICES = 4 * G;

    template <int SLICE>
    TIMING_TASKS_INLINE void slice() const {
        constexpr int g = SLICE / 4;
        const R momentum = select(one(lesson.descends, g), R::load(n.momentum + g * W), R::filled(1.0));
        const R f = one(lesson.f, g), at_s = one(lesson.at_s, g);
        const R x = one(lesson.x, g), y_old = one(lesson.y_old, g);
        const Mask<W, 1> keep = one(lesson.keep, g), moving = one(lesson.moving, g);
        const auto descend = [&](int w, const R& downhill) TIMING_TASKS_ALWAYS_INLINE {
            const R delta = fma(momentum, R::load(n.delta[w] + g * W), downhill);
            delta.store(n.delta[w] + g * W);
            add_where(moving, R::load(n.weight[w] + g * W), delta).store(n.weight[w] + g * W);
        };
        const auto carry = [&](int w, const R& change) TIMING_TASKS_ALWAYS_INLINE {
            const R trace = fma(f, only(keep, R::load(n.trace[w] + g * W)), change);
            trace.store(n.trace[w] + g * W);
            return trace;
        };
        // The full gradient: both traces from both of the step before, and what the weight itself adds to s and to y. The two
        // derivatives of the step before are given as they are in the first step.
        const auto through_both = [&](int w, const R& to_s, const R& to_y, const R& s_first, const R& y_first) TIMING_TASKS_ALWAYS_INLINE {
            const R s_before = only(keep, R::load(n.state_trace(w) + g * W)) + s_first;
            const R y_before = only(keep, R::load(n.output_trace(w) + g * W)) + y_first;
            const R by_s = fma(one(lesson.s_by_s, g), s_before, fma(one(lesson.s_by_y, g), y_before, to_s));
            const R by_y = fma(one(lesson.y_by_s, g), by_s, fma(one(lesson.y_by_y, g), y_before, to_y));
            by_s.store(n.state_trace(w) + g * W);
            by_y.store(n.output_trace(w) + g * W);
            return one(lesson.at_y, g) * only(one(lesson.descends, g), by_y);
        };
        const R zero = R::filled(0.0);
        const auto through_s = [&](int w, const R& change) TIMING_TASKS_ALWAYS_INLINE {
            if constexpr (NEEDS & FULL_GRADIENT) descend(w, through_both(w, change, zero, zero, zero));
            else descend(w, at_s * carry(w, change));
        };
        const auto through_o = [&](int w, const R& input) TIMING_TASKS_ALWAYS_INLINE {
            if constexpr (NEEDS & FULL_GRADIENT) descend(w, through_both(w, zero, one(lesson.by_o, g) * input, zero, zero));
            else descend(w, one(lesson.at_o, g) * input);
        };
        if constexpr (SLICE % 4 == 0) {
            const R at_k = one(lesson.at_k, g);
            descend(W_KH, at_k * only(one(lesson.descends, g), R::load(n.y + g * W)));
            descend(B_K, at_k);
            through_o(W_OX, x);
            through_o(W_OH, y_old);
            if constexpr (NEEDS & FULL_GRADIENT) descend(B_O, through_both(B_O, zero, one(lesson.by_o, g), zero, zero));
            else descend(B_O, one(lesson.at_o, g));
            through_o(P_O, only(one(lesson.sees_s, g), R::load(n.s + g * W)));
            if constexpr (NEEDS & FULL_GRADIENT) {
                descend(S_0, only(one(lesson.learn_s0, g), through_both(S_0, zero, zero, one(lesson.from_s0, g), zero)));
                descend(Y_0, only(one(lesson.learn_y0, g), through_both(Y_0, zero, zero, zero, one(lesson.from_y0, g))));
            } else if constexpr (NEEDS & EXTENDED) {
                const R to_s0 = at_s * carry(S_0, one(lesson.from_s0, g));
                const R to_y0 = fma(at_s, carry(Y_0, one(lesson.from_y0, g)), one(lesson.at_y0, g));
                descend(S_0, only(one(lesson.learn_s0, g), to_s0));
                descend(Y_0, only(one(lesson.learn_y0, g), to_y0));
            }
        } else if constexpr (SLICE % 4 == 1) {
            const R by_i = one(lesson.by_i, g);
            through_s(W_IX, by_i * x);
            through_s(W_IH, by_i * y_old);
            through_s(B_I, by_i);
            through_s(P_I, by_i * one(lesson.s_seen, g));
        } else if constexpr (SLICE % 4 == 2) {
            const R by_f = one(lesson.by_f, g);
            through_s(W_FX, by_f * x);
            through_s(W_FH, by_f * y_old);
            through_s(B_F, by_f);
            through_s(P_F, by_f * one(lesson.s_seen, g));
        } else {
            const R by_c = one(lesson.by_c, g);
            through_s(W_CX, by_c * x);
            through_s(W_CH, by_c * y_old);
            through_s(B_C, by_c);
        }
    }

    // Part POINT of PARTS about equal ones.
    template <int POINT, int PARTS = 8>
    TIMING_TASKS_INLINE void part() const {
        slices<POINT * SLICES / PARTS, (POINT + 1) * SLICES / PARTS>();
    }
    template <int FROM, int TO>
    TIMING_TASKS_INLINE void slices() const {
        if constexpr (FROM < TO) {
            slice<FROM>();
            slices<FROM + 1, TO>();
        }
    }
};

// One step of the network on a pack. Its sigmoids are long chains of dependent operations; between them `meanwhile`, the
// learning of another pack's last step, keeps the processor busy.
// NEEDS: of the lanes together, see Need. They add work, and never change a digit.
template <int W, int G, int NEEDS>
TIMING_TASKS_INLINE Events step(Lanes<W, G>& n, Lesson<W, G>& lesson, const Learning<W, G, NEEDS>& meanwhile) {
    using R = Real<W, G>;
    using M = Mask<W, G>;
    using I = Int<W, G>;
    const auto weight = [&](int w) TIMING_TASKS_ALWAYS_INLINE { return R::load(n.weight[w]); };
    const I flags = I::load(n.flags);
    const auto is = [&](Flag flag) TIMING_TASKS_ALWAYS_INLINE { return has_any(flags, I::filled(flag)); };
    const I one = I::filled(1);

    const M first = is(FIRST_STEP);
    const M training = is(TRAINING);
    const M peepholes = is(PEEPHOLES);

    // What the step reads. The lesson is written as soon as its parts are known, which frees their registers.
    const I steps_left = I::load(n.steps_left);
    const M at_end = steps_left == one;
    R x = select(at_end, R::load(n.input_at_end), R::load(n.input_before));
    if constexpr (NEEDS & EXTENDED) x = select(steps_left == I::load(n.start), R::load(n.input_at_start), x);
    R s_old = only(~first, R::load(n.s)), y_old = only(~first, R::load(n.y));
    if constexpr (NEEDS & EXTENDED) {
        s_old = select(first, weight(S_0) + R::load(n.noise_s), s_old);
        y_old = select(first, weight(Y_0) + R::load(n.noise_y), y_old);
    }
    const R s_seen = only(peepholes, s_old);
    lesson.x = x;
    lesson.y_old = only(training, y_old);
    lesson.s_seen = only(training, s_seen);
    lesson.keep = training & ~first;
    if constexpr (!(NEEDS & EXTENDED)) {
        lesson.descends = training;
        lesson.sees_s = training & peepholes;
        lesson.moving = is(MOVING);
    }

    // Forward (PAPER.md 1).
    const R net_i = fma(weight(P_I), s_seen, fma(weight(W_IH), y_old, fma(weight(W_IX), x, weight(B_I))));
    const R net_f = fma(weight(P_F), s_seen, fma(weight(W_FH), y_old, fma(weight(W_FX), x, weight(B_F))));
    const R g = fma(weight(W_CH), y_old, fma(weight(W_CX), x, weight(B_C)));
    const R before_o = fma(weight(W_OH), y_old, fma(weight(W_OX), x, weight(B_O)));
    meanwhile.template part<0>();
    const R exp_i = one_plus_exp_minus(net_i), exp_f = one_plus_exp_minus(net_f);
    meanwhile.template part<1>();
    const R reciprocal = R::filled(1.0) / (exp_i * exp_f);  // two logistic functions for one division
    const R i = reciprocal * exp_f;
    const R f = select(is(FORGET_GATE), reciprocal * exp_i, R::filled(1.0));
    const R s = fma(f, s_old, i * g);
    s.store(n.s);
    lesson.f = f;
    lesson.by_i = only(training, g * fma(-i, i, i));
    lesson.by_f = only(training, s_old * fma(-f, f, f));
    lesson.by_c = only(training, i);
    const R s_seen_new = only(peepholes, s);
    // With the identity h(s) = s, exp_h = 1 and the division is that of the output gate alone.
    const M centred = is(CENTRED_LOGISTIC);
    R exp_h, h = s, slope_h;
    if constexpr (NEEDS & SQUASHED) exp_h = select(centred, one_plus_exp_minus(s), R::filled(1.0));
    meanwhile.template part<2>();
    const R exp_o = one_plus_exp_minus(fma(weight(P_O), s_seen_new, before_o));
    meanwhile.template part<3>();
    R o;
    if constexpr (NEEDS & SQUASHED) {
        const R both = R::filled(1.0) / (exp_o * exp_h);
        o = both * exp_h;
        const R logistic = both * exp_o;
        h = select(centred, fma(R::filled(2.0), logistic, R::filled(-1.0)), s);
        slope_h = select(centred, R::filled(2.0) * fma(-logistic, logistic, logistic), R::filled(1.0));
    } else {
        o = R::filled(1.0) / exp_o;
    }
    const R y = o * h;
    y.store(n.y);
    const R net_k = fma(weight(W_KH), y, weight(B_K));
    meanwhile.template part<4>();
    const R exp_k = one_plus_exp_minus(net_k);
    meanwhile.template part<5>();
    const M sigmoid_output = is(SIGMOID_OUTPUT);
    const R squashed = R::filled(1.0) / exp_k;
    meanwhile.template part<6>();
    const R z = select(sigmoid_output, squashed, net_k);
    const R slope = select(sigmoid_output, fma(-squashed, squashed, squashed), R::filled(1.0));

    // Error and verdict of the step. A NaN is within no tolerance.
    R d = select(at_end, R::load(n.target_at_end), R::load(n.target_before));
    if constexpr (NEEDS & WAVEFORM) {
        alignas(64) double from_table[W * G];
        for (int lane = 0; lane < W * G; ++lane)
            from_table[lane] = n.waveform[lane] ? n.waveform[lane][n.steps_left[lane]] : 0.0;
        d = d + R::load(from_table);
    }
    const M has_target = at_end | is(DENSE_TARGETS);
    const R error = only(has_target, d - z);
    const M wrong = has_target & ~(magnitude(error) < R::load(n.tolerance));
    only(~training, fma(error, error, R::load(n.squared_error))).store(n.squared_error);
    meanwhile.template part<7>();
    M descends = training;
    if constexpr (NEEDS & EXTENDED) {
        descends = training & (has_target | is(UPDATE_WITHOUT_TARGET)) & (~wrong | is(UPDATE_WHEN_WRONG));
        lesson.descends = descends;
        lesson.sees_s = descends & peepholes;
        lesson.moving = is(MOVING) & descends;
    }
    lesson.at_k = only(descends, R::load(n.learning_rate) * error * slope);
    const R at_y = lesson.at_k * weight(W_KH);
    if constexpr (NEEDS & SQUASHED) lesson.at_s = only(descends, at_y * o * slope_h);
    else lesson.at_s = only(descends, at_y * o);
    lesson.at_o = only(descends, at_y * h * fma(-o, o, o));
    const M start = first & training;
    if constexpr (NEEDS & EXTENDED) {
        lesson.learn_s0 = is(LEARN_CELL_STATE);
        lesson.learn_y0 = is(LEARN_CELL_OUTPUT);
    }
    if constexpr (NEEDS & FULL_GRADIENT) {
        const R p_o = only(peepholes, weight(P_O));
        lesson.from_s0 = only(start & lesson.learn_s0, R::filled(1.0));
        lesson.from_y0 = only(start & lesson.learn_y0, R::filled(1.0));
        lesson.s_by_s = fma(lesson.by_i, only(peepholes, weight(P_I)), fma(lesson.by_f, only(peepholes, weight(P_F)), f));
        lesson.s_by_y = fma(lesson.by_i, weight(W_IH), fma(lesson.by_f, weight(W_FH), i * weight(W_CH)));
        lesson.by_o = only(training, h * fma(-o, o, o));
        lesson.y_by_s = fma(lesson.by_o, p_o, o * slope_h);
        lesson.y_by_y = lesson.by_o * weight(W_OH);
        lesson.at_y = only(descends, at_y);
        lesson.sees_s = training & peepholes;  // the traces go on where nothing descends
    } else if constexpr (NEEDS & EXTENDED) {
        // Exact at the first step, carried by the forget gate alone after it.
        lesson.from_s0 = only(start & lesson.learn_s0, fma(lesson.by_i, only(peepholes, weight(P_I)), fma(lesson.by_f, only(peepholes, weight(P_F)), f)));
        lesson.from_y0 = only(start & lesson.learn_y0, fma(lesson.by_i, weight(W_IH), fma(lesson.by_f, weight(W_FH), i * weight(W_CH))));
        lesson.at_y0 = only(start, lesson.at_o * weight(W_OH));
    }

    // The stream moves on; periods whose length is not drawn follow one another without further attention.
    const I left = I::load(n.periods_left);
    const I periods_left = select(at_end, left - one, left);
    periods_left.store(n.periods_left);
    select(at_end, I::load(n.period_length), steps_left - one).store(n.steps_left);
    without(flags, I::filled(FIRST_STEP)).store(n.flags);
    const M attention = is(DRAWN_PERIODS) | (periods_left == I::filled(0));
    const M finite = magnitude(error) < R::filled(__builtin_inf());
    return {bits(wrong), bits(wrong & ~finite), bits(at_end & attention)};
}

}  // namespace TIMING_TASKS_ISA
