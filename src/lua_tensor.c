/*
** ym.tensor: blocks of numbers as userdata. The memory of a tensor lies inside its
** userdata, so that the collector sees its size; a view keeps what owns its memory
** in its user value.
*/
#include <math.h>
#include <string.h>

#include "lua_ym.h"

enum { ALIGNMENT = 64 };

struct ym_tensor *ym_push_unset_tensor(lua_State *L, enum ym_type type, int rank,
                                       const size_t *shape) {
	struct ym_tensor *tensor;
	size_t count, bytes;
	if (!ym_shape_count(rank, shape, &count))
		ym_raise_no_memory(L);
	bytes = count * ym_type_size(type);
	tensor = lua_newuserdatauv(L, sizeof *tensor + ALIGNMENT + bytes, 1);
	tensor->data = (void *)(((uintptr_t)(tensor + 1) + ALIGNMENT - 1) / ALIGNMENT *
	                        ALIGNMENT);
	ym_expect_large(tensor->data, bytes);
	ym_tensor_shape(tensor, type, rank, shape);
	luaL_setmetatable(L, YM_TENSOR);
	return tensor;
}

struct ym_tensor *ym_push_tensor(lua_State *L, enum ym_type type, int rank,
                                 const size_t *shape) {
	struct ym_tensor *tensor = ym_push_unset_tensor(L, type, rank, shape);
	memset(tensor->data, 0, ym_tensor_count(tensor) * ym_type_size(type));
	return tensor;
}

float *ym_push_vector(lua_State *L, size_t count) {
	return ym_push_tensor(L, YM_F32, 1, &count)->data;
}

struct ym_tensor *ym_push_view(lua_State *L, int owner, const struct ym_tensor *view) {
	struct ym_tensor *tensor;
	owner = lua_absindex(L, owner);
	tensor = lua_newuserdatauv(L, sizeof *tensor, 1);
	*tensor = *view;
	luaL_setmetatable(L, YM_TENSOR);
	lua_pushvalue(L, owner);
	lua_setiuservalue(L, -2, 1);
	return tensor;
}

struct ym_tensor *ym_check_tensor(lua_State *L, int arg) {
	return luaL_checkudata(L, arg, YM_TENSOR);
}

/* Reads the numbers of the nested table at index into tensor, along axis onwards,
** from position; raises where the nesting is ragged or a value is no number. */
static void fill_from_table(lua_State *L, int index, struct ym_tensor *tensor, int axis,
                            size_t *position) {
	ym_need_stack(L, 2);
	if (lua_type(L, index) != LUA_TTABLE || lua_rawlen(L, index) != tensor->shape[axis])
		luaL_error(L, "expected %d values along axis %d, found %s of %d",
		           (int)tensor->shape[axis], axis + 1, luaL_typename(L, index),
		           (int)lua_rawlen(L, index));
	for (size_t i = 0; i < tensor->shape[axis]; i++) {
		lua_rawgeti(L, index, (lua_Integer)i + 1);
		if (axis + 1 < tensor->rank)
			fill_from_table(L, lua_gettop(L), tensor, axis + 1, position);
		else if (lua_type(L, -1) != LUA_TNUMBER)
			luaL_error(L, "value %d along axis %d is %s, expected a number", (int)i + 1,
			           axis + 1, luaL_typename(L, -1));
		else
			ym_element_set(tensor->type,
			               (char *)tensor->data +
			                   ym_type_size(tensor->type) * (*position)++,
			               lua_tonumber(L, -1));
		lua_pop(L, 1);
	}
}

/* Pushes a tensor of the numbers in the table at index. */
static struct ym_tensor *push_from_table(lua_State *L, int index, enum ym_type type) {
	size_t shape[YM_RANK], position = 0;
	int rank = 0, top = lua_gettop(L);
	struct ym_tensor *tensor;
	lua_pushvalue(L, index);
	do {
		if (rank == YM_RANK)
			luaL_error(L, "table nested deeper than %d", YM_RANK);
		ym_need_stack(L, 1);
		shape[rank++] = lua_rawlen(L, -1);
	} while (lua_rawgeti(L, -1, 1) == LUA_TTABLE);
	lua_settop(L, top);
	tensor = ym_push_tensor(L, type, rank, shape);
	fill_from_table(L, index, tensor, 0, &position);
	return tensor;
}

struct ym_tensor *ym_check_f32(lua_State *L, int arg, int rank) {
	struct ym_tensor *tensor;
	if (lua_istable(L, arg)) {
		tensor = push_from_table(L, arg, YM_F32);
		lua_replace(L, arg);
	} else
		tensor = ym_check_tensor(L, arg);
	if (rank != 0 && tensor->rank != rank)
		luaL_argerror(
			L, arg, lua_pushfstring(L, "rank is %d, expected %d", tensor->rank, rank));
	if (tensor->type != YM_F32 || !ym_tensor_contiguous(tensor)) {
		struct ym_tensor *copy = ym_push_tensor(L, YM_F32, tensor->rank, tensor->shape);
		ym_tensor_copy(copy, tensor);
		lua_replace(L, arg);
		tensor = copy;
	}
	return tensor;
}

const float *ym_check_vector(lua_State *L, int arg, size_t *count) {
	const struct ym_tensor *tensor = ym_check_f32(L, arg, 1);
	*count = tensor->shape[0];
	return tensor->data;
}

static int check_type(lua_State *L, int arg) {
	return luaL_checkoption(L, arg, "f32", ym_type_names);
}

/* Reads the table of sizes at arg; returns the rank. */
static int check_shape(lua_State *L, int arg, size_t shape[YM_RANK]) {
	size_t rank;
	luaL_checktype(L, arg, LUA_TTABLE);
	rank = lua_rawlen(L, arg);
	luaL_argcheck(L, rank >= 1 && rank <= YM_RANK, arg, "expected 1 to 6 sizes");
	for (size_t axis = 0; axis < rank; axis++) {
		lua_Integer size;
		int whole;
		lua_rawgeti(L, arg, (lua_Integer)axis + 1);
		size = lua_tointegerx(L, -1, &whole);
		luaL_argcheck(L, whole && size >= 0, arg, "a size is not a whole number >= 0");
		shape[axis] = (size_t)size;
		lua_pop(L, 1);
	}
	return (int)rank;
}

/* tensor.new(shape, [type]) -> tensor of zeros. shape: table of 1 to 6 sizes; type:
** "f32" (default), "f16", "u8", "i16" or "i32". */
static int tensor_new(lua_State *L) {
	size_t shape[YM_RANK];
	int type = check_type(L, 2), rank = check_shape(L, 1, shape);
	ym_push_tensor(L, (enum ym_type)type, rank, shape);
	return 1;
}

/* tensor.from(numbers, [type]) -> tensor of the numbers of a (nested) table. */
static int tensor_from(lua_State *L) {
	int type = check_type(L, 2);
	luaL_checktype(L, 1, LUA_TTABLE);
	push_from_table(L, 1, (enum ym_type)type);
	return 1;
}

/* The 1-based index at arg along an axis, as 0-based; raises outside. */
static size_t check_index(lua_State *L, int arg, const struct ym_tensor *tensor,
                          int axis) {
	lua_Integer index = luaL_checkinteger(L, arg);
	if (index < 1 || (size_t)index > tensor->shape[axis])
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "index %I is outside 1..%I", index,
		                              (lua_Integer)tensor->shape[axis]));
	return (size_t)index - 1;
}

static void *check_element(lua_State *L, const struct ym_tensor *tensor) {
	size_t index[YM_RANK];
	for (int axis = 0; axis < tensor->rank; axis++)
		index[axis] = check_index(L, axis + 2, tensor, axis);
	return ym_tensor_at(tensor, index);
}

/* Reading a whole number type gives an integer. */
static void push_element(lua_State *L, enum ym_type type, const void *element) {
	double value = ym_element_get(type, element);
	if (type == YM_F32 || type == YM_F16)
		lua_pushnumber(L, value);
	else
		lua_pushinteger(L, (lua_Integer)value);
}

/* t:get(i, j, ...) -> number */
static int tensor_get(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1);
	push_element(L, tensor->type, check_element(L, tensor));
	return 1;
}

/* t:set(i, j, ..., value) */
static int tensor_set(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1);
	void *element = check_element(L, tensor);
	ym_element_set(tensor->type, element, luaL_checknumber(L, tensor->rank + 2));
	return 0;
}

/* t:fill(value) -> t */
static int tensor_fill(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1);
	double number = luaL_checknumber(L, 2);
	struct ym_tensor source = *tensor;
	float value = (float)number;
	source.type = YM_F32;
	source.data = &value;
	memset(source.stride, 0, sizeof source.stride);
	ym_tensor_copy(tensor, &source);
	lua_settop(L, 1);
	return 1;
}

/* t:copy(source) -> t; the shapes must be equal, the types need not. */
static int tensor_copy(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1), *source = ym_check_tensor(L, 2);
	bool same = tensor->rank == source->rank;
	for (int axis = 0; same && axis < tensor->rank; axis++)
		same = tensor->shape[axis] == source->shape[axis];
	luaL_argcheck(L, same, 2, "the shapes differ");
	ym_tensor_copy(tensor, source);
	lua_settop(L, 1);
	return 1;
}

/* t:to(type) -> a copy of another type */
static int tensor_to(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1), *copy;
	copy = ym_push_tensor(L, (enum ym_type)luaL_checkoption(L, 2, NULL, ym_type_names),
	                      tensor->rank, tensor->shape);
	ym_tensor_copy(copy, tensor);
	return 1;
}

/* t:shape() -> table of sizes */
static int tensor_shape(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1);
	lua_createtable(L, tensor->rank, 0);
	for (int axis = 0; axis < tensor->rank; axis++) {
		lua_pushinteger(L, (lua_Integer)tensor->shape[axis]);
		lua_rawseti(L, -2, axis + 1);
	}
	return 1;
}

/* t:type() -> "f32", "f16", "u8", "i16" or "i32" */
static int tensor_type(lua_State *L) {
	lua_pushstring(L, ym_type_names[ym_check_tensor(L, 1)->type]);
	return 1;
}

/* t:slice(first, [last]) -> view of first..last along axis 1, both included */
static int tensor_slice(lua_State *L) {
	struct ym_tensor view = *ym_check_tensor(L, 1);
	lua_Integer size = (lua_Integer)view.shape[0];
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_optinteger(L, 3, size);
	luaL_argcheck(L, lua_isnoneornil(L, 4), 3, "only axis 1 is sliced: first, last");
	if (first < 1 || last > size || last < first - 1)
		luaL_error(L, "bad slice %I..%I of 1..%I", first, last, size);
	view.data = (char *)view.data +
	            (first - 1) * view.stride[0] * (ptrdiff_t)ym_type_size(view.type);
	view.shape[0] = (size_t)(last - first + 1);
	ym_push_view(L, 1, &view);
	return 1;
}

/* t:reshape(shape) -> view of another shape and equal count */
static int tensor_reshape(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1), view = *tensor;
	size_t shape[YM_RANK], count;
	int rank = check_shape(L, 2, shape);
	luaL_argcheck(L, ym_tensor_contiguous(tensor), 1, "expected a contiguous tensor");
	luaL_argcheck(
		L, ym_shape_count(rank, shape, &count) && count == ym_tensor_count(tensor), 2,
		"the element counts differ");
	ym_tensor_shape(&view, tensor->type, rank, shape);
	ym_push_view(L, 1, &view);
	return 1;
}

/* t:permute(axes) -> view whose axis i is the axis of t at place i of the list */
static int tensor_permute(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1), view = *tensor;
	bool taken[YM_RANK] = {false};
	luaL_checktype(L, 2, LUA_TTABLE);
	luaL_argcheck(L, lua_rawlen(L, 2) == (size_t)tensor->rank, 2,
	              "expected every axis once");
	for (int i = 0; i < tensor->rank; i++) {
		lua_Integer axis;
		int whole;
		lua_rawgeti(L, 2, i + 1);
		axis = lua_tointegerx(L, -1, &whole);
		lua_pop(L, 1);
		luaL_argcheck(L, whole && axis >= 1 && axis <= tensor->rank && !taken[axis - 1],
		              2, "expected every axis once");
		taken[axis - 1] = true;
		view.shape[i] = tensor->shape[axis - 1];
		view.stride[i] = tensor->stride[axis - 1];
	}
	ym_push_view(L, 1, &view);
	return 1;
}

/* t:rows(list) -> a new tensor of the rows (axis 1) named by a table of indices */
static int tensor_rows(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1), *copy;
	struct ym_tensor from = *tensor, to;
	size_t shape[YM_RANK], count;
	luaL_checktype(L, 2, LUA_TTABLE);
	count = lua_rawlen(L, 2);
	memcpy(shape, tensor->shape, sizeof shape);
	shape[0] = count;
	copy = ym_push_tensor(L, tensor->type, tensor->rank, shape);
	to = *copy;
	from.shape[0] = to.shape[0] = 1;
	for (size_t i = 0; i < count; i++) {
		size_t index[YM_RANK] = {0};
		lua_Integer row;
		int whole;
		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		row = lua_tointegerx(L, -1, &whole);
		if (!whole || row < 1 || (size_t)row > tensor->shape[0])
			luaL_argerror(L, 2,
			              lua_pushfstring(L, "row %s is not in 1..%I",
			                              luaL_tolstring(L, -1, NULL),
			                              (lua_Integer)tensor->shape[0]));
		lua_pop(L, 1);
		index[0] = (size_t)row - 1;
		from.data = ym_tensor_at(tensor, index);
		index[0] = i;
		to.data = ym_tensor_at(copy, index);
		ym_tensor_copy(&to, &from);
	}
	return 1;
}

/* Pushes the part of the tensor that lies at data, from axis on, as a nested table. */
static void push_table(lua_State *L, const struct ym_tensor *tensor, int axis,
                       const char *data) {
	ptrdiff_t step = tensor->stride[axis] * (ptrdiff_t)ym_type_size(tensor->type);
	ym_need_stack(L, 2);
	lua_createtable(L, (int)tensor->shape[axis], 0);
	for (size_t i = 0; i < tensor->shape[axis]; i++, data += step) {
		if (axis + 1 < tensor->rank)
			push_table(L, tensor, axis + 1, data);
		else
			push_element(L, tensor->type, data);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* t:totable() -> nested table of numbers */
static int tensor_totable(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1);
	push_table(L, tensor, 0, tensor->data);
	return 1;
}

/* t:bytes() -> the elements as a string, row-major, in the machine's byte order */
static int tensor_bytes(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1);
	if (!ym_tensor_contiguous(tensor)) {
		struct ym_tensor *copy = ym_push_tensor(L, tensor->type, tensor->rank,
		                                        tensor->shape);
		ym_tensor_copy(copy, tensor);
		tensor = copy;
	}
	lua_pushlstring(L, tensor->data,
	                ym_tensor_count(tensor) * ym_type_size(tensor->type));
	return 1;
}

/* t[i]: a number of a rank-1 tensor, else the view of row i; t.name: a method */
static int tensor_index(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1), view = *tensor;
	size_t index[YM_RANK] = {0};
	if (lua_type(L, 2) != LUA_TNUMBER) {
		lua_settop(L, 2);
		lua_gettable(L, lua_upvalueindex(1));
		return 1;
	}
	index[0] = check_index(L, 2, tensor, 0);
	view.data = ym_tensor_at(tensor, index);
	if (tensor->rank == 1) {
		push_element(L, tensor->type, view.data);
		return 1;
	}
	view.rank--;
	for (int axis = 0; axis < view.rank; axis++) {
		view.shape[axis] = tensor->shape[axis + 1];
		view.stride[axis] = tensor->stride[axis + 1];
	}
	ym_push_view(L, 1, &view);
	return 1;
}

/* t[i] = value of a rank-1 tensor */
static int tensor_newindex(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1);
	size_t index[YM_RANK] = {0};
	luaL_argcheck(L, tensor->rank == 1, 1, "only rank 1 takes t[i] = value; use t:set");
	index[0] = check_index(L, 2, tensor, 0);
	ym_element_set(tensor->type, ym_tensor_at(tensor, index), luaL_checknumber(L, 3));
	return 0;
}

/* #t: the size of axis 1 */
static int tensor_len(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)ym_check_tensor(L, 1)->shape[0]);
	return 1;
}

static int tensor_tostring(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1);
	luaL_Buffer text;
	luaL_buffinit(L, &text);
	luaL_addstring(&text, "tensor ");
	luaL_addstring(&text, ym_type_names[tensor->type]);
	for (int axis = 0; axis < tensor->rank; axis++) {
		luaL_addstring(&text, axis == 0 ? " (" : ", ");
		lua_pushinteger(L, (lua_Integer)tensor->shape[axis]);
		luaL_addvalue(&text);
	}
	luaL_addchar(&text, ')');
	luaL_pushresult(&text);
	return 1;
}

static const luaL_Reg functions[] = {
	{"new", tensor_new}, {"from", tensor_from}, {NULL, NULL}};

static const luaL_Reg methods[] = {
	{"get", tensor_get},         {"set", tensor_set},
	{"fill", tensor_fill},       {"copy", tensor_copy},
	{"to", tensor_to},           {"shape", tensor_shape},
	{"type", tensor_type},       {"slice", tensor_slice},
	{"reshape", tensor_reshape}, {"permute", tensor_permute},
	{"rows", tensor_rows},       {"totable", tensor_totable},
	{"bytes", tensor_bytes},     {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
	{"__newindex", tensor_newindex},
	{"__len", tensor_len},
	{"__tostring", tensor_tostring},
	{NULL, NULL},
};

void ym_open_tensor(lua_State *L) {
	ym_new_class(L, YM_TENSOR, methods, metamethods);
	luaL_getmetatable(L, YM_TENSOR);
	lua_getfield(L, -1, "__index"); /* the methods, behind numeric indexing */
	lua_pushcclosure(L, tensor_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "tensor");
}
