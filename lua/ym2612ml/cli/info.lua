-- ym2612ml info: a patch as a table that reads like a tracker's instrument editor.
local console = require "ym2612ml.cli.console"
local json = require "ym2612ml.json"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

-- How the operators of each algorithm are connected: > modulates, + sounds together.
local CONNECTIONS = {
  [0] = "1 > 2 > 3 > 4", "(1 + 2) > 3 > 4", "(1 + (2 > 3)) > 4", "((1 > 2) + 3) > 4",
  "(1 > 2) + (3 > 4)", "1 > (2 + 3 + 4)", "(1 > 2) + 3 + 4", "1 + 2 + 3 + 4",
}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Show what is in a patch file.")
  command:description("Prints every field of a patch. Operators that are heard directly, "
    .. "the carriers, are marked with a star.")
  command:argument("FILE", "Patch files and banks, of any format."):args("+"):target("files")
  command:flag("--json", "Print one JSON document instead.")
end

local function patch_json(path, patch)
  local object = reading.plain(patch)
  object.file = path
  return json.encode(object)
end

local function title(patch)
  local names = {}
  for _, key in ipairs { "name", "dumper", "game" } do
    if patch[key] and patch[key] ~= "" and patch[key] ~= names[#names] then
      names[#names + 1] = patch[key]
    end
  end
  return #names > 0 and " (" .. console.printable(table.concat(names, ", ")) .. ")" or ""
end

local function print_patch(path, patch, report)
  print(path .. title(patch))
  print(("algorithm %d: %s"):format(patch.algorithm, CONNECTIONS[patch.algorithm]))
  local head = { "field", "op 1", "op 2", "op 3", "op 4", "" }
  for _, carrier in ipairs(ym.patch.carriers(patch.algorithm)) do
    head[carrier + 1] = head[carrier + 1] .. "*"
  end
  local rows = {}
  for _, field in ipairs(ym.patch.fields()) do
    if field.operator == 1 then
      local row = { field.name }
      for operator = 1, 4 do
        row[operator + 1] = patch[operator][field.name]
      end
      row[#row + 1] = field.meaning
      rows[#rows + 1] = row
    elseif not field.operator and field.name ~= "algorithm" then
      print(("%s %s: %s"):format(field.name, patch[field.name] or "off", field.meaning))
    end
  end
  report:columns(head, rows)
end

--- Runs the command.
---@param options {files: string[], json: boolean?}
---@param report table
function M.run(options, report)
  local objects = {}
  for _, path in ipairs(options.files) do
    for _, patch in ipairs(report:attempt(path, reading.all, path, report) or {}) do
      if not options.json then
        if #objects > 0 then
          print()
        end
        print_patch(path, patch, report)
      end
      objects[#objects + 1] = patch_json(path, patch)
    end
  end
  if options.json then
    print('{"patches":[' .. table.concat(objects, ",") .. "]}")
  end
end

return M
