-- A stand-in for a learned space of patches, with its methods: eight latents that turn
-- registers of one patch.
local M = setmetatable({ size = 8, centre = {}, spread = {} }, { __name = "ym2612ml.Space" })
for latent = 1, M.size do
  M.centre[latent], M.spread[latent] = 0.1 * latent, 0.5
end

local function between(low, high, value)
  return math.floor(math.max(low, math.min(high, value)) + 0.5)
end

local ym = require "ym2612ml"

M.decoded = 0   -- patches so far
M.takes = 0     -- seconds that a decode takes

--- The patch of each row of latents. Latent 1 is loudness, silent below -1, the others
--- turn the algorithm, feedback, multiples and levels of modulators.
function M:decode(rows, options)
  assert(options.numbers and options.numbers:get(1, 1) == 0.5 or options.temperature > 0)
  local list, from = {}, ym.clock()
  for i, z in ipairs(rows) do
    local patch = { algorithm = between(0, 7, 4 + 3 * z[2]), feedback = between(0, 7, 3 + 3 * z[3]) }
    for o = 1, 4 do
      local carrier = ym.patch.is_carrier(patch.algorithm, o)
      patch[o] = {
        mul = between(1, 15, 1 + 2 * math.abs(z[4]) * (o - 1)), dt = 0, rs = 0,
        ar = 31, dr = 0, sr = 0, rr = 15, sl = 0,
        tl = carrier and (z[1] < -1 and 127 or between(0, 60, 20 - 10 * z[1])) or between(10, 80, 35 + 20 * z[4 + o]),
      }
    end
    list[i] = patch
    self.decoded = self.decoded + 1
  end
  repeat until ym.clock() - from >= self.takes
  return list
end

--- Coordinates of each patch: where its feedback is.
function M.locate(_, list)
  local rows, numbers = {}, ym.tensor.new { #list, 48 }
  for i, patch in ipairs(list) do
    rows[i] = { 0, 0, (patch.feedback - 3) / 3, 0, 0, 0, 0, 0 }
  end
  numbers:fill(0.5)
  return ym.tensor.from(rows), numbers
end

return M
