-- Endurance: random notes and controllers for so many seconds, and what must hold then:
-- every note played, nothing dropped, no memory or lock taken in the audio callback, and no
-- growth.
--   lua5.4 spec/live/soak.lua [seconds] [seed]
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local servers = require "spec.live.server"
local ym = require "ym2612ml"

local PARTS = 10 -- with a look at the memory after each
local seconds, seed = tonumber(arg[1] or 600), tonumber(arg[2] or 1)
local rng = ym.rng.new { seed = seed }

-- Forty notes and a hundred controllers a second, chords of up to eight and notes of up to
-- two seconds among them, the wheel and the pedal, too; for a part, in order of time, and all
-- keys up in the end.
local function draw_messages()
  local messages, notes, controllers = {}, 0, 0
  local function add(frame, ...)
    messages[#messages + 1] = { frame, ... }
  end
  local last = math.floor((seconds / PARTS - 0.1) * servers.RATE)
  local frame = 1000
  while frame < last do
    local kind = rng:uniform()
    if kind < 0.15 then
      for _ = 1, rng:integer(1, 8) do
        local note = rng:integer(24, 108)
        add(frame, 0x90, note, rng:integer(1, 127))
        add(math.min(frame + rng:integer(1, 96000), last), 0x80, note, 0)
        notes = notes + 1
      end
    elseif kind < 0.9 then
      add(frame, 0xB0, rng:integer(20, 27), rng:integer(0, 127))
      controllers = controllers + 1
    elseif kind < 0.97 then
      add(frame, 0xE0, rng:integer(0, 127), rng:integer(0, 127))
    else
      add(frame, 0xB0, 64, rng:integer(0, 127))
    end
    frame = frame + rng:integer(0, 2 * servers.RATE // 60)
  end
  for i, message in ipairs(messages) do
    message.place = i
  end
  table.sort(messages, function(a, b)
    return a[1] < b[1] or a[1] == b[1] and a.place < b.place
  end)
  return messages, notes, controllers
end

local server <close> = servers.start()
local instrument = server:instrument(0.002, "")
local sum, memory = { messages = 0, notes = 0, controllers = 0, sent = 0, late = 0 }, {}
for part = 1, PARTS do
  local messages, notes, controllers = draw_messages()
  local played = server:play(messages, seconds / PARTS)
  for name, value in pairs { messages = #messages, notes = notes, controllers = controllers, sent = played.sent,
    late = played.late } do
    sum[name] = sum[name] + value
  end
  memory[part] = instrument:memory() / 1e6
end
local counts = instrument:finish()
local watched = server:watched()
local grown = memory[PARTS] - memory[2]
print(("%.0f s: %d notes sent, %d started, %d stolen, %d lost"):format(seconds, sum.notes, counts.started,
  counts.stolen, counts.lost))
print(("%d controllers sent, %d came, %d dropped; %d patches made, %d faded to, %d replaced before"):format(
  sum.controllers, counts.events, counts.dropped, counts.decoded, counts.patches, counts.replaced))
print(("%d MIDI messages out; %d xruns, %d of %d messages late"):format(counts.sent, counts.xruns, sum.late, sum.sent))
for part, value in ipairs(memory) do
  memory[part] = ("%.2f"):format(value)
end
print(("memory in MB after each tenth: %s; grown by %.2f since the second"):format(table.concat(memory, " "), grown))
print(("in %d callbacks %d times memory and %d times a lock was taken"):format(watched.callbacks, watched.memory,
  watched.locks))
local fine = sum.sent == sum.messages and counts.started == sum.notes and counts.lost == 0 and counts.dropped == 0
  and counts.events == sum.controllers and watched.memory == 0 and watched.locks == 0 and grown < 1
print(fine and "fine" or "FAILED")
os.exit(fine and 0 or 1, true)
