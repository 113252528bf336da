-- C source for SGDK: a table of registers for each patch, and a function that sends one to
-- a channel. What is read is only what is written here.
local layout = require "ym2612ml.formats.layout"
local rows = require "ym2612ml.formats.rows"
local speeds = require "ym2612ml.formats.speeds"

local SIZE = 31 -- bytes of a patch: register 0x22, 0x30 to 0x9C, 0xB0, 0xB4
local BOTH_SIDES = 0xC0 -- in register 0xB4
local MARK = "Patches for the YM2612, written by ym2612ml"

local places = layout.register_major(1)
layout.add_register(places, 0xB0, SIZE - 2)
layout.add_register(places, 0xB4, SIZE - 1)
local REGISTERS = layout.new(SIZE, places)
local TEMPLATE = ("\0"):rep(SIZE - 1) .. string.char(BOTH_SIDES)

local HEAD = "/* " .. MARK .. [[, for SGDK. */
#include <genesis.h>

/* Sets a channel 0..5 up: ym2612_set_patch(0, patch_NAME), before a key is pressed; the
** driver on the Z80 must not use the YM2612 meanwhile. The first byte of a patch is the
** speed of the LFO, of which there is one for all channels. */
static inline void ym2612_set_patch(u16 channel, const u8 patch[31]) {
	u16 part = channel / 3, offset = channel % 3;
	YM2612_writeReg(0, 0x22, patch[0]);
	for (u16 i = 0; i < 28; i++)
		YM2612_writeReg(part, 0x30 + 4 * i + offset, patch[1 + i]);
	YM2612_writeReg(part, 0xB0 + offset, patch[29]);
	YM2612_writeReg(part, 0xB4 + offset, patch[30]);
}
]]

local M = {
  name = "c", extensions = { "h", "c" }, title = "C source for SGDK", lfo = true, many = true,
  common = true,
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  return bytes:find(MARK, 1, true) and 2 or 0
end

local function patch_of(name, block)
  local patch = REGISTERS:decode(block)
  patch.name, patch.lfo = name, speeds.of(block:byte(1))
  return patch
end

--- The patches in a file that was written here.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
function M.decode(bytes)
  local list, notes = {}, {}
  if M.detect(bytes) == 0 then
    return nil, "is no C source of ours"
  end
  local name, registers
  for line in rows.lines(bytes) do
    name = line:match("^/%* ?(.-) ?%*/$") or name
    local first = line:match("^static const u8 patch_[^{]*(.*)$")
    if first then
      registers, line = {}, first -- without the name, which may hold what looks like a number
    end
    for value in (registers and line or ""):gmatch("0x(%x%x)") do
      registers[#registers + 1] = string.char(tonumber(value, 16))
    end
    if registers and line:find("};", 1, true) then
      if #registers == SIZE then
        list[#list + 1] = patch_of(name, table.concat(registers))
      else
        notes[#notes + 1] = ("%s has %d bytes, expected %d: left out"):format(name, #registers, SIZE)
      end
      registers = nil
    end
  end
  return list, notes
end

-- A name of C for a patch, different from those that are taken.
local function identifier(name, taken)
  local stem = "patch_" .. name:gsub("%W+", "_"):gsub("_$", ""):lower()
  local unique, count = stem, 1
  while taken[unique] do
    count = count + 1
    unique = ("%s_%d"):format(stem, count)
  end
  taken[unique] = true
  return unique
end

--- A file of patches.
---@param list ym2612ml.Patch[]
---@return string
function M.encode(list)
  local parts, taken = { HEAD }, {}
  for i, patch in ipairs(list) do
    local block = REGISTERS:encode(patch, TEMPLATE)
    block = string.char(speeds.flags({ { lfo = patch.lfo } }, 0)) .. block:sub(2)
    local lines = { { block:byte(1) }, { block:byte(2, 29) }, { block:byte(30, 31) } }
    local name = rows.one_line(patch.name):gsub("%*/", "* /"):gsub("/%*", "/ *")
    parts[#parts + 1] = ("\n/* %s */\nstatic const u8 %s[%d] = {\n"):format(name,
      identifier(name ~= "" and name or tostring(i), taken), SIZE)
    for _, line in ipairs(lines) do
      for first = 1, #line, 4 do
        local last = math.min(first + 3, #line)
        parts[#parts + 1] = ("\t" .. ("0x%02X, "):rep(last - first + 1)):format(table.unpack(line, first, last))
          :sub(1, -2) .. "\n"
      end
    end
    parts[#parts + 1] = "};\n"
  end
  return table.concat(parts)
end

return M
