-- The live instrument between two blocks of sound: controllers move latents, latents become
-- a patch, the patch goes to the client that plays it. The client is whatever has the
-- methods of that of ym2612ml.live.core, so that all this runs without a server, too.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local patches = require "ym2612ml.patch"

local M = {}

---@class ym2612ml.Instrument
---@field private client table
---@field private space table?
---@field private state {patch: ym2612ml.Patch, latents: number[]?, numbers: ym2612ml.Tensor?}
---  what sounds, and its coordinates in the space: numbers are those of a patch that was loaded
local Instrument = {}
Instrument.__index = Instrument
Instrument.__name = "ym2612ml.Instrument"

local MOST_EVENTS = 256  -- that a poll reads
local MOST_STEPS = 256   -- that can be undone
local GESTURE = 0.5      -- seconds: moves closer together are undone as one
local FARTHEST = 10000   -- from 0 that a space takes latents
local REACH = 3          -- spreads to both sides of the centre that a controller reaches

-- Controllers that say how others are meant (banks, parameter numbers and their data), or
-- pedals; they are not learned, but may be named.
local NOT_LEARNED = { [0] = true, [6] = true, [32] = true, [38] = true }
for _, range in ipairs { { 64, 69 }, { 96, 101 } } do
  for number = range[1], range[2] do
    NOT_LEARNED[number] = true
  end
end

--- What is wrong with a list of controllers for so many latents, in words.
---@param list any[]
---@param size integer  0: there is no space
---@return string? problem  nil when nothing is
function M.controllers_problem(list, size)
  if #list > 0 and size == 0 then
    return "option 'controllers' moves latents, which needs option 'space'"
  elseif #list > size then
    return ("option 'controllers' has %d, expected at most %d"):format(#list, size)
  end
  local seen = {}
  for i, number in ipairs(list) do
    if math.type(number) ~= "integer" or number < 0 or number > 119 or number == 64 or seen[number] then
      return ("controller %d is %s, expected a whole number 0..119 but 64, once each"):format(i, tostring(number))
    end
    seen[number] = true
  end
  return nil
end

--- The coordinates of a patch in a space.
---@param space table
---@param patch ym2612ml.Patch
---@return number[] latents
---@return ym2612ml.Tensor numbers  f32 (1, registers)
function M.place(space, patch)
  local z, numbers = space:locate { patch }
  return z:totable()[1], numbers
end

--- Makes an instrument of a client and of options that `ym2612ml.live.open` has checked.
---@param client table
---@param options table  space?, patch, latents?, numbers?, controllers?, temperature, seed, output
---@return ym2612ml.Instrument
function M.new(client, options)
  local self = setmetatable({
    client = client, space = options.space, seed = options.seed, output = options.output,
    heat = options.temperature, latent_of = {}, controllers = {},
    learning = options.controllers == nil and options.space ~= nil,
    rng = core.rng.new { seed = options.seed or 1 },
    state = { patch = options.patch, latents = options.latents, numbers = options.numbers },
    undone = {}, done = {}, moved_at = -math.huge, stale = false, unsent = false, saved = 0,
  }, Instrument)
  for latent, number in ipairs(options.controllers or {}) do
    self:assign(number, latent)
  end
  return self
end

--- The value of a latent that a controller's value stands for: 0..127 go from three spreads
--- below the centre of what patches have to three above.
---@param space table
---@param latent integer
---@param value integer  0..127
---@return number
function M.reach(space, latent, value)
  return space.centre[latent] + REACH * (2 * value / 127 - 1) * space.spread[latent]
end

---@private
function Instrument:assign(number, latent)
  self.controllers[latent] = number
  self.latent_of[number] = latent
  self.learning = self.learning and #self.controllers < self.space.size
end

-- Keeps what sounds, to be undone to. Moves of a gesture are kept as one.
---@private
function Instrument:keep(moving)
  local now = core.clock()
  local same = moving and now - self.moved_at < GESTURE
  self.moved_at = moving and now or -math.huge
  if not same then
    self.done[#self.done + 1] = self.state
    if #self.done > MOST_STEPS then
      table.remove(self.done, 1)
    end
  end
  self.undone = {}
end

-- Moves to other coordinates, whose patch is made when it is needed.
---@private
function Instrument:move(latents, numbers, moving)
  if not self.stale then -- what was never heard is not kept
    self:keep(moving)
  end
  self.state = { patch = self.state.patch, latents = latents, numbers = numbers }
  self.stale = true
end

-- Makes the patch of the latents, and sends what the client does not have. True when a
-- patch was made.
---@private
function Instrument:refresh()
  local made = self.stale
  if self.stale then
    local numbers = self.state.numbers
    local list = self.space:decode({ self.state.latents },
      numbers and { numbers = numbers } or { temperature = self.heat, seed = self.seed })
    self.state.patch, self.stale, self.unsent = list[1], false, true
  end
  if self.unsent then
    self.unsent = not self.client:patch(self.state.patch)
  end
  return made
end

---@private
function Instrument:needs_space(name)
  if not self.space then
    check.misuse(("'%s' needs an instrument with a space"):format(name))
  end
end

-- What a controller does; adds to the news.
---@private
function Instrument:control(number, value, news)
  local latent = self.latent_of[number]
  if not latent and self.learning and not NOT_LEARNED[number] then
    latent = #self.controllers + 1
    self:assign(number, latent)
    news.learned[number] = latent
  end
  if latent then
    news.moved[latent] = M.reach(self.space, latent, value)
  end
end

--- Does what there is to do between two blocks: reads the controllers and program changes
--- that came, moves latents, and if they did makes their patch and sends it. Never waits.
--- Program change n goes to the point that `random` would draw with seed n.
---@return {events: integer, moved: table<integer, number>, learned: table<integer, integer>, program: integer?,
---  patch: ym2612ml.Patch?}? news  moved: values by latent; learned: latents by controller;
---  patch: the new one
---@return string? message
---@return string? kind  "io": the server has gone
function Instrument:poll()
  local alive, message, kind = self.client:alive()
  if not alive then
    return nil, message, kind
  end
  local news = { events = 0, moved = {}, learned = {} }
  while news.events < MOST_EVENTS do
    local status, first, second = self.client:event()
    if not status then
      break
    end
    news.events = news.events + 1
    if status >> 4 == 0xB then
      self:control(first, second, news)
    elseif self.space then
      news.program = first
    end
  end
  if news.program then
    self:move(self:draw(core.rng.new { seed = news.program }))
  end
  if next(news.moved) then
    local latents = { table.unpack(self.state.latents) }
    for latent, value in pairs(news.moved) do
      latents[latent] = value
    end
    self:move(latents, self.state.numbers, true)
  end
  news.patch = self:refresh() and self.state.patch or nil
  return news
end

--- Waits until a controller came, or the server has gone, or that time is over.
---@param seconds number  0..1
---@param input? boolean  also until there is something to read on the standard input
function Instrument:wait(seconds, input)
  self.client:wait(seconds, input)
end

--- Moves a latent.
---@param latent integer  1..size of the space
---@param value number  -10000..10000
function Instrument:set(latent, value)
  self:needs_space("set")
  local size = self.space.size
  if math.type(latent) ~= "integer" or latent < 1 or latent > size then
    check.misuse(("bad argument #1 to 'set' (%s, expected a latent 1..%d)"):format(tostring(latent), size))
  elseif type(value) ~= "number" or not (value >= -FARTHEST and value <= FARTHEST) then
    check.misuse(("bad argument #2 to 'set' (%s, expected a number %d..%d)"):format(
      tostring(value), -FARTHEST, FARTHEST))
  end
  local latents = { table.unpack(self.state.latents) }
  latents[latent] = value
  self:move(latents, self.state.numbers, true)
  self:refresh()
end

--- The patch that sounds, or is about to.
---@return ym2612ml.Patch patch  not to be changed
function Instrument:patch()
  self:refresh()
  return self.state.patch
end

---@private
function Instrument:draw(rng)
  local latents = {}
  for latent = 1, self.space.size do
    latents[latent] = rng:normal()
  end
  return latents
end

--- Goes to a new point of the space: a draw of its prior, the standard normal distribution.
---@return ym2612ml.Patch
function Instrument:random()
  self:needs_space("random")
  self:move(self:draw(self.rng))
  return self:patch()
end

--- Goes to a patch: it sounds as it is, and controllers move away from it and back, until
--- `random`, a program change or `temperature` leaves it.
---@param patch ym2612ml.Patch
function Instrument:load(patch)
  check.no_problem(patches.problem(patch), 1, "load")
  self:refresh()
  self:keep()
  self.state = { patch = patch }
  if self.space then
    self.state.latents, self.state.numbers = M.place(self.space, patch)
  end
  self.unsent = true
  self:refresh()
end

-- Goes from the last state of one list to it, and keeps the present one in the other.
---@private
function Instrument:back(from, to)
  self:refresh()
  local state = table.remove(from)
  if not state then
    return false
  end
  to[#to + 1] = self.state
  self.state, self.unsent, self.moved_at = state, true, -math.huge
  self:refresh()
  return true
end

--- Goes back to what sounded before the last change; moves of controllers that follow each
--- other within half a second are one change.
---@return boolean done  false when there is nothing to undo
function Instrument:undo()
  return self:back(self.done, self.undone)
end

--- Takes the last undo back, if nothing changed since.
---@return boolean done
function Instrument:redo()
  return self:back(self.undone, self.done)
end

--- Sets or tells the temperature of the patches' registers: near 0 the most likely ones.
---@param temperature? number  above 0, up to 10
---@return number
function Instrument:temperature(temperature)
  if temperature ~= nil then
    self:needs_space("temperature")
    if type(temperature) ~= "number" or not (temperature > 0 and temperature <= 10) then
      check.misuse(("bad argument #1 to 'temperature' (%s, expected a number above 0, up to 10)"):format(
        tostring(temperature)))
    end
    if temperature ~= self.heat then
      self.heat = temperature
      self:move(self.state.latents)
      self:refresh()
    end
  end
  return self.heat
end

-- The ending of the first format that holds all of a patch.
local function ending_for(patch)
  for _, format in ipairs(patches.formats()) do
    if format.writes and #patches.lossy(patch, format.name) == 0 then
      return format.extension
    end
  end
  return "y12"
end

--- Writes the patch that sounds into a file, of the format that its ending says.
---@param path? string  default: live_001, live_002 ... in the folder for saved patches, in
---  the first format that holds all of the patch
---@return string? path  nil, message, kind when it could not be written
---@return string? message
---@return string? kind  "io" or "format"
function Instrument:save(path)
  if path ~= nil then
    check.type(path, "string", 1, "save")
  end
  local patch = self:patch()
  if not path then
    local made, message, kind = files.make_folder(self.output)
    if not made then
      return nil, message, kind
    end
    local ending = ending_for(patch)
    repeat
      self.saved = self.saved + 1
      path = ("%s/live_%03d.%s"):format(self.output, self.saved, ending)
      local there = io.open(path, "rb")
      if there then
        there:close()
      end
    until not there
  end
  local done, message, kind = patches.write(path, patch)
  if not done then
    return nil, message, kind
  end
  return path
end

--- Lets go of all keys.
function Instrument:silence()
  self.client:silence()
end

--- How it is going.
---@return {name: string, rate: integer, period: integer, temperature: number, latents: number[]?,
---  controllers: integer[], undo: integer, redo: integer, counts: table<string, integer>} status
---  rate: Hz; period: frames; controllers: numbers by latent; counts: notes started, stolen
---  and lost, patches faded to and replaced by a newer one before, frames, periods, events
---  dropped, MIDI messages sent, xruns
function Instrument:status()
  local name, rate, period = self.client:about()
  return {
    name = name, rate = rate, period = period, temperature = self.heat,
    latents = self.state.latents and { table.unpack(self.state.latents) },
    controllers = { table.unpack(self.controllers) },
    undo = #self.done, redo = #self.undone, counts = self.client:counts(),
  }
end

--- Leaves the server. May be called again.
function Instrument:close()
  self.client:close()
end

function Instrument:__close()
  self:close()
end

function Instrument:__gc()
  self:close()
end

function Instrument:__tostring()
  return ("instrument of %d latents"):format(self.space and self.space.size or 0)
end

return M
