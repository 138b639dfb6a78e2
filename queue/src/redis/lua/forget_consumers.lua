-- Removes consumers that have been silent for long. Never one with deliveries: these would be removed with it.
-- KEYS streams
-- ARGV group, silence in ms
-- returns how many were removed
local removed = 0
for _, stream in ipairs(KEYS) do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, ARGV[1])
  for _, info in ipairs(consumers) do
    local name, pending, idle = info[2], info[4], info[6]
    if pending == 0 and idle > tonumber(ARGV[2]) then
      redis.call('XGROUP', 'DELCONSUMER', stream, ARGV[1], name)
      removed = removed + 1
    end
  end
end
return removed
