-- What the published networks hear of a sound: its samples, or a picture of it, (time,
-- frequency). A row depends on its own sound alone and keeps its level: that a sound is
-- soft, or softer than another, is part of what is to be learned. A picture is made small
-- here rather than in the network: it is smaller to keep, and no gradient goes through it.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local nn = require "ym2612ml.nn"

local M = {}

---@class ym2612ml.Front
---@field shape integer[]  of what one sound gives
---@field settings table  all of them: with rate and samples they make the front again
---@field rate number  Hz
---@field samples integer  of a sound
local Front = {}
Front.__index = Front
Front.__name = "ym2612ml.Front"

--- The kinds of fronts.
M.kinds = { "raw", "stft", "mel", "spectrogram" }

-- What the core draws pictures of: rates in Hz, and seconds.
local LOWEST, HIGHEST, LONGEST = 1000, 655350, 3600

local TINY = 1e-12 -- keeps a sample of 0 from being divided by itself

-- Power at which decibels end by default: 80 dB below a sine of amplitude 1. What is
-- softer is the chip's noise or nothing.
local FLOOR = 1e-8

-- What a picture may have: settings can come with a file, and are not to take all memory.
local MOST_FRAMES, MOST_NUMBERS = 1 << 20, 1 << 24

local count_rule = { type = "integer", least = 1, most = MOST_NUMBERS }

-- Rules of the settings, those of a kind joined with those of every picture.
local function rules_of(kind, rate)
  local rules = { kind = { choices = M.kinds }, normalise = { choices = { "row" } } }
  if kind == "raw" then
    rules.size = count_rule
    rules.compand = { type = "number", least = 1e-3, most = 1e6 }
    return rules
  end
  local inside = kind == "spectrogram"
  rules.size = { type = "integer", least = 16, most = 65536, default = inside and 256 or kind == "mel" and 1024 or 512 }
  rules.window = {
    choices = { "hann", "hamming", "blackman", "tukey", "rectangular" }, default = inside and "tukey" or "hann",
  }
  rules.scale = { choices = { "db", "power", "magnitude" }, default = inside and "power" or "db" }
  rules.floor = { type = "number", least = 1e-30, most = 1, default = FLOOR }
  rules.frames = { type = "integer", least = 1, most = MOST_FRAMES }
  rules.height, rules.width = count_rule, count_rule
  if inside then
    rules.overlap = { type = "integer", least = 0, default = 32 }
  else
    rules.hop = count_rule
  end
  if kind == "mel" then
    rules.bands = { type = "integer", least = 1, most = 1024, default = 64 }
    rules.low = { type = "number", least = 0, most = rate / 2, default = 20 }
    rules.high = { type = "number", least = 1, most = rate / 2, default = math.min(18000, rate / 2) }
  end
  return rules
end

-- What is wrong with settings that fit their rules one by one, or nil.
local function problem_with(settings, samples)
  if settings.kind == "raw" then
    return nil
  elseif settings.size % 2 ~= 0 then
    return ("option 'size' is %d, expected an even number"):format(settings.size)
  elseif settings.overlap and settings.overlap >= settings.size then
    return ("option 'overlap' is %d, expected less than a size of %d"):format(settings.overlap, settings.size)
  elseif settings.kind == "spectrogram" and not settings.frames and samples < settings.size then
    return ("option 'size' is %d, but a sound has %d samples"):format(settings.size, samples)
  elseif settings.low and settings.low >= settings.high then
    return ("option 'low' is %g, expected less than a high of %g"):format(settings.low, settings.high)
  elseif (settings.height == nil) ~= (settings.width == nil) then
    return "options 'height' and 'width' go together"
  elseif settings.height and settings.height * settings.width > MOST_NUMBERS then
    return ("options 'height' and 'width' are %d and %d, expected a product of at most %d"):format(
      settings.height, settings.width, MOST_NUMBERS)
  end
end

-- How many numbers a frame has.
local function numbers_of(settings)
  return settings.bands or settings.size // 2 + 1
end

-- Fills in how many frames there are and returns their centres, in seconds; or nil and
-- what is wrong with them.
local function place_frames(settings, rate, samples)
  local hop, first = settings.hop, 0
  if settings.kind == "spectrogram" then
    hop, first = settings.size - settings.overlap, settings.size // 2
    settings.frames = settings.frames or (samples - settings.overlap) // hop
  else
    hop = hop or settings.size // 2
    settings.hop, settings.frames = hop, settings.frames or math.ceil(samples / hop)
  end
  if (first + (settings.frames - 1) * hop) / rate > LONGEST then
    return nil, ("%d frames reach over more than %d seconds"):format(settings.frames, LONGEST)
  elseif settings.frames > MOST_FRAMES or settings.frames * numbers_of(settings) > MOST_NUMBERS then
    return nil, ("%d frames of %d numbers, expected at most %d, and %d numbers in all"):format(
      settings.frames, numbers_of(settings), MOST_FRAMES, MOST_NUMBERS)
  end
  local centres = {}
  for frame = 1, settings.frames do
    centres[frame] = (first + (frame - 1) * hop) / rate
  end
  return core.tensor.from(centres)
end

-- Rows, (batch, numbers), with mean 0 and deviation 1. What rounding leaves of a row whose
-- numbers are all the same stays near 0.
local function normalised(y)
  local mean = y:mean { axis = 2, keep = true }
  local rest = y - mean
  local variance = rest:square():mean { axis = 2, keep = true }
  return rest / (variance + mean:square() * 1e-9 + 1e-30):sqrt()
end

-- A network without parameters for what is done to rows of this shape in the end.
local function record_end(shape, settings)
  return nn.graph(function(g)
    local y = g:input("x", shape)
    if settings.height then
      local size = { settings.height, settings.width }
      y = y:reshape({ shape[1], shape[2], 1 }):resize({ size = size, method = "linear" }):reshape(size)
    end
    if settings.compand then
      local size = y:abs()
      y = y * ((size * settings.compand + 1):log() / (size + TINY)) * (1 / math.log(1 + settings.compand))
    end
    if settings.normalise then
      local sizes = y:shape()
      y = normalised(y:reshape { sizes[1] * (sizes[2] or 1) }):reshape(sizes)
    end
    return { out = y }
  end)
end

--- Makes a front end.
---@param settings table  kind: "raw", samples; "stft", frames centred on multiples of
---  hop, one for every hop begun; "mel", bands of them; or "spectrogram", frames that lie
---  inside the sound, from its first sample on, as SciPy's function of that name has them
---  by default (256 samples, 32 of them shared, a Tukey window, powers). Of "raw": size,
---  samples, by default all: others are cut off, or zeros; compand, 0.001..1e6, which lets
---  soft samples count: x becomes sgn(x) log(1 + compand |x|) / log(1 + compand) (the mu-law
---  of ITU-T G.711). Of pictures: size, samples of a
---  frame, even, 16..65536 (default 512, 1024, 256); hop (default half of size) or, of
---  "spectrogram", overlap; window (see ym.spectrogram); scale "db", "power" or
---  "magnitude"; floor, the power added before decibels are taken, default 1e-8; frames:
---  as many, whatever the sound's length (at most 2^20, of 2^24 numbers in all); height and
---  width: resized to, bilinearly; of "mel" also bands (default 64), low and high (Hz, default
---  20 and 18000 or half of the rate). Of all: normalise = "row" gives each row mean 0 and
---  deviation 1 and so takes its level away
---@param rate number  Hz, 1000..655350
---@param samples integer  of a sound
---@return ym2612ml.Front
function M.new(settings, rate, samples)
  check.type(settings, "table", 1, "new")
  if type(rate) ~= "number" or not (rate >= LOWEST and rate <= HIGHEST) then
    check.misuse(("bad argument #2 to 'new' (%s, expected a rate of %d..%d Hz)"):format(
      tostring(rate), LOWEST, HIGHEST))
  end
  samples = check.integer(samples, 3, "new", 1)
  local kind = check.options({ kind = settings.kind }, { kind = { choices = M.kinds, needed = true } }, 1, "new").kind
  settings = check.options(settings, rules_of(kind, rate), 1, "new")
  check.no_problem(problem_with(settings, samples), 1, "new")
  local self = setmetatable({ settings = settings, rate = rate, samples = samples }, Front)
  if kind == "raw" then
    settings.size = settings.size or samples
    self.drawn = { settings.size }
  else
    local centres, problem = place_frames(settings, rate, samples)
    check.no_problem(problem, 1, "new")
    local options = {
      rate = rate, size = settings.size, times = centres, window = settings.window,
      scale = settings.scale, floor = settings.floor, bands = settings.bands, low = settings.low, high = settings.high,
    }
    self.options = options
    self.drawn = { settings.frames, numbers_of(settings) }
  end
  if settings.height or settings.normalise or settings.compand then
    self.ending = record_end(self.drawn, settings)
  end
  self.shape = self.ending and self.ending.outputs.out or self.drawn
  return self
end

--- Settings of a mel spectrogram in decibels with so many frames at even distances over
--- a whole sound, each at least twice as long as the distance, and 1,024 samples.
---@param rate number  Hz
---@param length number  seconds
---@param frames integer
---@param bands integer
---@return table settings  for `new`
function M.even_mel(rate, length, frames, bands)
  local hop, size = math.ceil(math.floor(rate * length) / frames), 1024
  while size < 2 * hop and size < 65536 do
    size = 2 * size
  end
  return { kind = "mel", size = size, hop = hop, frames = frames, bands = bands, scale = "db" }
end

-- A copy of the sounds with more or fewer samples.
local function fit_samples(sounds, size)
  local samples = sounds:shape()[2]
  if samples == size then
    return sounds:to "f32"
  end
  local kept, fitted = math.min(samples, size), core.tensor.new { #sounds, size }
  for row = 1, #sounds do
    fitted[row]:slice(1, kept):copy(sounds[row]:slice(1, kept))
  end
  return fitted
end

local function draw(self, sounds)
  if self.settings.kind == "raw" then
    local rows = fit_samples(sounds, self.settings.size)
    if not core.store.finite(rows) then
      return nil, "a sample is not a number", "input"
    end
    return rows
  end
  return (self.options.bands and core.mel or core.spectrogram)(sounds, self.options)
end

--- What sounds give. It takes memory for whole pictures of all of them.
---@param sounds ym2612ml.Tensor  f32 (sounds, samples)
---@return ym2612ml.Tensor? rows  f32 (sounds, shape...)
---@return string? message
---@return string? kind  "input": a sample is not a number
function Front:apply(sounds)
  check.tensor(sounds, 1, "apply")
  local shape = sounds:shape()
  if #shape ~= 2 or shape[2] ~= self.samples or sounds:type() ~= "f32" then
    check.misuse(("bad argument #1 to 'apply' (tensor %s (%s), expected f32 (sounds, %d))"):format(
      sounds:type(), table.concat(shape, ", "), self.samples))
  end
  local drawn, message, kind = draw(self, sounds)
  if not drawn then
    return nil, message, kind
  end
  return self.ending and assert(self.ending:run({ x = drawn })).out or drawn
end

-- Raises unless rows have so many axes.
local function need_axes(x, count, heard)
  local sizes = x:shape()
  if #sizes ~= count then
    check.misuse(("the model hears %s, but its front end gives rows of (%s)"):format(
      heard, table.concat(sizes, ", ")))
  end
  return sizes
end

--- A network's input as an image of one channel; raises for samples.
---@param x ym2612ml.Node  (batch, time, frequency)
---@return ym2612ml.Node  (batch, time, frequency, 1)
function M.as_image(x)
  local sizes = need_axes(x, 2, "pictures, (time, frequency)")
  return x:reshape { sizes[1], sizes[2], 1 }
end

--- A network's input as a sequence of one channel; raises for pictures.
---@param x ym2612ml.Node  (batch, samples)
---@return ym2612ml.Node  (batch, samples, 1)
function M.as_sequence(x)
  return x:reshape { need_axes(x, 1, "samples")[1], 1 }
end

return M
