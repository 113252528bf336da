-- Tensors in files: safetensors (several by name, with metadata) and .npy (one). What a
-- file says is checked against its size before memory is taken for it.
--
-- safetensors: 8 bytes, the length of the header; the header, JSON, name -> {dtype,
-- shape, data_offsets}, and "__metadata__" -> {string -> string}; then the elements,
-- row-major, little-endian, without gaps. Ours carry metadata "crc32" over the whole
-- file but the length, with its own digits taken as zeros.
local attempt = require "ym2612ml.attempt"
local cjson = require "cjson"
local check = require "ym2612ml.check"
local core = require("ym2612ml.core").store
local json = require "ym2612ml.json"
local line = require "ym2612ml.line"
local rows = require "ym2612ml.store.rows"
local tensor = require("ym2612ml.core").tensor

local M = {}

M.sha256 = core.sha256
M.sha256_file = core.sha256_file

local DTYPES = { F32 = "f32", F16 = "f16", U8 = "u8", I16 = "i16", I32 = "i32" }
local BYTES = { f32 = 4, f16 = 2, u8 = 1, i16 = 2, i32 = 4 }
-- Types of other programs' files that are converted: to what, how they are stored, and
-- the bytes of an element.
local FOREIGN = {
  BF16 = { type = "f32", stored = "bf16", bytes = 2 },
  F64 = { type = "f32", stored = "f64", bytes = 8 },
  I64 = { type = "i32", stored = "i64", bytes = 8 },
  BOOL = { type = "u8", stored = "same", bytes = 1 },
}
local MOST_RANK, MOST_ELEMENTS = 6, 1 << 48
-- Longer headers are refused, as other readers of the format do.
local LONGEST_HEADER = 100 * 1000 * 1000
local NO_CHECKSUM = "00000000"

local dtype_of, known = {}, {}
for dtype, kind in pairs(DTYPES) do
  dtype_of[kind] = dtype
  known[dtype] = { type = kind, stored = "same", bytes = BYTES[kind] }
end
for dtype, element in pairs(FOREIGN) do
  known[dtype] = element
end

-- The element count of a shape, or nil when it is not a list of sizes or too large:
-- the sizes that are not 0 must not be too large together, even if there are others.
local function count_of(shape)
  if type(shape) ~= "table" or #shape > MOST_RANK then
    return nil
  end
  local product, empty, sizes = 1, false, 0
  for _ in pairs(shape) do
    sizes = sizes + 1
  end
  for axis = 1, sizes do
    local size = type(shape[axis]) == "number" and math.tointeger(shape[axis])
    if not size or size < 0 or size > MOST_ELEMENTS // product then -- no product that wraps
      return nil
    end
    empty = empty or size == 0
    product = product * math.max(size, 1)
  end
  return empty and 0 or product
end

-- What a file is read from: read(count) -> bytes, fill(tensor, bytes, stored), and where
-- it ends.
local function string_source(bytes)
  local at = 0
  return {
    size = #bytes,
    read = function(count)
      at = at + count
      return bytes:sub(at - count + 1, at)
    end,
    fill = function(into, size, stored)
      at = at + size
      return core.fill(bytes, at - size, into, stored)
    end,
  }
end

-- nil, message, kind when the path cannot be opened and read.
local function file_source(path)
  local file, reason = io.open(path, "rb")
  if not file then
    return nil, reason, "io"
  end
  local readable
  readable, reason = file:read(0) -- a directory opens, but does not read
  if not readable and reason then
    file:close()
    return nil, ("%s: %s"):format(path, reason), "io"
  end
  local size = file:seek("end")
  file:seek("set")
  return {
    size = size,
    file = file,
    read = function(count)
      return file:read(count) or ""
    end,
    fill = function(into, _, stored)
      return core.fill(file, 0, into, stored)
    end,
  }
end

local function is_text_map(value)
  if type(value) ~= "table" then
    return false
  end
  for key, text in pairs(value) do
    if type(key) ~= "string" or type(text) ~= "string" then
      return false
    end
  end
  return true
end

-- The entries of a header in the order of their data, checked to fill `room` bytes
-- exactly; nil and why not.
local function read_entries(header, room)
  local entries = {}
  for name, entry in pairs(header) do
    if type(name) ~= "string" or type(entry) ~= "table" then
      return nil, "the header is not a table of tensors"
    end
    local element, count, offsets = known[entry.dtype], count_of(entry.shape), entry.data_offsets
    if not element then
      return nil, line(("tensor '%s' has the type %s, which is not known"):format(name, tostring(entry.dtype)))
    elseif not count then
      return nil, line(("tensor '%s' has no usable shape"):format(name))
    end
    local first = type(offsets) == "table" and math.tointeger(tonumber(offsets[1]))
    local last = type(offsets) == "table" and math.tointeger(tonumber(offsets[2]))
    if not first or not last or last - first ~= count * element.bytes then
      return nil, line(("tensor '%s' has data offsets that do not suit its shape"):format(name))
    end
    entries[#entries + 1] = { name = name, element = element, shape = entry.shape, first = first, last = last }
  end
  table.sort(entries, function(a, b)
    return a.first < b.first or (a.first == b.first and a.last < b.last)
  end)
  local at = 0
  for _, entry in ipairs(entries) do
    if entry.first ~= at or entry.last > room then
      return nil, line(("the data of tensor '%s' is not where it should be"):format(entry.name))
    end
    at = entry.last
  end
  if at ~= room then
    return nil, ("holds %d bytes of data, and the header tells of %d"):format(room, at)
  end
  return entries
end

-- The first name that stands twice in an object of valid JSON; nil: none. The decoder
-- would take the last of them, other programs another.
local function repeated_name(text)
  local open, at = {}, 1
  while true do
    local place, mark = text:match('()(["{}])', at)
    if not place then
      return nil
    elseif mark == "{" then
      open[#open + 1] = {}
      at = place + 1
    elseif mark == "}" then
      open[#open] = nil
      at = place + 1
    else
      local last = place
      repeat -- to the quote that ends the string
        local found
        last, found = text:match('()(["\\])', last + 1)
        last = last + (found == "\\" and 1 or 0)
      until found == '"'
      at = last + 1
      if text:find("^%s*:", at) then
        local name, names = text:sub(place + 1, last - 1), open[#open]
        name = name:find("\\", 1, true) and json.decode('"' .. name .. '"') or name
        if names[name] then
          return name
        end
        names[name] = true
      end
    end
  end
end

-- The text of the header and its table; nil and why not.
local function read_header(source)
  if source.size < 8 then
    return nil, "is too short for a safetensors file"
  end
  local length = string.unpack("<i8", source.read(8))
  if length < 2 or length > source.size - 8 or length > LONGEST_HEADER then
    return nil, "is not a safetensors file (its header's length is impossible)"
  end
  local text = source.read(length)
  if #text ~= length then
    return nil, "ends too early"
  end
  local done, header = attempt(json.decode, text)
  if not done or type(header) ~= "table" or text:sub(1, 1) ~= "{" then
    return nil, "is not a safetensors file (its header is not JSON)"
  elseif not utf8.len(text) then
    return nil, "is not a safetensors file (its header is not UTF-8)"
  end
  local name = repeated_name(text)
  if name then
    return nil, line(("the header has the name '%s' twice"):format(name))
  end
  return text, header
end

-- tensors and metadata; or nil, message, kind. checked: refuse data without checksum.
local function parse(source, checked)
  local text, header = read_header(source)
  if not text then
    return nil, header, "format"
  end
  local metadata = header.__metadata__ or {}
  header.__metadata__ = nil
  if not is_text_map(metadata) then
    return nil, "the metadata is not a table of texts", "format"
  end
  local entries, reason = read_entries(header, source.size - 8 - #text)
  if not entries then
    return nil, reason, "format"
  end
  local tensors, list = {}, {}
  for i, entry in ipairs(entries) do
    list[i] = tensor.new(#entry.shape == 0 and { 1 } or entry.shape, entry.element.type)
    tensors[entry.name] = list[i]
    local filled, message, kind = source.fill(list[i], entry.last - entry.first, entry.element.stored)
    if not filled then
      return nil, line(("tensor '%s' %s"):format(entry.name, message)), kind
    end
  end
  if metadata.crc32 then
    local plain = text:gsub('("crc32":")%x%x%x%x%x%x%x%x"', "%1" .. NO_CHECKSUM .. '"', 1)
    if core.checksum(plain, list) ~= metadata.crc32 then
      return nil, "is damaged (its checksum is wrong)", "format"
    end
    metadata.crc32 = nil
  elseif checked then
    return nil, "has no checksum", "format"
  end
  return tensors, metadata
end

-- The header of a file of tensors and the tensors in its order.
local function compose(tensors, metadata)
  local names, list, header, at = {}, {}, {}, 0
  for name in pairs(tensors) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b) -- larger elements first: all stay aligned
    local wide_a, wide_b = BYTES[tensors[a]:type()], BYTES[tensors[b]:type()]
    return wide_a > wide_b or (wide_a == wide_b and a < b)
  end)
  for i, name in ipairs(names) do
    local kind, shape = tensors[name]:type(), tensors[name]:shape()
    local last = at + count_of(shape) * BYTES[kind]
    list[i] = tensors[name]
    header[i] = ('%s:{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}'):format(
      cjson.encode(name),
      dtype_of[kind],
      table.concat(shape, ","),
      at,
      last
    )
    at = last
  end
  local texts, keys = {}, {}
  for key in pairs(metadata) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for i, key in ipairs(keys) do
    texts[i] = ("%s:%s"):format(cjson.encode(key), cjson.encode(metadata[key]))
  end
  table.insert(texts, 1, ('"crc32":"%s"'):format(NO_CHECKSUM))
  table.insert(header, 1, ('"__metadata__":{%s}'):format(table.concat(texts, ",")))
  local text = "{" .. table.concat(header, ",") .. "}"
  text = text .. (" "):rep(-#text % 8)
  local sum = core.checksum(text, list)
  text = text:gsub(NO_CHECKSUM, sum, 1)
  return string.pack("<i8", #text) .. text, list
end

local function check_contents(tensors, metadata, argument, name)
  check.type(tensors, "table", argument, name)
  for key, value in pairs(tensors) do
    if type(key) ~= "string" or key == "__metadata__" or not check.is_tensor(value) then
      check.misuse(("bad argument #%d to '%s' (expected tensors by name)"):format(argument, name))
    end
  end
  if not is_text_map(metadata) or metadata.crc32 then
    check.misuse(("bad argument #%d to '%s' (expected texts by name, none 'crc32')"):format(argument + 1, name))
  end
end

--- Writes tensors as a safetensors file, whole or not at all.
---@param path string
---@param tensors table<string, ym2612ml.Tensor>
---@param metadata? table<string, string>
---@return true? done
---@return string? message  names the path
---@return string? kind  "io"
function M.save(path, tensors, metadata)
  check.type(path, "string", 1, "save")
  check_contents(tensors, metadata or {}, 2, "save")
  return core.write(path, compose(tensors, metadata or {}))
end

local READ_RULES = { checked = { type = "boolean", default = false } }

--- Reads a safetensors file. Types F32, F16, U8, I16 and I32 stay what they are; BF16 and
--- F64 become f32 (F64 rounded), BOOL becomes u8, and I64 becomes i32 if its numbers have
--- 32 bits. Other types are refused. A tensor without axes gets one of size 1.
---@param path string
---@param options? {checked: boolean}  checked: refuse a file without our checksum,
---  default false
---@return table<string, ym2612ml.Tensor>? tensors
---@return table<string, string>|string metadata  or a message that names the path
---@return string? kind  "io" or "format"
function M.load(path, options)
  check.type(path, "string", 1, "load")
  options = check.options(options, READ_RULES, 2, "load")
  local source, reason, failure = file_source(path)
  if not source then
    return nil, reason, failure
  end
  local tensors, metadata, kind = parse(source, options.checked)
  source.file:close()
  if not tensors then
    return nil, ("%s: %s"):format(path, metadata), kind
  end
  return tensors, metadata
end

--- The bytes `save` would write.
---@param tensors table<string, ym2612ml.Tensor>
---@param metadata? table<string, string>
---@return string bytes
function M.encode(tensors, metadata)
  check_contents(tensors, metadata or {}, 1, "encode")
  local header, list = compose(tensors, metadata or {})
  local parts = { header }
  for i, value in ipairs(list) do
    parts[i + 1] = value:bytes()
  end
  return table.concat(parts)
end

--- Reads what `encode` gave.
---@param bytes string
---@param options? {checked: boolean}  as for `load`
---@return table<string, ym2612ml.Tensor>? tensors
---@return table<string, string>|string metadata  or a message
---@return string? kind  "format"
function M.decode(bytes, options)
  check.type(bytes, "string", 1, "decode")
  options = check.options(options, READ_RULES, 2, "decode")
  return parse(string_source(bytes), options.checked)
end

local DESCRIPTIONS = { f32 = "<f4", f16 = "<f2", u8 = "|u1", i16 = "<i2", i32 = "<i4" }
local KINDS = { ["<f4"] = "f32", ["<f2"] = "f16", ["|u1"] = "u8", ["<i2"] = "i16", ["<i4"] = "i32" }

--- What stands before the elements in the file that `write_npy` writes.
---@param value ym2612ml.Tensor
---@return string bytes
function M.npy_header(value)
  check.tensor(value, 1, "npy_header")
  local shape = table.concat(value:shape(), ", ")
  local text = ("{'descr': '%s', 'fortran_order': False, 'shape': (%s,), }"):format(DESCRIPTIONS[value:type()], shape)
  text = text .. (" "):rep(-(10 + #text + 1) % 64) .. "\n"
  return "\x93NUMPY\1\0" .. string.pack("<s2", text)
end

--- Writes one tensor as a NumPy .npy file (version 1.0), whole or not at all.
---@param path string
---@param value ym2612ml.Tensor
---@return true? done
---@return string? message  names the path
---@return string? kind  "io"
function M.write_npy(path, value)
  check.type(path, "string", 1, "write_npy")
  check.tensor(value, 2, "write_npy")
  return core.write(path, M.npy_header(value), { value })
end

-- kind and shape of an .npy file that source stands at; nil and why not.
local function read_npy_header(source)
  local magic = source.read(8)
  local version = magic:byte(7)
  if magic:sub(1, 6) ~= "\x93NUMPY" or #magic ~= 8 or version < 1 or version > 3 then
    return nil, "is not a .npy file"
  end
  local wide = version == 1 and 2 or 4
  local digits = source.read(wide)
  local length = #digits == wide and string.unpack("<I" .. wide, digits) or math.huge
  if length > source.size - 8 - wide then
    return nil, "ends too early"
  end
  local text = source.read(length)
  local kind = KINDS[text:match("'descr':%s*'([^']*)'") or ""]
  local inside = text:match "'shape':%s*%(([%d%s,]*)%)"
  if not kind or not inside then
    return nil, "holds numbers of a type that is not known"
  elseif not text:find "'fortran_order':%s*False" then
    return nil, "is in Fortran's order, which is not read"
  end
  local shape = {}
  for size in inside:gmatch "%d+" do
    shape[#shape + 1] = math.tointeger(tonumber(size)) or -1
  end
  local count = count_of(shape)
  if not count or count * BYTES[kind] ~= source.size - 8 - wide - length then
    return nil, "has a shape that does not suit its size"
  end
  return kind, shape
end

--- Opens a .npy file to read some of its rows at a time: for what is larger than memory.
---@param path string
---@return ym2612ml.NpyRows? rows
---@return string? message  names the path
---@return string? kind  "io" or "format"
function M.open_npy(path)
  check.type(path, "string", 1, "open_npy")
  local source, reason, failure = file_source(path)
  if not source then
    return nil, reason, failure
  end
  local kind, shape = read_npy_header(source)
  local problem = not kind and shape or #shape == 0 and "has no rows" or nil
  if problem then
    source.file:close()
    return nil, ("%s: %s"):format(path, problem), "format"
  end
  return rows.new(path, source, kind, shape, BYTES[kind])
end

--- Reads a NumPy .npy file of f4, f2, u1, i2 or i4, little-endian, in C's order.
---@param path string
---@return ym2612ml.Tensor? value
---@return string? message  names the path
---@return string? kind  "io" or "format"
function M.read_npy(path)
  check.type(path, "string", 1, "read_npy")
  local source, reason, failure = file_source(path)
  if not source then
    return nil, reason, failure
  end
  local kind, shape = read_npy_header(source)
  local value, filled, message = nil, nil, shape
  failure = "format"
  if kind then
    value = tensor.new(#shape == 0 and { 1 } or shape, kind)
    filled, message, failure = source.fill(value)
  end
  source.file:close()
  if not filled then
    return nil, ("%s: %s"):format(path, message), failure
  end
  return value
end

return M
