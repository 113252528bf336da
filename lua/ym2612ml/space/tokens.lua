-- Patches as the network of the learned space sees them: a class for each register, of
-- the one patch that stands for all that sound the same.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local patches = require "ym2612ml.patch"
local registers = require "ym2612ml.networks.registers"

local M = {}

---@class ym2612ml.SpaceRegister
---@field name string  of the field
---@field operator? integer  1..4; nil: of the whole patch
---@field label string  such as "algorithm" or "op2.tl"
---@field minimum integer  the value of class 0
---@field classes integer
---@field column integer  of it in a packed patch, from 1

--- The registers, in the order in which a patch is drawn: those of the whole patch, the
--- algorithm first, then those of operators 1 to 4. The LFO's speed is none of them: all
--- channels share it, and banks do not tell it.
---@type ym2612ml.SpaceRegister[]
M.registers = {}
--- The same by label.
---@type table<string, integer>
M.place = {}
for column, field in ipairs(patches.fields()) do
  if field.name ~= "lfo" then
    local label = field.operator and ("op%d.%s"):format(field.operator, field.name) or field.name
    M.registers[#M.registers + 1] = {
      name = field.name, operator = field.operator, label = label, column = column,
      minimum = field.minimum, classes = field.maximum - field.minimum + 1,
    }
    M.place[label] = #M.registers
  end
end

--- Registers of a patch.
M.count = #M.registers
--- Classes of the register that has most.
M.most = 128

-- Sensitivities to the LFO and AM are kept as if one was running, which a song decides.
local RUNNING = 0

--- The patch that stands for all that sound the same: what has no effect at a fixed
--- value, operators that sound alike in a fixed order, the LFO's speed left out.
---@param patch ym2612ml.Patch
---@return ym2612ml.Patch  a new table
function M.normal(patch)
  local copy = { lfo = RUNNING }
  for key, value in pairs(patch) do
    if key ~= "lfo" then
      copy[key] = value
    end
  end
  local normal = registers.ordered(copy)
  normal.lfo = nil
  return normal
end

--- The classes of patches.
---@param list ym2612ml.Patch[]
---@param as_is? boolean  of the patches themselves, rather than of those that stand for them
---@return ym2612ml.Tensor classes  u8 (patches, registers)
function M.classes(list, as_is)
  local normal = {}
  for i, patch in ipairs(list) do
    normal[i] = as_is and patch or M.normal(patch)
  end
  local packed = patches.pack(normal)
  local classes = core.tensor.new({ #list, M.count }, "u8")
  local from, to = packed:permute { 2, 1 }, classes:permute { 2, 1 }
  for place, register in ipairs(M.registers) do
    to[place]:copy(from[register.column])
  end
  return classes
end

--- Patches out of classes.
---@param classes ym2612ml.Tensor  u8 (patches, registers)
---@return ym2612ml.Patch[]
function M.patches(classes)
  local packed = core.tensor.new({ #classes, #patches.fields() }, "u8")
  local from, to = classes:permute { 2, 1 }, packed:permute { 2, 1 }
  for place, register in ipairs(M.registers) do
    to[register.column]:copy(from[place])
  end
  local list = patches.unpack(packed)
  for _, patch in ipairs(list) do
    patch.lfo = nil
  end
  return list
end

--- The place of a register, or raises.
---@param label string  such as "feedback", "ams" or "op3.mul"
---@param argument integer  its number in the function to blame
---@param caller string  that function's name
---@return integer place
function M.place_of(label, argument, caller)
  local place = M.place[label]
  if not place then
    check.misuse(("bad argument #%d to '%s' (register '%s', expected one such as feedback or op3.mul)"):format(
      argument, caller, tostring(label)))
  end
  return place
end

return M
