local files = require "ym2612ml.files"
local lfs = require "lfs"
local sounds = require "ym2612ml.sounds"
local support = require "spec.support"
local ym = require "ym2612ml"

describe("files", function()
  local folder

  before_each(function() folder = support.new_folder() end)

  after_each(function() support.remove_folder(folder) end)

  -- Everything in the folder, hidden files included.
  local function listed()
    local names = {}
    for name in lfs.dir(folder) do
      if name ~= "." and name ~= ".." then
        names[#names + 1] = name
      end
    end
    table.sort(names)
    return names
  end

  it("are written whole, and nothing is left beside them", function()
    local path, bytes = folder .. "/a", ("\0\n\255"):rep(50000)
    assert.is_true(files.write(path, "before"))
    assert.is_true(files.write(path, bytes))
    assert.is_true(bytes == files.read(path))
    assert.same({ "a" }, listed())
  end)

  it("take away what a program that was ended left, and nothing that is in use", function()
    local left = folder .. "/.ym2612ml-0"
    support.write_file(left, "half a fi")
    assert.is_true(files.write(folder .. "/a", "first"))
    assert.same({ "a" }, listed())
    support.write_file(left, "in use")
    support.write_file(folder .. "/b.lua", 'assert(require("ym2612ml.files").write(arg[1], "second"))')
    local _, complaint, status = support.run('LUA_PATH="./lua/?.lua;;" LUA_CPATH="./lua/?.so;;" '
      .. "flock @/.ym2612ml-0 lua5.4 @/b.lua @/a", folder)
    assert.equal(0, status, complaint)
    assert.equal("second", files.read(folder .. "/a"))
    assert.equal("in use", files.read(left))
    assert.same({ ".ym2612ml-0", "a", "b.lua" }, listed())
  end)

  it("are listed by name, and a folder that is not there is a failure that names it", function()
    for _, name in ipairs { "b", ".hidden", "a" } do
      support.write_file(folder .. "/" .. name, "")
    end
    assert.same({ ".hidden", "a", "b" }, files.list(folder))
    local names, message, kind = files.list(folder .. "/none")
    assert.is_nil(names)
    assert.equal(folder .. "/none: No such file or directory", message)
    assert.equal("io", kind)
  end)

  it("refuse, by their own name, what is no regular file, and leave it", function()
    local regular = folder .. "/regular"
    assert(files.write(regular, "kept"))
    assert(os.execute(("mkfifo '%s/pipe'"):format(folder)))
    assert(lfs.link(regular, folder .. "/link", true))
    assert(lfs.link("nothing", folder .. "/dangling", true))
    assert(lfs.mkdir(folder .. "/folder"))
    local before = listed()
    local tensor = ym.tensor.from { 0, 0.5, 0 }
    for _, name in ipairs { "pipe", "link", "dangling", "folder", "none/file" } do
      local path = folder .. "/" .. name
      for how, write in pairs {
        files = function() return files.write(path, "new") end,
        audio = function() return ym.audio.write(path, tensor, 44100) end,
        store = function() return ym.store.save(path, { tensor = tensor }) end,
      } do
        local done, message, kind = write()
        assert.is_nil(done, how .. " " .. name)
        assert.equal("io", kind)
        local reason = name == "none/file" and "No such file or directory" or "is not a regular file"
        assert.equal(("%s: %s"):format(path, reason), message)
      end
    end
    assert.same(before, listed())
    assert.equal("kept", files.read(regular))
    assert.equal("link", lfs.symlinkattributes(folder .. "/link", "mode"))
    assert.equal("named pipe", lfs.attributes(folder .. "/pipe", "mode"))
  end)

  it("are found in folders, by name, whatever the case of their endings", function()
    assert(lfs.mkdir(folder .. "/b"))
    assert(lfs.mkdir(folder .. "/hollow"))
    assert(lfs.mkdir(folder .. "/d.wav"))
    for _, name in ipairs { "c.WAV", "a.flac", "b/x.ogg", "b/.hidden.wav", "b/notes.txt" } do
      assert(files.write(folder .. "/" .. name, ""))
    end
    assert(lfs.link("..", folder .. "/b/up", true)) -- a circle
    assert(lfs.link("../c.WAV", folder .. "/b/linked.wav", true))
    local list, failures = sounds.expand { "none.txt", folder .. "/", folder .. "/hollow" }
    assert.same({
      "none.txt", folder .. "/a.flac", folder .. "/b/linked.wav", folder .. "/b/x.ogg",
      folder .. "/c.WAV", folder .. "/hollow",
    }, list)
    local path = folder .. "/hollow"
    assert.same({ [path] = { message = path .. ": holds no sounds", kind = "input" } }, failures)
  end)

  it("raise at the caller's line for what is no list of paths", function()
    for _, wrong in ipairs { "a.wav", { "a.wav", 3 } } do
      local fine, message = pcall(sounds.expand, wrong, "estimate_each")
      assert.is_false(fine)
      assert.matches("^spec/files_spec.lua:%d+: bad argument #1 to 'estimate_each'", message)
    end
  end)
end)
