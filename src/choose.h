/*
** One class out of a distribution, from a number that is random already: the same number
** gives neighbouring classes for distributions that are alike.
*/
#ifndef CHOOSE_H
#define CHOOSE_H

#include <stddef.h>
#include <stdint.h>

/* The class, 0..width-1, whose share of the distribution exp(logits / temperature) holds
** `number`, 0 <= number < 1, when the shares are laid side by side in the order of the
** classes; at temperature 0 the most likely one, the first of equal ones. Logits are
** finite; *cost gets the negative logarithm of its probability at temperature 1. */
int32_t ym_choose(const float *logits, size_t width, double temperature, double number,
                  float *cost);

/* The other way: the number in the middle of the share of a class, which ym_choose takes to
** that class again; temperature above 0. A share too small for a float has none that does. */
double ym_choose_number(const float *logits, size_t width, double temperature,
                        size_t class);

#endif
