// The layer for Python.
#pragma once

#include <nanobind/nanobind.h>

void bind_layer(nanobind::module_& m);
