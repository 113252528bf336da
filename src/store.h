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

/* How elements lie in a file, little-endian: as in the tensor, or of a type that
** tensors do not have. Those of the next two are rounded to f32, those of the last go
** to i32. */
enum ym_stored { YM_STORED_SAME, YM_STORED_BF16, YM_STORED_F64, YM_STORED_I64 };

/* "same", "bf16", "f64", "i64", then NULL: indexed by enum ym_stored. */
extern const char *const ym_stored_names[];

/* Bytes an element takes in a file. */
size_t ym_stored_size(enum ym_stored stored, const struct ym_tensor *tensor);

/* Puts count elements from those bytes at places from `first` on in a contiguous
** tensor, which is f32, or for YM_STORED_I64 i32. YM_FORMAT when a number is too
** large. */
enum ym_status ym_store_put(const struct ym_tensor *tensor, size_t first, size_t count,
                            enum ym_stored stored, const void *bytes,
                            struct ym_error *error);

/* Reads a contiguous tensor's elements from where file stands. YM_FORMAT when the file
** ends before, YM_IO when it cannot be read; messages do not name the path. */
enum ym_status ym_store_fill(FILE *file, const struct ym_tensor *tensor,
                             enum ym_stored stored, struct ym_error *error);

/* False when an element of an f32 or f16 tensor (contiguous) is not finite. */
bool ym_store_finite(const struct ym_tensor *tensor);

#endif
