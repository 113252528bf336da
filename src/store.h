/*
** Bytes of tensors to and from files. What is in a file, and whether to believe it, is
** decided in Lua (store.lua).
*/
#ifndef STORE_H
#define STORE_H

#include <stdio.h>

#include "tensor.h"

/* Writes header, then the elements of every tensor (contiguous) one after the other,
** as a file that appears whole or not at all. */
enum ym_status ym_store_write(const char *path, const void *header, size_t size,
                              const struct ym_tensor *const *tensors, size_t count,
                              struct ym_error *error);

/* Reads a contiguous tensor's elements from where file stands. YM_FORMAT when the file
** ends before, YM_IO when it cannot be read; messages do not name the path. */
enum ym_status ym_store_fill(FILE *file, const struct ym_tensor *tensor,
                             struct ym_error *error);

/* False when an element of an f32 or f16 tensor (contiguous) is not finite. */
bool ym_store_finite(const struct ym_tensor *tensor);

#endif
