local ym = require "ym2612ml"
local cjson = require "cjson"
local store, tensor = ym.store, ym.tensor

local path = os.tmpname()
teardown(function() os.remove(path) end)

local function write(bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

local function read()
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function sample()
  return {
    weights = tensor.from { { 1, 2, 3 }, { 4, 5, 6.5 } },
    halves = tensor.from({ 0.5, 65504, -2 ^ -24 }, "f16"),
    bytes = tensor.from({ { { 0 }, { 255 } } }, "u8"),
    shorts = tensor.from({ -32768, 32767 }, "i16"),
    words = tensor.from({ -2147483648, 7 }, "i32"),
    empty = tensor.new { 0, 3 },
  }
end

local function same(expected, found)
  for name, value in pairs(expected) do
    assert.equal(value:type(), found[name]:type())
    assert.same(value:shape(), found[name]:shape())
    assert.equal(value:bytes(), found[name]:bytes())
  end
end

describe("a safetensors file #c", function()
  it("keeps tensors of every type, and metadata", function()
    local metadata = { note = 'quotes ", \\ and "crc32":"12345678"', seed = "1" }
    assert(store.save(path, sample(), metadata))
    local tensors, found = assert(store.load(path))
    same(sample(), tensors)
    assert.same(metadata, found)
    assert.equal(read(), store.encode(sample(), metadata))
    tensors, found = assert(store.decode(store.encode(sample(), metadata)))
    same(sample(), tensors)
    assert.same(metadata, found)
    assert.same({}, (assert(store.decode(store.encode({})))))
  end)

  it("has the layout that other programs read", function()
    assert(store.save(path, { a = tensor.from({ 1, 2, 3 }, "u8"), b = tensor.from { { 1.5 } } }))
    local bytes = read()
    local length = string.unpack("<I8", bytes)
    assert.equal(0, length % 8)
    local header = cjson.decode(bytes:sub(9, 8 + length))
    assert.same({ dtype = "F32", shape = { 1, 1 }, data_offsets = { 0, 4 } }, header.b)
    assert.same({ dtype = "U8", shape = { 3 }, data_offsets = { 4, 7 } }, header.a)
    assert.equal(string.pack("<f", 1.5) .. "\1\2\3", bytes:sub(9 + length))
  end)

  it("is read without our checksum, and scalars get an axis", function()
    local header = '{"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}  '
    write(string.pack("<I8", #header) .. header .. string.pack("<f", 2.5))
    assert.same({ nil, path .. ": has no checksum", "format" }, { store.load(path, { checked = true }) })
    local tensors, metadata = assert(store.load(path))
    assert.same({ 2.5 }, tensors.x:totable())
    assert.same({}, metadata)
  end)

  it("is read with the types other programs have", function()
    local header = '{"b":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]},'
      .. '"d":{"dtype":"F64","shape":[2,1],"data_offsets":[6,22]},'
      .. '"i":{"dtype":"I64","shape":[],"data_offsets":[22,30]},'
      .. '"t":{"dtype":"BOOL","shape":[2],"data_offsets":[30,32]}}'
    local data = string.pack("<I2I2I2", 0x3F80, 0xC020, 0x7F80) .. string.pack("<dd", 0.1, -1e300)
      .. string.pack("<i8", -7) .. "\0\1"
    write(string.pack("<s8", header) .. data)
    for _, read_it in ipairs { store.load, store.decode } do
      local tensors = assert(read_it(read_it == store.load and path or string.pack("<s8", header) .. data))
      assert.same({ 1, -2.5, math.huge }, tensors.b:totable())
      assert.same({ "f32", "f32", "i32", "u8" },
        { tensors.b:type(), tensors.d:type(), tensors.i:type(), tensors.t:type() })
      assert.same({ (string.unpack("<f", string.pack("<f", 0.1))) }, tensors.d:totable()[1])
      assert.same({ -math.huge }, tensors.d:totable()[2])
      assert.same({ -7 }, tensors.i:totable())
      assert.same({ 0, 1 }, tensors.t:totable())
    end
    data = data:sub(1, 22) .. string.pack("<i8", 1 << 31) .. "\0\1"
    write(string.pack("<s8", header) .. data)
    assert.same({ nil, path .. ": tensor 'i' holds the number 2147483648, which has more than 32 bits", "format" },
      { store.load(path) })
    local long = {}
    for i = 1, 5000 do
      long[i] = string.pack("<d", i)
    end
    header = '{"d":{"dtype":"F64","shape":[5000],"data_offsets":[0,40000]}}'
    write(string.pack("<s8", header) .. table.concat(long))
    local values = assert(store.load(path)).d
    assert.same({ 1, 1025, 5000 }, { values[1], values[1025], values[5000] })
  end)

  it("is refused by name when a tensor is of a type that is not known", function()
    local header = '{"x":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
    assert.same({ nil, "tensor 'x' has the type F8_E4M3, which is not known", "format" },
      { store.decode(string.pack("<s8", header) .. "\0") })
  end)

  it("writes views as they look", function()
    local whole = tensor.from { { 1, 2 }, { 3, 4 }, { 5, 6 } }
    assert(store.save(path, { x = whole:slice(2, 3) }))
    assert.same({ { 3, 4 }, { 5, 6 } }, assert(store.load(path)).x:totable())
  end)

  it("is refused when any bit is wrong or any byte is missing", function()
    local bytes = store.encode({ x = tensor.from { 1, 2 } }, { graph = '{"slope":0.01}' })
    for at = 1, #bytes do
      for bit = 0, 7 do
        local flipped = bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1 << bit) .. bytes:sub(at + 1)
        local tensors, message, kind = store.decode(flipped, { checked = true })
        assert.is_nil(tensors, ("bit %d of byte %d"):format(bit, at))
        assert.is_string(message)
        assert.equal("format", kind)
      end
      local _, _, kind = store.decode(bytes:sub(1, at - 1))
      assert.equal("format", kind)
    end
    assert.equal("format", select(3, store.decode(bytes .. "\0")))
  end)

  it("is refused when its header is hostile", function()
    local function entry(dtype, shape, first, last)
      return ('{"dtype":%s,"shape":%s,"data_offsets":[%s,%s]}'):format(dtype, shape, first, last)
    end
    local data = ("\0"):rep(16)
    local headers = {
      "", "{", "[]", "7", "null", '{"x":1}', '{"x":{}}', '{"x":[1,2]}', "{}",
      '{"x":' .. entry('"F8_E4M3"', "[16]", 0, 16) .. "}",
      '{"x":' .. entry('"F64"', "[4]", 0, 16) .. "}",
      '{"x":' .. entry('"I64"', "[2]", 0, 8) .. "}",
      '{"x":' .. entry('"F32"', "[2]", 0, 8) .. ',"x":' .. entry('"F32"', "[2]", 8, 16) .. "}",
      '{"x":' .. entry('"F32"', "[2]", 0, 8) .. ',"\\u0078":' .. entry('"F32"', "[2]", 8, 16) .. "}",
      '{"x":{"dtype":"U8","dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
      '{"x":' .. entry('"F32"', "[4]", 0, 16) .. ',"__metadata__":{"a":"1","a":"2"}}',
      '{"\xFFx":' .. entry('"F32"', "[4]", 0, 16) .. "}",
      ' {"x":' .. entry('"F32"', "[4]", 0, 16) .. "}",
      '{"x":' .. entry("7", "[4]", 0, 16) .. "}",
      '{"x":' .. entry('"F32"', "[4]", 0, 12) .. "}",
      '{"x":' .. entry('"F32"', "[4]", -16, 0) .. "}",
      '{"x":' .. entry('"F32"', "[4]", 8, 24) .. "}",
      '{"x":' .. entry('"F32"', "[4]", "1e300", "1e300") .. "}",
      '{"x":' .. entry('"F32"', "[4]", '"a"', "16") .. "}",
      '{"x":' .. entry('"F32"', "[-4]", 0, -16) .. "}",
      '{"x":' .. entry('"F32"', "[4.5]", 0, 18) .. "}",
      '{"x":' .. entry('"F32"', '{"a":4}', 0, 16) .. "}",
      '{"x":' .. entry('"F32"', "[4,null]", 0, 16) .. "}",
      '{"x":' .. entry('"U8"', "[4294967296,4294967296]", 0, 0) .. "}",
      '{"x":' .. entry('"U8"', "[4294967296,4294967296,0]", 0, 16) .. "}",
      '{"x":' .. entry('"U8"', "[1,1,1,1,1,1,16]", 0, 16) .. "}",
      '{"x":' .. entry('"U8"', "[281474976710656]", 0, 281474976710656) .. "}",
      '{"x":' .. entry('"F32"', "[3]", 0, 12) .. ',"y":' .. entry('"F32"', "[2]", 8, 16) .. "}",
      '{"x":' .. entry('"F32"', "[1]", 0, 4) .. ',"y":' .. entry('"F32"', "[2]", 8, 16) .. "}",
      '{"x":' .. entry('"F32"', "[4]", 0, 16) .. ',"__metadata__":{"a":1}}',
      '{"x":' .. entry('"F32"', "[4]", 0, 16) .. ',"__metadata__":[]}}',
      ("["):rep(100000),
    }
    for _, header in ipairs(headers) do
      write(string.pack("<I8", #header) .. header .. data)
      local tensors, message, kind = store.load(path)
      assert.is_nil(tensors, header:sub(1, 200))
      assert.equal(path .. ": ", message:sub(1, #path + 2))
      assert.equal("format", kind)
    end
    for _, shape in ipairs { "[281474976710656,281474976710656]", "[0,281474976710656,281474976710656]" } do
      local text = '{"x":' .. entry('"U8"', shape, 0, 0) .. "}"
      assert.same({ nil, "tensor 'x' has no usable shape", "format" }, { store.decode(string.pack("<s8", text)) })
    end
    for _, length in ipairs { 0, 1, 17, 2 ^ 40 // 1, math.maxinteger, -1, math.mininteger } do
      write(string.pack("<i8", length) .. "{}" .. data:sub(1, 14))
      assert.equal("format", select(3, store.load(path)))
    end
  end)

  it("is told when it cannot be reached", function()
    local tensors, message, kind = store.load("/nowhere/x")
    assert.same({ nil, "/nowhere/x: No such file or directory", "io" }, { tensors, message, kind })
    for _, f in ipairs { store.load, store.read_npy, store.sha256_file } do
      tensors, message, kind = f("/tmp")
      assert.is_nil(tensors)
      assert.is_truthy(message:find("^/tmp: "))
      assert.equal("io", kind)
    end
    tensors, message, kind = store.save("/nowhere/x", {})
    assert.is_nil(tensors)
    assert.is_truthy(message:find("^/nowhere/x: "))
    assert.equal("io", kind)
  end)

  it("is not written for misuse", function()
    local function misuse(f, pattern)
      local done, message = pcall(f)
      assert.is_false(done)
      assert.is_truthy(message:find("store_spec.lua:%d+: .*" .. pattern), message)
    end
    misuse(function() store.save(7, {}) end, "#1 to 'save'")
    misuse(function() store.save(path, { x = 1 }) end, "expected tensors by name")
    misuse(function() store.save(path, { tensor.new { 1 } }) end, "expected tensors by name")
    misuse(function() store.save(path, { x = ym.rng.new() }) end, "expected tensors by name")
    misuse(function() store.write_npy(path, ym.rng.new()) end, "tensor expected, got ym2612ml.rng")
    misuse(function() store.save(path, {}, { a = 1 }) end, "expected texts by name")
    misuse(function() store.save(path, {}, { crc32 = "x" }) end, "none 'crc32'")
    misuse(function() store.decode(nil) end, "string expected")
    misuse(function() store.load(path, { check = true }) end, "unknown option 'check'")
    misuse(function() store.load() end, "string expected")
  end)
end)

describe("a list of tensors #c", function()
  it("is told which element is none", function()
    local core = require("ym2612ml.core").store
    local list = { tensor.new { 2 }, tensor.new { 2 }, "three" }
    assert.has_error(function() core.write(path, "", list) end,
      "bad argument #3 to 'write' (element 3 is string, expected a tensor)")
    assert.has_error(function() core.checksum("", list) end,
      "bad argument #2 to 'checksum' (element 3 is string, expected a tensor)")
    list[2] = ym.rng.new()
    assert.has_error(function() core.checksum("", list) end,
      "bad argument #2 to 'checksum' (element 2 is userdata, expected a tensor)")
  end)
end)

describe("a file that does not fit", function()
  it("leaves what was there, and the reason is told", function()
    local folder, script = os.tmpname(), os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    local file = assert(io.open(script, "w"))
    -- files may be 512 bytes long, as if the disk were full then
    file:write(([[
      package.path, package.cpath = %q, %q
      local ym, folder = require "ym2612ml", ...
      local zeros = ym.tensor.new { 20000 }
      print(ym.store.save(folder .. "/x", { x = zeros }))
      print(ym.audio.write(folder .. "/x", zeros, 44100, { format = "wav" }))
      print(ym.audio.write(folder .. "/x", zeros, 44100, { format = "wav", bits = 32 }))]]):format(
      package.path, package.cpath))
    file:close()
    write(("x"):rep(10))
    assert(os.execute(("cp %s %s/x"):format(path, folder)))
    local pipe = assert(io.popen(("trap '' XFSZ; ulimit -f 1; lua5.4 %s %s 2>&1"):format(script, folder)))
    local text = pipe:read("a")
    pipe:close()
    local line = ("nil\t%s/x: File too large\tio\n"):format(folder)
    assert.equal(line:rep(3), text)
    pipe = assert(io.popen("cd " .. folder .. " && ls -A && cat x"))
    assert.equal("x\n" .. ("x"):rep(10), pipe:read("a"))
    pipe:close()
    os.execute(("rm -r %s %s"):format(folder, script))
  end)
end)

describe("an .npy file #c", function()
  it("keeps a tensor of every type", function()
    for name, value in pairs(sample()) do
      assert(store.write_npy(path, value))
      assert.equal(0, (#read() - #value:bytes()) % 64)
      same({ [name] = value }, { [name] = assert(store.read_npy(path)) })
    end
  end)

  it("is read as NumPy writes it", function()
    local text = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n"
    write("\x93NUMPY\1\0" .. string.pack("<s2", text) .. string.pack("<i2i2", -3, 4))
    assert.same({ -3, 4 }, assert(store.read_npy(path)):totable())
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (), }\n"
    write("\x93NUMPY\3\0" .. string.pack("<s4", text) .. "\7")
    assert.same({ 7 }, assert(store.read_npy(path)):totable())
  end)

  it("is refused when it is damaged or strange", function()
    assert(store.write_npy(path, tensor.from { { 1, 2 }, { 3, 4 } }))
    local bytes = read()
    local function refused(damaged)
      write(damaged)
      local value, message, kind = store.read_npy(path)
      assert.is_nil(value)
      assert.equal(path .. ": ", message:sub(1, #path + 2))
      assert.equal("format", kind)
    end
    for size = 0, #bytes - 1 do
      refused(bytes:sub(1, size))
    end
    refused(bytes .. "x")
    refused((bytes:gsub("<f4", ">f4")))
    refused((bytes:gsub("False", "True ")))
    refused((bytes:gsub("%(2, 2,%)", "(4,-1) ")))
    refused((bytes:gsub("%(2, 2,%)", "(2, 3,)")))
    refused((bytes:gsub("%(2, 2,%)", "(9999999999999999999, 2,)")))
    refused("\x93NUMPY\9\0" .. bytes:sub(9))
  end)
end)

describe("rows of an .npy file #c", function()
  local values

  before_each(function()
    values = tensor.from({ { 1, 2 }, { 3, 4 }, { 5, 6 } }, "f16")
    assert(store.write_npy(path, values))
  end)

  it("are read in any order, and more than once", function()
    local rows = assert(store.open_npy(path))
    assert.same({ 3, 2 }, rows.shape)
    assert.equal("f16", rows.type)
    local into = tensor.new({ 4, 2 }, "f16")
    assert.is_true(rows:read(into, { 3, 1, 3 }))
    assert.same({ { 5, 6 }, { 1, 2 }, { 5, 6 }, { 0, 0 } }, into:totable())
    assert.is_true(rows:read(into:slice(4, 4), { 2 }))
    assert.same({ 3, 4 }, into[4]:totable())
    assert.is_true(rows:read(into, {}))
    rows:close()
  end)

  it("are none beyond the ends, and fit the tensor", function()
    local rows = assert(store.open_npy(path))
    local into = tensor.new({ 1, 2 }, "f16")
    for _, row in ipairs { 0, 4, 1.5, -1 } do
      assert.error_matches(function() rows:read(into, { row }) end, "expected 1..3", 1, true)
    end
    for _, wrong in ipairs { tensor.new { 1, 2 }, tensor.new({ 1, 3 }, "f16"), tensor.new({ 2 }, "f16") } do
      assert.error_matches(function() rows:read(wrong, { 1 }) end, "expected f16 and 1 rows of 2", 1, true)
    end
    assert.error_matches(function() rows:read(into, { 1, 2 }) end, "expected f16 and 2 rows", 1, true)
    rows:close()
  end)

  it("are told to be missing when the file has become shorter", function()
    assert(store.write_npy(path, tensor.new({ 20000, 2 }, "f16"))) -- more than is read ahead
    local rows = assert(store.open_npy(path))
    write(read():sub(1, -2))
    local into = tensor.new({ 1, 2 }, "f16")
    local done, message, kind = rows:read(into, { 20000 })
    assert.is_nil(done)
    assert.is_truthy(message:find(path, 1, true), message)
    assert.equal("format", kind)
    rows:close()
    local opened
    opened, message, kind = store.open_npy(path)
    assert.is_nil(opened)
    assert.is_truthy(message:find("does not suit its size", 1, true), message)
    assert.equal("format", kind)
    opened, message, kind = store.open_npy(path .. "/none")
    assert.is_nil(opened)
    assert.is_truthy(message:find(path, 1, true))
    assert.equal("io", kind)
  end)
end)

describe("SHA-256 #c", function()
  it("is that of the standard's examples", function()
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", store.sha256(""))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", store.sha256("abc"))
    assert.equal("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
      store.sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))
    assert.equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", store.sha256(("a"):rep(1000000)))
  end)

  it("is the same of a file", function()
    for _, size in ipairs { 0, 1, 55, 56, 63, 64, 65, 16384, 40000 } do
      write(("x"):rep(size))
      assert.equal(store.sha256(("x"):rep(size)), store.sha256_file(path))
    end
  end)
end)
