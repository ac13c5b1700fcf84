#define CIMC_NAME multiply_avx512
#define CIMC_LOADS loads_avx512
#define CIMC_VECTOR_BYTES 64
#include "row_gather.h"
