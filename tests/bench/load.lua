-- wrk load: every datapoint new. 20,000 metrics in POSTs of `per_post`; timestamps advance by a second
-- with each cycle over all metrics. One wrk thread, so that one counter orders all connections.
-- arguments: format (fluxd|influx), key, datapoints a POST, first timestamp, metrics

local bodies, cycle, at, timestamp = {}, 0, 0, 0
local VARIANTS = 7

local function pieces(format, key, first, count, variant)
  local out = {}
  local tail
  for i = first, first + count - 1 do
    local value = string.format("%.2f", 50 + (i * 7 + variant * 13) % 101 / 10)
    if format == "fluxd" then
      local head = tail or ('{"key":"' .. key .. '","metrics":[')
      out[#out + 1] = head .. string.format('{"metric":"load.host-%05d.cpu.user","timestamp":', i)
      tail = ',"value":' .. value .. '},'
    else
      out[#out + 1] = (tail or "") .. string.format("load.host-%05d.cpu.user value=%s ", i, value)
      tail = "\n"
    end
  end
  if format == "fluxd" then tail = tail:sub(1, -2) .. "]}" end
  out[#out + 1] = tail
  return out
end

function init(args)
  local format, key, per_post = args[1], args[2], tonumber(args[3])
  timestamp = tonumber(args[4])
  local metrics = tonumber(args[5])
  for variant = 1, VARIANTS do
    bodies[variant] = {}
    for first = 0, metrics - 1, per_post do
      table.insert(bodies[variant], pieces(format, key, first, math.min(per_post, metrics - first), variant))
    end
  end
  wrk.method = "POST"
  wrk.path = format == "fluxd" and "/flux/metric_data_post" or "/write?db=bench&precision=s"
end

function request()
  at = at + 1
  local set = bodies[cycle % VARIANTS + 1]
  if at > #set then
    at, cycle = 1, cycle + 1
    set = bodies[cycle % VARIANTS + 1]
  end
  -- the timestamp stands between all pieces
  return wrk.format(nil, nil, nil, table.concat(set[at], tostring(timestamp + cycle)))
end

local bad = 0
function response(status)
  if status ~= 204 then
    bad = bad + 1
    if bad == 1 then print("first other answer: " .. status) end
  end
end
