-- Removes consumers that have been silent for long. Never one with deliveries: these would be removed with it.
-- KEYS 1-3 lines by class, 4-6 unused
-- ARGV group, silence in ms
-- returns how many were removed
local removed = 0
for class = 1, 3 do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[class], ARGV[1])
  for _, info in ipairs(consumers) do
    local name, pending, idle = info[2], info[4], info[6]
    if pending == 0 and idle > tonumber(ARGV[2]) then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[class], ARGV[1], name)
      removed = removed + 1
    end
  end
end
return removed
