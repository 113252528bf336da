-- Work that falls into items which do not depend on each other, done by whichever rank is
-- free. Rank 0 works too, and hands the items out between its own steps; a message is a
-- JSON object on one line and, of a result, its bytes after it.
--
--   to rank 0     {want} {share, item} {result = item} {failed, kind} {ended}
--   from rank 0   {item} {stop, failed?, kind?}
local core = require "ym2612ml.core"
local json = require "ym2612ml.json"
local steps = require "ym2612ml.steps"

local M = {}

local WAIT = 0.05 -- seconds between two looks at what the others did, while there is no work
local SELDOM = 0.2 -- seconds between two tellings of how far an item is; of many ranks more
local SOON = 0.75 -- share of an item that is done when the next one is asked for

local function send(ranks, to, head, bytes)
  steps.must(ranks.core:send(to, json.encode(head) .. "\n" .. (bytes or "")))
end

-- The next message within so many seconds: who sent it, its head and its bytes; or nil.
local function receive(ranks, seconds)
  local from, text, kind = ranks.core:receive(seconds)
  if from == nil then
    steps.fail(text, kind)
  elseif not from then
    return nil
  end
  local head, bytes = text:match("^([^\n]*)\n(.*)$")
  return from, json.decode(head), bytes
end

-- What went wrong, in words, and its kind.
local function reason_of(problem)
  if type(problem) == "table" and problem.message then
    return problem.message, problem.kind
  end
  return type(problem) == "table" and problem.interrupted and "interrupted" or tostring(problem), "input"
end

-- Raises what all ranks were told.
local function raise(ranks, message, kind)
  ranks.failure = message
  steps.fail(message, kind)
end

--- Does something on all ranks, and goes on only if it went well on each. Raises as
--- steps.fail does, on all ranks the same.
---@param ranks ym2612ml.Ranks?
---@param work function
---@param ... any  its arguments
---@return any ... what it gave here
function M.together(ranks, work, ...)
  if not ranks then
    return work(...)
  end
  local results = table.pack(pcall(work, ...))
  local message, kind
  if not results[1] then
    message, kind = reason_of(results[2])
  end
  local well
  well, message, kind = ranks:agree(message, kind)
  if not results[1] and type(results[2]) ~= "table" then
    error(results[2], 0)
  elseif not well then
    raise(ranks, message, kind)
  end
  return table.unpack(results, 2, results.n)
end

-- Waits until all ranks have come here, and leaves the processor to those that work.
local function wait_for_all(ranks)
  repeat
    local met, message, kind = ranks.core:meet(WAIT)
    steps.must(met, message, kind)
  until met
end

--- Does something on rank 0 alone, and goes on only if it went well.
---@param ranks ym2612ml.Ranks?
---@param work function
---@param ... any  its arguments
---@return any ... what it gave there; on other ranks nothing
function M.once(ranks, work, ...)
  if not ranks then
    return work(...)
  end
  return M.together(ranks, function(...)
    local results = ranks.rank == 0 and table.pack(pcall(work, ...)) or { true, n = 1 }
    wait_for_all(ranks)
    if not results[1] then
      error(results[2], 0)
    end
    return table.unpack(results, 2, results.n)
  end, ...)
end

--- Goes on only if all ranks have the same.
---@param ranks ym2612ml.Ranks?
---@param what string  said of a rank that has not, such as "has other settings"
---@param value string
function M.alike(ranks, what, value)
  if ranks then
    local alike, message, kind = ranks:alike { { what, value } }
    steps.must(alike, message, kind)
  end
end

--- A result as `each` takes it from one rank to another: JSON; where there is one process
--- the value itself.
---@param ranks ym2612ml.Ranks?
---@param value table
---@return any packed
function M.pack(ranks, value)
  return ranks and json.encode(value) or value
end

--- What `pack` was given.
---@param ranks ym2612ml.Ranks?
---@param packed any
---@return table value
function M.unpack(ranks, packed)
  return ranks and json.decode(packed) or packed
end

--- What rank 0 has, on all ranks.
---@param ranks ym2612ml.Ranks?
---@param value any  see Ranks:broadcast
---@return any
function M.shared(ranks, value)
  if not ranks then
    return value
  end
  local given, message, kind = ranks:broadcast(value)
  return steps.must(given, message, kind)
end

-- Rank 0: what is done, and by whom.
local Desk = {}
Desk.__index = Desk

-- Gives results on in the order of the items.
function Desk:flush()
  while self.results[self.given + 1] do
    self.given = self.given + 1
    local result = self.results[self.given]
    self.results[self.given] = nil
    self.job.taken(self.given, result)
  end
end

function Desk:take(item, result)
  self.results[item], self.done = result, self.done + 1
  local fine, problem = true, nil
  if not self.failed then
    fine, problem = pcall(self.flush, self)
  end
  if not fine then
    self.problem = problem
    self:fail(0, reason_of(problem))
  end
end

-- The next item, or nil when there is no more.
function Desk:next()
  if self.failed or self.handed == self.count then
    return nil
  end
  self.handed = self.handed + 1
  return self.handed
end

function Desk:stop_all()
  if not self.stopped then
    self.stopped = true
    for rank = 1, self.ranks.size - 1 do
      send(self.ranks, rank, { stop = true, failed = self.failed, kind = self.kind })
    end
  end
end

-- The first failure ends the work everywhere.
function Desk:fail(rank, message, kind)
  if self.failed then
    return
  end
  self.failed, self.kind = ("rank %d: %s"):format(rank, message), kind
  self:stop_all()
end

-- Answers one message within so many seconds. Returns whether there was one.
function Desk:serve(seconds)
  local from, head, bytes = receive(self.ranks, seconds)
  if not from then
    return false
  end
  if head.share then
    self.shares[from] = head.share
  elseif head.result then
    self.shares[from] = 0
    self:take(math.tointeger(head.result), bytes)
  elseif head.failed then
    self:fail(from, head.failed, head.kind)
  elseif head.ended then
    self.left = self.left - 1
  elseif not self.stopped then
    local item = self:next()
    if item then
      send(self.ranks, from, { item = item })
    end -- else it waits until all is done
  end
  return true
end

-- Tells how much is done.
function Desk:tell()
  local done = self.done
  for _, share in pairs(self.shares) do
    done = done + share
  end
  self.job.tell(math.min(done, self.count))
end

-- An item of rank 0.
function Desk:work(item)
  local fine, result = pcall(self.job.perform, item, function(share)
    self.shares[0] = share
    while self:serve(0) do
      if self.failed then
        steps.fail(self.failed, self.kind)
      end
    end
    self:tell()
  end)
  self.shares[0] = 0
  if fine then
    self:take(item, result)
  elseif not self.failed then
    self.problem = result
    self:fail(0, reason_of(result))
  end
end

-- All of rank 0's part.
local function lead(ranks, count, job)
  local desk = setmetatable({
    ranks = ranks, count = count, job = job, handed = 0, done = 0, given = 0, left = ranks.size - 1, results = {},
    shares = {}, stopped = false,
  }, Desk)
  local item = desk:next()
  while item do
    desk:work(item)
    item = desk:next()
  end
  while desk.left > 0 do
    if not desk:serve(WAIT) then
      desk:tell()
    end
    if desk.done == count then
      desk:stop_all()
    end
  end
  wait_for_all(ranks) -- so that no message is taken for one of the work that follows
  if desk.problem and type(desk.problem) ~= "table" then
    error(desk.problem, 0)
  elseif desk.failed then
    raise(ranks, desk.failed, desk.kind)
  end
end

-- Another rank: what it has asked for, and was answered.
local Hand = {}
Hand.__index = Hand

-- Reads one message within so many seconds, if there is one.
function Hand:look(seconds)
  local _, head = receive(self.ranks, seconds)
  if head and head.stop then
    self.ending = head
  elseif head then
    self.item = math.tointeger(head.item)
  end
end

function Hand:ask()
  if not self.asked then
    self.asked = true
    send(self.ranks, 0, { want = true })
  end
end

-- The next item, waited for; nil when it is over.
function Hand:next()
  self:ask()
  while not self.item and not self.ending do
    self:look(WAIT)
    self.job.tell(0)
  end
  local item = self.item
  self.item, self.asked = nil, false
  return not self.ending and item or nil
end

-- Between the steps of an item: asks for the next one before it is done, because rank 0
-- answers only between its own steps.
function Hand:tick(share)
  self:look(0)
  if self.ending then
    steps.fail(self.ending.failed or "stopped", self.ending.kind or "cancelled")
  elseif share >= SOON then
    self:ask()
  end
  if core.clock() - self.told > SELDOM * math.max(1, self.ranks.size / 16) then
    self.told = core.clock()
    send(self.ranks, 0, { share = share })
  end
  self.job.tell(0)
end

-- An item. A failure is told, and the end awaited.
function Hand:work(item)
  local fine, result = pcall(self.job.perform, item, function(share)
    self:tick(share)
  end)
  if fine then
    return send(self.ranks, 0, { result = item }, result)
  elseif self.ending then
    return
  end
  local message, kind = reason_of(result)
  self.problem = result
  send(self.ranks, 0, { failed = message, kind = kind })
  while not self.ending do
    self:look(WAIT)
  end
end

-- All of another rank's part.
local function follow(ranks, _, job)
  local hand = setmetatable({ ranks = ranks, job = job, told = core.clock(), asked = false }, Hand)
  local item = hand:next()
  while item do
    hand:work(item)
    item = hand:next()
  end
  send(ranks, 0, { ended = true })
  wait_for_all(ranks)
  if hand.problem and type(hand.problem) ~= "table" then
    error(hand.problem, 0)
  elseif hand.ending.failed then
    raise(ranks, hand.ending.failed, hand.ending.kind)
  end
end

---@class ym2612ml.Job
---@field perform fun(item: integer, tick: fun(share: number)): any  does an item and gives
---  its result, between ranks a string; has to call tick now and then, with the share 0..1
---  of it that is done. What it raises ends the work on all ranks
---@field taken fun(item: integer, result: any)  called on rank 0 alone, in the order of
---  the items
---@field tell fun(done: number)  called now and then, with how many items are done; on
---  other ranks than 0 always with 0

--- Does items 1..count, each once. All ranks have to call it; without any it is done here.
--- Raises as steps.fail does, on all ranks the same, where an item fails.
---@param ranks ym2612ml.Ranks?
---@param count integer
---@param job ym2612ml.Job
function M.each(ranks, count, job)
  if ranks and ranks.size > 1 then
    return (ranks.rank == 0 and lead or follow)(ranks, count, job)
  end
  for item = 1, count do
    local result = job.perform(item, function(share)
      job.tell(item - 1 + share)
    end)
    job.taken(item, result)
    job.tell(item)
  end
end

return M
