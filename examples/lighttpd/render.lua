-- POST /render?note=60&held=0.5&release=0.5&rate=48000&chip=ym2612 with the bytes of a patch
-- file of any format: its note as WAV, or 400 and what is wrong. mod_magnet runs this for
-- every request in a Lua state that it keeps.
local ym = require "ym2612ml"

ym.threads(1) -- a note needs no more

-- What may be asked for: the least, the most, and what holds where nothing is said. While
-- the server works on the longest answer, some tenths of a second, it gives no other.
local NUMBERS = {
  note = { 0, 115, 60 }, held = { 0.001, 2, 1 }, release = { 0, 2, 0.5 }, rate = { 4000, 48000, 48000 },
}
local CHIPS = { ym2612 = true, ym3438 = true, clean = true }

local request = lighty.r -- luacheck: globals lighty

local function answer(status, content_type, body)
  request.resp_header["Content-Type"] = content_type
  request.resp_body.set(body)
  return status
end

local function refuse(status, message)
  return answer(status, "text/plain; charset=utf-8", message .. "\n")
end

-- What was posted, once all of it is here. lighttpd 1.4.69 gives the headers before it,
-- too, where they came in one packet.
local function read_body()
  local body = request.req_body
  return body.len > 0 and body.get:sub(-body.len) or ""
end

-- The options of the note, or nil and what is wrong.
local function read_query(query)
  local options = { chip = "ym2612" }
  for name, range in pairs(NUMBERS) do
    options[name] = range[3]
  end
  for name, value in (query or ""):gmatch("([^&=]+)=([^&]*)") do
    local range, number = NUMBERS[name], tonumber(value)
    if name == "chip" and CHIPS[value] then
      options.chip = value
    elseif not range then
      return nil, ("%s=%s is not known"):format(name, value)
    elseif not (number and number >= range[1] and number <= range[2]) then
      return nil, ("%s is %s, expected %s..%s"):format(name, value, range[1], range[2])
    else
      options[name] = number
    end
  end
  return options
end

if request.req_attr["uri.path"] ~= "/render" then
  return refuse(404, "post a patch to /render")
elseif request.req_attr["request.method"] ~= "POST" then
  request.resp_header["Allow"] = "POST"
  return refuse(405, "post a patch")
elseif not request.req_body.collect then
  return 0 -- not all of it is here: lighttpd calls again
end

local options, problem = read_query(request.req_attr["uri.query"])
if not options then
  return refuse(400, problem)
end
local patch, message = ym.patch.decode(read_body())
if not patch then
  return refuse(400, message)
end
local samples, rate = ym.render(patch, options)
return answer(200, "audio/wav", assert(ym.audio.encode(samples, rate)))
