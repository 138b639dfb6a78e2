-- Counts what waits and what is delivered.
-- KEYS 1-3 lines by class, 4-6 unused
-- ARGV group
-- returns {waiting interactive, normal, batch, delivered}
local depth = {0, 0, 0, 0}
for class = 1, 3 do
  local pending = 0
  for _, info in ipairs(redis.pcall('XINFO', 'GROUPS', KEYS[class])) do
    if info[2] == ARGV[1] then pending = info[6] end
  end
  depth[class] = math.max(0, redis.call('XLEN', KEYS[class]) - pending)
  depth[4] = depth[4] + pending
end
return depth
