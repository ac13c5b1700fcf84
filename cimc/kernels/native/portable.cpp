#define CIMC_NAME multiply_portable
#define CIMC_LOADS loads_portable
#define CIMC_VECTOR_BYTES 16
#include "row_gather.h"
