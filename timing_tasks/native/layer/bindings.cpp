// The layer's two passes for Python. Arrays come as addresses, since making array objects of ten tensors takes longer than small layers
// do; their shapes and types are checked by the caller, models/native_recurrence.py, the only one there is.
#include "bindings.hpp"

#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>

#include <array>
#include <stdexcept>
#include <string>

#include "layer.hpp"

namespace nb = nanobind;
using timing_tasks::Layer;

namespace {

using Sizes = std::array<std::int64_t, 6>;          // R, T, N, I, H, and of the tape; 0 for none
using Activations = std::array<int, 2>;             // of the cell input and of the cell output, as numbers of Activation
using Switches = std::array<bool, 2>;               // truncated, batch_first
using Addresses = std::array<std::uintptr_t, 11>;   // x, h0, c0, weight_ih, weight_hh, bias, peephole, out, h_last, c_last, tape
using Gradients = std::array<std::uintptr_t, 10>;   // dout, dh_last, dc_last; dx, dh0, dc0, dweight_ih, dweight_hh, dbias, dpeephole

template <class T>
Layer<T> layer(const Sizes& sizes, const Activations& activations, const Switches& switches, const Addresses& addresses) {
    const auto [replicas, steps, batch, inputs, hidden, tape] = sizes;
    if (replicas < 1 || steps < 1 || batch < 1 || inputs < 1 || hidden < 1) throw std::invalid_argument("sizes: at least 1 each");
    if (tape && tape != timing_tasks::tape_size<T>(replicas, steps, batch, inputs, hidden))
        throw std::invalid_argument("the installed native layer belongs to another version of timing-tasks");
    const auto at = [&](int k) { return reinterpret_cast<T*>(addresses[k]); };
    Layer<T> l{};
    l.replicas = replicas, l.steps = steps, l.batch = batch, l.inputs = inputs, l.hidden = hidden;
    for (const int activation : activations)
        if (activation < 0 || activation > 2) throw std::invalid_argument("activations: 0, 1 or 2");
    l.cell_input = timing_tasks::Activation(activations[0]), l.cell_output = timing_tasks::Activation(activations[1]);
    l.truncated = switches[0], l.batch_first = switches[1];
    l.x = at(0), l.h0 = at(1), l.c0 = at(2), l.weight_ih = at(3), l.weight_hh = at(4), l.bias = at(5), l.peephole = at(6);
    l.out = at(7), l.h_last = at(8), l.c_last = at(9), l.tape = tape ? at(10) : nullptr;
    return l;
}

template <class T>
void run(const Layer<T>& l, bool forward, int threads, const std::string& instruction_set) {
    if (threads < 1) throw std::invalid_argument("threads: at least 1");
    const nb::gil_scoped_release release;
    if (instruction_set == "portable") return forward ? portable::layer_forward(l, threads) : portable::layer_backward(l, threads);
#if defined(TIMING_TASKS_X86)
    if (instruction_set == "avx2") return forward ? avx2::layer_forward(l, threads) : avx2::layer_backward(l, threads);
    if (instruction_set == "avx512") return forward ? avx512::layer_forward(l, threads) : avx512::layer_backward(l, threads);
#endif
    throw std::invalid_argument("instruction_set: not compiled in");
}

template <class T>
void forward(const Sizes& sizes, const Activations& activations, const Switches& switches, const Addresses& addresses, int threads,
             const std::string& instruction_set) {
    run(layer<T>(sizes, activations, switches, addresses), true, threads, instruction_set);
}

template <class T>
void backward(const Sizes& sizes, const Activations& activations, const Switches& switches, const Addresses& addresses,
              const Gradients& gradients, int threads, const std::string& instruction_set) {
    Layer<T> l = layer<T>(sizes, activations, switches, addresses);
    const auto at = [&](int k) { return reinterpret_cast<T*>(gradients[k]); };
    l.dout = at(0), l.dh_last = at(1), l.dc_last = at(2), l.dx = at(3), l.dh0 = at(4), l.dc0 = at(5);
    l.dweight_ih = at(6), l.dweight_hh = at(7), l.dbias = at(8), l.dpeephole = at(9);
    run(l, false, threads, instruction_set);
}

}  // namespace

void bind_layer(nb::module_& m) {
    m.def("layer_forward_float32", &forward<float>);
    m.def("layer_forward_float64", &forward<double>);
    m.def("layer_backward_float32", &backward<float>);
    m.def("layer_backward_float64", &backward<double>);
}
