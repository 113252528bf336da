-- VGM files made by hand, for specs.
local support = require "spec.support"
local ym = require "ym2612ml"

local M = {}

--- Master clock of the chip in them, in Hz.
M.CLOCK = 7670454

--- A file of these commands.
---@param commands string
---@param head? table<integer, integer>  numbers to put at offsets
---@param size? integer  bytes of the head
---@return string
function M.file_of(commands, head, size)
  size = size or 0x40
  local fields = { [0x08] = 0x151, [0x2C] = M.CLOCK, [0x34] = size - 0x34 }
  for offset, value in pairs(head or {}) do
    fields[offset] = value
  end
  local bytes = {}
  for offset = 0, size - 4, 4 do
    bytes[#bytes + 1] = string.pack("<I4", fields[offset] or 0)
  end
  bytes[1] = "Vgm "
  return table.concat(bytes) .. commands
end

--- A write to port 0 or 1.
---@return string
function M.to(port, register, value)
  return string.char(0x52 + port, register, value)
end

---@param ticks integer
---@return string
function M.wait(ticks)
  return string.pack("<BI2", 0x61, ticks)
end

--- A data block.
---@param kind integer
---@param data string
---@return string
function M.block(kind, data)
  return string.pack("<BBBI4", 0x67, 0x66, kind, #data) .. data
end

--- Sets a channel, 1..6, to a patch.
---@return string
function M.set_up(patch, channel)
  local parts = {}
  for i, write in ipairs(ym.patch.registers(patch, channel)) do
    parts[i] = M.to(table.unpack(write))
  end
  return table.concat(parts)
end

--- Sets a channel to A4.
---@return string
function M.pitch(channel)
  local port, offset = (channel - 1) // 3, (channel - 1) % 3
  return M.to(port, 0xA4 + offset, 0x24) .. M.to(port, 0xA0 + offset, 0x3B)
end

local KEYS = { 0, 1, 2, 4, 5, 6 } -- of channels 1 to 6

--- Presses the keys of a channel whose bits are in `down`, and lets the others go.
---@return string
function M.key(channel, down)
  return M.to(0, 0x28, KEYS[channel] | (down or 0))
end

--- A short note.
---@return string
function M.note(patch, channel)
  return M.set_up(patch, channel) .. M.pitch(channel) .. M.key(channel, 0xF0) .. M.wait(100) .. M.key(channel)
    .. M.wait(100)
end

--- A copy of a patch.
---@return table
function M.copy(patch)
  local twin = {}
  for name, value in pairs(patch) do
    twin[name] = type(value) == "table" and M.copy(value) or value
  end
  return twin
end

--- All fields of a patch, to be compared.
---@return string
function M.identity(patch)
  return ym.patch.pack({ patch }):bytes()
end

--- Random patches that can be heard, and that differ in more than their levels.
---@return table[]
function M.patches(count, seed)
  local rng, list = ym.rng.new { seed = seed }, {}
  for i = 1, count do
    list[i] = support.random_patch(rng)
    list[i].lfo = list[i].lfo >= 0 and list[i].lfo or nil
    for operator = 1, 4 do
      list[i][operator].tl, list[i][operator].ar = rng:integer(0, 60), rng:integer(5, 31)
    end
  end
  return list
end

return M
