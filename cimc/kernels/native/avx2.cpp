#define CIMC_NAME multiply_avx2
#define CIMC_LOADS loads_avx2
#define CIMC_VECTOR_BYTES 32
#include "row_gather.h"
