#define CIMC_SET avx2
#define CIMC_VECTOR_BYTES 32
#include "row_gather.h"
#include "layer.h"
#include "vector_unit.h"
