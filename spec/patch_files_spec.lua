-- Files of patches, in any format: what decides how they are read, and real ones where they
-- are at hand.
local lfs = require "lfs"
local support = require "spec.support"
local ym = require "ym2612ml"

local REAL = "../shared/data/formats"

local function patch(changes)
  local made = { name = "lead", algorithm = 4, feedback = 5 }
  for i = 1, 4 do
    made[i] = { mul = i, dt = -1, tl = 10 * i - 5, rs = 0, ar = 31, am = 0, dr = 8, sr = 2, rr = 9, sl = 3 }
  end
  for name, value in pairs(changes or {}) do
    made[name] = value
  end
  return made
end

local TFI = ym.patch.encode(patch(), "tfi")

describe("files of patches", function()
  local folder

  before_each(function() folder = support.new_folder() end)

  after_each(function() support.remove_folder(folder) end)

  it("are read by what is in them, whatever their ending", function()
    for ending, note in pairs { tfi = false, y12 = "is not what its ending says", bin = false, txt = "ending" } do
      local path = ("%s/soft.lead.%s"):format(folder, ending)
      support.write_file(path, TFI)
      local found, told = ym.patch.read(path)
      assert.equal("soft.lead", found.name)
      assert.equal(25, found[3].tl)
      if note then
        assert.matches(note, told)
      else
        assert.is_nil(told)
      end
    end
  end)

  it("with several patches are read by read_all, and as rows", function()
    local path = folder .. "/bank.opm"
    assert.is_true(ym.patch.write(path, { patch(), patch { name = "two" } }))
    local nothing, message, kind = ym.patch.read(path)
    assert.is_nil(nothing)
    assert.equal("format", kind)
    assert.matches("^" .. path:gsub("%p", "%%%0") .. ": holds 2 patches", message)
    local list, notes = ym.patch.read_all(path)
    assert.equal("two", list[2].name)
    assert.same({}, notes)
    support.write_file(folder .. "/notes.txt", "no patches")
    assert.equal(2, #assert(ym.dataset.read_patches(folder)))
    assert.is_true(ym.patch.write(folder .. "/named.txt", patch()))
    assert.equal(1, #assert(ym.dataset.read_patches(folder .. "/named.txt")))
  end)

  it("that are none, or too large, are refused", function()
    for _, content in ipairs { "", "x", ("x"):rep(42), "\xF0\x43\0\9\x20\0" } do
      support.write_file(folder .. "/x", content)
      local nothing, message, kind = ym.patch.read_all(folder .. "/x")
      assert.is_nil(nothing)
      assert.equal("format", kind)
      assert.matches(folder, message, 1, true)
    end
    local _, message, kind = ym.patch.read("/dev/zero")
    assert.equal("io", kind)
    assert.matches("/dev/zero: is larger", message)
  end)

  it("raise at the caller's line, for the argument that is wrong", function()
    for _, case in ipairs {
      { "#1 to 'encode' (2 patches, a .tfi file holds 1)", ym.patch.encode, { patch(), patch() }, "tfi" },
      { "#1 to 'encode' (patch 2: field 'algorithm' is 9", ym.patch.encode, { patch(), patch { algorithm = 9 } },
        "gyb" },
      { "#2 to 'encode' (format bamboo, expected y12", ym.patch.encode, patch(), "bamboo" },
      { "#3 to 'encode' (version 3 of wopn, expected 1 or 2)", ym.patch.encode, patch(), "wopn", { version = 3 } },
      { "#3 to 'encode' (version 1 of fui, expected none)", ym.patch.encode, patch(), "fui", { version = 1 } },
      { "#3 to 'encode' (unknown option 'speed')", ym.patch.encode, patch(), "fui", { speed = 1 } },
      { "#4 to 'write' (version 3 of opni", ym.patch.write, "x.opni", patch(), nil, { version = 3 } },
      { "#2 to 'lossy' (format nil", ym.patch.lossy, patch() },
      { "#1 to 'lossy' (table expected", ym.patch.lossy, nil, "tfi" },
      { "#1 to 'decode_all' (string expected", ym.patch.decode_all, 5 },
      { "#2 to 'read_all' (format xyz", ym.patch.read_all, "x", "xyz" },
      { "#1 to 'detect' (string expected", ym.patch.detect },
    } do
      local fine, message = pcall(table.unpack(case, 2, 6))
      assert.is_false(fine, case[1])
      assert.matches("^spec/patch_files_spec.lua:%d+: bad argument ", message)
      assert.matches(case[1], message, 1, true)
    end
    local nothing, message, kind = ym.patch.write(folder .. "/x.bti", patch())
    assert.same({ nil, "format" }, { nothing, kind })
    assert.matches("can be written", message)
  end)
end)

describe("real files", function()
  local with_files = lfs.attributes(REAL, "mode") and it or pending
  -- Formats whose files are clean, and come back byte for byte.
  local SAME = { tfi = true, eif = true, dmp = true, opni = true, wopn = true }

  with_files("are all read, and written again", function()
    local count = 0
    for name in lfs.dir(REAL) do
      for file in lfs.dir(REAL .. "/" .. (name:find("%.") and "tfi" or name)) do
        local path = ("%s/%s/%s"):format(REAL, name, file)
        if lfs.attributes(path, "mode") == "file" then
          local list = assert(ym.patch.read_all(path))
          count = count + 1
          ym.patch.check_all(list)
          if SAME[name] then
            assert.is_true(support.read_file(path) == ym.patch.encode(list, name), path)
          end
        end
      end
    end
    assert.is_true(count > 50)
  end)
end)
