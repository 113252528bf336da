-- A bank of rendered patches, in which those that sound most like a note are found: by
-- all, by their spectra or by their envelopes. What is compared are principal components
-- of the harmonics that networks hear, which do not depend on the pitch.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local patches = require "ym2612ml.patch"
local pca = require "ym2612ml.pca"
local registers = require "ym2612ml.networks.registers"
local saved = require "ym2612ml.saved"
local store = require "ym2612ml.store"

local M = {}

-- What metadata "kind" of a file says.
local KIND = "ym2612ml neighbours 1"

local block = registers.recipe[1] -- the harmonics, which come first
local BANDS, ON, FRAMES = block.bands, #block.on, #block.on + #block.off
local VALUES = BANDS * FRAMES -- of the features
local FIELDS = #patches.fields() -- of a packed patch
local GROUPS = 8 -- of bands, whose levels over time are the envelope
local CENTRE, REACH = 128, 127 -- codes: where 0 is, and the largest distance from it

---@class ym2612ml.Neighbours
---@field patches ym2612ml.Tensor  u8 (count, 49), packed, the loudest carriers at level 0
---@field count integer
local Neighbours = {}
Neighbours.__index = Neighbours
Neighbours.__name = "ym2612ml.Neighbours"

-- The spectrum of a row of features: each frame while the note is held, without its mean.
local function spectrum_of(values)
  local out = {}
  for frame = 0, ON - 1 do
    local sum = 0
    for i = frame * BANDS + 1, frame * BANDS + BANDS do
      sum = sum + values[i]
    end
    for i = frame * BANDS + 1, frame * BANDS + BANDS do
      out[i] = values[i] - sum / BANDS
    end
  end
  return out
end

-- The envelope: the mean of each group of bands in every frame, without its mean over time.
local function envelope_of(values)
  local out, width = {}, BANDS // GROUPS
  for group = 0, GROUPS - 1 do
    local mean = 0
    for frame = 0, FRAMES - 1 do
      local sum = 0
      for i = frame * BANDS + group * width + 1, frame * BANDS + group * width + width do
        sum = sum + values[i]
      end
      out[group * FRAMES + frame + 1] = sum / width
      mean = mean + sum / width / FRAMES
    end
    for frame = 1, FRAMES do
      out[group * FRAMES + frame] = out[group * FRAMES + frame] - mean
    end
  end
  return out
end

local PARTS = { spectrum_of, envelope_of }

-- Makes an object of what a file holds.
local function make(tensors, spectrum)
  return setmetatable({
    patches = tensors.patches, count = #tensors.patches, codes = tensors.codes, axes = tensors.axes:to "f32",
    mean = tensors.mean:to "f32", steps = tensors.steps:to "f32", spectrum = spectrum,
  }, Neighbours)
end

-- Both parts are linear in the features, so that one matrix leads from features to
-- components: the axes of each part's components times the part's own matrix.
local function axes_of(fitted, part)
  local rows, unit = {}, {}
  local axes = fitted:axes():totable()
  for row = 1, #axes do
    rows[row] = {}
  end
  for value = 1, VALUES do
    unit[value] = 0
  end
  for value = 1, VALUES do
    unit[value] = 1
    local column = part(unit)
    unit[value] = 0
    for row, axis in ipairs(axes) do
      local sum = 0
      for i, weight in pairs(column) do
        if weight ~= 0 then
          sum = sum + weight * axis[i]
        end
      end
      rows[row][value] = sum
    end
  end
  return rows
end

-- The largest distance from 0 in these columns of a matrix, as a step of the codes.
local function step_of(components, first, last)
  local most = 0
  for row = 1, #components do
    for i = first, last do
      most = math.max(most, math.abs(components:get(row, i)))
    end
  end
  return math.max(most, 1e-6) / REACH
end

--- Makes a bank of patches and the features of their notes, by registers.recipe.
---@param packed ym2612ml.Tensor  u8 (count, 49), their loudest carriers at level 0
---@param values ym2612ml.Tensor  (count, features)
---@param columns {[1]: integer, [2]: integer}  components of the spectrum and of the
---  envelope, fewer than there are patches
---@return ym2612ml.Neighbours? bank
---@return string? message
---@return string? kind  "input": too few patches
function M.fit(packed, values, columns)
  local rows, count, spectrum = {}, #packed, columns[1]
  local heard = core.tensor.new { count, VALUES }
  local parts = { {}, {} }
  for i = 1, count do
    local row = values[i]:slice(1, VALUES)
    heard[i]:copy(row:to "f32")
    row = row:totable()
    for p, part in ipairs(PARTS) do
      parts[p][i] = part(row)
    end
  end
  for p, part in ipairs(PARTS) do
    local fitted, message, kind = pca.fit(core.tensor.from(parts[p]), { components = columns[p] })
    if not fitted then
      return nil, message, kind
    end
    table.move(axes_of(fitted, part), 1, columns[p], #rows + 1, rows)
    parts[p] = nil
  end
  local mean = {}
  for value = 1, VALUES do
    local sum = 0
    for i = 1, count do
      sum = sum + heard:get(i, value)
    end
    mean[value] = sum / count
  end
  local axes, centre = core.tensor.from(rows):to("f16"):to("f32"), core.tensor.from(mean)
  local components = core.pca.transform(heard, centre, axes)
  local steps = { step_of(components, 1, spectrum), step_of(components, spectrum + 1, #rows) }
  local codes = core.tensor.new({ count, #rows }, "u8")
  for i = 1, count do
    for column = 1, #rows do
      local code = math.floor(components:get(i, column) / steps[column > spectrum and 2 or 1] + 0.5)
      codes:set(i, column, CENTRE + math.max(-REACH, math.min(REACH, code)))
    end
  end
  return make({
    patches = packed, codes = codes, axes = axes, mean = centre, steps = core.tensor.from(steps),
  }, spectrum)
end

--- The patches that sound most like a note.
---@param values ym2612ml.Tensor  (features) of the note, by registers.recipe
---@param count integer  how many of each kind
---@return ym2612ml.Tensor all  i32 (count or as many as there are): their numbers, the
---  nearest first, by spectrum and envelope together
---@return ym2612ml.Tensor spectrum  by the spectrum alone
---@return ym2612ml.Tensor envelope  by the envelope alone
function Neighbours:find(values, count)
  check.tensor(values, 1, "find")
  check.integer(count, 2, "find", 0)
  local factors = {}
  for column = 1, #self.axes do
    factors[column] = 1 / self.steps[column > self.spectrum and 2 or 1]
  end
  local query = core.pca.transform(values:slice(1, VALUES):to("f32"):reshape { 1, VALUES }, self.mean, self.axes,
    core.tensor.from(factors))
  return core.neighbours.find(self.codes, query[1], self.spectrum, count)
end

--- Writes it as a safetensors file.
---@param path string
---@return true? done
---@return string? message  names the path
---@return string? kind  "io"
function Neighbours:save(path)
  check.type(path, "string", 1, "save")
  local tensors = {
    patches = self.patches, codes = self.codes, axes = self.axes:to "f16", mean = self.mean, steps = self.steps,
  }
  return store.save(path, tensors, { kind = KIND, spectrum = tostring(self.spectrum) })
end

function Neighbours:__tostring()
  return ("neighbours (%d patches)"):format(self.count)
end

-- Whether there is a tensor of this shape.
local function has(tensor, ...)
  local shape = tensor and tensor:shape() or {}
  for axis, size in ipairs { ... } do
    if shape[axis] ~= size then
      return false
    end
  end
  return #shape == select("#", ...)
end

-- A bank from what store gave; nil and why not.
local function rebuild(tensors, metadata)
  local spectrum = math.tointeger(tonumber(metadata.spectrum))
  local codes, packed = tensors.codes, tensors.patches
  local columns = codes and codes:shape()[2]
  local fits = metadata.kind == KIND and spectrum and columns and spectrum >= 0 and spectrum <= columns
    and codes:type() == "u8" and has(codes, #codes, columns) and #codes >= 1
    and has(packed, #codes, FIELDS) and packed:type() == "u8"
    and has(tensors.axes, columns, VALUES) and has(tensors.mean, VALUES) and has(tensors.steps, 2)
  if not fits then
    return nil, "is not a bank of neighbours for this version of ym2612ml"
  end
  return make(tensors, spectrum)
end

--- Reads what `save` wrote.
---@param path string
---@return ym2612ml.Neighbours? bank
---@return string? message  names the path
---@return string? kind  "io" or "format"
function M.load(path)
  check.type(path, "string", 1, "load")
  return saved.load(path, rebuild)
end

return M
