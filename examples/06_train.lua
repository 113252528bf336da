-- Learning from sounds, small: renders patches, and trains a network that hears how
-- much feedback operator 1 has. Some seconds; ym.training makes the real ones.
local ym = require "ym2612ml"

local COUNT, CLASSES = 1024, 8
local rng = ym.rng.new { seed = 1 }

-- A sine that modulates itself, at any note.
local patches, notes = {}, {}
for i = 1, COUNT do
  local silent = { mul = 0, dt = 0, tl = 127, rs = 0, ar = 0, dr = 0, sr = 0, rr = 15, sl = 0 }
  patches[i] = {
    algorithm = 7, feedback = rng:integer(0, CLASSES - 1),
    { mul = rng:integer(1, 4), dt = 0, tl = 0, rs = 0, ar = 31, dr = rng:integer(0, 12), sr = 0, rr = 8, sl = 4 },
    silent, silent, silent,
  }
  notes[i] = rng:integer(40, 76)
end

-- What the network hears of each: bands around the harmonics, shortly after the onset.
local features = ym.features.new {
  { kind = "harmonics", size = 4096, bands = 32, on = { 0.05, 0.2 } },
}
local heard = ym.batch.features(ym.patch.pack(patches), features,
  { note = ym.tensor.from(notes), held = 0.3, release = 0 })
local pca = ym.pca.fit(heard, { components = 16, scale = true })
local x = pca:transform(heard)
local target = ym.tensor.new({ COUNT, 1 }, "u8")
for i, patch in ipairs(patches) do
  target:set(i, 1, patch.feedback)
end

local net = ym.nn.graph(function(g)
  local hidden = ym.nn.dense(g:input("x", { 16 }), 48, { activation = "relu" })
  local logits = ym.nn.dense(hidden, CLASSES)
  return {
    logits = logits,
    loss = logits:head_cross_entropy(g:input("target", { 1 }), { widths = { CLASSES } }),
  }
end, { seed = 1 })
print(tostring(net))

-- The last quarter is kept aside.
local first = COUNT * 3 // 4
local data = { x = x:slice(1, first), target = target:slice(1, first) }
local aside = { x = x:slice(first + 1), target = target:slice(first + 1) }
for step, message in ym.train.steps(net, data,
  { epochs = 30, batch = 64, rate = 1e-2, seed = 1, validation = aside }) do
  assert(step, message)
  if step.validation and step.epoch % 5 == 0 then
    print(("epoch %2d: loss %.3f, aside %.3f"):format(step.epoch, step.loss, step.validation))
  end
end

local logits, right = net:run({ x = aside.x }).logits, 0
for i = 1, #logits do
  local row, best = logits[i], 1
  for class = 2, CLASSES do
    best = row[class] > row[best] and class or best
  end
  right = right + (best - 1 == aside.target:get(i, 1) and 1 or 0)
end
print(("right for %d of %d notes it never heard"):format(right, #logits))
