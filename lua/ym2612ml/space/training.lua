-- Makes a learned space out of patches, in steps that can be stopped at any time and taken
-- up again to the same bits.
local check = require "ym2612ml.check"
local examples = require "ym2612ml.space.examples"
local judge = require "ym2612ml.space.judge"
local marginals = require "ym2612ml.space.marginals"
local network = require "ym2612ml.networks.patch_vae"
local patches = require "ym2612ml.patch"
local schedules = require "ym2612ml.train.schedules"
local sources = require "ym2612ml.space.sources"
local spaces = require "ym2612ml.space.space"
local steps = require "ym2612ml.steps"
local store = require "ym2612ml.store"
local tokens = require "ym2612ml.space.tokens"
local train = require "ym2612ml.train"

local M = {}

local fail, must = steps.fail, steps.must

--- Sizes of the network where nothing is said.
---@type ym2612ml.SpaceSizes
M.sizes = {
  width = 64, heads = 4, wider = 2, encoder = 2, decoder = 2, latents = 8, flows = 4, dropout = 0.2,
}

local RULES = {
  output = { type = "string", needed = true },
  patches = { type = { "string", "table" }, needed = true },
  validation = { type = "number", least = 0, below = 1, default = 0.15 },
  work = { type = "string" },
  copies = { type = "integer", least = 1, default = 30 },
  epochs = { type = "integer", least = 1, default = 3 },
  batch = { type = "integer", least = 1, default = 64 },
  rate = { type = "number", least = 0, default = 2e-3 },
  decay = { type = "number", least = 0, default = 1 },
  free = { type = "number", least = 0, default = 0 },
  anneal = { type = "number", least = 0, most = 1, default = 0.1 },
  state_steps = { type = "integer", least = 1, default = 200 },
  seed = { type = "integer", default = 1 },
}
for name, bounds in pairs(spaces.SIZES) do
  RULES[name] = {
    type = bounds.whole and "integer" or "number", least = bounds.least, most = bounds.most, default = M.sizes[name],
  }
end

-- The patches to learn from and those set aside.
local function read(options, report)
  local from = options.patches
  local training, aside, skipped = sources.parts(from, options.validation, options.seed)
  report { stage = "patches", done = 0, total = 1, skipped = skipped }
  if #training < 2 then
    fail(("%s: %d patches to learn from, expected 2 or more"):format(
      type(from) == "string" and from or "option 'patches'", #training), "input")
  end
  return training, aside
end

-- The same for trainings of the same patches on the same way.
local function subject_of(options, training)
  return store.sha256(("%s\n%d %q"):format(tokens.classes(training):bytes(), options.copies, options.anneal))
end

-- The schedule of the rate, which on its way keeps the divergence cheap at first, so that the
-- latent is of use before it costs. It is asked before each step, the first one after a stop
-- too.
local function annealed(net, share)
  local rate, beta = schedules.new("one_cycle", 1, "steps"), net:states().beta
  return function(progress, step)
    beta:fill(share > 0 and math.min(1, progress / share) or 1)
    return rate:factor { progress = progress, step = step }
  end
end

local function fit(options, sizes, net, training, finish, report)
  local data = examples.training(training, options.copies, sizes.latents, options.seed)
  must(train.fit(net, data, {
    epochs = options.epochs, batch = options.batch, rate = options.rate, schedule = annealed(net, options.anneal),
    weight_decay = options.decay, clip = 1, seed = options.seed, state = options.work,
    state_steps = options.work and options.state_steps or 0, subject = subject_of(options, training),
    each = function(step)
      report { stage = "network", done = step.done, total = step.total, loss = step.loss, eta = step.eta }
    end,
    finish = finish,
  }))
end

-- The posterior means of all patches together: their mean and deviation, of each latent.
local function aggregate(space, list)
  local means, centre, spread = space:encode(list):totable(), {}, {}
  for latent = 1, space.size do
    local sum, squares = 0, 0
    for _, row in ipairs(means) do
      sum, squares = sum + row[latent], squares + row[latent] ^ 2
    end
    centre[latent] = sum / #means
    spread[latent] = math.sqrt(math.max(0, squares / #means - centre[latent] ^ 2))
  end
  return centre, spread
end

-- What the space tells of patches set aside, beside the plainest model.
local function figures(space, net, training, aside, seed)
  local found = { patches = #training, aside = #aside }
  if #aside > 0 then
    local elbo = judge.elbo(net, space.size, aside, seed)
    for name, value in pairs(elbo) do
      found[name] = value
    end
    found.marginals = marginals.fit(training):cost(aside)
    found.accuracy = judge.agreement(aside, space:decode((space:encode(aside))))
  end
  return found
end

---@class ym2612ml.SpaceFigures
---@field patches integer  learned from
---@field aside integer  patches set aside, of which are, where there are any:
---@field negative_elbo? number  nats of a patch
---@field reconstruction? number  nats of it that the decoder pays
---@field divergence? number  nats of it that the latent pays
---@field marginals? number  nats of a patch by the plainest model, each register by itself
---@field accuracy? number  share of registers that their latents alone give back, 0..1

--- Learns a space of patches, a minibatch a step.
---@param options table  output: the path of the file to write; patches: a table, a file, a
---  folder (as of `ym.dataset.read_patches`) or a list of patches; validation: share of their
---  families set aside where no table tells, default 0.15; work: path of a file for the state
---  of the training, from which the same call goes on; copies: of each patch, most of them
---  changed, default 30; epochs 3; batch 64; rate 2e-3; decay of the weights 1; free: nats
---  that the latent may tell without a cost, default 0; anneal: share of the training in
---  which the cost of the latent rises, default 0.1; state_steps 200; seed 1; and sizes: width
---  64, heads 4, wider 2, encoder 2 and decoder 2 (layers), latents 8, flows 4, dropout 0.2
---@return fun(): table|false|nil, string?, string? next  steps {stage, done, total, loss, eta},
---  the first with skipped, messages about files that cannot be read, the last with a summary,
---  ym2612ml.SpaceFigures; nil at the end; or false, message, kind
function M.steps(options)
  options = check.options(options, RULES, 1, "steps")
  local sizes = {}
  for name in pairs(M.sizes) do
    sizes[name] = options[name]
  end
  if sizes.width % sizes.heads ~= 0 then
    check.misuse(("bad argument #1 to 'steps' (option 'heads' is %d, which does not divide a width of %d)"):format(
      sizes.heads, sizes.width))
  end
  if type(options.patches) == "table" then
    patches.check_all(options.patches, 1, "steps")
  end
  return steps.new(function(report)
    local training, aside = read(options, report)
    local net = network.build(sizes, { free = options.free, seed = options.seed })
    local space
    fit(options, sizes, net, training, function()
      space = spaces.new(net, sizes)
      space.centre, space.spread = aggregate(space, training)
      space.figures = figures(space, net, training, aside, options.seed)
      space.settings = {
        copies = options.copies, epochs = options.epochs, batch = options.batch, rate = options.rate,
        decay = options.decay, free = options.free, anneal = options.anneal, seed = options.seed,
        validation = options.validation,
        patches = store.sha256(tokens.classes(training):bytes()),
      }
      must(space:save(options.output))
    end, report)
    report { stage = "saved", done = 1, total = 1, summary = space.figures }
  end)
end

return M
