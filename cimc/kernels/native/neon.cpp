#define CIMC_SET neon
#define CIMC_VECTOR_BYTES 16
#include "row_gather.h"
#include "layer.h"
#include "vector_unit.h"
