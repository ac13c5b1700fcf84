#define CIMC_NAME multiply_neon
#define CIMC_LOADS loads_neon
#define CIMC_VECTOR_BYTES 16
#include "row_gather.h"
