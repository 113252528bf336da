-- The live instrument: a client of a JACK server that plays the chip from MIDI, with
-- patches out of a learned space. `require "ym2612ml.live"` raises where it was not built.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local instrument = require "ym2612ml.live.instrument"
local patches = require "ym2612ml.patch"

local there, core = attempt(require, "ym2612ml.live.core")
if not there then
  error("ym2612ml.live was not built, since there was no libjack: install it (Debian: libjack-jackd2-dev) and "
    .. "build again\n" .. tostring(core), 0)
end

local M = {}

local RULES = {
  space = { class = "ym2612ml.Space" },
  patch = { type = "table" },
  controllers = { type = "table" },
  temperature = { type = "number", least = 1e-6, most = 10, default = 0.5 },
  seed = { type = "integer" },
  chip = { choices = { "ym2612", "ym3438", "clean" }, default = "ym2612" },
  server = { type = "string" },
  name = { type = "string", default = "ym2612ml" },
  bend = { type = "number", least = 0, most = 24, default = 2 },
  gain = { type = "number", least = 0, most = 100, default = 1 },
  send = { type = "integer", least = 0, most = 6, default = 1 },
  connect = { type = "boolean", default = false },
  output = { type = "string", default = "." },
}

--- Joins a running JACK server as an instrument. Options: `space` (a learned space of
--- patches, ym.space; needed where there is no patch), `patch` (to begin with; default: the
--- centre of the space), `controllers` (numbers, one a latent of the space; default: the first that
--- are moved become latents 1, 2 ...), `temperature` (of each register, default 0.5;
--- near 0 the most likely class), `seed` (draws registers, too; default: each is in the
--- middle of its distribution, and `random` has seed 1), `chip`, `server` (name; default:
--- JACK's own), `name` (of the client), `bend` (semitones of the pitch wheel, default 2),
--- `gain` (default 1: six channels at their largest are full scale), `send` (MIDI channels
--- 1..n that controllers for a real console's chip go to, default 1, 0: none), `connect` (to
--- the physical ports), `output` (folder for saved patches, default ".").
---@param options table
---@return ym2612ml.Instrument? instrument
---@return string? message
---@return string? kind  "io": there is no such server, or it refuses
function M.open(options)
  options = check.options(options, RULES, 1, "open")
  local space, patch = options.space, options.patch
  if not space and not patch then
    check.misuse("bad argument #1 to 'open' (neither option 'space' nor 'patch' is there)")
  end
  check.no_problem(patch and patches.problem(patch)
    or instrument.controllers_problem(options.controllers or {}, space and space.size or 0), 1, "open")
  if patch and space then
    options.latents, options.numbers = instrument.place(space, patch)
  elseif space then
    options.latents = {}
    for latent = 1, space.size do
      options.latents[latent] = space.centre[latent]
    end
    options.patch = space:decode({ options.latents },
      { temperature = options.temperature, seed = options.seed })[1]
  end
  local client, message, kind = core.client {
    name = options.name, server = options.server, patch = options.patch, chip = options.chip,
    bend = options.bend, gain = options.gain, send = options.send,
  }
  if not client then
    return nil, message, kind
  end
  if options.connect then
    client:connect()
  end
  return instrument.new(client, options)
end

--- What can be read on the standard input now, without waiting.
---@return string? bytes  "" when that is nothing; nil when it has ended
function M.input()
  return core.input()
end

return M
