-- A learned space of patches: points of a few numbers, near which patches sound alike.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local drawer = require "ym2612ml.space.drawer"
local examples = require "ym2612ml.space.examples"
local json = require "ym2612ml.json"
local judge = require "ym2612ml.space.judge"
local locks = require "ym2612ml.lock"
local network = require "ym2612ml.networks.patch_vae"
local nn = require "ym2612ml.nn"
local patches = require "ym2612ml.patch"
local registers = require "ym2612ml.networks.registers"
local teller = require "ym2612ml.space.teller"
local tokens = require "ym2612ml.space.tokens"
local ways = require "ym2612ml.space.ways"

local M = {}

---@class ym2612ml.Space
---@field size integer  latents: the numbers of a point
---@field centre number[]  of each latent, the mean over the patches learned from
---@field spread number[]  likewise the deviation
---@field figures ym2612ml.SpaceFigures
---@field settings table<string, any>  of the training
local Space = {}
Space.__index = Space
Space.__name = "ym2612ml.Space"

local KEY = "space" -- of the metadata, beside the network's own
local FARTHEST = 1e4 -- from 0 that a latent may be: nothing that is learned is near it

--- Bounds of the sizes (ym2612ml.SpaceSizes).
---@type table<string, {least: number, most: number, whole: boolean}>
M.SIZES = {
  width = { least = 1, most = 8192, whole = true }, heads = { least = 1, most = 1024, whole = true },
  wider = { least = 1, most = 64, whole = true }, encoder = { least = 1, most = 256, whole = true },
  decoder = { least = 1, most = 256, whole = true }, latents = { least = 1, most = 1024, whole = true },
  flows = { least = 0, most = 256, whole = true }, dropout = { least = 0, most = 0.99, whole = false },
}
local SIZES = M.SIZES
local LARGEST = 1 - 2 ^ -24 -- the largest number below 1 that f32 has

--- A space of a network; centre, spread, figures and settings are to be set.
---@param net ym2612ml.Network
---@param sizes ym2612ml.SpaceSizes
---@return ym2612ml.Space
function M.new(net, sizes)
  return setmetatable({
    net = net, sizes = sizes, size = sizes.latents, drawer = drawer.new(net, sizes),
    teller = teller.new(net, sizes), figures = {}, settings = {}, centre = {}, spread = {},
  }, Space)
end

--- Writes the space: the network, its weights as F16, and what else there is to know.
---@param path string
---@return true? done
---@return string? message
---@return string? kind  "io"
function Space:save(path)
  check.type(path, "string", 1, "save")
  return self.net:save(path, { type = "f16", metadata = { [KEY] = json.encode {
    sizes = self.sizes, centre = self.centre, spread = self.spread, figures = self.figures, settings = self.settings,
  } } })
end

-- Whether a latent may be this number: false of NaN.
local function is_near(value)
  return value >= -FARTHEST and value <= FARTHEST
end

local function are_numbers(list, count)
  if type(list) ~= "table" or #list ~= count then
    return false
  end
  for _, value in ipairs(list) do
    if type(value) ~= "number" or not is_near(value) then
      return false
    end
  end
  return true
end

-- Whether sizes are those of a network that may be built: a file may say anything.
local function are_sizes(sizes)
  for name, rule in pairs(SIZES) do
    local size = type(sizes) == "table" and sizes[name]
    if type(size) ~= "number" or not (size >= rule.least and size <= rule.most)
      or rule.whole and not math.tointeger(size) then
      return false
    end
    sizes[name] = rule.whole and math.tointeger(size) or size
  end
  return sizes.width % sizes.heads == 0
end

-- What metadata tells of a space; nil when it is none.
local function read_description(text)
  local read, found = attempt(json.decode, text or "")
  if not read or type(found) ~= "table" or not are_sizes(found.sizes)
    or not are_numbers(found.centre, found.sizes.latents) or not are_numbers(found.spread, found.sizes.latents) then
    return nil
  end
  local settings = type(found.settings) == "table" and found.settings or {}
  return {
    sizes = found.sizes, centre = found.centre, spread = found.spread,
    figures = type(found.figures) == "table" and found.figures or {}, settings = settings,
  }
end

-- The network that these sizes make, with the weights of one from a file; nil where that has
-- others. The graph in the file is not used: it may be any. Sizes for which there are too few
-- weights are not built: they may be those of a network that no memory holds.
local function with_weights(sizes, net)
  if network.fewest_weights(sizes) > net:count() then
    return nil
  end
  local own, weights = network.build(sizes), net:parameters()
  local views = own:parameters()
  for name, other in pairs(weights) do
    local view = views[name]
    if not view or table.concat(other:shape(), " ") ~= table.concat(view:shape(), " ") then
      return nil
    end
    view:copy(other)
    views[name] = nil
  end
  return not next(views) and own or nil
end

--- Reads a space that `save` or `steps` wrote.
---@param path string
---@return ym2612ml.Space? space
---@return string? message  names the path
---@return string? kind  "io" or "format"
function M.load(path)
  check.type(path, "string", 1, "load")
  local net, message, kind = nn.load(path)
  if not net then
    return nil, message, kind
  end
  local description = read_description(net.metadata[KEY])
  local own = description and with_weights(description.sizes, net)
  if not own then
    return nil, ("%s: is a network, but not of a learned space of patches"):format(path), "format"
  end
  local space = M.new(own, description.sizes)
  space.centre, space.spread = description.centre, description.spread
  space.figures, space.settings = description.figures, description.settings
  return space
end

-- Numbers 0 <= x < 1 (rows, registers) of a seed, each row's own.
local function draw_numbers(rows, seed)
  local numbers = core.tensor.new { rows, tokens.count }
  for row = 1, rows do
    local rng = core.rng.new { seed = seed, stream = row }
    for place = 1, tokens.count do
      numbers:set(row, place, math.min(rng:uniform(), LARGEST))
    end
  end
  return numbers
end

-- The same numbers in all rows: those of a seed, or without one the middle.
local function same_numbers(rows, seed)
  local numbers = core.tensor.new { rows, tokens.count }
  numbers:fill(0.5)
  local own = seed and draw_numbers(1, seed)
  for row = 1, own and rows or 0 do
    numbers[row]:copy(own[1])
  end
  return numbers
end

-- The classes of a lock, by place; or raises.
local function given_of(lock, argument, caller)
  local problem = locks.problem(lock)
  check.no_problem(problem and "lock: " .. problem, argument, caller)
  local given = {}
  local function add(values, prefix)
    for name, value in pairs(values) do
      if type(value) == "table" then
        add(value, ("op%d."):format(name))
      else
        local place = tokens.place_of(prefix .. name, argument, caller)
        given[place] = value - tokens.registers[place].minimum
      end
    end
  end
  add(lock, "")
  return given
end

-- Raises unless a latent is a number that a point may have.
local function check_latent(value, argument, caller)
  if not is_near(value) then
    check.misuse(("bad argument #%d to '%s' (a latent is %s, expected %d..%d)"):format(
      argument, caller, tostring(value), -FARTHEST, FARTHEST))
  end
end

-- Latents as a tensor (rows, size), or raises.
local function check_points(space, z, caller)
  z = check.to_tensor(z, 1, caller)
  local shape = z:shape()
  if #shape ~= 2 or shape[2] ~= space.size then
    check.misuse(("bad argument #1 to '%s' (shape is (%s), expected (rows, %d))"):format(
      caller, table.concat(shape, ", "), space.size))
  end
  z = z:to "f32"
  for row = 1, shape[1] do
    for latent = 1, shape[2] do
      check_latent(z:get(row, latent), 1, caller)
    end
  end
  return z
end

-- Temperature of the patch at a point: the middle of a distribution that is a little sharper
-- than it is. The most likely class would jump more as a point moves, and the middle of the
-- whole is drawn to where there is nothing.
local MIDDLE = 0.5

local DECODE = {
  temperature = { type = "number", least = 0, most = 100 },
  seed = { type = "integer" },
  numbers = { type = "tensor" },
  lock = { type = "table", default = {} },
}

--- The patches at points of the space, each register by what the point alone says of it:
--- points that are near give patches that sound alike. (`generate` draws registers one after
--- another.)
---@param z ym2612ml.Tensor|number[][]  (rows, size)
---@param options? {temperature: number, seed: integer, numbers: ym2612ml.Tensor, lock: table}
---  temperature: of each register's distribution, 0 (the most likely class) to 100, default
---  0.5, or 1 with numbers; seed: each register is drawn with a number of its own, the same for
---  all rows; default: none is drawn, each is in the middle of its distribution; numbers:
---  instead of those, f32 (rows, 48) of 0 to below 1, as `locate` gives them; lock: registers
---  that keep a value, such as {algorithm = 4, [1] = {mul = 3}}, which the others then go with
---@return ym2612ml.Patch[]
function Space:decode(z, options)
  z = check_points(self, z, "decode")
  options = check.options(options, DECODE, 2, "decode")
  local numbers = options.numbers or same_numbers(#z, options.seed)
  local shape = numbers:shape()
  if #shape ~= 2 or shape[1] ~= #z or shape[2] ~= tokens.count then
    check.misuse(("bad argument #2 to 'decode' (option 'numbers' has shape (%s), expected (%d, %d))"):format(
      table.concat(shape, ", "), #z, tokens.count))
  end
  local temperature = options.temperature or options.numbers and 1 or MIDDLE
  return tokens.patches(self.teller:tell(z, numbers, temperature, given_of(options.lock, 2, "decode")))
end

-- Points of the posterior of what is seen, data as of examples.show, with the noise in data.
local function posterior(space, data)
  return assert(space.net:run { seen = data.seen, seen_role = data.seen_role, noise = data.noise }).z
end

local function check_list(list, caller)
  patches.check_all(list, 1, caller)
  if #list == 0 then
    check.misuse(("bad argument #1 to '%s' (no patches)"):format(caller))
  end
end

local ENCODE = { samples = { type = "integer", least = 2, default = 32 }, seed = { type = "integer", default = 1 } }

--- Where patches are: the mean and the deviation of their posterior.
---@param list ym2612ml.Patch[]
---@param options? {samples: integer, seed: integer}  samples: draws from the posterior of
---  which these are, 2 or more, default 32; seed: default 1
---@return ym2612ml.Tensor mean  f32 (patches, size)
---@return ym2612ml.Tensor deviation  likewise
function Space:encode(list, options)
  check_list(list, "encode")
  options = check.options(options, ENCODE, 2, "encode")
  local data, rng = examples.whole(list, self.size), core.rng.new { seed = options.seed }
  local sums, squares, noise = {}, {}, core.tensor.new { 1, self.size }
  for _ = 1, options.samples do
    judge.fill_noise(noise, rng)
    for row = 1, #list do -- the same of all, so that none depends on what else is in the list
      data.noise[row]:copy(noise[1])
    end
    local z = posterior(self, data):reshape { #list * self.size }
    for at = 1, #z do
      sums[at], squares[at] = (sums[at] or 0) + z[at], (squares[at] or 0) + z[at] ^ 2
    end
  end
  for at, sum in ipairs(sums) do
    local mean = sum / options.samples
    sums[at] = mean
    squares[at] = math.sqrt(math.max(0, squares[at] / options.samples - mean ^ 2))
  end
  local shape = { #list, self.size }
  return core.tensor.from(sums):reshape(shape), core.tensor.from(squares):reshape(shape)
end

--- The whole coordinates of patches: their points, and the numbers that single out each
--- patch among those that are there. `decode(z, {numbers = numbers})` gives the patches again,
--- in the form that stands for all that sound the same (but for a register whose value is as
--- good as impossible there), and coordinates between those of two patches give patches in
--- between.
---@param list ym2612ml.Patch[]
---@return ym2612ml.Tensor z  f32 (patches, size)
---@return ym2612ml.Tensor numbers  f32 (patches, 48)
function Space:locate(list)
  check_list(list, "locate")
  local z = self:encode(list)
  return z, self.teller:numbers(z, tokens.classes(list))
end

-- Patches whose registers are drawn one after another.
local function draw(space, z, numbers, temperature, given)
  return tokens.patches((space.drawer:draw(z, numbers, temperature, given)))
end

-- Points of the prior (rows, size).
local function draw_prior(space, rows, seed)
  local z = core.tensor.new { rows, space.size }
  judge.fill_noise(z, core.rng.new { seed = seed, stream = 1 << 32 })
  return z
end

local GENERATE = {
  temperature = { type = "number", least = 0, most = 100, default = 1 },
  seed = { type = "integer", default = 1 },
  lock = { type = "table", default = {} },
}

-- Whether a patch has a carrier that lets something out.
local function has_voice(patch)
  for _, o in ipairs(patches.carriers(patch.algorithm)) do
    if patch[o].tl < registers.dead_level and (patch[o].ar > 0 or patch[o].ssg >= 8) then
      return true
    end
  end
  return false
end

local TRIES = 8 -- that a patch is drawn again when no carrier of it can be heard

-- Draws the patch of a row again, at another point, until it has a voice.
local function draw_again(space, patch, z, row, options, given)
  local rng = core.rng.new { seed = options.seed, stream = row + (1 << 40) }
  for _ = 1, TRIES do
    if has_voice(patch) then
      break
    end
    judge.fill_noise(z, rng)
    patch = draw(space, z, draw_numbers(1, rng:integer(1, 1 << 53)), options.temperature, given)[1]
  end
  return patch
end

--- New patches: points of the prior, and for each a patch whose registers are drawn one after
--- another, so that they go together. What nobody could hear, no carrier letting anything out,
--- is drawn again.
---@param count integer  1 or more
---@param options? {temperature: number, seed: integer, lock: table}  temperature: of the draw
---  of each register, 0..100, default 1, below it patches are more usual, above it less; seed:
---  default 1; lock: as of `decode`
---@return ym2612ml.Patch[] list
---@return ym2612ml.Tensor z  f32 (count, size)
function Space:generate(count, options)
  count = check.integer(count, 1, "generate", 1)
  options = check.options(options, GENERATE, 2, "generate")
  local z, given = draw_prior(self, count, options.seed), given_of(options.lock, 2, "generate")
  local list = draw(self, z, draw_numbers(count, options.seed), options.temperature, given)
  for row, patch in ipairs(list) do
    list[row] = draw_again(self, patch, z:slice(row, row), row, options, given)
  end
  return list, z
end

-- Patches of which some classes are given, at points that they leave open.
local function draw_rest(space, given, count, temperature, seed)
  local data = examples.new(count, space.size)
  for row = 1, count do
    examples.show(data, row, given)
  end
  judge.fill_noise(data.noise, core.rng.new { seed = seed, stream = 1 << 32 })
  return draw(space, posterior(space, data), draw_numbers(count, seed), temperature, given)
end

local COMPLETE = {
  count = { type = "integer", least = 1, default = 8 },
  temperature = { type = "number", least = 0, most = 100, default = 1 },
  seed = { type = "integer", default = 1 },
}

--- Patches of which a part is given: the rest is drawn to go with it.
---@param lock table  the registers given, as of `decode`, such as {algorithm = 4, [2] = {mul = 1}}
---@param options? {count: integer, temperature: number, seed: integer}  count: default 8;
---  temperature: default 1; seed: default 1
---@return ym2612ml.Patch[]
function Space:complete(lock, options)
  check.type(lock, "table", 1, "complete")
  options = check.options(options, COMPLETE, 2, "complete")
  return draw_rest(self, given_of(lock, 1, "complete"), options.count, options.temperature, options.seed)
end

local VARY = {
  count = { type = "integer", least = 1, default = 8 },
  strength = { type = "number", least = 0, most = 1, default = 0.2 },
  seed = { type = "integer", default = 1 },
  lock = { type = "table", default = {} },
}

--- Patches near a patch: a part of its registers is drawn anew, to go with the others.
---@param patch ym2612ml.Patch
---@param options? {count: integer, strength: number, seed: integer, lock: table}  count:
---  default 8; strength: the share of registers that are drawn, 0, the same patch, to 1, any
---  patch, default 0.2; seed: default 1; lock: registers that keep a value, as of `decode`; with
---  any, operators stay where they are in the patch, else it is in the form that stands for all
---  that sound the same
---@return ym2612ml.Patch[]
function Space:vary(patch, options)
  check.no_problem(patches.problem(patch), 1, "vary")
  options = check.options(options, VARY, 2, "vary")
  local locked = given_of(options.lock, 2, "vary")
  local own = tokens.classes({ patch }, next(locked) ~= nil)[1]:totable()
  local list = {}
  for row = 1, options.count do
    local rng, given = core.rng.new { seed = options.seed, stream = row }, {}
    for place = 1, tokens.count do
      local kept = rng:uniform() >= options.strength
      given[place] = locked[place] or kept and math.tointeger(own[place]) or nil
    end
    list[row] = draw_rest(self, given, 1, 1, rng:integer(1, 1 << 53))[1]
  end
  return list
end

-- The coordinates of an end of a way: of a patch, or of a point, whose numbers are as those
-- of `decode`. Or raises.
local function end_of(space, value, argument, caller, seed)
  check.type(value, "table", argument, caller)
  if value.algorithm ~= nil then
    check.no_problem(patches.problem(value), argument, caller)
    local z, numbers = space:locate { value }
    return { z = z, numbers = numbers, patch = tokens.normal(value) }
  end
  local fine = #value == space.size
  for _, latent in ipairs(value) do
    fine = fine and type(latent) == "number"
    check_latent(fine and latent or 0, argument, caller)
  end
  check.no_problem(not fine and ("expected a patch, or %d numbers"):format(space.size) or nil, argument, caller)
  return { z = core.tensor.from { value }, numbers = same_numbers(1, seed) }
end

local WALK = {
  steps = { type = "integer", least = 2, most = 1000, default = 32 },
  by = { choices = { "sound", "space" }, default = "sound" },
  temperature = { type = "number", least = 0, most = 100 },
  seed = { type = "integer" },
}

--- Patches on the way from one to another. A patch at an end is met exactly, in the form that
--- stands for all that sound the same. Where one end is a patch, a point at the other is taken
--- at temperature 1, too.
---@param a ym2612ml.Patch|number[]  a patch, or the latents of a point
---@param b ym2612ml.Patch|number[]
---@param options? {steps: integer, by: "sound"|"space", temperature: number, seed: integer}
---  steps: patches, with both ends, 2..1000, default 32; by: steps are even in what is heard (default)
---  or in latents; temperature: between two points, as of `decode` (patches have the coordinates
---  of temperature 1); seed: of the numbers of points, as of `decode`
---@return ym2612ml.Patch[]
function Space:interpolate(a, b, options)
  options = check.options(options, WALK, 3, "interpolate")
  local from, to = end_of(self, a, 1, "interpolate", options.seed), end_of(self, b, 2, "interpolate", options.seed)
  local located = from.patch or to.patch
  if located and options.temperature then
    check.misuse("bad argument #3 to 'interpolate' (option 'temperature' goes with two points)")
  elseif from.patch and to.patch and options.seed then
    check.misuse("bad argument #3 to 'interpolate' (option 'seed' goes with a point)")
  end
  local way = { space = self, from = from, to = to, temperature = located and 1 or options.temperature or MIDDLE }
  return ways.walk(way, options.steps, options.by)
end

local SWEEP = {
  from = { type = "number", least = -100, most = 100, default = -3 },
  to = { type = "number", least = -100, most = 100, default = 3 },
  at = { type = "table" },
}
for name, rule in pairs(WALK) do
  SWEEP[name] = rule
end

--- Patches along one latent.
---@param latent integer  1..size
---@param options? table  from, to: in deviations from its centre, -100..100, default -3 and 3;
---  at: a patch or the latents of a point through which the way goes, default the centre; steps,
---  by, temperature and seed as of `interpolate`
---@return ym2612ml.Patch[]
function Space:sweep(latent, options)
  latent = check.integer(latent, 1, "sweep", 1)
  options = check.options(options, SWEEP, 2, "sweep")
  if latent > self.size then
    check.misuse(("bad argument #1 to 'sweep' (%d, expected 1..%d)"):format(latent, self.size))
  end
  local middle = end_of(self, options.at or self.centre, 2, "sweep", options.seed)
  for _, name in ipairs { "temperature", "seed" } do
    if middle.patch and options[name] then
      check.misuse(("bad argument #2 to 'sweep' (option '%s' goes with a point)"):format(name))
    end
  end
  local function moved(by)
    local z = middle.z:to "f32"
    z:set(1, latent, self.centre[latent] + by * self.spread[latent])
    return { z = z, numbers = middle.numbers }
  end
  local way = {
    space = self, from = moved(options.from), to = moved(options.to),
    temperature = middle.patch and 1 or options.temperature or MIDDLE,
  }
  return ways.walk(way, options.steps, options.by)
end

function Space:__tostring()
  return ("space of patches (%d latents)"):format(self.size)
end

return M
