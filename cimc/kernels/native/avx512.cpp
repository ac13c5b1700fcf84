#define CIMC_SET avx512
#define CIMC_VECTOR_BYTES 64
#include "row_gather.h"
#include "layer.h"
#include "vector_unit.h"
