// One step of some cells, a vector register of them, forward and backward: the equations of the layer.
#pragma once

#include "layer.hpp"
#include "vectors.hpp"

namespace TIMING_TASKS_ISA {

using timing_tasks::Activation;

template <class T, int W>
TIMING_TASKS_INLINE Vector<T, W> activated(Activation activation, Vector<T, W> x) {
    if (activation == Activation::identity) return x;
    return tanh_of_half<T, W>(activation == Activation::tanh ? x + x : x);
}
// The error at an activation's argument, from the error at its value and the value.
template <class T, int W>
TIMING_TASKS_INLINE Vector<T, W> error_before(Activation activation, Vector<T, W> error, Vector<T, W> value) {
    if (activation == Activation::identity) return error;
    const Vector<T, W> result = error * (T(1) - value * value);
    return activation == Activation::tanh ? result : result * T(0.5);
}

// What a step keeps for the backward pass.
template <class T, int W>
struct Kept {
    Vector<T, W> i, f, g, o, c, squashed;  // the activations, the state, and the state squashed

    // From a tape on which each of the six stands `apart` numbers from the next.
    static TIMING_TASKS_INLINE Kept load_from(const T* tape, std::int64_t apart) {
        return {load<W>(tape), load<W>(tape + apart), load<W>(tape + 2 * apart), load<W>(tape + 3 * apart),
                load<W>(tape + 4 * apart), load<W>(tape + 5 * apart)};
    }
    TIMING_TASKS_INLINE void store_to(T* tape, std::int64_t apart) const {
        store<W>(tape, i);
        store<W>(tape + apart, f);
        store<W>(tape + 2 * apart, g);
        store<W>(tape + 3 * apart, o);
        store<W>(tape + 4 * apart, c);
        store<W>(tape + 5 * apart, squashed);
    }
};

template <class T, int W>
struct Peepholes {
    Vector<T, W> i, f, o;
};

// From net inputs without the peepholes' part (i, f, g, o) and the state before; h is o * squashed of what is returned.
template <class T, int W>
TIMING_TASKS_INLINE Kept<T, W> step_forward(const Vector<T, W> (&net)[4], Vector<T, W> c_before, const Peepholes<T, W>& p,
                                             Activation cell_input, Activation cell_output) {
    using V = Vector<T, W>;
    const V i = sigmoid<T, W>(fused<T, W>(p.i, c_before, net[0])), f = sigmoid<T, W>(fused<T, W>(p.f, c_before, net[1]));
    const V g = activated<T, W>(cell_input, net[2]);
    const V c = fused<T, W>(f, c_before, i * g);
    const V o = sigmoid<T, W>(fused<T, W>(p.o, c, net[3]));
    return {i, f, g, o, c, activated<T, W>(cell_output, c)};
}

// How the gradient is cut (PAPER.md 2): of the two ways from a state into gates, the one into the output gate, and the one from the
// state before, which counts for the first step's.
struct Cut {
    bool output, before;
};

// The errors at the net inputs; `dc` is the error at this step's state, and then at the one before.
template <class T, int W>
TIMING_TASKS_INLINE void step_backward(const Kept<T, W>& k, Vector<T, W> c_before, const Peepholes<T, W>& p,
                                       Activation cell_input, Activation cell_output, Cut cut, Vector<T, W> dh, Vector<T, W>& dc, Vector<T, W> (&dnet)[4]) {
    using V = Vector<T, W>;
    const V dh_o = dh * k.o;
    dnet[3] = dh_o * k.squashed * (T(1) - k.o);
    dc = dc + error_before<T, W>(cell_output, dh_o, k.squashed);
    if (!cut.output) dc = fused<T, W>(dnet[3], p.o, dc);
    const V dc_i = dc * k.i;
    dnet[0] = dc_i * k.g * (T(1) - k.i);
    dnet[1] = dc * c_before * k.f * (T(1) - k.f);
    dnet[2] = error_before<T, W>(cell_input, dc_i, k.g);
    dc = dc * k.f;
    if (!cut.before) dc = fused<T, W>(dnet[0], p.i, fused<T, W>(dnet[1], p.f, dc));
}

}  // namespace TIMING_TASKS_ISA
