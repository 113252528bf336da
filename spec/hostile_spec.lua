-- Files of strangers: what the fuzzer kept, read again with the doors shut that nothing read
-- may go through; and what it found.
local files = require "ym2612ml.files"
local lfs = require "lfs"
local readers = require "spec.fuzz.readers"
local support = require "spec.support"
local traps = require "spec.fuzz.traps"
local ym = require "ym2612ml"

local CORPUS = "spec/fuzz/corpus"

describe("files of strangers", function()
  local folder, open_doors

  before_each(function()
    folder = support.new_folder()
  end)

  after_each(function()
    support.remove_folder(folder)
  end)

  describe("with the doors shut", function()
    before_each(function()
      open_doors = traps.set()
    end)

    after_each(function()
      open_doors()
    end)

    for _, reader in ipairs(readers) do
      it(("are read as %s or refused"):format(reader.name), function()
        local path, count = ("%s/%s"):format(folder, readers.file_name(reader.name)), 0
        for name in lfs.dir(("%s/%s"):format(CORPUS, reader.name)) do
          if name:sub(1, 1) ~= "." then
            local bytes = support.read_file(("%s/%s/%s"):format(CORPUS, reader.name, name))
            traps.own = path
            assert(files.write(path, bytes))
            readers.try(reader.name, bytes, path)
            count = count + 1
          end
        end
        assert.is_true(count > 0)
      end)
    end

    it("are found out where one tries a door", function()
      local fine = pcall(os.execute, "true")
      assert.is_false(fine)
      assert.equal("execute", traps.tried)
    end)
  end)

  it("have a NUL for no end of a header: what follows is no part of it", function()
    local header = '{"__metadata__":{"a":"b"}}\0"'
    local tensors, message, kind = ym.store.decode(string.pack("<s8", header))
    assert.is_nil(tensors)
    assert.equal("format", kind)
    assert.matches("header is not JSON", message, 1, true)
  end)

  it("are quoted on one line of bounded length", function()
    local header = ('{"a\\n%s":{"dtype":"\\r"}}'):format(("x"):rep(2000))
    local _, message = ym.store.decode(string.pack("<s8", header))
    assert.is_nil(message:find("%c"))
    assert.matches("a\\n", message, 1, true)
    assert.is_true(#message <= 500)
  end)

  it("hold samples that are too large: the message names the file", function()
    local path = folder .. "/loud.wav"
    local bytes = ym.audio.encode(ym.tensor.from { 0, 0.3, -1, 1 }, 44100, { bits = 32 })
    local first = bytes:find(string.pack("<f", 0.3), 1, true)
    support.write_file(path, bytes:sub(1, first - 1) .. string.pack("<f", 1e20) .. bytes:sub(first + 4))
    local sound, message, kind = ym.audio.read(path)
    assert.is_nil(sound)
    assert.equal(path .. ": holds values that are not numbers or far too large", message)
    assert.equal("input", kind)
  end)

  it("have tables whose quotes never close, and fields with quotes all the same", function()
    local path = folder .. "/a.csv"
    support.write_file(path, 'algorithm,"name, ""x"""\n"1,"2,"3\n')
    local rows, message, kind = ym.dataset.read_patches(path)
    assert.is_nil(rows)
    assert.equal("format", kind)
    assert.matches('row 2: column algorithm is "1, expected a whole number', message, 1, true)
  end)

  it("have names that lead out of a folder, which lead nowhere", function()
    local inner = folder .. "/in"
    assert(lfs.mkdir(inner))
    local list = {}
    for i, name in ipairs { "/../../up", "../up", "..", "a/b", "x\0/../y" } do
      list[i] = { name = name }
      for key, value in pairs(support.PATCH) do
        list[i][key] = value
      end
    end
    assert(ym.patch.write(folder .. "/bank.wopn", list))
    local _, complaint, status = support.run("lua5.4 lua/ym2612ml/cli.lua convert @/bank.wopn -o @/in --to tfi", folder)
    assert.equal(0, status, complaint)
    local names = {}
    for name in lfs.dir(folder) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ ".", "..", "bank.wopn", "in" }, names)
    assert.equal(5, #support.listed(inner))
  end)
end)
