-- What a user sees while the command works: failures, each one line on stderr, and a
-- progress bar where stderr is a terminal.
local M = {}

local Report = {}
Report.__index = Report
Report.__name = "ym2612ml.console"

local BAR = 24 -- characters
local WIDTH = 79
local CLEAR = "\r\27[K"

--- Makes a report without failures.
---@param quiet? boolean  it prints nothing: another process does
---@return table report
function M.new(quiet)
  local shown = not quiet and os.getenv("TERM") ~= "dumb" and os.execute("test -t 2") == true
  return setmetatable({ failures = 0, shown = shown, drawn = false, quiet = quiet or false }, Report)
end

--- Makes a report that keeps what it is told in `heard`, for another one to repeat.
---@param progress fun(share: number)  called with the share 0..1 that is done
---@return table report
function M.new_listener(progress)
  return setmetatable({
    failures = 0, shown = false, drawn = false, quiet = true, heard = {}, listen = progress,
  }, Report)
end

--- Whether an error value is the one with which Lua answers Ctrl-C, or a table with the
--- field `interrupted` that was put in its place.
---@param problem any
---@return boolean
function M.is_interrupt(problem)
  if type(problem) == "table" then
    return problem.interrupted ~= nil
  end
  return type(problem) == "string" and problem:find("interrupted!$") ~= nil
end

--- A name out of a file, as it may be printed: in UTF-8, as which it is read or else as
--- Latin-1, and without control characters.
---@param name string
---@return string
function M.printable(name)
  if not utf8.len(name) then
    name = name:gsub("[\x80-\xFF]", function(byte)
      return utf8.char(byte:byte())
    end)
  end
  return (name:gsub("%c", "?"))
end

--- A time left in words.
---@param seconds number
---@return string text such as "45 s left" or "12 min left"
function M.time_left(seconds)
  if seconds < 100 then
    return ("%.0f s left"):format(seconds)
  elseif seconds < 100 * 60 then
    return ("%.0f min left"):format(seconds / 60)
  end
  return ("%.1f h left"):format(seconds / 3600)
end

--- What a step of a training is about, for the progress bar.
---@param step {stage: string, epoch: integer?, loss: number?, eta: number?}
---@return string
function M.training_label(step)
  local parts = { step.epoch and ("%s, epoch %d"):format(step.stage, step.epoch) or step.stage }
  if step.loss then
    parts[#parts + 1] = ("loss %.3f"):format(step.loss)
  end
  if step.eta then
    parts[#parts + 1] = M.time_left(step.eta)
  end
  return table.concat(parts, ", ")
end

-- A message on one line, without control characters, which files may have put there.
local function tell(message)
  io.stderr:write("ym2612ml: ", (message:gsub("%s*\n%s*", " "):gsub("%c", "?")), "\n")
end

-- Prints a message, or keeps it, or neither.
local function speak(self, kind, message)
  self:clear()
  if self.heard then
    self.heard[#self.heard + 1] = { kind, message }
  elseif not self.quiet then
    tell(message)
  end
end

--- Prints a failure and counts it.
---@param message string one line that names the file or argument
function Report:fail(message)
  self.failures, self.first = self.failures + 1, self.first or message
  speak(self, "fail", message)
end

--- Prints a remark that is no failure.
---@param message string
function Report:note(message)
  speak(self, "note", message)
end

--- Prints, and counts, what another report heard.
---@param heard {[1]: "fail"|"note", [2]: string}[]
function Report:again(heard)
  for _, one in ipairs(heard) do
    self[one[1]](self, one[2])
  end
end

--- Calls a function that answers nil, message for what the world does wrong. A failure,
--- an error included, is reported under the name; Ctrl-C passes through.
---@param name string file the work is about
---@param work function
---@param ... any its arguments
---@return any ... what it returned, or nil and the message after a failure
function Report:attempt(name, work, ...)
  local results = table.pack(pcall(work, ...))
  if not results[1] then
    if M.is_interrupt(results[2]) then
      error(results[2], 0)
    end
    results[2], results[3] = nil, ("%s: %s"):format(name, tostring(results[2]))
  end
  if results[2] == nil then
    self:fail(results[3])
    return nil, results[3]
  end
  return table.unpack(results, 2, results.n)
end

--- Draws the progress bar, on a terminal.
---@param done number
---@param total number same unit as done; 0 is taken as complete
---@param label string what is being worked on
function Report:progress(done, total, label)
  if self.listen then
    self.listen(done / math.max(total, 1))
  end
  if not self.shown then
    return
  end
  local share = total > 0 and math.min(done / total, 1) or 1
  local full = math.floor(share * BAR)
  local line = ("[%s%s] %3.0f%% %s"):format(("#"):rep(full), ("."):rep(BAR - full),
    100 * share, label)
  io.stderr:write(CLEAR, line:sub(1, (utf8.offset(line, WIDTH + 1) or 0) - 1))
  io.stderr:flush()
  self.drawn = true
end

--- Takes the progress bar off the terminal.
function Report:clear()
  if self.drawn then
    io.stderr:write(CLEAR)
    self.drawn = false
  end
end

--- Takes steps to their end, with the progress bar.
---@param next_step fun(): table|false|nil, string?  steps {done, total, summary?}
---@param label fun(step: table): string
---@param each? fun(step: table)
---@return table? summary  of the last step
---@return string? message  why they ended before
function Report:follow(next_step, label, each)
  local summary
  local step, message = next_step()
  while step do
    self:progress(step.done, step.total, label(step))
    if each then
      each(step)
    end
    summary = step.summary
    step, message = next_step()
  end
  self:clear()
  return summary, message
end

--- Prints rows as columns on stdout, numbers to the right.
---@param head string[] column titles
---@param rows (string|number)[][] numbers already formatted as text may stay numbers
function Report:columns(head, rows)
  self:clear()
  local width, right = {}, {}
  for column, title in ipairs(head) do
    width[column] = utf8.len(title) or #title
    for _, row in ipairs(rows) do
      local text = tostring(row[column])
      width[column] = math.max(width[column], utf8.len(text) or #text)
      right[column] = right[column] or tonumber(text) ~= nil
    end
  end
  for index = 0, #rows do
    local cells = {}
    for column, cell in ipairs(index == 0 and head or rows[index]) do
      local text = tostring(cell)
      local space = (" "):rep(width[column] - (utf8.len(text) or #text))
      cells[column] = right[column] and space .. text or text .. space
    end
    print((table.concat(cells, "  "):gsub("%s+$", "")))
  end
end

return M
