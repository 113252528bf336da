-- ym2612ml interpolate: patches between two, and along each latent of the learned space.
local arguments = require "ym2612ml.cli.arguments"
local common = require "ym2612ml.cli.space"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

local COMMAND = "ym2612ml interpolate"
local SOUNDS = { wav = true, flac = true }
local RATE = 44100 -- Hz, of the sounds

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Make the patches between two patches, or along each latent.")
  command:description("Goes from one patch to another through the learned space. With --sweep it goes along each "
    .. "latent instead, from -3 to 3 deviations of the patches learned from, around their centre or around "
    .. "a patch: into a folder latent_1 and so on, or a bank for each.")
  command:argument("PATCH", "The two patches; with --sweep none or one."):args("0-2"):target("patches")
  arguments.add(command, "--from", "NUMBERS", arguments.list(arguments.number(-100, 100, "a number")),
    "A point instead of the first patch, its latents with commas between: --from=-1,0.5,...")
  arguments.add(command, "--to", "NUMBERS", arguments.list(arguments.number(-100, 100, "a number")),
    "A point instead of the second patch.")
  command:flag("--sweep", "Go along each latent.")
  arguments.add(command, "--steps", "COUNT", arguments.integer(2, 1000), "Patches from one end to the other.", "32")
  command:option("--by", "What to go in equal steps of: sound, or space, the numbers of the points. Default: sound.")
    :choices({ "sound", "space" })
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 1 << 53), "Draw the registers at points with this "
    .. "seed, the same draw all the way. Without it, they are in the middle of what the points say.")
  common.define_temperature(command, nil, "Of points alone. Default: 0.5.")
  common.define_output(command, "interpolated")
  command:option("--wav", "Also play all patches one after the other into this sound file, .wav or .flac; with --sweep "
    .. "one for each latent."):argname("FILE")
  arguments.add_playing(command, { note = "C4", held = "0.4", release = "0.1", chip = "ym2612" })
  common.define_model(command)
end

-- The two ends, or the middle of a sweep and nil: patches or lists of latents; or nil, nil,
-- message. Ends the command where there are too few or too many.
local function read_ends(options, report)
  local ends, at = { options.from or false, options.to or false }, 1
  for _, path in ipairs(options.patches) do
    at = ends[at] and at + 1 or at
    if at > (options.sweep and 1 or 2) or ends[at] then
      arguments.misuse(COMMAND, "too many ends: patches, --from and --to")
    end
    local patch, message = common.read_patch(path, report)
    if not patch then
      return nil, nil, message
    end
    ends[at] = patch
  end
  if options.sweep and options.to then
    arguments.misuse(COMMAND, "--to does not go with --sweep")
  elseif not options.sweep and not (ends[1] and ends[2]) then
    arguments.misuse(COMMAND, "two patches are needed, or --from and --to, or --sweep")
  end
  if options.temperature and #options.patches > 0 then
    arguments.misuse(COMMAND, "--temperature goes with points, not with patches")
  end
  return ends[1] or nil, ends[2] or nil
end

-- Points have as many numbers as the space has latents.
local function check_points(space, options)
  for _, name in ipairs { "from", "to" } do
    if options[name] and #options[name] ~= space.size then
      arguments.misuse(COMMAND, ("option '--%s': %d numbers, expected %d"):format(name, #options[name], space.size))
    end
  end
end

-- Plays patches one after the other into a sound file.
local function play(list, path, options)
  local parts, total = {}, 0
  for i, patch in ipairs(list) do
    parts[i] = ym.render(patch, {
      note = options.note, held = options.held, release = options.release, chip = options.chip, rate = RATE,
    })
    total = total + #parts[i]
  end
  local samples, at = ym.tensor.new { total }, 0
  for _, part in ipairs(parts) do
    samples:slice(at + 1, at + #part):copy(part)
    at = at + #part
  end
  return ym.audio.write(path, samples, RATE)
end

-- Writes one way of patches, and how it sounds. Returns what is told of it; or nil, message.
local function write(list, target, name, wav, options)
  local written, named = common.write(list, target, name)
  if not written then
    return nil, named
  end
  if wav then
    local done, message = play(list, wav, options)
    if not done then
      return nil, message
    end
  end
  return { list = named, files = written, wav = wav }
end

-- The ways along each latent.
local function sweep(space, around, target, options, report)
  local ways = {}
  for latent = 1, space.size do
    report:progress(latent - 1, space.size, ("latent %d"):format(latent))
    local list = space:sweep(latent, {
      steps = options.steps, by = options.by, at = around, temperature = options.temperature, seed = options.seed,
    })
    local part, wav = ("latent_%d"):format(latent), nil
    if options.wav then
      wav = options.wav:gsub("(%.[^./]+)$", ("_%s%%1"):format(part))
    end
    local message
    ways[latent], message = write(list, common.part(target, part), ("latent %d"):format(latent), wav, options)
    if not ways[latent] then
      return nil, message
    end
  end
  return ways
end

local function interpolate(space, a, b, target, options)
  local way, message = write(space:interpolate(a, b, {
    steps = options.steps, by = options.by, temperature = options.temperature, seed = options.seed,
  }), target, "interpolated", options.wav, options)
  return way and { way }, message
end

local function tell(ways, options, report)
  report:clear()
  local told = {}
  for i, way in ipairs(ways) do
    if not options.json then
      common.tell(way.list, way.files, options, report)
    end
    local plain = {}
    for row, patch in ipairs(way.list) do
      plain[row] = reading.plain(patch)
    end
    told[i] = { files = way.files, wav = way.wav, patches = plain }
  end
  if options.json then
    print(json.encode { ways = told })
  end
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  if options.wav and not SOUNDS[files.ending(options.wav)] then
    return report:fail(("%s: expected .wav or .flac"):format(options.wav))
  end
  local a, b, message = read_ends(options, report)
  if message then
    return report:fail(message)
  end
  local target = common.target(options, false, options.patches, COMMAND, report)
  local space
  space, message = common.load(options)
  local made = space
  if space then
    check_points(space, options)
    made, message = paths.make_folder(options.wav and options.wav:match("^(.*)/") or "")
  end
  local ways
  if made and options.sweep then
    ways, message = sweep(space, a, target, options, report)
  elseif made then
    ways, message = interpolate(space, a, b, target, options)
  end
  if not ways then
    return report:fail(message)
  end
  tell(ways, options, report)
end

return M
