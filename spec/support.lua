-- What several specs, the fuzzers and the benchmarks share.
local lfs = require "ym2612ml.filesystem"
local ym = require "ym2612ml"

local M = {}

--- Frame in which a rendered note is keyed on, counted from the chip's reset: see
--- voice.h.
M.KEY_FRAME = 48

--- Samples a second of the chip.
M.RATE = 7670454 / 144

M.STAGES = { "ym2612", "ym3438", "clean" }

--- A patch with nothing special: algorithm 4, feedback 5. The benchmarks' figures are
--- for this one.
M.PATCH = {
  algorithm = 4, feedback = 5,
  { mul = 1, dt = 0, tl = 30, rs = 0, ar = 31, dr = 10, sr = 3, rr = 7, sl = 4 },
  { mul = 1, dt = 1, tl = 10, rs = 1, ar = 25, dr = 8, sr = 2, rr = 6, sl = 3 },
  { mul = 2, dt = 0, tl = 25, rs = 0, ar = 31, dr = 12, sr = 4, rr = 8, sl = 5 },
  { mul = 1, dt = -1, tl = 12, rs = 0, ar = 28, dr = 9, sr = 2, rr = 7, sl = 2 },
}

--- A plucked sound, without detune.
M.PLUCK = {
  algorithm = 4, feedback = 3,
  { mul = 2, dt = 0, tl = 30, rs = 0, ar = 31, dr = 9, sr = 2, rr = 7, sl = 4 },
  { mul = 1, dt = 0, tl = 4, rs = 0, ar = 31, dr = 8, sr = 5, rr = 8, sl = 3 },
  { mul = 1, dt = 0, tl = 28, rs = 0, ar = 31, dr = 8, sr = 4, rr = 8, sl = 5 },
  { mul = 1, dt = 0, tl = 0, rs = 0, ar = 31, dr = 9, sr = 5, rr = 8, sl = 2 },
}

--- A decaying FM tone at 53,267 Hz with a constant offset, as a voice of the chip has.
---@param f0 number Hz
---@param index number of modulation
---@param decay number per second
---@param count integer samples
---@param gain? number default 0.5
---@param offset? number default 0.1
---@return ym2612ml.Tensor
function M.fm_tone(f0, index, decay, count, gain, offset)
  local samples = ym.tensor.new { count }
  for i = 1, count do
    local t = (i - 1) / 53267
    local phase = 2 * math.pi * f0 * t
    samples[i] = (gain or 0.5) * math.exp(-decay * t)
      * math.sin(phase + index * math.exp(-3 * t) * math.sin(2 * phase)) + (offset or 0.1)
  end
  return samples
end

--- Makes an empty folder for files of a test.
---@return string path
function M.new_folder()
  local path = os.tmpname()
  os.remove(path)
  assert(lfs.mkdir(path))
  return path
end

--- Removes a folder and all in it.
---@param path string
function M.remove_folder(path)
  assert(os.execute(("rm -rf '%s'"):format(path)))
end

--- All bytes of a file.
---@param path string
---@return string
function M.read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

--- Makes a file of these bytes.
---@param path string
---@param bytes string
function M.write_file(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

--- The bytes of every file below a folder, hidden ones too, by path within it.
---@param folder string
---@param inner? string  folder within, "" or with a slash before it
---@param found? table<string, string>  to add to
---@return table<string, string>
function M.snapshot(folder, inner, found)
  inner, found = inner or "", found or {}
  for name in lfs.dir(folder .. inner) do
    local path = inner .. "/" .. name
    if name ~= "." and name ~= ".." then
      if lfs.attributes(folder .. path, "mode") == "directory" then
        M.snapshot(folder, path, found)
      else
        found[path] = M.read_file(folder .. path)
      end
    end
  end
  return found
end

--- Asserts that a folder has the files of a snapshot, byte for byte, and no others.
---@param expected table<string, string>
---@param folder string
function M.assert_same_files(expected, folder)
  local found, names, listed = M.snapshot(folder), {}, {}
  for name in pairs(expected) do
    names[#names + 1] = name
  end
  for name, bytes in pairs(found) do
    listed[#listed + 1] = name
    assert(bytes == expected[name], name)
  end
  table.sort(names)
  table.sort(listed)
  assert(table.concat(names, " ") == table.concat(listed, " "), table.concat(listed, " "))
end

--- Runs a shell command.
---@param command string  without single quotes; @ in it is the folder
---@param folder string
---@return string out  on stdout
---@return string complaint  on stderr
---@return integer status
function M.run(command, folder)
  local out, err = os.tmpname(), os.tmpname()
  local _, _, status = os.execute(("sh -c '%s' >%s 2>%s </dev/null"):format((command:gsub("@", folder)), out, err))
  local text, complaint = M.read_file(out), M.read_file(err)
  os.remove(out)
  os.remove(err)
  return text, complaint, status
end

--- KiB of memory that a process has, on Linux.
---@param process? integer  its number, default this one's
---@return integer
function M.memory(process)
  local text = M.read_file(("/proc/%s/status"):format(process or "self"))
  return math.tointeger(tonumber(text:match "VmRSS:%s+(%d+)"))
end

--- What to write before a command that is to run on so many ranks of Open MPI.
---@param ranks integer
---@return string
function M.mpirun(ranks)
  return ("mpirun --allow-run-as-root --oversubscribe --bind-to none -np %d "):format(ranks)
end

--- Names in a folder that are not hidden, in order.
---@param folder string
---@return string[]
function M.listed(folder)
  local names = {}
  for name in lfs.dir(folder) do
    if name:sub(1, 1) ~= "." then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

--- Runs a command that must fail: with this status and one line on stderr that has a text
--- in it.
---@param command string  as for run
---@param folder string
---@param expected string
---@param status? integer default 1
function M.assert_fails(command, folder, expected, status)
  local _, complaint, found = M.run(command, folder)
  assert(found == (status or 1), complaint)
  assert(complaint:find(expected, 1, true), complaint)
  assert(select(2, complaint:gsub("\n", "")) == 1, complaint)
  assert(not complaint:find("traceback"), complaint)
end

--- Takes steps to their end.
---@param next_step fun(): table|false|nil, string?
---@return table summary  of the last
function M.finish(next_step)
  local summary
  for step, message in next_step do
    assert(step, message)
    summary = step.summary
  end
  return assert(summary)
end

--- Asserts that steps end with a failure of this kind, whose message holds a text.
---@param next_step fun(): table|false|nil, string?, string?
---@param kind string
---@param expected string
---@return string message
function M.assert_steps_fail(next_step, kind, expected)
  local step, message, found
  repeat
    step, message, found = next_step()
  until not step
  assert(step == false, "the steps came to their end")
  assert(kind == found, message)
  assert(message:find(expected, 1, true), message)
  assert(next_step() == nil)
  return message
end

--- A note played on the six-channel chip as ym.render does it.
---@param patch table
---@param note {block: integer, fnum: integer, held: integer, release: integer, chip: string}  times in frames
---@return string  the left side, 16 bits a sample, as `samples:bytes()` of a raw render
function M.on_chip(patch, note)
  local chip = ym.chip.new { chip = note.chip }
  for _, write in ipairs(ym.patch.registers(patch)) do
    chip:write(table.unpack(write))
  end
  chip:write(0, 0xA4, note.block << 3 | note.fnum >> 8)
  chip:write(0, 0xA0, note.fnum & 255)
  chip:run(M.KEY_FRAME)
  chip:write(0, 0x28, 0xF0)
  local before = chip:run(note.held)
  chip:write(0, 0x28, 0x00)
  local after = chip:run(note.release + 3)
  return (before:to("i16"):bytes() .. after:to("i16"):bytes()):sub(2 * 3 + 1)
end

--- The same note by ym.render.
function M.rendered(patch, note)
  return ym.render(patch, {
    block = note.block, fnum = note.fnum, chip = note.chip, raw = true,
    held = note.held / M.RATE, release = note.release / M.RATE,
  }):bytes()
end

--- The same notes by ym.render_batch.
---@param list table[]
---@param notes table[]
---@return string[]
function M.rendered_batch(list, notes)
  local options = { block = {}, fnum = {}, held = {}, release = {}, chip = {}, raw = true }
  for i, note in ipairs(notes) do
    options.block[i], options.fnum[i], options.chip[i] = note.block, note.fnum, note.chip
    options.held[i], options.release[i] = note.held / M.RATE, note.release / M.RATE
  end
  local samples = ym.render_batch(list, options)
  local rows = {}
  for i, note in ipairs(notes) do
    rows[i] = samples[i]:slice(1, note.held + note.release):bytes()
  end
  return rows
end

--- The levels of instructions that this CPU has.
---@return string[]
function M.levels()
  local levels, best = {}, ym.simd()
  for _, level in ipairs { "baseline", "avx2", "avx512" } do
    levels[#levels + 1] = level
    if level == best then
      return levels
    end
  end
end

--- A patch random over the whole range of every field, in which audible levels, no
--- SSG-EG and the zeros that make registers dead are more frequent than by chance.
---@param rng table
function M.random_patch(rng)
  local patch = { {}, {}, {}, {} }
  for _, field in ipairs(ym.patch.fields()) do
    local to = field.operator and patch[field.operator] or patch
    local name = field.name
    to[name] = rng:integer(field.minimum, field.maximum)
    if name == "ssg" and rng:uniform() < 0.6 then
      to.ssg = 0
    elseif name == "tl" and rng:uniform() < 0.5 then
      to.tl = rng:integer(0, 30)
    elseif (name == "sl" or name == "dr" or name == "ar") and rng:uniform() < 0.15 then
      to[name] = 0
    end
  end
  return patch
end

--- A random note for on_chip and rendered.
---@param rng table
---@param longest integer  frames held
function M.random_note(rng, longest)
  return {
    block = rng:integer(0, 7), fnum = rng:integer(0, 2047), chip = M.STAGES[rng:integer(1, 3)],
    held = rng:integer(1, longest), release = rng:integer(0, longest // 2),
  }
end

return M
