-- A browser without a window, for pages of ours: Chromium, driven through the DevTools
-- protocol over two named pipes.
local cjson = require "cjson"
local support = require "spec.support"

local M = {}

local LONGEST = 60 -- seconds that a browser lives

local Browser = {}
Browser.__index = Browser

--- Whether there is a browser.
---@return boolean
function M.is_there()
  return os.execute("command -v chromium >/dev/null 2>&1") == true
end

-- The next message, without the zero that ends it.
local function receive(self)
  local parts = {}
  while true do
    local character = self.from:read(1)
    assert(character, "the browser is gone")
    if character == "\0" then
      return cjson.decode(table.concat(parts))
    end
    parts[#parts + 1] = character
  end
end

-- What the page complains of: exceptions, and errors of the browser, such as what its
-- policy forbids.
local function note(self, message)
  local parameters = message.params
  if message.method == "Runtime.exceptionThrown" then
    table.insert(self.complaints, cjson.encode(parameters.exceptionDetails))
  elseif message.method == "Runtime.consoleAPICalled" then
    table.insert(self.complaints, cjson.encode(parameters.args))
  elseif message.method == "Log.entryAdded" then
    table.insert(self.complaints, parameters.entry.text)
  end
end

--- Sends a command and waits for its result.
---@param method string
---@param parameters? table
---@return table result
function Browser:send(method, parameters)
  self.count = self.count + 1
  local message = { id = self.count, method = method, params = parameters, sessionId = self.session }
  self.to:write(cjson.encode(message), "\0")
  self.to:flush()
  while true do
    local answer = receive(self)
    if answer.id == self.count then
      assert(not answer.error, answer.error and cjson.encode(answer.error))
      return answer.result
    end
    note(self, answer)
  end
end

--- The value of an expression in the page; of a promise, what it comes to.
---@param expression string
---@return any
function Browser:evaluate(expression)
  local answer = self:send("Runtime.evaluate", { expression = expression, awaitPromise = true, returnByValue = true })
  assert(not answer.exceptionDetails, answer.exceptionDetails and cjson.encode(answer.exceptionDetails))
  return answer.result.value
end

--- Presses a key.
---@param key string  such as "a", " " or "ArrowDown"
function Browser:press(key)
  local event = { type = "keyDown", key = key, text = #key == 1 and key or nil }
  self:send("Input.dispatchKeyEvent", event)
  self:send("Input.dispatchKeyEvent", { type = "keyUp", key = key })
end

--- Clicks into the middle of what a selector finds.
---@param selector string
function Browser:click(selector)
  local box = self:evaluate(([[(() => {
    const element = document.querySelector(%q);
    element.scrollIntoView({ block: "nearest" });
    const box = element.getBoundingClientRect();
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  })()]]):format(selector))
  for _, type in ipairs { "mousePressed", "mouseReleased" } do
    self:send("Input.dispatchMouseEvent", { type = type, x = box.x, y = box.y, button = "left", clickCount = 1 })
  end
end

--- Waits until an expression in the page is true, for some seconds at most.
---@param expression string
---@return boolean
function Browser:wait(expression)
  return self:evaluate(([[(async () => {
    for (let i = 0; i < 200; i++) {
      if (%s) return true;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return false;
  })()]]):format(expression))
end

--- Ends the browser.
function Browser:close()
  self.to:write('{"id":0,"method":"Browser.close"}\0')
  self.to:close()
  self.from:read("a")
  self.from:close()
  support.remove_folder(self.folder)
end

Browser.__close = Browser.close

--- Opens a page and waits until it is loaded.
---@param path string  of a file, from the root
---@param options? {lax: boolean}  lax: whether the page's policy is not enforced
---@return table browser  its field complaints lists what went wrong in the page
function M.open(path, options)
  local folder = support.new_folder()
  local command = "cd '%s' && mkfifo to from && { timeout %d chromium --headless --no-sandbox --disable-gpu "
    .. "--no-first-run --user-data-dir=profile --autoplay-policy=no-user-gesture-required "
    .. "--window-size=1280,900 --remote-debugging-pipe 3<to 4>from >/dev/null 2>&1 & }"
  assert(os.execute(command:format(folder, LONGEST)))
  local self = setmetatable({ folder = folder, count = 0, complaints = {} }, Browser)
  self.to = assert(io.open(folder .. "/to", "wb"))
  self.from = assert(io.open(folder .. "/from", "rb"))
  local target = self:send("Target.createTarget", { url = "about:blank" }).targetId
  self.session = self:send("Target.attachToTarget", { targetId = target, flatten = true }).sessionId
  for _, domain in ipairs { "Page", "Runtime", "Log" } do
    self:send(domain .. ".enable")
  end
  self:send("Page.setBypassCSP", { enabled = options ~= nil and options.lax })
  self:send("Page.navigate", { url = "file://" .. path })
  assert(self:wait('document.readyState === "complete" && location.protocol === "file:"'))
  return self
end

return M
