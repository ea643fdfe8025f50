/* The strategy "order". */
#ifndef REMORA_ROUTE_ORDER_H
#define REMORA_ROUTE_ORDER_H

#include "remora/route.h"

void route_sort_order(const struct remora_strategy_input *input, uint16_t *order, size_t count);

#endif
